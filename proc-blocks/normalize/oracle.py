"""`normalize` as numpy says it: `(x - nanmin) / (nanmax - nanmin)`."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(13)
cases = []


def want(x):
    if x.size == 0 or np.isnan(x).all() or np.nanmin(x) == np.nanmax(x):
        return x
    with np.errstate(all="ignore"):
        return (x - np.nanmin(x)) / (np.nanmax(x) - np.nanmin(x))


def add(name, x):
    cases.append(Case(name).call([x], [want(x)]))


for dtype in [np.float32, np.float64]:
    name = np.dtype(dtype).name
    add(f"{name} normal", rng.normal(-5, 3, (4, 3, 5)).astype(dtype))
    add(f"{name} thousand", rng.uniform(-1e6, 1e6, 1000).astype(dtype))
    for values in [
        [-2, 2, 0, -1],
        [7.5, 7.5, 7.5],
        [3],
        [np.nan, 1, 3],
        [np.nan, np.nan],
        [np.nan, 5, 5],
        [np.inf, 0, 1],
        [-np.inf, 0, 1],
        [-np.inf, np.inf, 0],
        [np.inf, np.inf],
        [0.0, -0.0],
        [1e-45, 0],
        [np.finfo(dtype).max, -np.finfo(dtype).max, 0],
    ]:
        add(f"{name} {values}", dtype(values))
bounded = Case("bounded", inputs=[("f32", ["<=3", 2])], outputs=[("f32", ["<=3", 2])])
for values in [[1, 3], [], [4, 4, 4, 4], [1, 2, 3, 4, 5, 9]]:
    x = np.float32(values)
    bounded.call([x], [want(x)])
cases.append(bounded)
write(__file__, oracle=f"numpy {np.__version__}", cases=cases)
