"""What computes each element from the elements in its place."""

import numpy as np

from forge import *

# Pairs of shapes that broadcast, by name.
SHAPES = [
    ("plain", [2, 9], [2, 9]), ("scalar", [3, 5], [1]), ("rank 0", [4, 3], []), ("row", [2, 3, 4], [4]),
    ("column", [3, 7], [3, 1]), ("both", [5, 1, 3], [1, 4, 3]), ("first smaller", [1, 1, 6], [2, 4, 6]),
    ("image and channel", [1, 4, 5, 3], [1, 1, 1, 3]), ("rank 5", [2, 1, 3, 1, 2], [1, 2, 1, 2, 1]),
    ("rank 6", [2, 1, 2, 1, 2, 2], [1, 3, 1, 2, 1, 2]),
]
ACTIVATIONS = [NONE, RELU, RELU6, RELU_N1_TO_1]
QUANTISED = [I8, U8, I16]
# Every byte once.
BYTES = np.arange(256).astype(U8)
# What f32 operators are defined on beside numbers.
ODD = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], F32)


def name_of(dtype):
    return np.dtype(dtype).name


def affine(dtype, scale=None):
    """A scale and a zero point for a type: none for i16, and neither for types that are not quantised."""
    if dtype not in QUANTISED:
        return ()
    if dtype == I16:
        return (float(F32(random.uniform(2e-5, 4e-4))) if scale is None else scale, 0)
    return (activation_scale() if scale is None else scale, zero_point(dtype))


def every(dtype, count=64):
    """Every value of a byte; or some of a wider type, with its ends."""
    if np.dtype(dtype).itemsize == 1:
        return BYTES.view(dtype)
    info = np.iinfo(dtype)
    ends = np.array([info.min, info.min + 1, -1, 0, 1, info.max - 1, info.max], dtype)
    return np.concatenate([ends, draw(dtype, [count - len(ends)])])


def reals(low, high, count, *more):
    """Numbers from `low` to `high`, and `more`."""
    spread = np.linspace(low, high, count, dtype=F32)
    return np.concatenate([spread, *(np.asarray(m, F32).reshape(-1) for m in more)]).astype(F32)


def unary(v, name, values, x=(), y=(), opts=None, to=None, **more):
    """A case of one input with these values."""
    tensors = [Tensor(values.dtype, values.shape, *x), Tensor(to or values.dtype, values.shape, *y)]
    v.case(name, opts, tensors, [values], **more)


def binary(v, name, dtype, shapes, affines=((), (), ()), opts=None, to=None, values=None, **more):
    a, b = shapes
    kinds = (dtype, dtype, to or dtype)
    tensors = [Tensor(k, s, *q) for k, s, q in zip(kinds, [a, b, np.broadcast_shapes(a, b)], affines)]
    v.case(name, opts, tensors, values, **more)


def sum_affines(dtype, narrow=(0.9, 1.6)):
    """Scales as a sum or difference has them."""
    a, b, y = affine(dtype), affine(dtype), affine(dtype)
    return a, b, (max(a[0], b[0]) * random.uniform(*narrow), y[1])


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
            affines = [() if dtype == F32 else (activation_scale(), zero_point(dtype)) for _ in range(3)]
            if dtype != F32:
                affines[2] = (max(affines[0][0], affines[1][0]) * random.uniform(0.9, 1.6), affines[2][1])
            tensors = [Tensor(dtype, s, *q) for s, q in zip([a, b, y], affines)]
            activation = ACTIVATIONS[i % 4] if i < 8 else NONE
            v.case(f"{n} {name}", options("Add", fusedActivationFunction=activation), tensors)
        of_constant = () if dtype == F32 else (0.05, 3)
        constant = Tensor(dtype, None, *(of_constant or (None, 0)), data=draw(dtype, [6]))
        v.case(f"{n} constant", options("Add"), [Tensor(dtype, [4, 6], *of_constant), constant, Tensor(dtype, [4, 6], *of_constant)])
    wide_arithmetic(v, "Add")
    # Scales that are powers of two mean nothing to bytes.
    binary(v, "int8 powers of two", I8, ([33], [33]), [(0.5, 3), (0.25, -9), (1.0, 20)], options("Add", potScaleInt16=True))
    for dtype in [I8, U8]:
        # The sum's factor just below 1, inputs of very different scales, and results beyond the range.
        for name, scales in [("far apart", (3.0, 1e-4, 3.1)), ("tiny", (1e-6, 2e-6, 2.5e-6)), ("saturating", (0.5, 0.5, 0.01))]:
            binary(v, f"{name_of(dtype)} {name}", dtype, ([33], [33]), [affine(dtype, s) for s in scales], options("Add"))
    v.write()


