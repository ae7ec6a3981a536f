"""librosa's mel-frequency cepstral coefficients in double precision."""

import pathlib
import sys

import librosa
import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from vectors import Case, wav, write

rng = np.random.default_rng(8)
SHAPES = {"hann": "hann", "hamming": "hamming", "rectangular": "boxcar"}


def expected(
    x, fft=512, hop=128, length=0, window="hann", center=0,
    hz=16000.0, mels=40, fmin=0.0, fmax=0.0, power=2.0, htk=False, norm="slaney",
    coefficients=20, lifter=0.0, top_db=80.0,
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
    levels = librosa.power_to_db(energies, ref=1.0, amin=1e-10, top_db=top_db or None)
    return librosa.feature.mfcc(S=levels, n_mfcc=coefficients, lifter=lifter).T.astype(np.float32)


def check(name, *signals, relative=1e-5, **args):
    case = Case(name, args={k.replace("_", "-"): v for k, v in args.items()}, relative=relative)
    for x in signals:
        case.call([x], [expected(getattr(x, "samples", x), **args)])
    return case


def noise(n):
    return rng.uniform(-1, 1, n).astype(np.float32)


def refused(name, message, **args):
    case = Case(name, args=args, refused=message)
    return case.types([np.zeros(512, np.float32)], [np.zeros((1, args.get("coefficients", 20)), np.float32)])


t = np.arange(2048)
tone = np.sin(2 * np.pi * 1000 / 16000 * t).astype(np.float32)
poisoned = noise(1024)
poisoned[600] = np.nan
rows = expected(np.nan_to_num(poisoned), hop=512, fft=512, top_db=0.0)
rows[1] = np.nan

cases = [
    check("defaults on speech", wav("speech.wav", 4000, 12000)),
    check("defaults on noise, two calls", noise(1500), noise(1500)),
    check("13 of 40, centred", wav("speech.wav", 16000, 8000), hop=160, coefficients=13, center=1),
    check("liftered", wav("speech.wav", 8000, 4000), coefficients=12, lifter=22.0, htk=True),
    check("any distance from the loudest", wav("speech.wav", 0, 4000), top_db=0.0),
    check("a small distance", wav("speech.wav", 9000, 4000), top_db=20.0),
    check("loud then silent", np.concatenate([noise(1000), np.zeros(1000, np.float32)])),
    check("all of 64 on magnitudes", noise(1100), mels=64, coefficients=64, power=1.0, norm="none"),
    check("a tone", tone, relative=1e-4),
    check("clipping", wav("clipping.wav", 0, 2000)),
    check("silence", np.zeros(600, np.int16)),
    Case("a NaN stays in its row", {"hop": 512, "top-db": 0.0}, relative=1e-5).call([poisoned], [rows]),
    refused("more coefficients than filters", "of 40 mels there are 1 to 40", coefficients=41),
    refused("too short", "512 samples are less than one frame of 513", fft=513),
]
write(__file__, f"librosa {librosa.__version__} feature.mfcc in f64", cases)
