"""What `image-resize` has to answer, from Pillow, channel by channel.

Pillow 13 chooses by the sizes which direction comes first, and rounds to bytes between the two. Ours takes
columns first as the versions before it did, so we ask for one direction after the other.
"""

import pathlib
import sys

import numpy as np
import PIL
from PIL import Image

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

random = np.random.default_rng(9)
METHODS = {
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
}


def resized(image, width, height, method):
    if image.ndim == 4:
        return resized(image[0], width, height, method)[None]
    if image.ndim == 2:
        plane = Image.fromarray(image)
        wide = plane.resize((width, plane.height), METHODS[method])
        answer = np.asarray(wide.resize((width, height), METHODS[method]))
        at_once = np.asarray(plane.resize((width, height), METHODS[method]))
        # Two roundings to bytes, whichever comes first, or to floats.
        bound = 1 if image.dtype == np.uint8 else 1e-6
        assert np.abs(at_once.astype(float) - answer).max() <= bound
        return answer
    planes = [resized(image[..., c].copy(), width, height, method) for c in range(image.shape[2])]
    return np.stack(planes, -1)


def photo(height, width, channels):
    """Smooth with edges and noise, like what a camera gives."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (3 + c) + c) + np.cos(y / (5 - c / 2)) + (x + 2 * y > width) for c in range(channels)]
    image = 60 * np.stack(waves, -1) + 90 + random.normal(0, 10, (height, width, channels))
    return np.clip(image, 0, 255).astype(np.uint8)


cases = []
for method in METHODS:
    relative = 0.0 if method == "nearest" else 1e-6

    def case(name, image, width, height):
        args = {"width": width, "height": height, "method": method}
        made = Case(f"{method}, {name}", args, relative=relative if image.dtype.kind == "f" else 0.0)
        cases.append(made.call([image], [resized(image, width, height, method)]))

    colour = photo(30, 40, 3)
    case("smaller", colour, 17, 11)
    case("halved", colour, 20, 15)
    case("larger", photo(7, 9, 3), 24, 31)
    case("wider and lower", photo(20, 9, 1), 33, 6)
    case("gray", photo(24, 24, 1)[..., 0].copy(), 10, 13)
    case("opacity", photo(10, 12, 4), 7, 7)
    case("two channels", photo(10, 12, 2), 5, 16)
    case("batch", photo(12, 12, 3)[None], 8, 8)
    case("one pixel", colour, 1, 1)
    case("of one pixel", photo(1, 1, 3), 5, 4)
    case("black and white", np.where(random.random((31, 29, 3)) < 0.5, 0, 255).astype(np.uint8), 13, 12)
    case("floats smaller", random.standard_normal((25, 30, 3), np.float32), 12, 9)
    case("floats larger", random.standard_normal((6, 5, 1), np.float32), 17, 14)
image = np.zeros((2, 2, 2, 2, 2), np.uint8)
cases.append(Case("no image", {"width": 1, "height": 1}, refused="takes [h, w]").types([image], [image]))
write(__file__, oracle=f"Pillow {PIL.__version__} Image.resize", cases=cases)
