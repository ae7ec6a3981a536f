"""What `frame` has to answer, from numpy's sliding windows."""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

random = np.random.default_rng(8)


def case(name, calls, length, hop=None, dtype=np.float32, row=(), rows=1):
    stream = (random.standard_normal((calls * rows, *row)) * 50).astype(dtype)
    windows = np.lib.stride_tricks.sliding_window_view(stream, length, axis=0)
    # The axis of the window comes last, and is to be the first.
    frames = [np.moveaxis(w, -1, 0) for w in windows[:: hop or rows]]
    made = Case(name, {"length": length} | ({"hop": hop} if hop else {}))
    made.types([stream[:rows]], [frames[0]])
    given = 0
    for call in range(calls):
        new = stream[call * rows : (call + 1) * rows]
        if given < len(frames) and (call + 1) * rows >= given * (hop or rows) + length:
            made.call([new], [frames[given]])
            given += 1
        else:
            made.call([new])
    assert given == len(frames)
    return made


cases = [
    case("accelerometer", 12, 8, 4, row=(3,), rows=2),
    case("one row a call", 9, 4, 1),
    case("hop as it comes", 8, 10, rows=3),
    case("hop not a multiple of the rows", 14, 10, 7, rows=3),
    case("no overlap", 9, 6, 6, rows=2),
    case("rows left out", 12, 3, 8, rows=4),
    case("shorter than a call", 6, 2, 5, rows=5),
    case("as long as a call", 4, 5, 5, rows=5),
    case("images", 5, 3, 1, row=(2, 3)),
    case("audio", 8, 400, 160, np.int16, rows=80),
]
for dtype in "u1 i1 u2 u4 i4 u8 i8 f8".split():
    cases.append(case(f"elements {dtype}", 5, 3, 2, dtype, rows=2))
x, y = np.zeros(4, np.float32), np.zeros(8, np.float32)
cases.append(Case("hop below the rows", {"length": 8, "hop": 3}, refused="--hop").types([x], [y]))
write(__file__, oracle=f"numpy {np.__version__} sliding_window_view", cases=cases)
