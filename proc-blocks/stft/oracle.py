"""Magnitudes and powers of librosa's short-time Fourier transform in double precision."""

import pathlib
import sys

import librosa
import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from vectors import Case, wav, write

rng = np.random.default_rng(6)
SHAPES = {"hann": "hann", "hamming": "hamming", "rectangular": "boxcar"}


def expected(x, fft=512, hop=128, length=0, window="hann", center=0, output="magnitude"):
    scale = 32768 if x.dtype == np.int16 else 1
    spectra = librosa.stft(
        x.astype(np.float64) / scale,
        n_fft=fft,
        hop_length=hop,
        win_length=length or None,
        window=SHAPES[window],
        center=bool(center),
        dtype=np.complex128,
    )
    return (np.abs(spectra.T) ** (2 if output == "power" else 1)).astype(np.float32)


def check(name, *signals, relative=1e-6, **args):
    case = Case(name, args=args, relative=relative)
    for x in signals:
        case.call([x], [expected(getattr(x, "samples", x), **args)])
    return case


def noise(n):
    return rng.uniform(-1, 1, n).astype(np.float32)


def refused(name, message, samples, shape, **args):
    case = Case(name, args=args, refused=message)
    return case.types([np.zeros(samples, np.float32)], [np.zeros(shape, np.float32)])


poisoned = np.ones(12, np.float32)
poisoned[5] = np.nan
nan_rows = np.repeat(np.float32([[4, 0, 0], [np.nan] * 3, [4, 0, 0]]), 1, axis=0)

cases = [
    check("defaults on speech", wav("speech.wav", 6000, 1600)),
    check("defaults on noise, two calls", noise(1000), noise(1000)),
    check("power of hamming frames", wav("speech.wav", 12000, 1600), fft=400, hop=160, window="hamming", output="power", relative=2e-6),
    check("a window shorter than the frame", noise(1500), fft=512, hop=200, length=400),
    check("a window of odd length in an even frame", noise(300), fft=64, hop=50, length=33, window="rectangular"),
    check("centred", noise(700), fft=256, hop=100, center=1),
    check("centred, an odd frame", noise(100), fft=45, hop=7, center=1, window="hamming"),
    check("a frame longer than the samples, centred", noise(40), fft=64, hop=16, center=1, window="rectangular"),
    check("frames apart", noise(500), fft=30, hop=100),
    check("a prime length", noise(400), fft=127, hop=90, relative=2e-6),
    check("one frame", noise(480), fft=480),
    check("clipping", wav("clipping.wav", 0, 900), fft=320, hop=160),
    check("silence", np.zeros(600, np.int16)),
    Case("a NaN stays in its frame", {"fft": 4, "hop": 4, "window": "rectangular"}).call([poisoned], [nan_rows]),
    refused("too short", "511 samples are less than one frame of 512", 511, (1, 257)),
    refused("too long a window", "does not fit into the frame of `--fft 64`", 100, (1, 33), fft=64, length=65),
]
write(__file__, f"librosa {librosa.__version__} stft in f64", cases)
