"""`slice` as numpy's indexing does it."""

import sys

import numpy as np

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(6)
NAMES = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
cases = []


def add(x, axes, slices):
    index = [slice(None)] * x.ndim
    for axis, part in zip(axes, slices):
        index[axis] = part
    want = np.ascontiguousarray(x[tuple(index)])
    if want.size == 0:
        return False
    item = lambda v: "none" if v is None else str(v)
    args = {"axis": [str(a) for a in axes]}
    for name in ["start", "stop", "step"]:
        items = [getattr(s, name) for s in slices]
        if any(i is not None for i in items):
            args["end" if name == "stop" else name] = [item(i) for i in items]
    written = ", ".join(f"{a}: {s.start}:{s.stop}:{s.step}" for a, s in zip(axes, slices))
    name = f"{x.dtype} {x.shape}, {written}"
    if any(c.name == name for c in cases):
        return False
    cases.append(Case(name, args=args).call([x], [want]))
    return True


for dtype in NAMES:
    x = rng.integers(0, 128, (3, 4, 5)).astype(dtype)
    add(x, [1], [slice(1, 3)])
    add(x, [2], [slice(None, None, -2)])
image = rng.integers(0, 256, (4, 6, 3)).astype(np.uint8)
add(image, [-1], [slice(0, 1)])
add(image, [-1], [slice(None, None, -1)])
add(image, [0, 1], [slice(1, 3), slice(2, 5)])
add(image, [1, 0], [slice(-2, None), slice(None, -2)])
add(image, [0, 1, 2], [slice(None, None, -1)] * 3)
add(image, [0], [slice(None)])
samples = rng.normal(0, 1, 30).astype(np.float32)
add(samples, [0], [slice(-5, None)])
add(samples, [0], [slice(None, None, 10**18)])
add(samples, [0], [slice(-(10**18), 10**18, 7)])
add(samples, [0], [slice(None, -(10**18), -(10**18))])
add(np.float32([[7.0]]), [0], [slice(-1, None)])

bounds = [None, *range(-9, 10)]
steps = [None, -3, -2, -1, 1, 2, 3]
count = 0
while count < 60:
    rank = int(rng.integers(1, 5))
    x = rng.integers(0, 100, tuple(rng.integers(1, 6, rank))).astype(np.int8)
    axes = rng.permutation(rank)[: int(rng.integers(1, rank + 1))]
    axes = [int(a) - rank * int(rng.integers(0, 2)) for a in axes]
    pick = lambda values: values[int(rng.integers(0, len(values)))]
    count += add(x, axes, [slice(pick(bounds), pick(bounds), pick(steps)) for _ in axes])

x = np.zeros((3, 4), np.float32)
for name, args, part in [
    ("empty", {"start": ["2"], "end": ["2"]}, "nothing of dimension 1, which has 4 elements"),
    ("past the end", {"start": ["4"]}, "nothing of dimension 1"),
    ("backwards", {"start": ["1"], "end": ["3"], "step": ["-1"]}, "nothing of dimension 1"),
    ("no step", {"step": ["0"]}, "must not be 0"),
    ("no such axis", {"axis": ["2"]}, "`--axis` is 2, but there are 2 dimensions"),
    ("no such axis from the end", {"axis": ["-3"]}, "`--axis` is -3"),
    ("twice", {"axis": ["1", "-1"]}, "names dimension 1 twice"),
    ("too few", {"axis": ["0", "1"], "start": ["0"]}, "`--start` has 1 items, but `--axis` has 2"),
    ("word", {"end": ["last"]}, "`--end` takes whole numbers, not `last`"),
    ("float", {"end": ["1.5"]}, "`--end` takes whole numbers, not `1.5`"),
    ("too great", {"end": ["1" + 30 * "0"]}, "`--end` takes whole numbers"),
    ("least axis", {"axis": [str(-(2**63))]}, "but there are 2 dimensions"),
]:
    cases.append(Case(name, args=args, refused=part).types([x], [x]))
write(__file__, oracle=f"numpy {np.__version__} basic slicing", cases=cases)
