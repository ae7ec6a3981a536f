"""Objects of detector rows: numpy on the matrix of all distances at once."""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def objects(rows, threshold):
    rows = rows[rows[:, 4] > np.float32(threshold)]
    scores = rows[:, 5:]
    rows, scores = rows[~np.isnan(scores).all(axis=1)], scores[~np.isnan(scores).all(axis=1)]
    if not len(rows):
        return np.zeros((0, 6), np.float32)
    confidence = np.nanmax(scores, axis=1)
    # The last of equals: the first of the mirrored row.
    best = scores.shape[1] - 1 - (scores == confidence[:, None])[:, ::-1].argmax(axis=1)
    centres = rows[:, :2]
    with np.errstate(invalid="ignore"):
        near = (np.abs(centres[:, None] - centres[None]) <= np.float32(0.01)).all(axis=2)
    is_alive = np.ones(len(rows), bool)
    while True:
        pairs = np.argwhere(np.triu(near & is_alive & is_alive[:, None], 1))
        if not len(pairs):
            break
        first, second = pairs[0]
        is_alive[second if confidence[first] > confidence[second] else first] = False
    return np.c_[rows[:, :4], confidence, best].astype(np.float32)[is_alive]


def case(name, rows, threshold=None):
    n = len(rows)
    case = Case(name, {} if threshold is None else {"threshold": threshold}, outputs=[("f32", [f"<={n}", 6])])
    return case.call([rows], [objects(rows, 0.7 if threshold is None else threshold)])


rng = np.random.default_rng(3)


def scene(candidates, things, classes):
    """Candidates around some things, more of them than there are things."""
    places = rng.uniform(0, 1, (things, 2))[rng.integers(0, things, candidates)]
    rows = np.c_[
        places + rng.normal(0, 0.006, places.shape),
        rng.uniform(0.05, 0.4, (candidates, 2)),
        rng.uniform(0, 1, candidates),
        rng.uniform(0, 1, (candidates, classes)),
    ]
    return rows.astype(np.float32)


ties = scene(60, 12, 5)
ties[:, 5:] = np.round(ties[:, 5:] * 3) / 3
holes = scene(40, 10, 3)
holes[rng.random(holes.shape) < 0.15] = np.nan
wild = scene(20, 20, 2)
wild[::3, 0], wild[1::5, 6], wild[2::4, 4] = np.inf, -np.inf, np.inf
cases = [
    case("many candidates", scene(200, 20, 10)),
    case("all above", scene(80, 9, 4), threshold=-1.0),
    case("none above", scene(30, 5, 4), threshold=1.0),
    case("ties", ties, threshold=0.3),
    case("one class", scene(50, 8, 1), threshold=0.5),
    case("holes", holes, threshold=0.2),
    case("infinities", wild, threshold=0.5),
    case("one candidate", scene(1, 1, 80), threshold=0.0),
    Case("no scores", inputs=[("f32", [4, 5])], outputs=[("f32", ["<=4", 6])], refused="at least 6"),
]
write(__file__, f"numpy {np.__version__}", cases)
