"""librosa's mel spectrogram in double precision."""

import pathlib
import sys

import librosa
import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from vectors import Case, wav, write

rng = np.random.default_rng(7)
SHAPES = {"hann": "hann", "hamming": "hamming", "rectangular": "boxcar"}


def expected(
    x, fft=512, hop=128, length=0, window="hann", center=0,
    hz=16000.0, mels=40, fmin=0.0, fmax=0.0, power=2.0, htk=False, norm="slaney",
):
    scale = 32768 if x.dtype == np.int16 else 1
    energies = librosa.feature.melspectrogram(
        y=x.astype(np.float64) / scale,
        sr=hz,
        n_fft=fft,
        hop_length=hop,
        win_length=length or None,
        window=SHAPES[window],
        center=bool(center),
        n_mels=mels,
        fmin=fmin,
        fmax=fmax or None,
        power=power,
        htk=htk,
        norm=None if norm == "none" else norm,
        dtype=np.float64,
    )
    return energies.T.astype(np.float32)


def check(name, *signals, relative=2e-6, **args):
    case = Case(name, args=args, relative=relative)
    for x in signals:
        case.call([x], [expected(getattr(x, "samples", x), **args)])
    return case


def noise(n):
    return rng.uniform(-1, 1, n).astype(np.float32)


def refused(name, message, **args):
    case = Case(name, args=args, refused=message)
    return case.types([np.zeros(512, np.float32)], [np.zeros((1, 40), np.float32)])


nan = np.full((1, 40), np.nan, np.float32)
cases = [
    check("defaults on speech", wav("speech.wav", 4000, 8000)),
    check("defaults on noise, two calls", noise(1200), noise(1200)),
    check("as Whisper has it", wav("speech.wav", 16000, 4000), fft=400, hop=160, mels=80, center=1),
    check("magnitudes on the scale of HTK", wav("speech.wav", 9000, 4000), power=1.0, htk=True, norm="none", fmin=20.0, fmax=7600.0, mels=64),
    check("another exponent", noise(900), power=1.5, window="hamming", relative=4e-6),
    check("music at 44.1 kHz", noise(3000), hz=44100.0, fft=2048, hop=500, mels=128, fmin=30.0),
    check("filters without a frequency", noise(300), fft=128, hop=64, mels=60, length=100),
    check("filters above half the rate", noise(600), fmax=12000.0),
    check("one filter", noise(600), mels=1, window="rectangular"),
    check("clipping", wav("clipping.wav", 0, 1500)),
    check("silence", np.zeros(600, np.int16)),
    Case("a NaN among the samples").call([np.full(512, np.nan, np.float32)], [nan]),
    refused("no band", "filters from `--fmin 4000` to `--fmax 4000` Hz", fmin=4000.0, fmax=4000.0),
    refused("from above half the rate", "which is 8000 unless given", fmin=9000.0),
    refused("too short", "512 samples are less than one frame of 600", fft=600),
]
write(__file__, f"librosa {librosa.__version__} feature.melspectrogram in f64", cases)
