"""The reference's `noise-filtering` in Python integers, written anew from its description."""

import importlib.util
import math
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "vectors"))
from vectors import Case, wav, write

spec = importlib.util.spec_from_file_location("spectrogram_oracle", HERE.parent / "spectrogram" / "oracle.py")
spectrogram = importlib.util.module_from_spec(spec)
spec.loader.exec_module(spectrogram)

rng = np.random.default_rng(10)
f32 = np.float32
U32 = 0xFFFFFFFF


def table(strength, offset, gain_bits, smoothing_bits):
    """Gains at 0 and 1, then for each number of bits the coefficients of a parabola."""

    def gain(v):
        base = f32(v) / f32(1 << (smoothing_bits + 1)) + f32(offset)
        with np.errstate(divide="ignore"):
            gain = f32(1 << gain_bits) * np.power(base, -f32(strength), dtype=np.float32)
        return int(min(gain, f32(32767)) + f32(0.5)) if gain < 32767 else 32767

    lut = [gain(0), gain(1)]
    for bits in range(2, 33):
        x0 = 1 << (bits - 1)
        x1 = x0 + x0 // 2
        x2 = 2 * x0 - (bits == 32)
        y0, y1, y2 = gain(x0), gain(x1), gain(x2)
        d1, d2 = y1 - y0, y2 - y0
        a1 = 4 * d1 - d2
        lut += [y0, a1, d2 - a1, 0]
    return lut[:-1]


def interpolate(e, lut):
    if e <= 2:
        return lut[e]
    bits = e.bit_length()
    y0, a1, a2 = lut[4 * bits - 6 :][:3]
    frac = (e << (11 - bits) if bits < 11 else e >> (bits - 11)) & 0x3FF
    return (((((a2 * frac) >> 5) + (a1 << 5)) * frac + (1 << 14)) >> 15) + y0


def steps(
    x, strength=0.95, offset=80.0, gain_bits=21, smoothing_bits=10,
    even_smoothing=0.025, odd_smoothing=0.06, min_signal_remaining=0.05,
):
    """Estimates, what is left of the signal, gains, and the signal with its gain."""
    fixed = lambda v: int(f32(v) * f32(1 << 14))
    even, odd, least = fixed(even_smoothing), fixed(odd_smoothing), fixed(min_signal_remaining)
    lut = table(strength, offset, gain_bits, smoothing_bits)
    rows = []
    for i, value in enumerate(int(v) for v in x):
        up = (value << smoothing_bits) & U32
        estimate = (up * (odd if i % 2 else even)) >> 14
        kept = estimate & U32
        left = max((value * least) >> 14, (up - min(estimate, up)) >> smoothing_bits)
        weight = interpolate(kept, lut)
        snr = ((left * weight) >> (gain_bits + 1 - 12)) & U32
        result = (snr * snr) >> 20 if snr < 8192 else (snr >> 6) - 64
        rows.append((kept, left, weight, result))
    return rows


def filtered(x, **args):
    levels = [math.log2(row[3] + 1) for row in steps(x, **args)]
    low, high = min(levels), max(levels)
    if low == high:
        return np.zeros(len(levels), np.int8)
    return np.array([int(255 * (v - low) / (high - low) - 128) for v in levels], np.int8)


# What TensorFlow's tests of its noise reduction and PCAN have.
rows = steps([247311, 508620])
assert [r[0] for r in rows] == [6321887, 31248341], rows
assert [r[1] for r in rows] == [241137, 478104], rows
assert [r[2] for r in rows] == [990, 219], rows
assert [r[3] for r in rows] == [3578, 1533], rows


# The first numbers of a test of the reference's own, and the largest of that test.
x = [9, 130, 180, 93, 61, 42, 43, 47, 75, 81, 73, 29, 65536]
assert filtered(x).tolist()[:12] == [-128, -44, -21, -66, -84, -106, -106, -106, -71, -71, -76, -128]


def check(name, *inputs, **args):
    case = Case(name, args={k.replace("_", "-"): v for k, v in args.items()})
    for x in inputs:
        case.call([x], [filtered(x, **args)])
    return case


def draw(n):
    """Numbers of all sizes."""
    return (2.0 ** rng.uniform(0, 32, n)).astype(np.uint64).clip(0, U32).astype(np.uint32)


pair = np.array([247311, 508620], np.uint32)
speech = [spectrogram.spectrogram(wav("speech.wav", at, 16000).samples) for at in (0, 16000)]
clip = speech[0]
cases = [
    check("TensorFlow's pair, as often as it comes", pair, pair, pair),
    check("the spectrogram of speech, two calls", *speech),
    check("all sizes", draw(700)),
    check("the least numbers", np.arange(40, dtype=np.uint32)),
    check("the largest numbers", np.array([U32, U32 - 1, 1 << 31, 1 << 22, (1 << 22) - 1, 0, 0], np.uint32)),
    check("no suppression", clip[:400], min_signal_remaining=1.0),
    check("all smoothing", clip[:400], even_smoothing=1.0, odd_smoothing=1.0, min_signal_remaining=0.0),
    check("other smoothing", draw(300), even_smoothing=0.3, odd_smoothing=0.7, smoothing_bits=5),
    check("no smoothing bits", draw(300), smoothing_bits=0),
    check("many smoothing bits", draw(300), smoothing_bits=20),
    check("half the strength", clip[400:800], strength=0.5),
    check("no strength", draw(300), strength=0.0, gain_bits=12),
    check("full strength, no offset", draw(300), strength=1.0, offset=0.0),
    check("few gain bits", draw(300), gain_bits=11, offset=1.0),
    check("many gain bits", draw(300), gain_bits=31, offset=3000.0),
    check("nothing", np.zeros(40, np.uint32)),
    check("one number", np.array([77], np.uint32)),
]

if __name__ == "__main__":
    write(__file__, f"Python integers and numpy {np.__version__}, from the description of the reference", cases)
