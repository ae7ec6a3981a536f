"""What `image-normalization` has to answer, from numpy."""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

random = np.random.default_rng(6)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def normalized(image, mean=0.0, std=1.0, low=0.0, high=1.0):
    values = image.astype(np.float64)
    if image.dtype.kind != "f":
        ends = np.iinfo(image.dtype)
        values = (values - ends.min) / (ends.max - ends.min)
    values = low + values * (high - low)
    return ((values - np.array(mean)) / np.array(std)).astype(np.float32)


def case(name, image, relative=2e-7, **how):
    args = {k: [repr(x) for x in v] if isinstance(v, list) else v for k, v in how.items()}
    return Case(name, args, relative=relative).call([image], [normalized(image, **how)])


def noise(dtype, *shape):
    ends = np.iinfo(dtype)
    return random.integers(ends.min, ends.max, shape, dtype, endpoint=True)


cases = []
for dtype in (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32):
    ends = np.iinfo(dtype)
    image = noise(dtype, 4, 5, 3)
    image[0, 0] = [ends.min, ends.max, ends.min + 1]
    # Without arguments there is one rounding, and so there are no other bits.
    cases.append(case(f"default {np.dtype(dtype).name}", image, relative=0.0))
    cases.append(case(f"torchvision {np.dtype(dtype).name}", image, **IMAGENET))
every = np.arange(256, dtype=np.uint8)
floats = random.random((4, 6, 3), np.float32)
cases += [
    case("every byte", every, relative=0.0),
    case("every byte to -1 and 1", every, relative=0.0, low=-1.0),
    case("one mean for all", noise(np.uint8, 3, 7, 3), mean=[0.5], std=[0.25]),
    case("one mean, many deviations", noise(np.uint8, 3, 7, 2), mean=[0.5], std=[0.25, 4.0]),
    case("means of bytes", noise(np.uint8, 6, 6, 3), high=255.0, mean=[123.68, 116.779, 103.939]),
    case("turned", noise(np.uint8, 9), low=1.0, high=0.0),
    case("batch", noise(np.uint8, 1, 4, 4, 3), **IMAGENET),
    case("floats", floats, relative=0.0),
    case("torchvision floats", floats, **IMAGENET),
]
odd = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32)
cases.append(Case("not finite", {"low": -1.0}).call([odd], [np.array([np.nan, np.inf, -np.inf, 0], np.float32)]))
image = np.zeros((2, 2, 3), np.uint8)
for name, part, args in (
    ("two means", "one for all channels or 3", {"mean": ["0.1", "0.2"]}),
    ("no number", "item 3 of `--std` is `x`", {"std": ["1", "1", "x"]}),
    ("no deviation", "must be positive", {"std": ["1", "0", "1"]}),
    ("no range", "both 1", {"low": 1.0}),
):
    cases.append(Case(name, args, refused=part).types([image], [image.astype(np.float32)]))
write(__file__, oracle=f"numpy {np.__version__}", cases=cases)
