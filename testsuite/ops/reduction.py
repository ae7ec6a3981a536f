"""Pooling, softmax and what else makes one number of many."""

import numpy as np

from forge import *
from linear import GEOMETRY, windowed


def pool_2d(operator):
    v = Vectors(operator)
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        for i, (name, h, w, kh, kw, stride, dilation, padding) in enumerate(GEOMETRY):
            if dilation != (1, 1):
                continue
            batch, depth, activation = 1 + i % 2, 1 + i * 3 % 5, [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4]
            opts = options("Pool2D", padding=padding, strideH=stride[0], strideW=stride[1],
                           filterHeight=kh, filterWidth=kw, fusedActivationFunction=activation)
            y = [batch, windowed(h, kh, stride[0], 1, padding), windowed(w, kw, stride[1], 1, padding), depth]
            affine = () if dtype == F32 else (activation_scale(), zero_point(dtype))
            v.case(f"{n} {name}", opts, [Tensor(dtype, [batch, h, w, depth], *affine), Tensor(dtype, y, *affine)], distinct=False)
        opts = options("Pool2D", padding=VALID, strideH=2, strideW=2, filterHeight=6, filterWidth=7)
        affine = () if dtype == F32 else (0.05, 3)
        v.case(f"{n} whole image", opts, [Tensor(dtype, [1, 6, 7, 20], *affine), Tensor(dtype, [1, 1, 1, 20], *affine)], distinct=False)
    v.write()


def softmax():
    v = Vectors("SOFTMAX")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        y_affine = () if dtype == F32 else (1 / 256, -128 if dtype == I8 else 0)
        for name, shape, beta, scale in [
            ("plain", [1, 4], 1.0, 0.1), ("rows", [7, 12], 1.0, 0.0625), ("beta 2", [5, 9], 2.0, 0.03),
            ("beta 0.3", [4, 10], 0.3, 0.2), ("rank 4", [2, 3, 2, 5], 1.0, 0.17), ("one", [3, 1], 1.0, 0.1),
            ("steep", [6, 8], 1.0, 1.7), ("flat", [6, 50], 1.0, 0.003), ("rank 1", [6], 1.0, 0.08),
            ("wide", [2, 300], 1.0, 0.011),
        ]:
            affine = () if dtype == F32 else (scale, zero_point(dtype))
            v.case(f"{n} {name}", options("Softmax", beta=beta), [Tensor(dtype, shape, *affine), Tensor(dtype, shape, *y_affine)], distinct=False)
        equal = np.full([2, 6], 3, dtype)
        affine = () if dtype == F32 else (0.1, 0)
        v.case(f"{n} equal", options("Softmax", beta=1.0), [Tensor(dtype, [2, 6], *affine), Tensor(dtype, [2, 6], *y_affine)], [equal], distinct=False)
    v.write()


def make():
    pool_2d("MAX_POOL_2D")
    pool_2d("AVERAGE_POOL_2D")
    softmax()
