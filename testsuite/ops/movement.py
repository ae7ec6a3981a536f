"""What moves elements and computes nothing."""

import numpy as np

from forge import *


def reshape():
    v = Vectors("RESHAPE")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        affine = () if dtype == F32 else (0.1, 1)
        for name, x, y, wanted, by_operand, by_options in [
            ("flat", [2, 3, 4], [24], [24], True, True),
            ("open dimension", [2, 3, 4], [2, 12], [2, -1], True, True),
            ("same", [1, 4], [1, 4], [1, 4], True, True),
            ("shape in the options", [2, 6], [3, 4], [3, 4], False, True),
            ("open shape in the options", [2, 6], [4, 3], [-1, 3], False, True),
            ("no options", [3, 4], [2, 6], [2, 6], True, False),
        ]:
            shape = [Tensor(np.int32, data=np.array(wanted, np.int32))] if by_operand else []
            opts = options("Reshape", newShape=wanted) if by_options else None
            v.case(f"{n} {name}", opts, [Tensor(dtype, x, *affine), *shape, Tensor(dtype, y, *affine)])
    v.write()


def pad():
    v = Vectors("PAD")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        for name, shape, padding, width in [
            ("image", [1, 3, 4, 2], [[0, 0], [1, 2], [2, 1], [0, 0]], np.int32), ("row", [5], [[2, 3]], np.int32),
            ("batch and channels", [2, 2, 2, 3], [[1, 0], [0, 0], [0, 1], [2, 2]], np.int32),
            ("nothing", [2, 3], [[0, 0], [0, 0]], np.int32), ("i64", [2, 3], [[1, 1], [0, 4]], np.int64),
            ("before only", [1, 4, 4, 1], [[0, 0], [3, 0], [1, 0], [0, 0]], np.int32), ("rank 3", [2, 2, 2], [[0, 1], [1, 0], [1, 1]], np.int32),
        ]:
            affine = () if dtype == F32 else (activation_scale(), zero_point(dtype))
            y = [s + a + b for s, (a, b) in zip(shape, padding)]
            constant = Tensor(width, data=np.array(padding, width))
            v.case(f"{n} {name}", options("Pad"), [Tensor(dtype, shape, *affine), constant, Tensor(dtype, y, *affine)])
    v.write()


def make():
    reshape()
    pad()
