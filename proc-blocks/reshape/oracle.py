"""`reshape` as numpy does it."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(5)
cases = []
for dtype, dims, shape in [
    (np.float32, (24,), [2, 3, 4]),
    (np.int8, (1, 12), [1, 3, -1, 1]),
    (np.uint8, (2, 3, 4), [-1]),
    (np.int16, (5,), [5]),
    (np.uint16, (1,), [1, 1, 1, 1, 1, 1, 1, -1]),
    (np.int32, (4, 6), [8, 3]),
    (np.uint32, (7,), [-1, 7]),
    (np.int64, (6,), [6, -1]),
    (np.uint64, (2, 2), [4]),
    (np.float64, (3, 5), [5, 3]),
]:
    x = rng.integers(0, 128, dims).astype(dtype)
    case = Case(f"{x.dtype} {dims} to {shape}", args={"shape": [str(d) for d in shape]})
    cases.append(case.call([x], [x.reshape(shape)]))
floats = np.float32([np.nan, np.inf, -np.inf, -0.0])
cases.append(Case("any bits", args={"shape": [" 2", "2 "]}).call([floats], [floats.reshape(2, 2)]))
x = np.zeros(12, np.float32)
for name, shape, part in [
    ("too few", ["11"], "for 11 elements, but there are 12"),
    ("too many", ["2", "12"], "for 24 elements, but there are 12"),
    ("no multiple", ["5", "-1"], "for a multiple of 5 elements, but there are 12"),
    ("two open", ["-1", "-1"], "only one dimension"),
    ("zero", ["0", "12"], "not of `0`"),
    ("word", ["x"], "not of `x`"),
    ("negative", ["-2", "6"], "not of `-2`"),
    ("overflow", ["2147483647"] * 8, "elements, but there are 12"),
    ("rank", ["1"] * 8 + ["12"], "more than 8 dimensions"),
]:
    cases.append(Case(name, args={"shape": shape}, refused=part).types([x], [x]))
write(__file__, oracle=f"numpy {np.__version__} reshape", cases=cases)
