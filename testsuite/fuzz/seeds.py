"""Writes the seeds of the fuzz target `model` to a folder: every model of the operators' vectors and forms, and
the examples' models.

    python3 seeds.py corpus/model
"""

import hashlib
import pathlib
import shutil
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


def keep(model):
    (folder / hashlib.sha256(model).hexdigest()[:16]).write_bytes(model)


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
    shutil.copy(path, folder)
