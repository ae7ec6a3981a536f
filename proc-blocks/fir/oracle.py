"""What `fir` has to answer, from scipy."""

import pathlib
import sys

import numpy as np
import scipy
from scipy.signal import firwin, lfilter

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, wav, write

random = np.random.default_rng(2)


def rounded(y, dtype):
    if dtype == np.int16:
        return np.clip(np.rint(y), -32768, 32767).astype(dtype)
    return y.astype(dtype)


def stream(case, taps, calls, decimate=1):
    """Calls over one stream; time is the first dimension."""
    arrays = [getattr(c, "samples", c) for c in calls]
    whole = lfilter(taps, 1.0, np.concatenate(arrays).astype(np.float64), axis=0)
    start = 0
    for call, array in zip(calls, arrays):
        case.call([call], [rounded(whole[start:][: len(array) : decimate], array.dtype)])
        start += len(array)
    return case


def designed(name, kind, edges, hz, calls, length=None, window=None, decimate=None, **tolerance):
    names = {"low": ["cutoff"], "high": ["cutoff"]}.get(kind, ["low", "high"])
    args = {"kind": kind, "hz": hz} | dict(zip(names, edges))
    given = {"length": length, "window": window, "decimate": decimate}
    args |= {k: v for k, v in given.items() if v is not None}
    taps = firwin(
        length or 65,
        edges if len(edges) > 1 else edges[0],
        pass_zero={"low": "lowpass", "high": "highpass", "band": "bandpass", "stop": "bandstop"}[kind],
        window={"rectangular": "boxcar"}.get(window, window) or "hamming",
        fs=hz,
    )
    return stream(Case(name, args, **tolerance), taps, calls, decimate or 1)


def noise(count, *shape):
    return random.standard_normal((count, *shape)).astype(np.float32)


close = {"relative": 1e-6}
cases = [
    designed("low", "low", [10.0], 100.0, [noise(100) for _ in range(3)], **close),
    designed("high", "high", [10.0], 100.0, [noise(100), noise(100)], length=31, **close),
    designed("voice", "band", [300.0, 3400.0], 16000.0, [noise(160) for _ in range(4)], length=101, **close),
    designed("stop", "stop", [45.0, 55.0], 1000.0, [noise(200), noise(200)], length=99, window="hann", **close),
    designed("blackman", "low", [7.0], 50.0, [noise(64), noise(64)], length=20, window="blackman", **close),
    designed("rectangular", "band", [5.0, 9.0], 50.0, [noise(64)], length=16, window="rectangular", **close),
    designed("one tap", "low", [10.0], 100.0, [noise(9)], length=1, **close),
    designed("axes", "low", [5.0], 50.0, [noise(4, 3) for _ in range(10)], length=15, **close),
    designed("decimated", "low", [1500.0], 16000.0, [noise(160), noise(160)], length=63, decimate=4, **close),
    designed("decimated axes", "low", [5.0], 50.0, [noise(6, 2) for _ in range(8)], length=9, decimate=3, **close),
    designed(
        "speech", "high", [120.0], 16000.0,
        [wav("speech.wav", 8000 + 480 * i, 480) for i in range(3)], length=255, absolute=1,
    ),
    designed(
        "full scale", "low", [3000.0], 8000.0,
        [np.where(random.random(200) < 0.5, -32768, 32767).astype(np.int16)], length=21, absolute=1,
    ),
]
taps = random.standard_normal(7).astype(np.float32).astype(np.float64)
case = Case("taps given", {"taps": [repr(float(t)) for t in taps]}, **close)
cases.append(stream(case, taps, [noise(5) for _ in range(5)]))
case = Case("moving average of integers", {"taps": ["0.25"] * 4})
cases.append(stream(case, [0.25] * 4, [random.integers(-32768, 32768, 30).astype(np.int16) for _ in range(2)]))

x = noise(8)
for name, part, args in (
    ("no rate", "--hz", {"cutoff": 10.0}),
    ("edge above half the rate", "half of `--hz`", {"cutoff": 60.0, "hz": 100.0}),
    ("even high pass", "odd", {"kind": "high", "cutoff": 10.0, "hz": 100.0, "length": 64}),
    ("nothing left", "2 taps", {"cutoff": 10.0, "hz": 100.0, "length": 2, "window": "hann"}),
    ("both", "whole filter", {"taps": ["1"], "cutoff": 10.0}),
    ("no number", "item 2 of `--taps` is `-`", {"taps": ["1", "-"]}),
):
    cases.append(Case(name, args, refused=part).types([x], [x]))
write(__file__, oracle=f"scipy {scipy.__version__} signal.firwin, signal.lfilter", cases=cases)
