"""`threshold` as numpy's `where` does it."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(10)
MODES = ["binary", "binary-inverse", "truncate", "to-zero", "to-zero-inverse"]


def want(x, threshold, mode):
    t = x.dtype.type(threshold)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    yes, no = dict(zip(MODES, [(one, zero), (zero, one), (t, x), (x, zero), (zero, x)]))[mode]
    return np.where(x > t, yes, no).astype(x.dtype)


cases = []
for dtype in [np.float32, np.float64]:
    values = np.concatenate([rng.normal(0, 1, 12), [0.7, 0.5, 0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45]])
    x = values.astype(dtype)
    for mode in MODES:
        for threshold in [0.7, -0.3]:
            case = Case(f"{x.dtype} {mode} {threshold}", args={"mode": mode, "threshold": threshold})
            cases.append(case.call([x], [want(x, threshold, mode)]))
cases.append(Case("defaults").call([np.float32([[0.2, 0.8]])], [np.float32([[0, 1]])]))
for dtype in [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]:
    info = np.iinfo(dtype)
    edges = np.array([info.min, info.min + 1, 0, 1, 99, 100, 101, info.max - 1, info.max], dtype)
    for mode in MODES:
        threshold = float(info.min) if mode == "truncate" else 100.0
        case = Case(f"{info.dtype} {mode} {threshold}", args={"mode": mode, "threshold": threshold})
        cases.append(case.call([edges], [want(edges, int(threshold), mode)]))
    for bad in [0.5, float(info.max) + 2**12, float(info.min) - 2**12]:
        case = Case(f"{info.dtype}, no threshold {bad}", args={"threshold": bad}, refused="a whole number")
        cases.append(case.types([edges], [edges]))
bounded = Case("bounded", inputs=[("f32", ["<=3", 2])], outputs=[("f32", ["<=3", 2])])
for size in [4, 0, 6]:
    x = rng.random(size, np.float32)
    bounded.call([x], [want(x, 0.5, "binary")])
cases.append(bounded)
write(__file__, oracle=f"numpy {np.__version__} where", cases=cases)
