"""CONV_2D and what else multiplies by weights."""

import numpy as np

from forge import *


def linear(vectors, name, dtype, opts, x, w, y, axis, bias=True, channels=False, small=False):
    """A case of x, constant weights and bias. `small` weights make the requantising factor large, where
    rounding twice differs most from rounding once."""
    outputs = w[axis]
    taps = int(np.prod(w)) // outputs
    if dtype == F32:
        weights = Tensor(F32, data=draw(F32, w, 0.5))
        offset = Tensor(F32, data=draw(F32, [outputs])) if bias else None
        reference = None
        if vectors.operator == "CONV_2D" and not bias:
            reference = [Tensor(F32, x), weights, Tensor(F32, data=np.zeros(outputs, F32)), Tensor(F32, y)]
        tensors = [Tensor(F32, x), weights, offset, Tensor(F32, y)]
        vectors.case(name, opts, left_out(vectors, tensors), reference=reference)
        return
    limit = 3 if small else 127
    if dtype == I8:
        drawn, zero = random.integers(-limit, limit + 1, w).astype(I8), 0
    else:
        zero = int(random.integers(100, 156))
        drawn = np.clip(random.integers(-limit, limit + 1, w) + zero, 0, 255).astype(U8)
    scale = random.uniform(0.004, 0.02, outputs if channels else 1).astype(F32)
    x_scale = activation_scale()
    spread = 73 * limit * 0.58 * np.sqrt(taps)
    y_scale = float(F32(x_scale * scale.mean() * spread / 50 * random.uniform(0.7, 1.4)))
    offset = None
    if bias:
        values = (random.standard_normal(outputs) * spread / 2).astype(np.int32)
        offset = Tensor(np.int32, scale=[x_scale * s for s in scale], data=values)
    tensors = [
        Tensor(dtype, x, x_scale, zero_point(dtype)),
        Tensor(dtype, scale=scale, zero=zero, data=drawn, axis=axis),
        offset,
        Tensor(dtype, y, y_scale, zero_point(dtype)),
    ]
    reference = None
    if vectors.operator == "CONV_2D" and not bias:
        # The kernel insists on a bias, though the format does not: it is run with one of zeros.
        zeros = Tensor(np.int32, scale=[x_scale * s for s in scale], data=np.zeros(outputs, np.int32))
        reference = [tensors[0], tensors[1], zeros, tensors[3]]
    vectors.case(name, opts, left_out(vectors, tensors), reference=reference)


def left_out(vectors, tensors):
    """An operand that is None stays as -1 in FULLY_CONNECTED, as converters do, and is absent elsewhere."""
    return [t for t in tensors if t is not None or vectors.operator == "FULLY_CONNECTED"]


