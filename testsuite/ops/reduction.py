"""Pooling, softmax and what else makes one number of many."""

import numpy as np

from forge import *
from linear import GEOMETRY, windowed

# name, shape, axes, whether reduced dimensions are kept
REDUCTIONS = [
    ("last", [2, 3, 4], [-1], False),
    ("first, kept", [4, 3, 2], [0], True),
    ("middle", [2, 5, 3], [1], False),
    ("spatial, kept", [2, 3, 4, 9], [1, 2], True),
    ("spatial, in disorder", [1, 5, 3, 17], [2, 1], False),
    ("all", [3, 7], [0, 1], False),
    ("all, kept", [2, 3, 1, 2], [0, 1, 2, 3], True),
    ("outer and inner", [3, 2, 5], [0, 2], False),
    ("twice the same", [2, 6], [1, -1], True),
    ("rank 1", [33], [0], False),
    ("rank 5", [2, 2, 3, 2, 2], [1, -2], False),
    ("none", [2, 3], [], True),
    ("of size 1", [3, 1, 4], [1], False),
    ("wide", [1, 7, 7, 40], [1, 2], True),
    ("long", [2, 300], [1], False),
]


def reduced(shape, axes, keep):
    """The shape after a reduction."""
    axes = [a % len(shape) for a in np.atleast_1d(axes).tolist()]
    return [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]


def end(dtype, greatest):
    """The least or the greatest zero point that a type may have; I16 has only 0."""
    return 0 if dtype == I16 else np.iinfo(dtype).max if greatest else np.iinfo(dtype).min


def zero(dtype):
    return 0 if dtype == I16 else zero_point(dtype)


def axis_tensor(axes):
    return Tensor(I32, data=np.array(axes, I32))


def reduction(v, name, dtype, shape, axes, keep, x=(), y=(), values=None, **more):
    v.case(f"{np.dtype(dtype).name} {name}", options("Reducer", keepDims=keep),
           [Tensor(dtype, shape, *x), axis_tensor(axes), Tensor(dtype, reduced(shape, axes, keep), *y)],
           values, distinct=False, **more)


def mean_or_sum(operator):
    v = Vectors(operator)
    def quantised(name, dtype, *more):
        # What LiteRT 2.3.0 gives for the sum of signed integers is memory that nothing wrote.
        reduction(v, name, dtype, *more, oracle=micro if operator == "SUM" and dtype != U8 else litert)
    for dtype in [F32, I32, I64]:
        for name, shape, axes, keep in REDUCTIONS:
            if dtype == F32 or name in ["last", "spatial, kept", "all", "outer and inner", "none"]:
                reduction(v, name, dtype, shape, axes, keep)
        reduction(v, "scalar axis", dtype, [3, 5], -1, False)
    for dtype in [I8, U8, I16]:
        for i, (name, shape, axes, keep) in enumerate(REDUCTIONS):
            scale, count = activation_scale(), np.prod(shape) // np.prod(reduced(shape, axes, True))
            growth = random.uniform(0.4, 1.6) * (np.sqrt(count) if operator == "SUM" else 1 / np.sqrt(count))
            x, y = (scale, zero(dtype)), (float(F32(scale * growth)), zero(dtype))
            quantised(name, dtype, shape, axes, keep, x, x if i % 5 == 4 else y)
        if dtype == I8:
            quantised("scalar axis", dtype, [3, 5], -1, False, (0.03, 4), (0.02, -4))
        for greatest in [False, True]:
            ends = (0.02, end(dtype, greatest)), (0.031, end(dtype, not greatest))
            quantised(f"zero point at the {'greatest' if greatest else 'least'}", dtype, [1, 4, 5, 6], [1, 2], True, *ends)
        for name, factor in [("much finer", 1 / 900), ("much coarser", 900.0), ("hardly finer", 0.99), ("twice as coarse", 2.0)]:
            quantised(name, dtype, [4, 11, 3], [1], False, (0.02, zero(dtype)), (float(F32(0.02 * factor)), zero(dtype)))
        full = np.full([1, 16, 16, 3], np.iinfo(dtype).max, dtype)
        full[..., 1] = np.iinfo(dtype).min
        quantised("full", dtype, [1, 16, 16, 3], [1, 2], False, (0.1, 0 if dtype != U8 else 128), (0.1, 0 if dtype != U8 else 128), [full])
        if dtype != U8:
            # Halves: where rounding once and twice, up and away from zero differ.
            ramp = (np.arange(256) - 128).astype(dtype).reshape([256, 1]).repeat(2, axis=1)
            ramp[:, 1] = 0
            for factor in [1.0, 2.0, 8.0]:
                quantised(f"halves {factor}", dtype, [256, 2], [1], False, (0.5, 0), (0.5 * factor, 0), [ramp])
    v.write()


