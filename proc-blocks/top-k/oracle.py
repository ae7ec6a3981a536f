"""`top-k` as a stable sort of exact numbers does it."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(11)
cases = []


def add(name, x, k):
    # Sorted are Python's numbers, which do not overflow: rising negated value, NaN last.
    keys = [(v != v, 0 if v != v else -v) for v in x.tolist()]
    order = np.array(sorted(range(x.size), key=lambda i: keys[i])[:k], np.uint32)
    cases.append(Case(name, args={"k": k}).call([x], [x[order], order]))


for dtype in [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]:
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, 20, dtype, endpoint=True)
    x[::5] = info.max
    x[1::5] = info.min
    for k in [1, 4, 20]:
        add(f"{info.dtype}, {k}", x, k)
for dtype in [np.float32, np.float64]:
    name = np.dtype(dtype).name
    for n in [1, 2, 3, 17, 100]:
        x = rng.integers(-4, 5, n).astype(dtype)
        x[rng.random(n) < 0.2] = np.nan
        for k in sorted({1, (n + 1) // 2, n}):
            add(f"{name}, {k} of {n}", x, k)
    add(f"{name} specials", dtype([np.nan, -np.inf, np.inf, 0.0, -0.0, np.nan, 1e-45, -1e-45]), 8)
    add(f"{name} all NaN", dtype([np.nan] * 3), 2)
x = np.zeros(3, np.uint16)
refused = Case("too many", args={"k": 4}, refused="`--k` is 4, but there are only 3 elements")
cases.append(refused.types([x], [np.zeros(4, np.uint16), np.zeros(4, np.uint32)]))
write(__file__, oracle="Python sorted", cases=cases)
