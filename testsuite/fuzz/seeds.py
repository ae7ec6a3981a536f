"""Writes the seeds of a fuzz target to a folder that is named like it.

    python3 seeds.py corpus/model
"""

import hashlib
import pathlib
import re
import struct
import sys

SUITE = pathlib.Path(__file__).resolve().parent.parent
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


class Reader:
    def __init__(self, content):
        self.rest = content

    def number(self):
        (number,) = struct.unpack_from("<I", self.rest)
        self.rest = self.rest[4:]
        return number

    def blob(self):
        length = self.number()
        blob, self.rest = self.rest[:length], self.rest[length:]
        return blob


def keep(seed):
    (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


def model():
    """Every model of the operators' vectors and forms, and the examples' models."""
    for path in sorted((SUITE / "ops").glob("*.vectors")):
        reader = Reader(path.read_bytes())
        while reader.rest:
            reader.blob()
            keep(reader.blob())
            for _ in range(reader.number()):
                for _ in range(2):
                    for _ in range(reader.number()):
                        reader.blob()
    for path in (SUITE / "ops").glob("*.forms"):
        reader = Reader(path.read_bytes())
        while reader.rest:
            reader.blob()
            keep(reader.blob())
    for path in (SUITE.parent / "examples").glob("*/*.tflite"):
        keep(path.read_bytes())


def policy():
    """Every policy of the book, and one with all that a policy of MQTT may say."""
    for path in (SUITE.parent / "docs/book").glob("*.md"):
        for text in re.findall(r"^```toml.*?\n(.*?)^```", path.read_text(), re.M | re.S):
            keep(text.encode())
    keep(
        b"""version = 1
outputs.a = { kind = "SERIAL", sink = "mqtt", host = "h", port = 1, topic = "t", qos = 1, client-id = "c",
login = "l", when-full = "drop-oldest", queue-records = 1, queue-bytes = 1, timeout-ms = 1, retries = 1,
drain-ms = 1 }
"""
    )


def request():
    """Every request that there is."""
    keep(b'{"do":"ps"}')
    for do in ["start", "stop", "reload", "trigger"]:
        keep(b'{"do":"%s","rune":"a"}' % do.encode())
    keep(b'{"do":"logs","rune":"a","since":7}')


def recording():
    """Two samples of two bytes, and an end with a note. To a fuzzer every check is right."""
    check = bytes(4)
    header = b"RREC" + struct.pack("<HHBBI", 1, 1, 1, 1, 2) + struct.pack("<H", 3) + b"raw" + check
    sample = struct.pack("<BQQI", 0, 2**64 - 1, 0, 2) + b"ab" + check
    end = struct.pack("<BI", 1, 4) + b"note" + check
    keep(header + sample + sample + end)
    keep(header + sample)


def snapshot():
    """A record of a rune with a stage and an output that was called twice."""
    digest = bytes(range(32))
    counters = bytes([2, 0, 0, 1, 0]) + bytes(5)
    # One bucket of one duration of 1 ns, twice.
    histogram = bytes([1, 0, 2, 2, 1, 1])
    stage = b"\x03fft" + histogram + bytes([1, 1, 1, 1])
    output = b"\x06serial" + bytes([2, 8, 0]) + bytes(3)
    head = b"SAGA\x01\x04door" + bytes([0, 1, 0]) + digest + bytes([3, 9, 1, 100])
    keep(head + counters + histogram + b"\0" + b"\1" + stage + b"\1" + output)


{f.__name__: f for f in [model, policy, request, recording, snapshot]}[folder.name]()
