"""`concat` as numpy's `concatenate` does it."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(14)
NAMES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
cases = []


def add(dtype, shapes, axis):
    parts = [rng.integers(0, 100, s).astype(dtype) for s in shapes]
    args = {} if axis is None else {"axis": axis}
    want = np.concatenate(parts, -1 if axis is None else axis)
    name = f"{dtype} {shapes}, axis {axis}"
    cases.append(Case(name, args=args).call(parts, [want]))


for dtype in NAMES:
    add(dtype, [(2, 3), (2, 1), (2, 4)], None)
    add(dtype, [(2, 3), (1, 3)], 0)
add("float32", [(5,)], None)
add("float32", [(5,), (1,), (2,)], 0)
add("float32", [(1, 10), (1, 3)], -1)
add("uint8", [(4, 5, 1)] * 3, -1)
add("uint8", [(4, 2, 3), (4, 3, 3)], 1)
add("uint8", [(4, 2, 3), (4, 3, 3)], -2)
add("int16", [(1, 2, 1, 2, 2)] * 2, -5)
add("int8", [(2, 1)] * 16, 1)
x = np.zeros((2, 3), np.float32)
for name, parts, axis, part in [
    ("other length", [x, x[:1]], 1, "input 1 has the dimensions [1, 3]"),
    ("other rank", [x, x, x[0]], 1, "input 2 has the dimensions [3]"),
    ("no such axis", [x, x], 2, "`--axis` is 2, but there are 2 dimensions"),
    ("no such axis from the end", [x, x], -3, "`--axis` is -3"),
    ("least axis", [x, x], -(2**63), "2 dimensions"),
    ("greatest axis", [x, x], 2**63 - 1, "2 dimensions"),
]:
    cases.append(Case(name, args={"axis": axis}, refused=part).types(parts, [x]))
write(__file__, oracle=f"numpy {np.__version__} concatenate", cases=cases)