def wide_arithmetic(v, kind):
    """i16 in general and as powers of two, unquantised where it may be so, i32 and i64."""
    for i, (name, a, b) in enumerate(SHAPES):
        scales = sum_affines(I16)
        if kind == "Mul":
            scales = affine(I16), affine(I16), affine(I16, float(F32(random.uniform(2e-5, 4e-4))))
            scales = *scales[:2], (scales[0][0] * scales[1][0] * random.uniform(8000, 30000), 0)
        opts = options(kind, fusedActivationFunction=ACTIVATIONS[i % 4], **({} if kind == "Mul" else {"potScaleInt16": False}))
        binary(v, f"int16 {name}", I16, (a, b), scales, opts)
    if kind != "Mul":
        for name, shifts in [("equal", (0, 0, 0)), ("first shifted", (-3, 0, 0)), ("second shifted", (0, -2, 0)), ("second far", (0, -9, 0))]:
            scales = [(2.0 ** (s - 14), 0) for s in shifts]
            for activation in [NONE, RELU_N1_TO_1]:
                opts = options(kind, fusedActivationFunction=activation, potScaleInt16=True)
                binary(v, f"int16 powers of two, {name}, {activation}", I16, ([40], [40]), scales, opts)
        # Powers of two are asked for, but these are none.
        binary(v, "int16 no powers of two", I16, ([5, 6], [6]), sum_affines(I16), options(kind, potScaleInt16=True))
    if kind in ("Add", "Mul"):
        binary(v, "int16 unquantised", I16, ([2, 20], [20]), opts=options(kind))
        binary(v, "int16 unquantised with activation", I16, ([2, 20], [2, 20]), opts=options(kind, fusedActivationFunction=RELU6))
    for dtype in [I32, I64]:
        for i, (name, a, b) in enumerate([SHAPES[0], SHAPES[1], SHAPES[5], SHAPES[9]]):
            values = [draw(I16, s).astype(dtype) for s in (a, b)]
            opts = options(kind, fusedActivationFunction=ACTIVATIONS[i])
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), opts=opts, values=values, distinct=i < 2)
        if kind != "Mul":
            values = [every(dtype), every(dtype)[::-1]]
            binary(v, f"{name_of(dtype)} wraps", dtype, ([64], [64]), opts=options(kind), values=values)


def arithmetic(operator, kind):
    """SUB and MUL."""
    v = Vectors(operator)
    for dtype in [F32, I8, U8]:
        for i, (name, a, b) in enumerate(SHAPES):
            scales = ((), (), ())
            if dtype != F32:
                scales = sum_affines(dtype)
                if kind == "Mul":
                    scales = *scales[:2], (scales[0][0] * scales[1][0] * random.uniform(30, 130), scales[2][1])
            opts = options(kind, fusedActivationFunction=ACTIVATIONS[i % 4])
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), scales, opts)
        binary(v, f"{name_of(dtype)} long", dtype, ([300], [300]), scales, options(kind))
        q = affine(dtype, 0.04)
        constant = Tensor(dtype, None, *(q or (None, 0)), data=draw(dtype, [6]))
        v.case(f"{name_of(dtype)} constant", options(kind), [Tensor(dtype, [4, 6], *q), constant, Tensor(dtype, [4, 6], *q)])
        v.case(f"{name_of(dtype)} constant first", options(kind), [constant, Tensor(dtype, [4, 6], *q), Tensor(dtype, [4, 6], *q)])
        if dtype != F32:
            for name, scales in [("far apart", (3.0, 1e-4, 3.1)), ("tiny", (1e-6, 2e-6, 2.5e-6)), ("saturating", (0.5, 0.5, 0.01)), ("growing", (0.9, 0.9, 0.004))]:
                binary(v, f"{name_of(dtype)} {name}", dtype, ([33], [33]), [affine(dtype, s) for s in scales], options(kind), distinct=False)
    wide_arithmetic(v, kind)
    values = [np.concatenate([ODD, ODD]), np.concatenate([ODD[::-1], ODD])]
    if kind == "Sub":
        values = [np.array([np.inf, -np.inf, 1.0, 3e38], F32), np.array([1.0, 1.0, np.inf, -3e38], F32)]
    else:
        values = [np.array([np.inf, -np.inf, 2.0, 0.0], F32), np.array([1.5, 1.0, -np.inf, -3.0], F32)]
    binary(v, "float32 infinite with activation", F32, ([4], [4]), opts=options(kind, fusedActivationFunction=RELU6), values=values)
    v.write()


