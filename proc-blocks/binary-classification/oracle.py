"""`binary-classification` as numpy compares."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

cases = []


def add(x, threshold=None):
    args = {} if threshold is None else {"threshold": threshold}
    limit = 0.5 if threshold is None else threshold
    first = x.ravel()[0]
    # A float is compared in its own type, an integer as a number.
    yes = first > x.dtype.type(limit) if x.dtype.kind == "f" else int(first) > limit
    name = f"{x.dtype} {x.tolist()} > {limit}" + (" by default" if threshold is None else "")
    cases.append(Case(name, args=args).call([x], [np.uint32([yes])]))


for dtype in [np.float32, np.float64]:
    for values in [[0.5], [0.50001], [[0.2, 0.9]], [[0.9, 0.2]], [0.5, 0.5], [np.nan], [np.inf], [-np.inf]]:
        add(dtype(values))
    for threshold in [0.1, 0.7, -1.0, 0.0]:
        for value in [0.1, 0.7, -1.0, -0.0, np.nextafter(dtype(0.7), dtype(1))]:
            add(dtype([value]), threshold)
for dtype in [np.int8, np.uint8, np.int16, np.uint16]:
    info = np.iinfo(dtype)
    for threshold in [0.0, 0.5, 100.0, 127.5, -128.0, -1e9, 1e9, float(info.max)]:
        for value in sorted({int(info.min), 0, 1, 100, 101, int(info.max)}):
            add(np.array([value], dtype), threshold)
write(__file__, oracle=f"numpy {np.__version__}", cases=cases)
