"""What `biquad` has to answer, from scipy."""

import pathlib
import sys

import numpy as np
import scipy
from scipy.signal import butter, sosfilt

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, wav, write

random = np.random.default_rng(1)


def rounded(y, dtype):
    if dtype == np.int16:
        return np.clip(np.rint(y), -32768, 32767).astype(dtype)
    return y.astype(dtype)


def stream(case, sos, calls):
    """Calls over one stream; time is the first dimension."""
    arrays = [getattr(c, "samples", c) for c in calls]
    whole = sosfilt(sos, np.concatenate(arrays).astype(np.float64), axis=0)
    start = 0
    for call, array in zip(calls, arrays):
        case.call([call], [rounded(whole[start:][: len(array)], array.dtype)])
        start += len(array)
    return case


def designed(name, kind, order, edges, hz, calls, **tolerance):
    names = {"low": ["cutoff"], "high": ["cutoff"]}.get(kind, ["low", "high"])
    args = {"kind": kind, "order": order, "hz": hz} | dict(zip(names, edges))
    btype = {"band": "bandpass", "stop": "bandstop"}.get(kind, kind)
    sos = butter(order, edges if len(edges) > 1 else edges[0], btype, fs=hz, output="sos")
    return stream(Case(name, args, **tolerance), sos, calls)


def noise(count, *shape):
    return random.standard_normal((count, *shape)).astype(np.float32)


close = {"relative": 1e-6}
cases = [
    designed("accelerometer", "low", 2, [4.0], 50.0, [noise(16, 3) for _ in range(4)], **close),
    designed("one row a call", "low", 3, [20.0], 100.0, [noise(1, 2) for _ in range(12)], **close),
    designed("high", "high", 5, [8.0], 100.0, [noise(100), noise(100)], **close),
    designed("band", "band", 4, [300.0, 3400.0], 16000.0, [noise(200) for _ in range(3)], **close),
    designed("band of odd order", "band", 3, [0.5, 40.0], 100.0, [noise(150)], **close),
    designed("first order", "band", 1, [1.0, 49.0], 100.0, [noise(80)], **close),
    designed("hum", "stop", 3, [49.0, 51.0], 1000.0, [noise(300), noise(300)], **close),
    designed("steep", "low", 16, [10.0], 100.0, [noise(300)], **close),
    designed("far below the rate", "low", 4, [5.0], 16000.0, [np.ones(400, np.float32)] * 3, relative=1e-5),
    designed("narrow", "band", 2, [999.0, 1001.0], 16000.0, [noise(500), noise(500)], relative=1e-5),
    designed("speech", "high", 2, [100.0], 16000.0, [wav("speech.wav", 8000 + 800 * i, 800) for i in range(3)], absolute=1),
    designed(
        "full scale",
        "high",
        4,
        [1000.0],
        8000.0,
        [np.where(random.random(200) < 0.5, -32768, 32767).astype(np.int16)],
        absolute=1,
    ),
]
given = butter(4, [0.2, 0.6], "bandpass", output="sos")
for name, factor in (("sections given", 1.0), ("a0 is not 1", 2.0)):
    case = Case(name, {"sos": [repr(float(factor * x)) for x in given.ravel()]}, **close)
    cases.append(stream(case, given, [noise(60), noise(60)]))

x = noise(8)
for name, part, args in (
    ("no rate", "--hz", {"cutoff": 10.0}),
    ("no edge", "--cutoff", {"hz": 100.0}),
    ("edge at half the rate", "half of `--hz`", {"cutoff": 50.0, "hz": 100.0}),
    ("edges turned", "less than", {"kind": "band", "low": 30.0, "high": 20.0, "hz": 100.0}),
    ("half a section", "six", {"sos": ["1", "2", "3"]}),
    ("no number", "item 4 of `--sos` is `one`", {"sos": ["1", "0", "0", "one", "0", "0"]}),
    ("unstable", "unit circle", {"sos": ["1", "0", "0", "1", "-2", "1"]}),
):
    cases.append(Case(name, args, refused=part).types([x], [x]))
write(__file__, oracle=f"scipy {scipy.__version__} signal.butter, signal.sosfilt", cases=cases)