def div():
    v = Vectors("DIV")
    for dtype in [F32, I8, U8, I16, I32]:
        for i, (name, a, b) in enumerate(SHAPES):
            scales = [affine(dtype) for _ in range(3)]
            if dtype in QUANTISED:
                ratio = scales[0][0] / scales[1][0]
                scales[2] = (ratio * random.uniform(0.005, 0.03) * (1e-2 if dtype == I16 else 1), scales[2][1])
            values = [draw(dtype, a), draw(dtype, b)]
            if dtype == I32:
                values = [draw(I16, a).astype(I32), draw(I8, b).astype(I32)]
            zero = scales[1][1] if scales[1] else 0
            values[1] = np.where(values[1] == zero, values[1] + np.asarray(1, values[1].dtype), values[1])
            opts = options("Div", fusedActivationFunction=ACTIVATIONS[i % 4])
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), scales, opts, values=values, distinct=False)
    # Every divisor but the zero point, by dividends of both signs.
    for dtype in [I8, U8]:
        info = np.iinfo(dtype)
        for zero in [info.min, 0 if dtype == I8 else 128, info.max]:
            divisors = np.delete(BYTES.view(dtype), BYTES.view(dtype) == zero)
            values = [draw(dtype, [255]), divisors]
            binary(v, f"{name_of(dtype)} every divisor but {zero}", dtype, ([255], [255]), [(0.1, 3), (0.02, zero), (0.05, 5)], options("Div"), values=values)
        for name, scales in [("tiny", (1e-6, 1.0, 1e-8)), ("huge", (3e4, 1e-3, 2e5)), ("saturating", (1.0, 0.01, 0.001))]:
            values = [draw(dtype, [30]), np.maximum(draw(dtype, [30]), np.asarray(40, dtype))]
            binary(v, f"{name_of(dtype)} {name}", dtype, ([30], [30]), [(scales[0], 10), (scales[1], 39), (scales[2], 11)], options("Div"), values=values, distinct=False)
    values = [np.array([1, -1, 0.0, np.inf, 5], F32), np.array([0.0, 0.0, 2, 3, np.inf], F32)]
    binary(v, "float32 by zero with activation", F32, ([5], [5]), opts=options("Div", fusedActivationFunction=RELU6), values=values)
    values = [np.array([7, -7, 7, -7, 2**31 - 1], I32), np.array([2, 2, -2, -2, -1], I32)]
    binary(v, "int32 to zero", I32, ([5], [5]), opts=options("Div"), values=values)
    v.write()


def floor_division(operator):
    v = Vectors(operator)
    types = [F32, I8, I16, I32] + ([I64] if operator == "FLOOR_MOD" else [])
    for dtype in types:
        for name, a, b in [SHAPES[0], SHAPES[1], SHAPES[5], SHAPES[9]]:
            values = [draw(dtype, a), draw(dtype, b)]
            if dtype in (I32, I64):
                values[1] = draw(I16, b).astype(dtype)
            values[1] = np.where(values[1] == 0, np.asarray(3, dtype), values[1])
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), values=values, distinct=False)
        signs = [np.array([7, -7, 7, -7, 6, -6, 0], dtype), np.array([3, 3, -3, -3, 3, 3, -2], dtype)]
        binary(v, f"{name_of(dtype)} signs", dtype, ([7], [7]), values=signs)
    far = [np.array([1e30, 3e38, -1e30, 5.5, 1e-40, 1, 7e-45, 2.5], F32), np.array([3, 1e-30, 7, 1e30, 3e-42, 3e-39, 1e-45, -0.5], F32)]
    if operator == "FLOOR_DIV":
        far = [a[[3, 4, 7]] for a in far]
    binary(v, "float32 far", F32, (list(far[0].shape), list(far[1].shape)), values=far)
    v.write()


def extremes(operator):
    """MAXIMUM and MINIMUM."""
    v = Vectors(operator)
    for dtype in [F32, I8, U8, I16, I32, I64]:
        for name, a, b in [SHAPES[0], SHAPES[1], SHAPES[3], SHAPES[5], SHAPES[8], SHAPES[9]]:
            q = affine(dtype)
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), (q, q, q), options("MaximumMinimum"))
        binary(v, f"{name_of(dtype)} long", dtype, ([150], [150]), (q, q, q), options("MaximumMinimum"))
    v.write()


