"""Makes the recordings beside it: 16 kHz, one channel, i16. Needs espeak-ng and sox on the path.

speech.wav is espeak-ng's voice; the others are computed. The files of record are those committed.
"""

import pathlib
import subprocess
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).parent
HZ = 16000


def write(name, samples):
    data = np.asarray(samples, "<i2").tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt "
    head += b"".join(
        n.to_bytes(size, "little")
        for n, size in [(16, 4), (1, 2), (1, 2), (HZ, 4), (HZ * 2, 4), (2, 2), (16, 2)]
    )
    (HERE / name).write_bytes(head + b"data" + len(data).to_bytes(4, "little") + data)


with tempfile.TemporaryDirectory() as folder:
    spoken, heard = f"{folder}/spoken.wav", f"{folder}/heard.raw"
    words = "up down left right yes no"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "160", "-w", spoken, words], check=True)
    raw = ["-r", str(HZ), "-e", "signed", "-b", "16", "-c", "1", "-D"]
    subprocess.run(["sox", "-R", spoken, *raw, heard], check=True)
    speech = np.fromfile(heard, "<i2")
write("speech.wav", speech[: 2 * HZ + HZ // 4])

noise = np.random.default_rng(7).normal(0, 3000, HZ // 2)
write("noise.wav", np.clip(np.round(noise), -32768, 32767))
write("silence.wav", np.zeros(HZ // 2))
# Tones of growing pitch, driven far beyond full scale: long runs of both extremes.
t = np.arange(HZ // 2) / HZ
tones = 4e5 * np.sin(2 * np.pi * (200 * t + 3000 * t * t))
write("clipping.wav", np.clip(np.round(tones), -32768, 32767))
