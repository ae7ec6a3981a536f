"""Class maps and the classes in them, by numpy."""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def case(name, *images):
    rows, columns, classes = images[0].shape
    case = Case(name, outputs=[("u32", [rows, columns]), ("u32", [f"<={classes}"])])
    for scores in images:
        filled = np.where(np.isnan(scores), -np.inf, scores)
        # An image of NaN beside -inf: the first -inf that was there from the start.
        filled = np.where(np.isneginf(scores), np.finfo(np.float32).min, filled)
        labels = filled.argmax(axis=2).astype(np.uint32)
        case.call([scores], [labels, np.unique(labels)])
    return case


rng = np.random.default_rng(2)
logits = rng.normal(size=(3, 12, 16, 7)).astype(np.float32)
holes = logits[0, :5, :6].copy()
holes[rng.random(holes.shape) < 0.6] = np.nan
holes[rng.random(holes.shape) < 0.2] = -np.inf
cases = [
    case("logits", *logits),
    case("probabilities", np.exp(logits[1]) / np.exp(logits[1]).sum(-1, keepdims=True)),
    case("all negative", -np.abs(logits[2])),
    case("holes", holes),
    case("quantised", *rng.integers(-128, 128, (2, 9, 5, 4)).astype(np.int8)),
    case("bytes with ties", *rng.integers(0, 3, (2, 8, 8, 3)).astype(np.uint8)),
    case("one class", logits[0, :2, :2, :1]),
    case("a pixel of many classes", rng.normal(size=(1, 1, 300)).astype(np.float32)),
    case("nothing but NaN", np.full((2, 3, 4), np.nan, np.float32)),
    Case("no classes", inputs=[("f32", [2, 2, 0])], outputs=[("u32", [2, 2]), ("u32", ["<=0"])], refused="no classes"),
]
write(__file__, f"numpy {np.__version__} argmax, unique", cases)
