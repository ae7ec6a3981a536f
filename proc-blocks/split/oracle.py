"""`split` as numpy's does it."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(15)
NAMES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
cases = []


def add(dtype, shape, parts, axis):
    x = rng.integers(0, 100, shape).astype(dtype)
    args = {"parts": parts} | ({} if axis is None else {"axis": axis})
    want = [np.ascontiguousarray(p) for p in np.split(x, parts, -1 if axis is None else axis)]
    name = f"{dtype} {shape} in {parts}, axis {axis}"
    cases.append(Case(name, args=args).call([x], want))


for dtype in NAMES:
    add(dtype, (2, 6), 3, None)
    add(dtype, (4, 3), 2, 0)
add("float32", (5,), 1, None)
add("float32", (5,), 5, 0)
add("uint8", (4, 5, 3), 3, -1)
add("uint8", (4, 6, 3), 2, 1)
add("uint8", (4, 6, 3), 6, -2)
add("int16", (2, 2, 1, 2, 2), 2, -5)
add("int8", (32,), 32, None)
x = np.zeros((2, 6), np.float32)
for name, parts, axis, part in [
    ("does not divide", 4, -1, "`--parts` is 4, which does not divide the 6 of axis 1"),
    ("more than there are", 3, 0, "does not divide the 2 of axis 0"),
    ("no such axis", 2, 2, "`--axis` is 2, but there are 2 dimensions"),
    ("least axis", 2, -(2**63), "2 dimensions"),
]:
    case = Case(name, args={"parts": parts, "axis": axis}, refused=part)
    cases.append(case.types([x], [x] * parts))
write(__file__, oracle=f"numpy {np.__version__} split", cases=cases)
