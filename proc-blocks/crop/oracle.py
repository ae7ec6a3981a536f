"""What `crop` has to answer: bytes from Pillow, the other types from numpy's slices."""

import pathlib
import sys

import numpy as np
import PIL
from PIL import Image

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

random = np.random.default_rng(7)


def case(name, image, width, height, x=0, y=0):
    args = {"width": width, "height": height} | {k: v for k, v in (("x", x), ("y", y)) if v}
    if image.dtype == np.uint8 and image.shape[-1] == 3 and image.ndim == 3:
        cut = np.asarray(Image.fromarray(image).crop((x, y, x + width, y + height)))
    else:
        at = (0,) if image.ndim == 4 else ()
        cut = image[at][y : y + height, x : x + width]
        cut = cut[None] if at else cut
    return Case(name, args).call([image], [cut])


colour = random.integers(0, 256, (13, 17, 3), np.uint8)
floats = random.standard_normal((6, 5, 2), np.float32)
floats[1, 1] = [np.nan, -np.inf]
middle = Case("middle", {"width": 4, "height": 5, "center": True})
middle.call([colour], [colour[4:9, 6:10]])
cases = [
    case("corner", colour, 5, 4),
    case("inside", colour, 7, 6, 3, 5),
    case("up to the edge", colour, 2, 3, 15, 10),
    case("all", colour, 17, 13),
    case("gray", colour[..., 0].copy(), 4, 4, 2, 1),
    case("batch", colour[None], 4, 4, 2, 1),
    case("floats", floats, 3, 2, 1, 1),
    middle,
]
for dtype in "i1 u2 i2 u4 i4 u8 i8 f8".split():
    image = (random.standard_normal((4, 6)) * 100).astype(dtype)
    cases.append(case(f"elements {dtype}", image, 3, 2, 1, 2))
for name, part, args, image in (
    ("too wide", "inside", {"width": 18, "height": 1}, colour),
    ("beyond the edge", "inside", {"width": 2, "height": 1, "x": 16}, colour),
    ("below the edge", "inside", {"width": 1, "height": 1, "y": 13}, colour),
    ("larger than the image", "inside", {"width": 1, "height": 14, "center": True}, colour),
    ("two places", "not both", {"width": 1, "height": 1, "y": 1, "center": True}, colour),
    ("no image", "shape [17]", {"width": 1, "height": 1}, colour[0, :, 0]),
):
    cases.append(Case(name, args, refused=part).types([image], [image]))
write(__file__, oracle=f"Pillow {PIL.__version__} crop, numpy {np.__version__}", cases=cases)
