"""What computes each element from the elements in its place."""

import numpy as np

from forge import *


def add():
    v = Vectors("ADD")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        for i, (name, a, b, y) in enumerate([
            ("plain", [2, 9], [2, 9], [2, 9]), ("scalar", [3, 5], [1], [3, 5]), ("rank 0", [4, 3], [], [4, 3]),
            ("row", [2, 3, 4], [4], [2, 3, 4]), ("column", [3, 7], [3, 1], [3, 7]), ("both", [5, 1, 3], [1, 4, 3], [5, 4, 3]),
            ("first smaller", [1, 1, 6], [2, 4, 6], [2, 4, 6]), ("image", [2, 4, 5, 3], [2, 4, 5, 3], [2, 4, 5, 3]),
            ("image and channel", [1, 4, 5, 3], [1, 1, 1, 3], [1, 4, 5, 3]), ("long", [1, 1500], [1, 1500], [1, 1500]),
        ]):
            affine = [() if dtype == F32 else (activation_scale(), zero_point(dtype)) for _ in range(3)]
            if dtype != F32:
                affine[2] = (max(affine[0][0], affine[1][0]) * random.uniform(0.9, 1.6), affine[2][1])
            tensors = [Tensor(dtype, s, *q) for s, q in zip([a, b, y], affine)]
            activation = [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4] if i < 8 else NONE
            v.case(f"{n} {name}", options("Add", fusedActivationFunction=activation), tensors)
        affine = () if dtype == F32 else (0.05, 3)
        constant = Tensor(dtype, None, *(affine or (None, 0)), data=draw(dtype, [6]))
        v.case(f"{n} constant", options("Add"), [Tensor(dtype, [4, 6], *affine), constant, Tensor(dtype, [4, 6], *affine)])
    v.write()


def elementwise(operator):
    v = Vectors(operator)
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        for i, shape in enumerate([[1, 7], [300], [2, 3, 4], [2, 3, 2, 5], [1], [1, 1, 1, 33], [256]]):
            scale = activation_scale()
            x, y = (scale, zero_point(dtype)), (scale * random.uniform(0.4, 1.9), zero_point(dtype))
            if i % 3 == 0:
                y = x
            if operator == "LOGISTIC":
                y = (1 / 256, -128 if dtype == I8 else 0)
            if dtype == F32:
                x = y = ()
            values = [draw(dtype, shape, 6.0)]
            if shape == [256] and dtype != F32:
                values = [np.arange(256).astype(U8).view(dtype)]
            v.case(f"{n} {'x'.join(map(str, shape))}", None, [Tensor(dtype, shape, *x), Tensor(dtype, shape, *y)], values)
    if operator == "LOGISTIC":
        values = np.linspace(-30, 30, 121, dtype=F32)
        v.case("float32 far", None, [Tensor(F32, [121]), Tensor(F32, [121])], [values])
        values = np.linspace(-30, -9.5, 40, dtype=F32)
        v.case("float32 all far below zero", None, [Tensor(F32, [40]), Tensor(F32, [40])], [values])
    v.write()


def quantize():
    v = Vectors("QUANTIZE")
    for to in [I8, U8]:
        for i, shape in enumerate([[1, 7], [300], [2, 3, 4], [1], [2, 3, 2, 5], [64]]):
            scale = activation_scale() if i else 0.5
            values = draw(F32, shape, scale * 90)
            if not i:
                values = np.array([[-0.25, 0.25, 0.75, -0.75, 1e9, -1e9, 0.0]], F32)
            v.case(f"float32 to {np.dtype(to).name} {i}", None, [Tensor(F32, shape), Tensor(to, shape, scale, zero_point(to))], [values])
    for of in [I8, U8]:
        for to in [I8, U8]:
            for i, factor in enumerate([1.0, 0.37, 1.9, 0.5, 1 / 3, 7.3]):
                scale = activation_scale()
                x, y = (scale, zero_point(of)), (scale / factor, zero_point(to))
                if i == 0:
                    x, y = (scale, -1 if of == I8 else 127), (scale, -1 if to == I8 else 127)
                values = [np.arange(256).astype(U8).view(of)]
                v.case(f"{np.dtype(of).name} to {np.dtype(to).name} {i}", None, [Tensor(of, [256], *x), Tensor(to, [256], *y)], values)
    v.write()


def dequantize():
    v = Vectors("DEQUANTIZE")
    for of in [I8, U8]:
        for shape in [[1, 7], [2, 3, 4], [1], [2, 3, 2, 5], [64]]:
            v.case(f"{np.dtype(of).name} {'x'.join(map(str, shape))}", None, [Tensor(of, shape, activation_scale(), zero_point(of)), Tensor(F32, shape)])
        values = [np.arange(256).astype(U8).view(of)]
        v.case(f"{np.dtype(of).name} all", None, [Tensor(of, [256], 0.0371, zero_point(of)), Tensor(F32, [256])], values)
    v.write()


def make():
    add()
    for operator in ["RELU", "RELU6", "LOGISTIC"]:
        elementwise(operator)
    quantize()
    dequantize()
