"""Boxes that TensorFlow's `tf.image.non_max_suppression` keeps, class by class."""

import pathlib
import sys

import numpy as np
import tensorflow as tf

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def corners(boxes, form):
    if form == "center":
        return np.c_[boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2]
    return np.c_[boxes[:, :2], boxes[:, :2] + boxes[:, 2:]] if form == "size" else boxes


def kept(boxes, scores, limit, iou, threshold, form, across):
    """Indices of the boxes kept, their scores and classes."""
    table = scores.reshape(len(boxes), -1)
    classes, best = table.argmax(axis=1), table.max(axis=1)
    groups = [np.arange(len(boxes))] if across else [np.flatnonzero(classes == c) for c in np.unique(classes)]
    indices = []
    for group in groups:
        chosen = tf.image.non_max_suppression(
            corners(boxes, form)[group], best[group], len(group), iou, np.float32(threshold)
        )
        indices.extend(group[chosen.numpy()])
    indices = np.array(sorted(indices, key=lambda i: (-best[i], i))[:limit], int)
    return indices, best[indices], classes[indices].astype(np.uint32)


def case(name, boxes, scores, max=100, iou=0.5, threshold=0.0, format="corners", across=False):
    args = {"max": max, "iou": iou, "threshold": threshold, "format": format, "across-classes": across}
    indices, best, classes = kept(boxes, scores, max, iou, threshold, format, across)
    outputs = [("f32", [f"<={max}", 4]), ("f32", [f"<={max}"]), ("u32", [f"<={max}"])]
    return Case(name, args, outputs=outputs).call([boxes, scores], [boxes[indices], best, classes])


rng = np.random.default_rng(4)


def scene(n, things, form="corners", size=0.2):
    centres = rng.uniform(0.1, 0.9, (things, 2))[rng.integers(0, things, n)] + rng.normal(0, 0.03, (n, 2))
    sizes = size * rng.uniform(0.7, 1.4, (n, 2))
    if form == "center":
        return np.c_[centres, sizes].astype(np.float32)
    low = centres - sizes / 2
    return np.c_[low, sizes if form == "size" else centres + sizes / 2].astype(np.float32)


def scores(*shape):
    return rng.uniform(0, 1, shape).astype(np.float32)


mirrored = scene(60, 8)
mirrored[::2] = mirrored[::2][:, [2, 1, 0, 3]]
mirrored[::3] = mirrored[::3][:, [0, 3, 2, 1]]
flat = scene(40, 4)
flat[::4, 2], flat[1::4, 3] = flat[::4, 0], flat[1::4, 1]
rounded = np.round(scores(120, 3) * 8) / 8
signed = rng.normal(size=80).astype(np.float32)
cases = [
    case("one class", scene(150, 12), scores(150)),
    case("classes", scene(150, 6), scores(150, 5), iou=0.3, threshold=0.5),
    case("across classes", scene(150, 6), scores(150, 5), iou=0.3, threshold=0.5, across=True),
    case("center", scene(100, 9, "center"), scores(100, 2), max=10, iou=0.4, format="center"),
    case("size", scene(100, 9, "size"), scores(100, 1), max=10, iou=0.45, threshold=0.6, format="size"),
    case("mirrored corners", mirrored, scores(60), iou=0.6),
    case("no area", flat, scores(40), iou=0.2, max=30),
    case("equal scores", scene(120, 10), rounded, iou=0.35),
    case("logits", scene(80, 10), signed, threshold=-1.0),
    case("nothing may overlap", scene(80, 10), scores(80), iou=0.0),
    case("everything may overlap", scene(30, 2), scores(30), iou=1.0),
    case("only the best", scene(50, 5), scores(50, 4), max=1, across=True),
    case("none above", scene(20, 5), scores(20), threshold=1.0),
    case("one box", scene(1, 1), scores(1, 90)),
    case("great coordinates", scene(60, 5) * np.float32(4096), scores(60)),
    Case(
        "scores of other boxes",
        inputs=[("f32", [3, 4]), ("f32", [7])],
        outputs=[("f32", ["<=100", 4]), ("f32", ["<=100"]), ("u32", ["<=100"])],
        refused="7 scores for 3 boxes",
    ),
]
write(__file__, f"tensorflow {tf.__version__} image.non_max_suppression", cases)