def squared_difference():
    v = Vectors("SQUARED_DIFFERENCE")
    for dtype in [F32, I8, I16, I32]:
        for name, a, b in SHAPES:
            scales = ((), (), ())
            if dtype in QUANTISED:
                scales = affine(dtype), affine(dtype), ()
                top = max(scales[0][0], scales[1][0])
                if dtype == I16:
                    # Below this, 32 bits do not hold the square.
                    scales = (top, 0), (top * random.uniform(0.5, 1), 0), (top**2 * random.uniform(9000, 60000), 0)
                else:
                    scales = *scales[:2], (top**2 * random.uniform(60, 250), zero_point(dtype))
            values = [draw(I16, s).astype(I32) for s in (a, b)] if dtype == I32 else None
            if dtype == I32:
                values = [x // 2 for x in values]
            oracle = micro if dtype == I16 else litert
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), scales, options("SquaredDifference"), values=values, oracle=oracle)
    binary(v, "int8 long", I8, ([256], [256]), [(0.1, 20), (0.07, -100), (2.0, -128)], options("SquaredDifference"), values=[BYTES.view(I8), draw(I8, [256])])
    v.write()


def prelu():
    v = Vectors("PRELU")
    for dtype in [F32, I8, U8]:
        for name, x, alpha in [("channel", [1, 3, 4, 5], [1, 1, 5]), ("plain", [2, 9], [2, 9]), ("scalar", [3, 5], [1]), ("row", [2, 3, 4], [4]), ("column", [3, 7], [3, 1]), ("long", [2, 64], [64])]:
            for i in range(1 if dtype == F32 else 2):
                scales = [affine(dtype) for _ in range(3)]
                if dtype != F32:
                    scales[1] = (random.uniform(0.001, 0.02), scales[1][1])
                    scales[2] = (scales[0][0] * random.uniform(0.4, 1.9), scales[2][1])
                tensors = [Tensor(dtype, x, *scales[0]), Tensor(dtype, None, *(scales[1] or (None, 0)), data=draw(dtype, alpha, 0.5)), Tensor(dtype, x, *scales[2])]
                v.case(f"{name_of(dtype)} {name} {i}", None, tensors)
        q = affine(dtype), affine(dtype), affine(dtype)
        binary(v, f"{name_of(dtype)} computed slope", dtype, ([4, 6], [6]), q)
    # Slopes of i16 are bytes.
    for x, alpha in [([2, 3, 4], [4]), ([3, 20], [3, 1]), ([40], [1])]:
        tensors = [Tensor(I16, x, 0.0003, 0), Tensor(I8, alpha, random.uniform(0.001, 0.02), zero_point(I8)), Tensor(I16, x, 0.0002, 0)]
        v.case(f"int16 and int8 {x}", None, tensors, oracle=micro)
    v.write()


def power():
    v = Vectors("POW")
    for name, a, b in [SHAPES[0], SHAPES[1], SHAPES[5], SHAPES[8]]:
        values = [np.abs(draw(F32, a)) + F32(0.01), draw(F32, b)]
        binary(v, f"float32 {name}", F32, (a, b), values=values)
        values = [draw(I8, a).astype(I32) % 7 - 3, draw(U8, b).astype(I32) % 10]
        binary(v, f"int32 {name}", I32, (a, b), values=values)
    bases = np.array([-2, -2, -0.5, 0, 0, 1, 3, 1e20, 1e-20, 2, 10, 1.0001, 7.5, 0.999], F32)
    exponents = np.array([3, 2, -3, 2, 0, 77, 0, 2, 3, 0.5, 37, 9000, -2.5, 1000], F32)
    binary(v, "float32 edges", F32, ([14], [14]), values=[bases, exponents])
    v.write()


def comparison(operator, kind):
    v = Vectors(operator)
    equality = operator in ("EQUAL", "NOT_EQUAL")
    for dtype in [F32, I8, U8, I16, I32, I64] + ([BOOL] if equality else []):
        for name, a, b in [SHAPES[0], SHAPES[1], SHAPES[5], SHAPES[9]]:
            q = affine(dtype)
            values = [draw(dtype, a), draw(dtype, b)]
            if dtype != BOOL:
                # Few values, so that some are equal.
                near = np.asarray((q or (0, 0))[1], dtype)
                values = [(near + np.asarray(x.astype(I64) % 3, dtype)).astype(dtype) for x in values]
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), (q, q, ()), options(kind), to=BOOL, values=values)
    if equality:
        values = [draw(I16, [40]) % 3, draw(I16, [40]) % 3]
        binary(v, "int16 unquantised", I16, ([40], [40]), opts=options(kind), to=BOOL, values=values) if operator == "EQUAL" else None
    for dtype in [I8, U8] + ([I16] if equality else []):
        # Different scales; scales so small that neighbours become equal; and a rescaled neighbour.
        for name, scales in [("rescaled", (0.05, 0.1)), ("merging", (3e-4, 3e-4)), ("tiny", (1e-6, 2e-6)), ("thirds", (0.3, 0.1))]:
            values = [draw(dtype, [60]), draw(dtype, [60])]
            if dtype == I16:
                values = [x // 512 for x in values]
            affines = [(s, 0 if dtype == I16 else zero_point(dtype)) for s in scales]
            binary(v, f"{name_of(dtype)} {name}", dtype, ([60], [60]), (*affines, ()), options(kind), to=BOOL, values=values)
    values = [np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, np.nan], F32), np.array([-0.0, 0, np.inf, np.inf, np.nan, np.nan, 1], F32)]
    binary(v, "float32 odd", F32, ([7], [7]), opts=options(kind), to=BOOL, values=values)
    v.write()


