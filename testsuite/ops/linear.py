"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED; `matrix.py` and `sequence.py` have what else multiplies by
weights."""

import numpy as np

from forge import *

INT4 = "int4"


class Packed(Tensor):
    """Constant int4: two elements to a byte, the first in the low half."""

    def __init__(self, values, **more):
        flat = np.append(values.flatten(), np.zeros(values.size % 2, I8)).astype(np.uint8) & 15
        super().__init__(I8, shape=values.shape, data=flat[::2] | flat[1::2] << 4, **more)

    def table(self, name, buffer):
        table = super().table(name, buffer)
        table.type = tfl.TensorType.INT4
        return table


def linear(vectors, name, dtype, opts, x, w, y, axis, bias=True, channels=False, small=False, values=None,
           stored=None, y_factor=1.0, zeros=None, **more):
    """A case of x, constant weights and bias. `small` weights make the requantising factor large, where
    rounding twice differs most from rounding once. `bias` may be the type of it; `stored` that of the
    weights: INT4, or I8 beside f32; `zeros` are the zero points of x and y."""
    outputs = w[axis]
    if dtype == F32 and stored in (I8, INT4):
        hybrid(vectors, name, opts, x, w, y, axis, bias, channels, stored, values)
        return
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
    limit = 3 if small else 7 if stored == INT4 else 127
    if dtype in (I8, I16):
        drawn, zero = random.integers(-limit - (stored == INT4), limit + 1, w).astype(I8), 0
    else:
        zero = int(random.integers(100, 156))
        drawn = np.clip(random.integers(-limit, limit + 1, w) + zero, 0, 255).astype(U8)
    scale = random.uniform(0.004, 0.02, outputs if channels else 1).astype(F32)
    wide = dtype == I16
    x_scale = activation_scale() / (256 if wide else 1)
    spread = (18900 if wide else 73) * limit * 0.58 * np.sqrt(taps)
    y_scale = float(F32(y_factor * x_scale * scale.mean() * spread / (12000 if wide else 50) * random.uniform(0.7, 1.4)))
    offset, of_bias = None, np.int32
    if bias:
        of_bias = np.int32 if bias is True else bias
        drawn_bias = (random.standard_normal(outputs) * spread / 2).astype(of_bias)
        offset = Tensor(of_bias, scale=[x_scale * s for s in scale], data=drawn_bias)
    if wide and of_bias == np.int32 and bias and vectors.operator != "DEPTHWISE_CONV_2D":
        opts.quantizedBiasType = tfl.TensorType.INT32
    x_zero, y_zero = zeros or ((0, 0) if wide else (zero_point(dtype), zero_point(dtype)))
    tensors = [
        Tensor(dtype, x, x_scale, x_zero),
        Packed(drawn, scale=scale, axis=axis)
        if stored == INT4
        else Tensor(I8 if wide else dtype, scale=scale, zero=zero, data=drawn, axis=axis),
        offset,
        Tensor(dtype, y, y_scale, y_zero),
    ]
    if vectors.operator == "TRANSPOSE_CONV":
        tensors = [Tensor(I32, data=np.array(y, I32)), tensors[1], tensors[0], tensors[2], tensors[3]]
    reference = None
    if vectors.operator == "CONV_2D" and not bias:
        # The kernel insists on a bias, though the format does not: it is run with one of zeros.
        of_bias = np.int64 if wide else np.int32
        zeros = Tensor(of_bias, scale=[x_scale * s for s in scale], data=np.zeros(outputs, of_bias))
        reference = [tensors[0], tensors[1], zeros, tensors[3]]
    vectors.case(name, opts, left_out(vectors, tensors), values=values, reference=reference, **more)


def hybrid(vectors, name, opts, x, w, y, axis, bias, channels, stored, values):
    """A case of f32 with integer weights, as dynamic-range quantisation leaves it."""
    outputs = w[axis]
    limit = 7 if stored == INT4 else 127
    drawn = random.integers(-limit, limit + 1, w).astype(I8)
    scale = random.uniform(0.004, 0.02, outputs if channels else 1).astype(F32)
    of_weights = Packed(drawn, scale=scale, axis=axis) if stored == INT4 else Tensor(I8, scale=scale, data=drawn, axis=axis)
    offset = Tensor(F32, data=draw(F32, [outputs])) if bias else None
    tensors = [Tensor(F32, x), of_weights, offset, Tensor(F32, y)]
    reference = None
    if vectors.operator == "CONV_2D" and not bias:
        reference = [tensors[0], tensors[1], Tensor(F32, data=np.zeros(outputs, F32)), tensors[3]]
    vectors.case(name, opts, left_out(vectors, tensors), values=values, reference=reference)


class Sparse(Tensor):
    """A constant matrix of which only elements other than 0 are stored, in blocks of `block` columns."""

    def __init__(self, values, block=1, **more):
        rows, columns = values.shape
        blocks = values.reshape(rows, columns // block, block)
        kept = [np.flatnonzero(row.any(axis=-1)) for row in blocks]
        self.block, self.rows = block, rows
        self.segments = np.cumsum([0, *(len(k) for k in kept)])
        self.indices = np.concatenate(kept)
        stored = np.concatenate([row[k] for row, k in zip(blocks, kept)]).flatten()
        super().__init__(values.dtype, shape=values.shape, data=stored, **more)

    def table(self, name, buffer):
        table = super().table(name, buffer)
        table.sparsity = tfl.SparsityParametersT()
        table.sparsity.traversalOrder = [0, 1] if self.block == 1 else [0, 1, 2]
        rows, columns, block = (tfl.DimensionMetadataT() for _ in range(3))
        rows.format, rows.denseSize = tfl.DimensionType.DENSE, self.rows
        columns.format = tfl.DimensionType.SPARSE_CSR
        columns.arraySegmentsType, columns.arraySegments = self.vector(self.segments)
        columns.arrayIndicesType, columns.arrayIndices = self.vector(self.indices)
        table.sparsity.dimMetadata = [rows, columns]
        if self.block > 1:
            block.format, block.denseSize = tfl.DimensionType.DENSE, self.block
            table.sparsity.blockMap = [1]
            table.sparsity.dimMetadata.append(block)
        return table

    def vector(self, numbers):
        """The smallest kind of vector that has room for the numbers."""
        kinds = [("Uint8", 1 << 8), ("Uint16", 1 << 16), ("Int32", 1 << 31)]
        kind = next(kind for kind, end in kinds if max(numbers) < end)
        made = getattr(tfl, f"{kind}VectorT")()
        made.values = list(numbers)
        return getattr(tfl.SparseIndexVector, f"{kind}Vector"), made


def behind(operator, stored, final, opts, x, offset, y):
    """A model in which `operator` makes, of the constant `stored`, the weights of the operator `final`."""
    root = table(final, opts, [x, Tensor(F32, stored.shape), offset, y])
    graph = root.subgraphs[0]
    root.buffers.append(tfl.BufferT())
    root.buffers[-1].data = np.frombuffer(stored.data.tobytes(), np.uint8)
    graph.tensors.append(stored.table("stored", len(root.buffers) - 1))
    code, step = tfl.OperatorCodeT(), tfl.OperatorT()
    code.builtinCode = getattr(tfl.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = code.builtinCode
    step.opcodeIndex, step.inputs, step.outputs = 1, [len(graph.tensors) - 1], [1]
    root.operatorCodes.append(code)
    graph.operators.insert(0, step)
    graph.inputs = [0]
    return pack(root)


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
    fully_connected_forms(v)
    v.write()


def fully_connected_forms(v):
    def case(name, dtype, x, w, y, activation=NONE, keep=False, asymmetric=False, **more):
        opts = options("FullyConnected", fusedActivationFunction=activation, keepNumDims=keep,
                       asymmetricQuantizeInputs=asymmetric)
        linear(v, name, dtype, opts, x, w, y, 0, **more)
    for bias in [I64, I32, False]:
        b = np.dtype(bias).name if bias else "no"
        case(f"int16 plain, {b} bias", I16, [1, 16], [8, 16], [1, 8], bias=bias)
        case(f"int16 relu, odd, {b} bias", I16, [2, 7], [5, 7], [2, 5], RELU, bias=bias)
        case(f"int16 relu6, {b} bias", I16, [3, 13], [9, 13], [3, 9], RELU6, bias=bias)
        case(f"int16 small weights, {b} bias", I16, [32, 6], [16, 6], [32, 16], small=True, bias=bias)
        case(f"int16 per channel, {b} bias", I16, [5, 11], [7, 11], [5, 7], channels=True, bias=bias)
    case("int16 saturating", I16, [4, 40], [12, 40], [4, 12], bias=I64, y_factor=0.2)
    case("int16 rank 3 kept", I16, [1, 3, 5], [4, 5], [1, 3, 4], keep=True, bias=I64)
    case("int8 saturating", I8, [4, 40], [12, 40], [4, 12], y_factor=0.2)
    case("int8 zero points at the low end", I8, [4, 21], [6, 21], [4, 6], zeros=(-128, -128), activation=RELU)
    case("int8 zero points at the high end", I8, [4, 21], [6, 21], [4, 6], zeros=(127, 127))
    case("uint8 zero points at the ends", U8, [4, 21], [6, 21], [4, 6], zeros=(0, 255), activation=RELU_N1_TO_1)
    for channels in [False, True]:
        c = ", per channel" if channels else ""
        case(f"int4 plain{c}", I8, [1, 16], [8, 16], [1, 8], stored=INT4, channels=channels)
        case(f"int4 odd{c}", I8, [3, 7], [5, 7], [3, 5], RELU, stored=INT4, channels=channels)
        for asymmetric in [False, True]:
            a = f"hybrid{' asymmetric' if asymmetric else ''}"
            def hybrid_case(name, *args, **more):
                case(f"{a} {name}{c}", F32, *args, asymmetric=asymmetric, channels=channels, stored=I8, **more)
            hybrid_case("plain", [1, 16], [8, 16], [1, 8])
            hybrid_case("batch, odd, relu", [5, 23], [9, 23], [5, 9], RELU)
            hybrid_case("no bias", [3, 48], [10, 48], [3, 10], RELU_N1_TO_1, bias=False)
            hybrid_case("wide", [2, 100], [17, 100], [2, 17], RELU6)
            hybrid_case("zeros", [2, 6], [4, 6], [2, 4], values=[np.zeros([2, 6], F32)])
            some = draw(F32, [3, 6])
            some[1] = 0
            hybrid_case("a row of zeros", [3, 6], [4, 6], [3, 4], values=[some])
            hybrid_case("positive", [3, 6], [4, 6], [3, 4], values=[np.abs(draw(F32, [3, 6]))])
            hybrid_case("negative", [3, 6], [4, 6], [3, 4], values=[-np.abs(draw(F32, [3, 6]))])
            hybrid_case("halves", [4, 8], [4, 8], [4, 4], values=[F32(random.integers(-254, 255, [4, 8]) / 2)])
            hybrid_case("extreme", [3, 6], [4, 6], [3, 4], values=[draw(F32, [3, 6]) * F32([[1e-30], [1e20], [1e-12]])])
    case("hybrid rank 3 kept", F32, [1, 3, 5], [4, 5], [1, 3, 4], keep=True, stored=I8)
    for name, block, dtype in [("float32", 1, F32), ("float16", 1, np.float16), ("float32 in blocks", 4, F32)]:
        values = draw(F32, [9, 24], 0.5).astype(dtype) * (random.integers(0, 4, [9, 24 // block]) == 0).repeat(block, axis=1)
        operator = "DENSIFY"
        if dtype == np.float16:
            # Densified, they are still f16: the rest of the way is that of f16 weights.
            operator, values = "DEQUANTIZE", values + dtype(0.25)
        stored = Tensor(dtype, data=values) if operator == "DEQUANTIZE" else Sparse(values, block)
        content = behind(operator, stored, "FULLY_CONNECTED", options("FullyConnected"), Tensor(F32, [2, 24]),
                         Tensor(F32, data=draw(F32, [9])), Tensor(F32, [2, 9]))
        v.add(f"{name} weights by {operator}", content, [[draw(F32, [2, 24])]])
    case("hybrid int4", F32, [3, 16], [8, 16], [3, 8], stored=INT4)
    computed(v, "FULLY_CONNECTED", [3, 10], [7, 10], [3, 7], lambda: options("FullyConnected", fusedActivationFunction=RELU), 0)


def computed(v, operator, x, w, y, opts, axis):
    """Cases in which the weights, and the bias too, are inputs."""
    outputs = w[axis]
    for bias in [True, False]:
        b = "" if bias else ", no bias"
        of_bias = (Tensor(F32, [outputs]) if operator != "CONV_2D" else Tensor(F32, data=draw(F32, [outputs]))) if bias else None
        if bias or operator == "FULLY_CONNECTED":
            v.case(f"float32 computed weights{b}", opts(), left_out(v, [Tensor(F32, x), Tensor(F32, w), of_bias, Tensor(F32, y)]))
        for dtype in [I8, U8]:
            x_scale, w_scale = activation_scale(), activation_scale()
            zero = 0 if dtype == I8 else 128
            taps = int(np.prod(w)) // outputs
            y_scale = float(F32(x_scale * w_scale * 73 * 73 * np.sqrt(taps) / 50))
            of_bias = None
            if bias:
                drawn = (random.standard_normal(outputs) * 73 * 73).astype(I32)
                of_bias = Tensor(I32, scale=x_scale * w_scale, data=drawn)
            elif operator != "FULLY_CONNECTED":
                continue
            tensors = [Tensor(dtype, x, x_scale, zero_point(dtype)), Tensor(dtype, w, w_scale, zero), of_bias,
                       Tensor(dtype, y, y_scale, zero_point(dtype))]
            v.case(f"{np.dtype(dtype).name} computed weights{b}", opts(), left_out(v, tensors))


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
    conv_2d_forms(v)
    v.write()


def conv_2d_forms(v):
    def case(name, dtype, geometry, inner=2, outer=3, batch=1, activation=NONE, groups=1, **more):
        _, h, w, kh, kw, stride, dilation, padding = geometry
        opts = options("Conv2D", padding=padding, strideH=stride[0], strideW=stride[1],
                       dilationHFactor=dilation[0], dilationWFactor=dilation[1],
                       fusedActivationFunction=activation)
        y = [batch, windowed(h, kh, stride[0], dilation[0], padding),
             windowed(w, kw, stride[1], dilation[1], padding), outer]
        linear(v, name, dtype, opts, [batch, h, w, inner], [outer, kh, kw, inner // groups], y, 0, **more)
    one, three = ("", 6, 5, 1, 1, (1, 1), (1, 1), VALID), ("", 5, 4, 3, 3, (1, 1), (1, 1), SAME)
    for i, geometry in enumerate(GEOMETRY):
        case(f"int16 {geometry[0]}", I16, geometry, 1 + i % 4, 1 + i * 3 % 7, 1 + i % 2,
             [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4], bias=[I64, I32, False][i % 3], channels=i % 2 == 0)
        case(f"hybrid {geometry[0]}", F32, geometry, 1 + i % 4, 1 + i * 3 % 7, 1 + i % 2,
             [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4], bias=i % 3 != 2, channels=i % 2 == 0, stored=I8)
    for bias in [I64, I32]:
        case(f"int16 small weights, {np.dtype(bias).name} bias", I16, one, 5, 12, small=True, bias=bias)
        case(f"int16 wide, {np.dtype(bias).name} bias", I16, three, 16, 17, bias=bias, channels=True)
    case("int16 saturating", I16, three, 5, 7, bias=I64, y_factor=0.2)
    case("int8 saturating", I8, three, 5, 7, y_factor=0.2, channels=True)
    case("int8 zero points at the low end", I8, three, 3, 5, zeros=(-128, -128), activation=RELU)
    case("int8 zero points at the high end", I8, three, 3, 5, zeros=(127, 127))
    case("uint8 zero points at the ends", U8, three, 3, 5, zeros=(255, 0), activation=RELU6)
    case("hybrid wide", F32, three, 16, 17, 2, stored=I8, channels=True)
    case("hybrid zeros", F32, three, 2, 3, stored=I8, channels=True, values=[np.zeros([1, 5, 4, 2], F32)])
    case("hybrid positive", F32, three, 2, 3, 2, stored=I8, values=[np.abs(draw(F32, [2, 5, 4, 2]))])
    case("hybrid halves", F32, one, 2, 3, stored=I8, values=[F32(random.integers(-254, 255, [1, 6, 5, 2]) / 2)])
    for channels in [False, True]:
        case(f"int4{', per channel' if channels else ''}", I8, three, 3, 5, stored=INT4, channels=channels)
    for dtype in [F32, I8, U8, I16]:
        n = np.dtype(dtype).name
        bias = I64 if dtype == I16 else True
        case(f"{n} two groups", dtype, three, 6, 4, groups=2, bias=bias, channels=dtype == I8)
        case(f"{n} three groups, stride 2", dtype, ("", 6, 7, 3, 2, (2, 2), (1, 1), SAME), 6, 9, 2, RELU, groups=3, bias=bias)
        case(f"{n} a group for each channel", dtype, one, 4, 8, groups=4, bias=bias)
    half = Tensor(np.float16, data=draw(F32, [5, 3, 3, 2], 0.5).astype(np.float16))
    opts = options("Conv2D", padding=SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    content = behind("DEQUANTIZE", half, "CONV_2D", opts, Tensor(F32, [1, 5, 4, 2]), Tensor(F32, data=draw(F32, [5])),
                     Tensor(F32, [1, 5, 4, 5]))
    v.add("float16 weights by DEQUANTIZE", content, [[draw(F32, [1, 5, 4, 2])]])
    case("hybrid groups", F32, three, 6, 4, groups=2, stored=I8, channels=True)
    computed(v, "CONV_2D", [1, 5, 4, 3], [6, 3, 3, 3], [1, 5, 4, 6],
             lambda: options("Conv2D", padding=SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1), 0)


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
    depthwise_conv_2d_forms(v)
    v.write()


def depthwise_conv_2d_forms(v):
    def case(name, dtype, geometry, inner=2, multiplier=1, batch=1, activation=NONE, **more):
        _, h, w, kh, kw, stride, dilation, padding = geometry
        opts = options("DepthwiseConv2D", padding=padding, strideH=stride[0], strideW=stride[1],
                       dilationHFactor=dilation[0], dilationWFactor=dilation[1], depthMultiplier=multiplier,
                       fusedActivationFunction=activation)
        outer = inner * multiplier
        y = [batch, windowed(h, kh, stride[0], dilation[0], padding),
             windowed(w, kw, stride[1], dilation[1], padding), outer]
        linear(v, name, dtype, opts, [batch, h, w, inner], [1, kh, kw, outer], y, 3, **more)
    three = ("", 5, 4, 3, 3, (1, 1), (1, 1), SAME)
    for i, geometry in enumerate(GEOMETRY):
        case(f"int16 {geometry[0]}", I16, geometry, 1 + i % 5, 1 + i % 3, 1 + i % 2,
             [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4], bias=[I64, False][i % 2], channels=i % 3 != 0)
        case(f"hybrid {geometry[0]}", F32, geometry, 1 + i % 5, 1 + i % 3, 1 + i % 2,
             [NONE, RELU, RELU6, RELU_N1_TO_1][i % 4], bias=i % 3 != 2, channels=True, stored=I8)
    case("int16 small weights", I16, ("", 9, 9, 2, 2, (1, 1), (1, 1), SAME), 12, small=True, bias=I64)
    case("int16 saturating", I16, three, 5, bias=I64, y_factor=0.2)
    case("int8 saturating", I8, three, 5, y_factor=0.2, channels=True)
    case("int8 zero points at the low end", I8, three, 3, zeros=(-128, -128), activation=RELU)
    case("int8 zero points at the high end", I8, three, 3, zeros=(127, 127))
    case("uint8 zero points at the ends", U8, three, 3, zeros=(255, 0), activation=RELU6)
    case("hybrid wide", F32, three, 33, 1, 2, stored=I8, channels=True)
    case("hybrid zeros", F32, three, 2, stored=I8, channels=True, values=[np.zeros([1, 5, 4, 2], F32)])
    case("hybrid positive", F32, three, 2, 2, 2, stored=I8, channels=True, values=[np.abs(draw(F32, [2, 5, 4, 2]))])
    for channels in [False, True]:
        case(f"int4{', per channel' if channels else ''}", I8, three, 6, stored=INT4, channels=channels)


def make():
    import matrix
    import sequence

    fully_connected()
    conv_2d()
    depthwise_conv_2d()
    matrix.make()
    sequence.make()
