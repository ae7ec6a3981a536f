"""`mean` as numpy and Python's exact fractions say it."""

import sys
from fractions import Fraction

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(7)
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


def exact(lane):
    return np.float32(float(sum(map(Fraction, lane.tolist())) / lane.size))


def along(x, axis):
    if axis == "all":
        return np.array([exact(x.ravel())], np.float32)
    return np.atleast_1d(np.apply_along_axis(exact, int(axis), x).astype(np.float32))


cases = []


def add(name, x, axis="all", relative=2e-7):
    args = {} if axis == "all" else {"axis": str(axis)}
    cases.append(Case(name, args=args, relative=relative).call([x], [along(x, axis)]))


for dtype in INTEGERS:
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (3, 4, 5), dtype, endpoint=True)
    for axis in ["all", "0", "1", "-1"]:
        add(f"{info.dtype}, axis {axis}", x, axis)
    add(f"{info.dtype} extremes", np.array([info.min, info.max, info.max], dtype))
for dtype in [np.float32, np.float64]:
    name = np.dtype(dtype).name
    x = rng.normal(3, 2, (6, 7)).astype(dtype)
    for axis in ["all", "0", "-1", "-2"]:
        add(f"{name}, axis {axis}", x, axis)
    add(f"{name}, one element", dtype([[-2.5]]))
    add(f"{name}, one vector", dtype([1, 2, 4]), "0")
    add(f"{name}, far from zero", (1e7 + rng.integers(0, 4, 1001)).astype(dtype))
    add(f"{name}, cancelling", dtype([1e8, 1, -1e8, 1]))
    add(f"{name}, subnormal", dtype([1e-40, 3e-40]), relative=1e-4)
add("greatest f32", np.full(9, np.finfo(np.float32).max))
for values in [[np.nan, 1], [np.inf, 1], [-np.inf, 1], [np.inf, -np.inf]]:
    x = np.float32(values)
    with np.errstate(invalid="ignore"):
        cases.append(Case(f"{values}").call([x], [np.float32([np.mean(x)])]))
for axis, part in [("2", "`--axis` is 2, but there are 2 dimensions"), ("-3", "2 dimensions"), ("x", "not `x`")]:
    x = np.zeros((2, 3), np.float32)
    cases.append(Case(f"axis {axis}", args={"axis": axis}, refused=part).types([x], [x[0]]))
write(__file__, oracle=f"fractions; numpy {np.__version__} mean", cases=cases)