def logic():
    for operator, kind in [("LOGICAL_AND", "LogicalAnd"), ("LOGICAL_OR", "LogicalOr")]:
        v = Vectors(operator)
        for name, a, b in [SHAPES[0], SHAPES[1], SHAPES[5], SHAPES[9]]:
            binary(v, name, BOOL, (a, b), opts=options(kind))
        v.write()
    v = Vectors("LOGICAL_NOT")
    for shape in [[7], [2, 3, 4], [40]]:
        unary(v, "x".join(map(str, shape)), draw(BOOL, shape), opts=options("LogicalNot"))
    v.write()


def bits():
    v = Vectors("BITWISE_XOR")
    for dtype in [I8, U8, I16, I32]:
        for name, a, b in [SHAPES[0], SHAPES[5]]:
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), opts=options("BitwiseXor"))
    v.write()
    v = Vectors("RIGHT_SHIFT")
    for dtype in [I8, U8, I16, I32]:
        for name, a, b in [SHAPES[0], SHAPES[5]]:
            width = 8 * np.dtype(dtype).itemsize
            values = [draw(dtype, a), (draw(U8, b) % width).astype(dtype)]
            binary(v, f"{name_of(dtype)} {name}", dtype, (a, b), opts=options("RightShift"), values=values)
    v.write()


def add_n():
    v = Vectors("ADD_N")
    for count in [2, 3, 5]:
        for shape in [[2, 9], [2, 3, 2, 2], [65]]:
            v.case(f"float32 {count} of {shape}", options("AddN"), [Tensor(F32, shape) for _ in range(count + 1)])
            values = [draw(I16, shape).astype(I32) for _ in range(count)]
            v.case(f"int32 {count} of {shape}", options("AddN"), [Tensor(I32, shape) for _ in range(count + 1)], values)
            x = affine(I8)
            y = (x[0] * random.uniform(1, count), zero_point(I8))
            v.case(f"int8 {count} of {shape}", options("AddN"), [*(Tensor(I8, shape, *x) for _ in range(count)), Tensor(I8, shape, *y)], oracle=micro)
    v.write()


def select():
    v = Vectors("SELECT_V2")
    for dtype in [F32, I8, U8, I16, I32, I64, BOOL]:
        for name, c, a, b in [
            ("plain", [2, 9], [2, 9], [2, 9]), ("scalar condition", [1], [3, 5], [3, 5]), ("rows", [3, 1], [3, 4], [4]),
            ("scalars", [2, 10], [], []), ("all", [2, 1, 1], [1, 3, 1], [1, 1, 4]), ("rank 4", [1, 2, 3, 1], [2, 1, 3, 2], [2]),
        ]:
            q = affine(dtype)
            shape = np.broadcast_shapes(c, a, b)
            tensors = [Tensor(BOOL, c), Tensor(dtype, a, *q), Tensor(dtype, b, *q), Tensor(dtype, shape, *q)]
            v.case(f"{name_of(dtype)} {name}", options("SelectV2"), tensors)
    v.write()
    v = Vectors("SELECT")
    for dtype in [F32, I8, I16, I32]:
        q = affine(dtype)
        for name, c, a in [("plain", [2, 9], [2, 9]), ("rows", [3], [3, 5]), ("scalar", [], [4, 3])]:
            tensors = [Tensor(BOOL, c), *(Tensor(dtype, a, *q) for _ in range(3))]
            v.case(f"{name_of(dtype)} {name}", options("Select"), tensors)
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
        sigmoids(v)
    elif operator in ("RELU", "RELU6"):
        clamps(v, I16)
    v.write()


