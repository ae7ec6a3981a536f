"""The reference's `fft` block, written anew in numpy and double precision from its description."""

import math
import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from vectors import Case, wav, write

rng = np.random.default_rng(9)
f32 = np.float32


def starts(length, bins, step):
    """The first samples of the 49 frames, and the length with zeros at the end."""
    padded = 0
    while padded + bins < length:
        padded += step
    padded = padded + bins if padded != length else padded
    at = columns = 0
    while at + bins <= padded:
        at, columns = at + step, columns + 1
    if at == padded:
        columns -= 1
    stride, column, frames = f32(columns) / f32(49), f32(0), []
    while column < columns:
        frames.append(int(column) * step)
        column = f32(column + stride)
    return frames[:49], padded


def hz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def mel(f):
    return 2595 * math.log10(1 + f / 700)


def filterbank():
    """40 filters on 241 rows, and the first and last row of each."""
    low, high = mel(16000 / 480), mel(8000)
    edges = [hz(low + i * (high - low) / 41) / 8000 * 241 for i in range(42)]
    filters, rows = np.zeros((40, 241)), []
    for r in range(40):
        start, end = math.floor(edges[r]), math.floor(edges[r + 2])
        width = max(end - start, 1)
        k = np.arange(width)
        filters[r, start : start + width] = (1 - np.abs((k - (width - 1) / 2) / (width / 2))) / width
        rows.append((start, start + width - 1))
    return filters, rows


FILTERS, ROWS = filterbank()


def energies(x, bins=480, overlap=0.6666667):
    step = int(f32(bins) * (f32(1) - f32(overlap)))
    frames, padded = starts(len(x), bins, step)
    x = np.concatenate([x.astype(np.float64), np.zeros(padded - len(x))])
    size = 1
    while size < bins:
        size *= 2
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(size) / (size - 1)))
    chosen = [int(f32(y) / f32(241) * f32(size // 2)) for y in range(241)]
    columns = []
    for start in frames:
        frame = np.zeros(size)
        frame[:bins] = x[start : start + bins]
        powers = np.abs(np.fft.fft(frame * window)) ** 2
        columns.append(np.sqrt(FILTERS @ powers[chosen]))
    return np.array(columns)


def spectrogram(x, **args):
    m = energies(x, **args)
    low, high = m.min(), m.max()
    if low == high:
        return np.zeros(m.size, np.uint32)
    return (65536 * (m - low) / (high - low)).astype(np.uint32).ravel()


if __name__ == "__main__":
    TABLE = """1-2 2-4 3-6 5-7 7-9 8-11 10-13 12-15 14-18 16-20 19-23 21-26 24-29 27-32 30-35 33-39 36-43 40-47 44-51
        48-56 52-61 57-66 62-71 67-77 72-83 78-90 84-97 91-104 98-112 105-121 113-130 122-139 131-149 140-160
        150-171 161-183 172-196 184-210 197-224 211-240"""
    assert [f"{a}-{b}" for a, b in ROWS] == TABLE.split()
    assert np.allclose(FILTERS[0, 1:3], 0.25) and np.allclose(FILTERS[1, 2:5], [1 / 9, 1 / 3, 1 / 9])
    assert starts(16000, 480, 159) == ([318 * t for t in range(49)], 16062)

    def check(name, *signals, **args):
        args = {k.replace("_", "-"): v for k, v in args.items()}
        own = {k.replace("window-", ""): v for k, v in args.items() if k in ("bins", "window-overlap")}
        case = Case(name, args=args, absolute=1)
        for x in signals:
            case.call([x], [spectrogram(getattr(x, "samples", x), **own)])
        return case

    def refused(name, message, samples=1000, **args):
        args = {k.replace("_", "-"): v for k, v in args.items()}
        case = Case(name, args=args, refused=message)
        return case.types([np.zeros(samples, np.int16)], [np.zeros(1960, np.uint32)])

    t = np.arange(4000)
    tone = (12000 * np.sin(2 * np.pi * 440 / 16000 * t) + 50 * rng.standard_normal(4000)).astype(np.int16)
    cases = [
        check("speech, two calls", wav("speech.wav", 0, 16000), wav("speech.wav", 16000, 16000)),
        check("a tone in noise", tone),
        check("noise, half a second", wav("noise.wav", 0, 8000)),
        check("clipping", wav("clipping.wav", 0, 8000)),
        check("a length of its own", wav("speech.wav", 5000, 12345)),
        check("two seconds", wav("speech.wav", 0, 32000)),
        check("less than a frame", wav("speech.wav", 9000, 300)),
        check("one frame", wav("speech.wav", 9000, 480)),
        check("a frame and a sample", wav("speech.wav", 9000, 481)),
        check("256 bins, half overlapped", wav("speech.wav", 2000, 16000), bins=256, window_overlap=0.5),
        check("600 bins at another rate", wav("speech.wav", 2000, 16000), bins=600, window_overlap=0.6, sample_rate=8000),
        Case("silence").call([wav("silence.wav", 0, 8000)], [np.zeros(1960, np.uint32)]),
        refused("no step", "0 samples apart", window_overlap=0.999),
        refused("no column", "has no frame", samples=480, window_overlap=0.0),
        refused("nothing", "at least 1 sample", samples=0),
    ]
    write(__file__, f"numpy {np.__version__} fft in f64, from the description of the reference", cases)