def extremum(operator):
    v = Vectors(operator)
    for dtype in [F32, I8, U8, I16, I32, I64]:
        affine = () if dtype in [F32, I32, I64] else (0.05, zero(dtype))
        for i, (name, shape, axes, keep) in enumerate(REDUCTIONS):
            if dtype in [F32, I8] or i % 3 == 0:
                reduction(v, name, dtype, shape, axes, keep, affine, affine)
    v.write()


def product():
    v = Vectors("REDUCE_PROD")
    for dtype in [F32, I32, I64]:
        for i, (name, shape, axes, keep) in enumerate(REDUCTIONS):
            if dtype == F32 or i % 3 == 0:
                reduction(v, name, dtype, shape, axes, keep)
    for dtype in [I8, U8, I16]:
        # Not quantised: modulo the type.
        for name, shape, axes, keep in REDUCTIONS[:3]:
            reduction(v, f"bare {name}", dtype, shape, axes, keep)
    for dtype in [I8, I16]:
        most = np.iinfo(dtype).max
        for name, shape, axes, keep in REDUCTIONS:
            if name == "long":
                continue
            x = (float(F32(2.0 / most * random.uniform(0.8, 1.2))), 0 if dtype == I16 else int(random.integers(-9, 9)))
            y = (float(F32(1.0 / most * random.uniform(0.2, 1.2))), zero(dtype))
            reduction(v, name, dtype, shape, axes, keep, x, y)
        for greatest in [False, True]:
            ends = (0.013, end(dtype, greatest)), (0.031, end(dtype, not greatest))
            reduction(v, f"zero point at the {'greatest' if greatest else 'least'}", dtype, [5, 3], [1], False, *ends)
        reduction(v, "fine", dtype, [20, 2], [1], False, (0.4 / most, 0), (0.08 / most, 0))
        reduction(v, "coarse", dtype, [20, 2], [1], False, (4.0 / most, 0), (200.0 / most, 0))
    v.write()


def logical(operator):
    v = Vectors(operator)
    for name, shape, axes, keep in REDUCTIONS:
        if name == "none" and operator == "REDUCE_ALL":
            continue
        # Mostly true for ALL, mostly false for ANY.
        drawn = random.random(shape) < 0.15
        values = [drawn if operator == "REDUCE_ANY" else ~drawn]
        reduction(v, name, BOOL, shape, axes, keep, values=values)
    v.write()