def clamps(v, *types):
    """Rectifiers of quantised types at extreme scales."""
    for dtype in types:
        for i, factor in enumerate([1.0, 0.37, 1.9, 1 / 3, 50.0]):
            x = affine(dtype, 0.0003 if dtype == I16 else None)
            y = x if i == 0 else (x[0] / factor, 0 if dtype == I16 else zero_point(dtype))
            unary(v, f"{name_of(dtype)} rescaled {i}", every(dtype), x, y)


def rectifiers():
    for operator in ["RELU_N1_TO_1", "RELU_0_TO_1"]:
        v = Vectors(operator)
        for shape in [[7], [2, 3, 4], [300]]:
            unary(v, f"float32 {shape}", draw(F32, shape))
        clamps(v, I8, U8)
        v.write()
    v = Vectors("LEAKY_RELU")
    for alpha in [0.1, 0.0, 1.7, -0.3]:
        opts = options("LeakyRelu", alpha=alpha)
        for shape in [[7], [2, 3, 4], [133]]:
            unary(v, f"float32 {alpha} {shape}", draw(F32, shape), opts=opts)
        if alpha < 0:
            continue
        for dtype in QUANTISED:
            for i, factor in enumerate([1.0, 0.37, 9.0]):
                x = affine(dtype, 0.0003 if dtype == I16 else None)
                y = x if i == 0 else (x[0] / factor, 0 if dtype == I16 else zero_point(dtype))
                unary(v, f"{name_of(dtype)} {alpha} {i}", every(dtype), x, y, opts)
    v.write()
    v = Vectors("HARD_SWISH")
    for shape in [[7], [2, 3, 4], [133]]:
        unary(v, f"float32 {shape}", draw(F32, shape, 4.0))
    for dtype in [I8, U8]:
        # Both signs of the exponent of the inner factor, and saturation in it.
        for scale in [0.0005, 0.011, 0.02, 0.05, 0.09, 0.3, 1.9]:
            for ratio in [1.01, 3.0, 0.3] if scale == 0.05 else [1.01]:
                unary(v, f"{name_of(dtype)} {scale} {ratio}", every(dtype), affine(dtype, scale), affine(dtype, scale * ratio))
    v.write()


def sigmoids(v):
    """LOGISTIC or TANH of i16: scales that are a power of two, and others."""
    for name, scale in [("power of two", 2.0**-12), ("narrow", 2.0**-15), ("any", 0.00031), ("wide", 0.0021), ("widest", 0.9), ("tiny", 1e-7)] + ([("half", 2.0**-11)] if v.operator == "TANH" else []):
        unary(v, f"int16 {name}", every(I16, 120), (scale, 0), (2.0**-15, 0), distinct=False)


