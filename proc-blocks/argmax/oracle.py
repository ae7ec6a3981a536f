"""`argmax` as numpy's, of the elements that are not NaN."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(8)
cases = []


def nan_last(lane):
    # Not `nanargmax`, which takes a NaN for a negative infinity.
    (numbers,) = np.nonzero(~np.isnan(lane))
    return numbers[np.argmax(lane[numbers])] if numbers.size else 0


def add(name, x, axis="all"):
    if axis == "all":
        want = np.array([nan_last(x.ravel())])
    else:
        want = np.atleast_1d(np.apply_along_axis(nan_last, int(axis), x))
    args = {} if axis == "all" else {"axis": str(axis)}
    cases.append(Case(name, args=args).call([x], [want.astype(np.uint32)]))


for dtype in [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]:
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (3, 4, 5), dtype, endpoint=True)
    for axis in ["all", "0", "1", "-1"]:
        add(f"{info.dtype}, axis {axis}", x, axis)
    add(f"{info.dtype}, the least", np.full(3, info.min, dtype))
    add(f"{info.dtype}, extremes", np.array([info.min, info.max - 1, info.max, info.max], dtype))
for dtype in [np.float32, np.float64]:
    name = np.dtype(dtype).name
    x = rng.integers(-3, 4, (4, 3, 6)).astype(dtype)
    x[rng.random(x.shape) < 0.3] = np.nan
    for axis in ["all", "0", "1", "-1"]:
        add(f"{name}, axis {axis}", x, axis)
    for values in [
        [-3, -1, -2],
        [5],
        [0, -0.0],
        [-0.0, 0],
        [np.nan],
        [np.nan, np.nan],
        [np.nan, -np.inf],
        [-np.inf, np.nan, -np.inf],
        [1, np.inf, np.inf],
        [1e-45, 0],
    ]:
        add(f"{name} {values}", dtype(values))
for axis, part in [("2", "`--axis` is 2, but there are 2 dimensions"), ("-3", "2 dimensions"), ("x", "not `x`")]:
    x = np.zeros((2, 3), np.float32)
    cases.append(Case(f"axis {axis}", args={"axis": axis}, refused=part).types([x], [np.uint32([0])]))
write(__file__, oracle=f"numpy {np.__version__} argmax", cases=cases)