def arg(operator):
    v = Vectors(operator)
    for dtype in [F32, I8, U8, I32, BOOL]:
        affine = () if dtype in [F32, I32, BOOL] else (0.05, zero(dtype))
        for i, (name, shape, axis) in enumerate([
            ("last", [3, 7], -1), ("first", [5, 4], 0), ("middle", [2, 6, 3], 1), ("rank 1", [40], 0),
            ("of size 1", [3, 1, 2], 1), ("rank 4", [1, 2, 3, 9], 3), ("channels first", [2, 3, 2, 4], 1),
            ("wide", [2, 33, 20], -2),
        ]):
            to, width = [(I32, I32), (I64, I32), (I32, I64), (I64, I64)][i % 4]
            if dtype in [I32, BOOL] and i > 3:
                continue
            y = reduced(shape, [axis], False)
            values = [draw(dtype, shape)]
            if i % 2 and dtype not in [F32, BOOL]:
                # Ties: the first counts.
                values = [(values[0] // np.array(np.iinfo(dtype).max // 2, dtype)).astype(dtype)]
            opts = options(operator.title().replace("_", ""), outputType=TYPES[np.dtype(to)])
            v.case(f"{np.dtype(dtype).name} {name} to {np.dtype(to).name}", opts,
                   [Tensor(dtype, shape, *affine), Tensor(width, data=np.array(axis, width)), Tensor(to, y)], values, distinct=False)
    tie = np.array([[1, 5, 5, 2], [-0.0, 0.0, -0.0, -1], [3, 3, 3, 3]], F32)
    opts = options(operator.title().replace("_", ""), outputType=TYPES[np.dtype(I32)])
    v.case("float32 ties", opts, [Tensor(F32, [3, 4]), axis_tensor([1]), Tensor(I32, [3])], [tie], distinct=False)
    v.write()


def cumsum():
    v = Vectors("CUMSUM")
    grid = [("last", [2, 7], -1), ("first", [5, 3], 0), ("middle", [2, 4, 3], 1), ("rank 1", [9], 0), ("channels", [1, 3, 2, 17], 1)]
    for dtype in [F32, I32, I64]:
        for i, (name, shape, axis) in enumerate(grid):
            for exclusive in [False, True]:
                for reverse in [False, True]:
                    if dtype != F32 and (i + exclusive + 2 * reverse) % 3:
                        continue
                    more = " exclusive" * exclusive + " reverse" * reverse
                    v.case(f"{np.dtype(dtype).name} {name}{more}", options("Cumsum", exclusive=exclusive, reverse=reverse),
                           [Tensor(dtype, shape), axis_tensor(axis), Tensor(dtype, shape)], distinct=False)
    for i, (name, shape, axis) in enumerate(grid):
        for exclusive in [False, True]:
            x, y = (0.02, zero(I8)), (float(F32(0.02 * random.uniform(0.6, 6))), zero(I8))
            more = " exclusive" * exclusive + " reverse" * (i % 2)
            v.case(f"int8 {name}{more}", options("Cumsum", exclusive=exclusive, reverse=bool(i % 2)),
                   [Tensor(I8, shape, *x), axis_tensor(axis), Tensor(I8, shape, *y)], oracle=micro, distinct=False)
    for name, x, y in [("same", (0.05, 3), (0.05, 3)), ("ends", (0.05, -128), (0.07, 127)), ("ends turned", (0.05, 127), (0.3, -128)), ("coarse", (0.01, 3), (3.0, 0))]:
        v.case(f"int8 {name}", options("Cumsum"), [Tensor(I8, [4, 11], *x), axis_tensor(1), Tensor(I8, [4, 11], *y)], oracle=micro, distinct=False)
    v.write()


def pool_2d(operator):
    v = Vectors(operator)
    for dtype in [F32, I8, U8, I16] if operator != "L2_POOL_2D" else [F32]:
        n = np.dtype(dtype).name
        for i, (name, h, w, kh, kw, stride, dilation, padding) in enumerate(GEOMETRY):
            if dilation != (1, 1):
                continue
            batch, depth, activation = 1 + i % 2, 1 + i * 3 % 5, [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4]
            opts = options("Pool2D", padding=padding, strideH=stride[0], strideW=stride[1],
                           filterHeight=kh, filterWidth=kw, fusedActivationFunction=activation)
            y = [batch, windowed(h, kh, stride[0], 1, padding), windowed(w, kw, stride[1], 1, padding), depth]
            affine = pooled(dtype)
            v.case(f"{n} {name}", opts, [Tensor(dtype, [batch, h, w, depth], *affine), Tensor(dtype, y, *affine)], distinct=False)
        opts = options("Pool2D", padding=VALID, strideH=2, strideW=2, filterHeight=6, filterWidth=7)
        affine = () if dtype == F32 else (0.05, 3) if dtype != I16 else (0.0004, 0)
        v.case(f"{n} whole image", opts, [Tensor(dtype, [1, 6, 7, 20], *affine), Tensor(dtype, [1, 1, 1, 20], *affine)], distinct=False)
        if dtype == I16:
            opts = options("Pool2D", padding=SAME, strideH=1, strideW=1, filterHeight=3, filterWidth=3)
            ends = np.where(random.random([1, 5, 5, 9]) < 0.5, -32768, 32767).astype(I16)
            v.case("int16 ends", opts, [Tensor(dtype, [1, 5, 5, 9], *affine), Tensor(dtype, [1, 5, 5, 9], *affine)], [ends], distinct=False)
    v.write()


def pooled(dtype):
    """Scale and zero point of what is pooled; such that the activations' bounds lie inside I16."""
    if dtype == I16:
        return (float(F32(random.uniform(0.0001, 0.001))), 0)
    return affine_of(dtype, activation_scale(), zero_point(dtype)) if dtype != F32 else ()


SOFTMAXES = [
    ("plain", [1, 4], 1.0, 0.1), ("rows", [7, 12], 1.0, 0.0625), ("beta 2", [5, 9], 2.0, 0.03),
    ("beta 0.3", [4, 10], 0.3, 0.2), ("rank 4", [2, 3, 2, 5], 1.0, 0.17), ("one", [3, 1], 1.0, 0.1),
    ("steep", [6, 8], 1.0, 1.7), ("flat", [6, 50], 1.0, 0.003), ("rank 1", [6], 1.0, 0.08),
    ("wide", [2, 300], 1.0, 0.011),
]


def softmax():
    v = Vectors("SOFTMAX")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        y_affine = () if dtype == F32 else (1 / 256, -128 if dtype == I8 else 0)
        for name, shape, beta, scale in SOFTMAXES:
            affine = () if dtype == F32 else (scale, zero_point(dtype))
            v.case(f"{n} {name}", options("Softmax", beta=beta), [Tensor(dtype, shape, *affine), Tensor(dtype, shape, *y_affine)], distinct=False)
        equal = np.full([2, 6], 3, dtype)
        affine = () if dtype == F32 else (0.1, 0)
        v.case(f"{n} equal", options("Softmax", beta=1.0), [Tensor(dtype, [2, 6], *affine), Tensor(dtype, [2, 6], *y_affine)], [equal], distinct=False)
    for of, n, factor, y in [(I8, "int8 to int16", 1, (1 / 65536, -32768)), (U8, "uint8 to int16", 1, (1 / 65536, -32768)), (I16, "int16", 1 / 256, (1 / 32768, 0))]:
        for name, shape, beta, scale in SOFTMAXES:
            v.case(f"{n} {name}", options("Softmax", beta=beta), [Tensor(of, shape, scale * factor, zero(of)), Tensor(I16, shape, *y)], distinct=False)
        equal = np.full([2, 6], 3, of)
        v.case(f"{n} equal", options("Softmax", beta=1.0), [Tensor(of, [2, 6], 0.1, 0), Tensor(I16, [2, 6], *y)], [equal], distinct=False)
    ramp = np.arange(-32768, 32768, 57).astype(I16).reshape([1, -1])
    for name, scale in [("far apart", 0.01), ("all of the table", 10 / 65535), ("narrow", 1e-6)]:
        v.case(f"int16 {name}", options("Softmax", beta=1.0), [Tensor(I16, ramp.shape, scale, 0), Tensor(I16, ramp.shape, 1 / 32768, 0)], [ramp], distinct=False)
    v.write()


def log_softmax():
    v = Vectors("LOG_SOFTMAX")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        y_affine = () if dtype == F32 else (1 / 16, 127 if dtype == I8 else 255)
        for name, shape, _, scale in SOFTMAXES:
            affine = () if dtype == F32 else (scale, zero_point(dtype))
            v.case(f"{n} {name}", options("LogSoftmax"), [Tensor(dtype, shape, *affine), Tensor(dtype, shape, *y_affine)], distinct=False)
        equal = np.full([2, 6], 3, dtype)
        affine = () if dtype == F32 else (0.1, 0)
        v.case(f"{n} equal", options("LogSoftmax"), [Tensor(dtype, [2, 6], *affine), Tensor(dtype, [2, 6], *y_affine)], [equal], distinct=False)
        if dtype != F32:
            ramp = np.arange(256).astype(U8).view(dtype).reshape([1, 256])
            for scale in [0.0001, 0.01, 0.06, 0.0625, 0.11, 0.3, 2.0]:
                v.case(f"{n} all, scale {scale}", options("LogSoftmax"), [Tensor(dtype, [1, 256], scale, 0), Tensor(dtype, [1, 256], *y_affine)], [ramp], distinct=False)
    far = np.array([[100, 0, -100], [1e30, -1e30, 0]], F32)
    v.case("float32 far", options("LogSoftmax"), [Tensor(F32, [2, 3]), Tensor(F32, [2, 3])], [far])
    v.write()


def l2_normalization():
    v = Vectors("L2_NORMALIZATION")
    for dtype in [F32, I8, U8]:
        n = np.dtype(dtype).name
        y = () if dtype == F32 else (1 / 128, 0 if dtype == I8 else 128)
        for name, shape in [("one", [1, 1]), ("rows", [5, 7]), ("rank 1", [9]), ("image", [2, 3, 2, 5]), ("rank 3", [2, 3, 33]), ("long", [2, 600])]:
            affine = () if dtype == F32 else (activation_scale(), zero_point(dtype))
            v.case(f"{n} {name}", options("L2Norm"), [Tensor(dtype, shape, *affine), Tensor(dtype, shape, *y)], distinct=False)
        for name, value in [("at zero", 0), ("one from zero", 1), ("two from zero", 2)]:
            z = 7
            values = np.full([3, 6], z if dtype != F32 else 0, dtype)
            values[0, 0] += dtype(value)
            values[1, :] += dtype(value)
            affine = () if dtype == F32 else (0.1, z)
            v.case(f"{n} {name}", options("L2Norm"), [Tensor(dtype, [3, 6], *affine), Tensor(dtype, [3, 6], *y)], [values], distinct=False)
        if dtype != F32:
            ramp = np.arange(256).astype(U8).view(dtype)
            for z in [np.iinfo(dtype).min, 5, np.iinfo(dtype).max]:
                v.case(f"{n} all, zero point {z}", options("L2Norm"), [Tensor(dtype, [256], 0.1, z), Tensor(dtype, [256], *y)], [ramp], distinct=False)
                v.case(f"{n} pairs, zero point {z}", options("L2Norm"), [Tensor(dtype, [128, 2], 0.1, z), Tensor(dtype, [128, 2], *y)], [ramp.reshape([128, 2])], distinct=False)
    small = np.array([[1e-7, 0], [1e-4, 3e-4], [0, 0], [-2e-6, 1e-6]], F32)
    v.case("float32 small", options("L2Norm"), [Tensor(F32, [4, 2]), Tensor(F32, [4, 2])], [small])
    v.write()


def topk():
    v = Vectors("TOPK_V2")
    for dtype in [F32, I8, U8, I16, I32, I64]:
        for name, shape, k in [("rows", [3, 8], 3), ("rank 1", [20], 5), ("all", [2, 6], 6), ("one", [2, 3, 4], 1)]:
            values = draw(dtype, shape)
            if name == "all" and dtype != F32:
                # Ties: the first comes first.
                values = (values // np.array(np.iinfo(dtype).max // 2, dtype)).astype(dtype)
            y = [*shape[:-1], k]
            affine = (0.1, 0) if dtype in [I8, U8, I16] else ()
            v.case(f"{np.dtype(dtype).name} {name}", options("TopKV2"),
                   [Tensor(dtype, shape, *affine), Tensor(I32, data=np.array(k, I32)), Tensor(dtype, y, *affine), Tensor(I32, y)],
                   [values], outputs=2, distinct=False)
    v.write()


def make():
    for operator in ["MEAN", "SUM"]:
        mean_or_sum(operator)
    for operator in ["REDUCE_MAX", "REDUCE_MIN"]:
        extremum(operator)
    product()
    for operator in ["REDUCE_ALL", "REDUCE_ANY"]:
        logical(operator)
    for operator in ["ARG_MAX", "ARG_MIN"]:
        arg(operator)
    cumsum()
    for operator in ["MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"]:
        pool_2d(operator)
    softmax()
    log_softmax()
    l2_normalization()
    topk()