def functions():
    """The functions of reals."""
    for operator in ["SIN", "COS"]:
        v = Vectors(operator)
        unary(v, "near", reals(-7, 7, 113))
        unary(v, "far", reals(-1e4, 1e4, 41, [1e5, 1e6, -12345678.0, 3.3e8, 1e10, 1e20, -3e38, 2.0**60]))
        unary(v, "tiny", np.array([1e-5, -1e-5, 1e-20, -1e-40, 1e-3, 0, -0.0], F32))
        unary(v, "shape", draw(F32, [2, 3, 4]))
        v.write()
    v = Vectors("EXP")
    unary(v, "near", reals(-10, 10, 81))
    unary(v, "falls", reals(-110, -60, 31))
    unary(v, "far", np.array([85, 88.5, 88.7, 89, 100, np.inf], F32))
    tables(v, "EXP", [(0.02, 0.03), (0.06, 1.5), (0.001, 0.01)], [(2e-4, 0.02), (1e-5, 5e-5)])
    v.write()
    v = Vectors("LOG")
    unary(v, "near", reals(0.01, 12, 90))
    unary(v, "far", np.array([1e-40, 1e-38, 3e38, 1e20, 1e-10, 1, np.nextafter(F32(1), F32(2)), np.nextafter(F32(1), F32(0))], F32))
    unary(v, "tiny and infinite", np.array([np.inf, 1, 2], F32))
    tables(v, "LOG", [(0.02, 0.03), (0.06, 0.02), (0.001, 0.06)], [(2e-4, 1e-4), (1e-3, 3e-4)])
    v.write()
    v = Vectors("SQRT")
    unary(v, "near", reals(0, 12, 61, [1e-40, 1e-38, 3e38, np.inf]))
    v.write()
    v = Vectors("RSQRT")
    unary(v, "near", reals(0.01, 12, 61, [1e-38, 3e38]))
    for x, y in [(0.02, 0.03), (0.06, 0.02), (1.0, 0.004), (0.001, 0.3)]:
        for zero in [-128, -10]:
            values = np.arange(zero, 128).astype(I8)
            unary(v, f"int8 {x} {y} {zero}", values, (x, zero), (y, -20))
    for x, y in [(2e-4, 1e-3), (1e-3, 3e-4), (0.01, 2e-4)]:
        unary(v, f"int16 {x} {y}", np.abs(every(I16)[1:]), (x, 0), (y, 0))
    v.write()
    v = Vectors("SQUARE")
    for shape in [[7], [2, 3, 4], [65]]:
        unary(v, f"{shape}", draw(F32, shape))
    v.write()
    v = Vectors("TANH")
    unary(v, "near", reals(-3, 3, 81))
    unary(v, "far", reals(-30, 30, 31, [np.inf, -np.inf, 1e20, 1e-20, -1e-40, 0, -0.0]))
    for dtype in [I8, U8]:
        for scale in [0.02, 0.05, 0.3]:
            unary(v, f"{name_of(dtype)} {scale}", every(dtype), affine(dtype, scale), (1 / 128, 0 if dtype == I8 else 128))
        unary(v, f"{name_of(dtype)} other output", every(dtype), affine(dtype, 0.03), (0.011, 20 if dtype == I8 else 100))
    sigmoids(v)
    v.write()
    v = Vectors("ELU")
    unary(v, "near", reals(-4, 4, 81), oracle=micro)
    unary(v, "far", reals(-100, 50, 31, [1e-20, -1e-20, 0, -1e-5]), oracle=micro)
    for x, y in [(0.02, 0.02), (0.05, 0.03), (0.2, 0.4)]:
        unary(v, f"int8 {x} {y}", every(I8), affine(I8, x), affine(I8, y), oracle=micro)
    v.write()
    v = Vectors("GELU")
    for approximate in [False, True]:
        opts, how = options("Gelu", approximate=approximate), "approximate" if approximate else "exact"
        unary(v, f"{how} near", reals(-4, 4, 81), opts=opts)
        unary(v, f"{how} far", reals(-14, 14, 29), opts=opts)
        for dtype in [I8, U8]:
            for x, y in [(0.02, 0.02), (0.05, 0.03)]:
                unary(v, f"{how} {name_of(dtype)} {x} {y}", every(dtype), affine(dtype, x), affine(dtype, y), opts)
    v.write()


def tables(v, operator, bytes_scales, word_scales):
    """A function of i8 by a table, and of i16 by a table with interpolation."""
    for x, y in bytes_scales:
        unary(v, f"int8 {x} {y}", every(I8), affine(I8, x), affine(I8, y))
    for x, y in word_scales:
        unary(v, f"int16 {x} {y}", every(I16, 100), (x, 0), (y, 0))


def steps():
    halves = reals(-4, 4, 33, [0.49999997, -0.49999997, 8388607.5, -8388609, 1e20, -1e20, 0, -0.0, np.inf, -np.inf])
    for operator, oracle in [("CEIL", micro), ("FLOOR", litert), ("ROUND", micro)]:
        v = Vectors(operator)
        unary(v, "halves", halves, oracle=oracle)
        for shape in [[7], [2, 3, 4]]:
            unary(v, f"{shape}", draw(F32, shape), oracle=oracle)
        v.write()


def signs():
    v = Vectors("ABS")
    unary(v, "float32", reals(-4, 4, 29, ODD[:4]), opts=options("Abs"))
    for dtype in [I8, I16]:
        for i, factor in enumerate([1.0, 0.37, 1.9, 7.0]):
            x = affine(dtype)
            y = (x[0], zero_point(I8) if dtype == I8 else 0) if i == 0 else (x[0] / factor, zero_point(I8) if dtype == I8 else 0)
            unary(v, f"{name_of(dtype)} {i}", every(dtype), x, y, options("Abs"))
    unary(v, "int16 unquantised", every(I16)[1:], opts=options("Abs"))
    unary(v, "int32", every(I32)[1:], opts=options("Abs"))
    v.write()
    v = Vectors("NEG")
    unary(v, "float32", reals(-4, 4, 29, ODD[:4]), opts=options("Neg"))
    for dtype in [I32, I64]:
        unary(v, name_of(dtype), every(dtype)[1:], opts=options("Neg"))
    v.write()
    v = Vectors("SIGN")
    unary(v, "float32", reals(-4, 4, 29, [0, -0.0, 1e-40, -1e-40, np.inf, -np.inf]))
    unary(v, "int32", every(I32))
    v.write()
    v = Vectors("ZEROS_LIKE")
    for dtype in [F32, I32, I64]:
        unary(v, name_of(dtype), draw(dtype, [2, 3]), opts=options("ZerosLike"))
    unary(v, "int8", draw(I8, [2, 3]), (0.1, 5), (0.1, 5), options("ZerosLike"), oracle=micro)
    v.write()


