"""Debounced sequences as numpy finds them, looking at the whole sequence at once."""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def events(sequence, count, hold):
    """Per call whether the value is given. `sequence` has a row per call, with no NaN."""
    rows = sequence.reshape(len(sequence), -1)
    is_steady = np.zeros(len(rows), bool)
    if len(rows) >= count:
        windows = np.lib.stride_tricks.sliding_window_view(rows, count, axis=0)
        is_steady[count - 1 :] = (windows == windows[..., :1]).all(axis=(1, 2))
    given = []
    for call in np.flatnonzero(is_steady):
        if not given or (call - given[-1] > hold and (rows[call] != rows[given[-1]]).any()):
            given.append(call)
    return np.isin(np.arange(len(rows)), given)


def case(name, sequence, count=None, hold=None):
    args = {k: v for k, v in (("count", count), ("hold", hold)) if v is not None}
    case = Case(name, args).types([sequence[0]], [sequence[0]])
    for row, is_given in zip(sequence, events(sequence, count or 3, hold or 0)):
        case.call([row], [row] if is_given else None)
    return case


rng = np.random.default_rng(1)
flicker = np.repeat(rng.integers(0, 3, 40), rng.integers(1, 6, 40))[:, None]
vectors = np.repeat(rng.integers(-1, 2, (25, 2)), rng.integers(1, 5, 25), axis=0)
halves = np.repeat(rng.integers(0, 2, 20), rng.integers(1, 5, 20))[:, None] / 2
cases = [
    case("defaults", flicker.astype(np.uint32)),
    case("every change", flicker.astype(np.uint8), count=1),
    case("hold", flicker.astype(np.int64), count=2, hold=5),
    case("hold after every change", flicker.astype(np.int8), count=1, hold=2),
    case("whole tensors", vectors.astype(np.int16), count=2),
    case("floats", halves.astype(np.float32), count=4),
    case("a matrix", vectors.reshape(-1, 1, 2).astype(np.float64), count=3, hold=1),
    case("never", flicker[:30].astype(np.uint16), count=65535, hold=65535),
    case("extremes", np.repeat(np.uint64([2**64 - 1, 0, 2**64 - 1]), 4)[:, None], count=2),
]
write(__file__, f"numpy {np.__version__} sliding_window_view", cases)
