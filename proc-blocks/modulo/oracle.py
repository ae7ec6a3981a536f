"""`modulo` as C's `fmod` and numpy's, and as Python's integers say it."""

import math
import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(12)
cases = []
for dtype in [np.float32, np.float64]:
    values = np.concatenate([rng.normal(0, 1000, 12), [725.5, -725.5, 0, -0.0, np.nan, np.inf, -np.inf]])
    extremes = [np.finfo(dtype).max, -np.finfo(dtype).max, 1e-40, 16777216, 0.1]
    x = np.concatenate([values, extremes]).astype(dtype)
    for modulus in [1.0, 360.0, -360.0, 0.1, 1e-30, 1e30]:
        with np.errstate(invalid="ignore"):
            want = np.fmod(x, dtype(modulus))
        cases.append(Case(f"{x.dtype} % {modulus}", args={"modulus": modulus}).call([x], [want]))
x = np.float32([[1.25, -1.25]])
cases.append(Case("defaults").call([x], [np.float32([[0.25, -0.25]])]))
for dtype in [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]:
    info = np.iinfo(dtype)
    x = np.concatenate(
        [np.array([info.min, info.max, 0, 1], dtype), rng.integers(info.min, info.max, 12, dtype)]
    )
    for modulus in [1, 7, 100, *([-1, -7, info.min] if info.min else [])]:
        want = [int(math.copysign(1, v)) * (abs(v) % abs(modulus)) for v in x.tolist()]
        case = Case(f"{info.dtype} % {modulus}", args={"modulus": float(modulus)})
        cases.append(case.call([x], [np.array(want, dtype)]))
    for bad in [0.0, 2.5, float(info.max) + 2**12, float(info.min) - 2**12]:
        refused = Case(f"{info.dtype} % {bad}", args={"modulus": bad}, refused="must not be zero")
        cases.append(refused.types([x], [x]))
for bad in [0.0, 1e-60, 1e60]:
    x = np.zeros(3, np.float32)
    refused = Case(f"float32 % {bad}", args={"modulus": bad}, refused="must not be zero")
    cases.append(refused.types([x], [x]))
bounded = Case("bounded", args={"modulus": 5.0}, inputs=[("i16", ["<=3"])], outputs=[("i16", ["<=3"])])
for values in [[7], [], [5, -6, 4]]:
    bounded.call([np.int16(values)], [np.int16(np.fmod(np.int16(values), 5))])
cases.append(bounded)
write(__file__, oracle=f"numpy {np.__version__} fmod; Python int", cases=cases)