def cast():
    v = Vectors("CAST")
    types = [F32, I8, U8, I16, I32, I64, BOOL]
    far = [300.7, -300.7, 1e6, -1e6, 1e20, -1e20, np.nan, np.inf, -np.inf, 2.5, -2.5, 0.3, -0.3, -0.0, 0, 2147483648.0, -2147483648.0]
    for of in types:
        for to in types:
            values = np.array(far, F32) if of == F32 else draw(BOOL, [9]) if of == BOOL else every(of, 24)[:64]
            unary(v, f"{name_of(of)} to {name_of(to)}", values, opts=options("Cast"), to=to)
    for other in [np.uint16, np.uint32]:
        for ty in [F32, I8, I32, I64, BOOL]:
            values = np.array(far + [4294967040.0], F32) if ty == F32 else draw(BOOL, [9]) if ty == BOOL else every(ty, 24)[:64]
            unary(v, f"{name_of(ty)} to {name_of(other)}", values, opts=options("Cast"), to=other)
            unary(v, f"{name_of(other)} to {name_of(ty)}", every(other, 24), opts=options("Cast"), to=ty)
    unary(v, "float32 to int8 of rank 3", draw(F32, [2, 3, 20], 60), opts=options("Cast"), to=I8)
    unary(v, "int8 to float32 of rank 3", draw(I8, [2, 3, 20]), opts=options("Cast"), to=F32)
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
    for i, shape in enumerate([[1, 7], [300], [2, 3, 4]]):
        scale = float(F32(random.uniform(2e-5, 4e-4))) if i else 0.5
        values = draw(F32, shape, scale * 2e4) if i else np.array([[-0.25, 0.25, 0.75, -0.75, 1e9, -1e9, 0.0]], F32)
        unary(v, f"float32 to int16 {i}", values, (), (scale, 0), to=I16)
    for of, to, oracle in [(I16, I8, litert), (I16, I16, litert), (I16, I32, litert), (I32, I8, litert), (I32, I16, litert), (I8, I16, micro), (I8, I32, micro)]:
        for i, factor in enumerate([1.0, 0.37, 0.011, 7.3]):
            scale = 0.01
            x, y = (scale, 0 if of in (I16, I32) else 9), (scale / factor, zero_point(I8) if to == I8 else 0)
            values = every(of, 100)
            if of == I32:
                values = (draw(I16, [100]) // 4).astype(I32)
            unary(v, f"{name_of(of)} to {name_of(to)} {i}", values, x, y, to=to, oracle=oracle, distinct=False)
    v.write()


def dequantize():
    v = Vectors("DEQUANTIZE")
    for of in [I8, U8]:
        for shape in [[1, 7], [2, 3, 4], [1], [2, 3, 2, 5], [64]]:
            v.case(f"{np.dtype(of).name} {'x'.join(map(str, shape))}", None, [Tensor(of, shape, activation_scale(), zero_point(of)), Tensor(F32, shape)])
        values = [np.arange(256).astype(U8).view(of)]
        v.case(f"{np.dtype(of).name} all", None, [Tensor(of, [256], 0.0371, zero_point(of)), Tensor(F32, [256])], values)
    for scale in [0.00031, 2.0**-15]:
        unary(v, f"int16 {scale}", every(I16), (scale, 0), to=F32)
    v.write()


def make():
    add()
    arithmetic("SUB", "Sub")
    arithmetic("MUL", "Mul")
    div()
    for operator in ["FLOOR_DIV", "FLOOR_MOD"]:
        floor_division(operator)
    for operator in ["MAXIMUM", "MINIMUM"]:
        extremes(operator)
    squared_difference()
    prelu()
    power()
    for operator, kind in [
        ("EQUAL", "Equal"), ("NOT_EQUAL", "NotEqual"), ("GREATER", "Greater"), ("GREATER_EQUAL", "GreaterEqual"),
        ("LESS", "Less"), ("LESS_EQUAL", "LessEqual"),
    ]:
        comparison(operator, kind)
    logic()
    bits()
    add_n()
    select()
    for operator in ["RELU", "RELU6", "LOGISTIC"]:
        elementwise(operator)
    rectifiers()
    functions()
    steps()
    signs()
    cast()
    quantize()
    dequantize()
