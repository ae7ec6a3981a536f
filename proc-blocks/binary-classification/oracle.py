"""`binary-classification` as numpy compares."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

cases = []


def add(case, x, threshold):
    first = x.ravel()[0]
    # A float is compared in its own type, an integer as a number.
    yes = first > x.dtype.type(threshold) if x.dtype.kind == "f" else int(first) > threshold
    return case.call([x], [np.uint32([yes])])


for dtype in [np.float32, np.float64]:
    name = np.dtype(dtype).name
    case = Case(f"{name}, defaults")
    for value in [0.5, 0.50001, 0.2, np.nan, np.inf, -np.inf]:
        add(case, dtype([value]), 0.5)
    cases.append(case)
    case = Case(f"{name}, more elements")
    for values in [[0.2, 0.9], [0.9, 0.2], [0.5, 0.5]]:
        add(case, dtype([values]), 0.5)
    cases.append(case)
    for threshold in [0.1, 0.7, -1.0, 0.0]:
        case = Case(f"{name} > {threshold}", args={"threshold": threshold})
        for value in [0.1, 0.7, -1.0, -0.0, np.nextafter(dtype(0.7), dtype(1))]:
            add(case, dtype([value]), threshold)
        cases.append(case)
for dtype in [np.int8, np.uint8, np.int16, np.uint16]:
    info = np.iinfo(dtype)
    for threshold in [0.0, 0.5, 100.0, 127.5, -128.0, -1e9, 1e9, float(info.max)]:
        case = Case(f"{info.dtype} > {threshold}", args={"threshold": threshold})
        for value in sorted({int(info.min), 0, 1, 100, 101, int(info.max)}):
            add(case, np.array([value], dtype), threshold)
        cases.append(case)
write(__file__, oracle=f"numpy {np.__version__}", cases=cases)
