"""`softmax` as scipy does it; for infinite elements its limit."""

import sys

import numpy as np
import scipy
from scipy.special import softmax

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(9)
cases = []


def want(x, axis):
    along = None if axis == "all" else -1
    top = x.max(axis=along, keepdims=True)
    with np.errstate(invalid="ignore"):
        usual = softmax(x.astype(np.float64), axis=along)
    limit = (x == top) / (x == top).sum(axis=along, keepdims=True).clip(1)
    result = np.where(np.isnan(top), np.nan, np.where(np.isinf(top), limit, usual))
    return result.astype(x.dtype)


def add(name, x, axis="all"):
    relative = 3e-7 if x.dtype == np.float32 else 1e-15
    args = {} if axis == "all" else {"axis": axis}
    cases.append(Case(name, args=args, relative=relative).call([x], [want(x, axis)]))


for dtype in [np.float32, np.float64]:
    name = np.dtype(dtype).name
    for axis in ["all", "last"]:
        add(f"{name}, {axis}", rng.normal(0, 4, (3, 5)).astype(dtype), axis)
        add(f"{name} vector, {axis}", rng.normal(0, 4, 40).astype(dtype), axis)
        add(f"{name} one, {axis}", dtype([[-7]]), axis)
    add(f"{name} of the reference", dtype([2.3, 12.4, 5.1]))
    add(f"{name} many", rng.normal(0, 1, (1, 1001)).astype(dtype))
    for values in [
        [1000, 999, -1000],
        [-1000, -1001],
        [3e38, -3e38],
        [0, 0, 0, 0],
        [np.inf, 1, np.inf, 0],
        [-np.inf, 1, 2],
        [-np.inf, -np.inf],
        [np.inf, -np.inf],
        [np.nan, 1],
        [1, 2, np.nan],
        [np.nan, np.inf],
        [np.nan, -np.inf],
        [1e-45, -1e-45],
        [-80, 8, -104, -87.5],
    ]:
        add(f"{name} {values}", dtype(values))
    mixed = dtype([[1, np.nan], [1, 2], [np.inf, 0], [-np.inf, -np.inf]])
    add(f"{name} rows of every kind", mixed, "last")
for dims, axis, shapes in [
    (["<=4"], "all", [(2,), (4,), (0,)]),
    (["<=4"], "last", [(3,), (0,), (1,)]),
    (["<=3", 2], "last", [(1, 2), (3, 2), (0, 2)]),
]:
    case = Case(
        f"bounded {dims}, {axis}",
        args={"axis": axis},
        inputs=[("f32", dims)],
        outputs=[("f32", dims)],
        relative=3e-7,
    )
    for shape in shapes:
        x = rng.normal(0, 2, shape).astype(np.float32)
        case.call([x], [want(x, axis) if x.size else x])
    cases.append(case)
write(__file__, oracle=f"scipy {scipy.__version__} special.softmax", cases=cases)
