"""What `grayscale` has to answer: bytes from Pillow, floats from numpy."""

import pathlib
import sys

import numpy as np
import PIL
from PIL import Image

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

random = np.random.default_rng(5)


def pillow(image):
    mode = {3: "RGB", 4: "RGBA"}[image.shape[2]]
    return np.asarray(Image.fromarray(image, mode).convert("L"))[..., None]


def luma(image):
    weights = np.array([0.299, 0.587, 0.114])
    return (image[..., :3].astype(np.float64) @ weights)[..., None].astype(np.float32)


cases = []
levels = np.array([0, 1, 2, 63, 127, 128, 129, 200, 254, 255], np.uint8)
cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(20, 50, 3)
for name, image in (
    ("colours of every kind", cube),
    ("noise", random.integers(0, 256, (17, 23, 3), np.uint8)),
    ("with opacity", random.integers(0, 256, (9, 11, 4), np.uint8)),
    ("one pixel", np.array([[[255, 0, 254]]], np.uint8)),
):
    cases.append(Case(name).call([image], [pillow(image)]))
gray = random.integers(0, 256, (5, 4, 1), np.uint8)
cases.append(Case("gray already").call([gray], [gray]))
for name, image in (
    ("floats", random.random((8, 9, 3), np.float32)),
    ("floats with opacity", random.standard_normal((6, 5, 4), np.float32) * 300),
):
    cases.append(Case(name, relative=2e-7).call([image], [luma(image)]))
odd = np.array([[[np.nan, 1, 1], [np.inf, 1, 1], [1, -np.inf, 1], [np.inf, -np.inf, 0]]], np.float32)
answer = np.array([[[np.nan], [np.inf], [-np.inf], [np.nan]]], np.float32)
cases.append(Case("not finite").call([odd], [answer]))
image = np.zeros((2, 2, 2), np.uint8)
cases.append(Case("two channels", refused="1, 3 or 4 channels").types([image], [image[..., :1]]))
write(__file__, oracle=f"Pillow {PIL.__version__} convert, numpy {np.__version__}", cases=cases)
