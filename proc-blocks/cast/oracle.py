"""`cast` from Python's exact integers and numpy's conversions."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

NAMES = "f32 f64 i8 i16 i32 i64 u8 u16 u32 u64".split()
DTYPES = {n: np.dtype(n.replace("u", "uint").replace("i", "int").replace("uintnt", "uint").replace("f", "float")) for n in NAMES}


def values(dtype):
    if dtype.kind == "f":
        ends = [float(np.iinfo(d).max) for d in DTYPES.values() if d.kind != "f"]
        ends += [float(np.iinfo(d).min) for d in DTYPES.values() if d.kind == "i"]
        near = [y for e in ends for y in (np.nextafter(dtype.type(e), dtype.type(0)), e, 1.5 * e)]
        special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.999, -0.999, 2.5, -2.5, 1e-40, 16777217.0]
        special += [1e300, -1e300, 3.4028235677973366e38, 3.4028235e38]
        with np.errstate(over="ignore"):
            return np.array(special + near, np.float64).astype(dtype)
    info = np.iinfo(dtype)
    bits = [s * (2**k + d) for k in (0, 6, 7, 8, 15, 16, 24, 31, 32, 53, 63) for d in (-1, 0, 1) for s in (-1, 1)]
    ends = [info.min, info.max, info.max - 1, 0]
    return np.array(sorted({x for x in bits + ends if info.min <= x <= info.max}), dtype)


def cast(x, to):
    if to.kind == "f":
        with np.errstate(over="ignore"):
            return x.astype(to)
    info = np.iinfo(to)
    if x.dtype.kind == "f":

        def one(v):
            if np.isnan(v):
                return 0
            if np.isinf(v):
                return info.max if v > 0 else info.min
            return min(max(int(v), info.min), info.max)

        return np.array([one(float(v)) for v in x], to)
    wrapped = [int(v) % (1 << 8 * to.itemsize) for v in x]
    return np.array([w - (1 << 8 * to.itemsize) if w > info.max else w for w in wrapped], to)


cases = []
for a, source in DTYPES.items():
    x = values(source)
    for b, to in DTYPES.items():
        cases.append(Case(f"{a} to {b}").call([x], [cast(x, to)]))
bounded = Case("bounded", inputs=[("f32", ["<=4"])], outputs=[("u8", ["<=4"])])
for x in [np.float32([1.5, 300]), np.float32([]), np.float32([-1, 0, 254.9, 256])]:
    bounded.call([x], [cast(x, np.dtype(np.uint8))])
cases.append(bounded)
write(__file__, oracle=f"numpy {np.__version__} astype; Python int", cases=cases)