def windowed(size, taps, stride, dilation, padding):
    """Rows or columns of the output."""
    span = (taps - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else -(-(size - span + 1) // stride)


def fully_connected():
    v = Vectors("FULLY_CONNECTED")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        def case(name, x, w, y, activation=NONE, keep=False, **more):
            opts = options("FullyConnected", fusedActivationFunction=activation, keepNumDims=keep)
            linear(v, f"{n} {name}", dtype, opts, x, w, y, 0, **more)
        case("plain", [1, 16], [8, 16], [1, 8])
        case("relu, odd", [1, 7], [5, 7], [1, 5], RELU)
        case("relu6, batch 3", [3, 13], [9, 13], [3, 9], RELU6)
        case("relu_n1_to_1", [2, 4], [33, 4], [2, 33], RELU_N1_TO_1)
        case("no bias", [1, 31], [3, 31], [1, 3], bias=False)
        case("one by one", [1, 1], [1, 1], [1, 1])
        case("flattened image", [2, 3, 2, 4], [6, 24], [2, 6], RELU)
        case("rank 3 kept", [1, 3, 5], [4, 5], [1, 3, 4], keep=True)
        if dtype != F32:
            case("small weights", [64, 6], [16, 6], [64, 16], small=True)
        if dtype == I8:
            case("per channel", [2, 9], [7, 9], [2, 7], RELU, channels=True)
            case("per channel, small weights", [64, 6], [16, 6], [64, 16], channels=True, small=True)
            case("per channel, no bias", [4, 19], [17, 19], [4, 17], channels=True, bias=False)
    v.write()


GEOMETRY = [
    # name, height, width, rows, columns, stride, dilation, padding
    ("same 3x3", 5, 6, 3, 3, (1, 1), (1, 1), SAME),
    ("valid 3x3", 5, 6, 3, 3, (1, 1), (1, 1), VALID),
    ("1x1", 3, 5, 1, 1, (1, 1), (1, 1), VALID),
    ("same 3x3 stride 2 even", 6, 8, 3, 3, (2, 2), (1, 1), SAME),
    ("same 3x3 stride 2 odd", 7, 5, 3, 3, (2, 2), (1, 1), SAME),
    ("valid 2x5 stride 1x3", 4, 11, 2, 5, (1, 3), (1, 1), VALID),
    ("same dilation 2", 6, 5, 3, 3, (1, 1), (2, 2), SAME),
    ("valid dilation 2x3", 7, 9, 3, 2, (1, 1), (2, 3), VALID),
    ("same 4x2 stride 3x1", 7, 4, 4, 2, (3, 1), (1, 1), SAME),
    ("kernel larger than image", 2, 3, 5, 5, (1, 1), (1, 1), SAME),
    ("1x1 stride 2", 5, 5, 1, 1, (2, 2), (1, 1), SAME),
]


def conv_2d():
    v = Vectors("CONV_2D")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        def case(name, geometry, inner=2, outer=3, batch=1, activation=NONE, **more):
            _, h, w, kh, kw, stride, dilation, padding = geometry
            opts = options("Conv2D", padding=padding, strideH=stride[0], strideW=stride[1],
                           dilationHFactor=dilation[0], dilationWFactor=dilation[1],
                           fusedActivationFunction=activation)
            y = [batch, windowed(h, kh, stride[0], dilation[0], padding),
                 windowed(w, kw, stride[1], dilation[1], padding), outer]
            linear(v, f"{n} {name}", dtype, opts, [batch, h, w, inner], [outer, kh, kw, inner], y, 0, **more)
        for i, geometry in enumerate(GEOMETRY):
            case(geometry[0], geometry, 1 + i % 4, 1 + i * 3 % 7, 1 + i % 2, [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4],
                 bias=i % 5 != 3, channels=dtype == I8 and i % 3 != 0)
        case("wide", ("", 4, 4, 3, 3, (1, 1), (1, 1), SAME), 16, 16, channels=dtype == I8)
        if dtype != F32:
            case("small weights", ("", 9, 9, 1, 1, (1, 1), (1, 1), VALID), 5, 12, small=True)
        if dtype == I8:
            case("per channel, small weights", ("", 9, 9, 1, 1, (1, 1), (1, 1), VALID), 5, 12, small=True,
                 channels=True)
    v.write()


def depthwise_conv_2d():
    v = Vectors("DEPTHWISE_CONV_2D")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        def case(name, geometry, inner=2, multiplier=1, batch=1, activation=NONE, **more):
            _, h, w, kh, kw, stride, dilation, padding = geometry
            opts = options("DepthwiseConv2D", padding=padding, strideH=stride[0], strideW=stride[1],
                           dilationHFactor=dilation[0], dilationWFactor=dilation[1], depthMultiplier=multiplier,
                           fusedActivationFunction=activation)
            outer = inner * multiplier
            y = [batch, windowed(h, kh, stride[0], dilation[0], padding),
                 windowed(w, kw, stride[1], dilation[1], padding), outer]
            linear(v, f"{n} {name}", dtype, opts, [batch, h, w, inner], [1, kh, kw, outer], y, 3, **more)
        for i, geometry in enumerate(GEOMETRY):
            case(geometry[0], geometry, 1 + i % 5, 1 + i % 3, 1 + i % 2, [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4],
                 bias=i % 5 != 3, channels=dtype == I8 and i % 3 != 0)
        case("multiplier 8 of one channel", ("", 9, 7, 5, 4, (2, 2), (1, 1), SAME), 1, 8, activation=RELU,
             channels=dtype == I8)
        case("wide", ("", 5, 5, 3, 3, (1, 1), (1, 1), SAME), 32, channels=dtype == I8)
        if dtype != F32:
            case("small weights", ("", 9, 9, 2, 2, (1, 1), (1, 1), SAME), 12, small=True)
    v.write()


def make():
    fully_connected()
    conv_2d()
    depthwise_conv_2d()
