"""Magnitudes of scipy's FFT in double precision."""

import pathlib
import sys

import numpy as np
import scipy

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from vectors import Case, wav, write

rng = np.random.default_rng(5)


def magnitudes(x):
    return np.abs(scipy.fft.fft(np.asarray(x, np.float64))).astype(np.float32)


def check(name, *signals, relative=1e-6):
    case = Case(name, relative=relative)
    for x in signals:
        case.call([x], [magnitudes(getattr(x, "samples", x))])
    return case


def noise(n):
    return rng.uniform(-1, 1, n).astype(np.float32)


cases = [check(f"{n} samples", noise(n)) for n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 480, 512, 1000, 1001]]
cases += [check(f"{n} samples, a large prime", noise(n), relative=2e-6) for n in [17, 94, 997, 2 * 499]]
cases += [
    check("speech, two calls", wav("speech.wav", 4000, 1024), wav("speech.wav", 9000, 1024)),
    check("clipping", wav("clipping.wav", 0, 640)),
    check("silence", np.zeros(256, np.int16)),
    check("the extremes of i16", np.full(96, -32768, np.int16), np.tile(np.int16([-32768, 32767]), 48)),
    check("tiny and huge", noise(60) * np.float32(1e-18), noise(60) * np.float32(1e17)),
    Case("not finite")
    .call([np.float32([1, np.nan, 2, 3])], [np.full(4, np.nan, np.float32)])
    .call([np.float32([1, 2, 3, 4])], [np.float32([10, np.sqrt(8), 2, np.sqrt(8)])]),
    Case("an overflow is infinite").call([np.full(4, 1e38, np.float32)], [np.float32([np.inf, 0, 0, 0])]),
    Case("too many", refused="65537 samples, but it takes 1 to 65536").types(
        [np.zeros(65537, np.float32)], [np.zeros(65537, np.float32)]
    ),
]
write(__file__, f"scipy {scipy.__version__} fft.fft in f64", cases)
