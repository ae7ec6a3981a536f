"""Makes the operator vectors beside this file: one-operator TensorFlow Lite models, inputs, and the
outputs that LiteRT's reference kernels give for them.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6
    python generate.py

`<operator>.vectors` is a run of cases. A case is: its name, the model, the number of inputs (u32,
little-endian), the inputs, and the output; each but the number is written as its length (u32 too) and
its bytes.
"""

import pathlib
import struct

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent
F32, I8, U8 = np.float32, np.int8, np.uint8
TYPES = {
    np.dtype(F32): tfl.TensorType.FLOAT32,
    np.dtype(I8): tfl.TensorType.INT8,
    np.dtype(U8): tfl.TensorType.UINT8,
    np.dtype(np.int32): tfl.TensorType.INT32,
    np.dtype(np.int64): tfl.TensorType.INT64,
}
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME, VALID = 0, 1

random = np.random.default_rng(20)


class Tensor:
    """A tensor of a model: constant where it has `data`, per channel where `scale` is a list."""

    def __init__(self, dtype, shape=None, scale=None, zero=0, data=None, axis=0):
        self.dtype, self.scale, self.zero, self.data, self.axis = np.dtype(dtype), scale, zero, data, axis
        self.shape = list(data.shape if shape is None else shape)

    def table(self, name, buffer):
        table = tfl.TensorT()
        table.name, table.type, table.shape, table.buffer = name, TYPES[self.dtype], self.shape, buffer
        if self.scale is not None:
            table.quantization = tfl.QuantizationParametersT()
            table.quantization.scale = np.atleast_1d(np.array(self.scale, F32))
            table.quantization.zeroPoint = np.full(len(table.quantization.scale), self.zero, np.int64)
            table.quantization.quantizedDimension = self.axis
        return table


def table(operator, options, tensors):
    """A model with one operator; the last tensor is its output."""
    subgraph, buffers = tfl.SubGraphT(), [tfl.BufferT()]
    subgraph.tensors, inputs = [], []
    for index, tensor in enumerate(tensors):
        if tensor is None:
            inputs.append(-1)
            continue
        if tensor.data is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
            buffers.append(buffer)
        inputs.append(len(subgraph.tensors))
        name = "y" if tensor is tensors[-1] else "xwb"[index]
        subgraph.tensors.append(tensor.table(name, len(buffers) - 1 if tensor.data is not None else 0))
    step, code, root = tfl.OperatorT(), tfl.OperatorCodeT(), tfl.ModelT()
    step.inputs, step.outputs = inputs[:-1], inputs[-1:]
    subgraph.inputs = [i for i, t in zip(inputs[:-1], tensors) if t is not None and t.data is None]
    subgraph.outputs = inputs[-1:]
    subgraph.operators = [step]
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        step.builtinOptionsType, step.builtinOptions = getattr(tfl.BuiltinOptions, kind), options
    code.builtinCode = getattr(tfl.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    root.version, root.operatorCodes, root.subgraphs, root.buffers = 3, [code], [subgraph], buffers
    return root


def pack(root):
    """The bytes of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def model(operator, options, tensors):
    """The bytes of a model with one operator."""
    return pack(table(operator, options, tensors))


def run(content, inputs):
    """What the reference kernels make of the inputs."""
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


class Vectors:
    """The cases of one operator."""

    def __init__(self, operator):
        self.operator, self.bytes, self.names = operator, b"", set()

    def blob(self, content):
        self.bytes += struct.pack("<I", len(content)) + content

    def case(self, name, options, tensors, values=None):
        """Adds a case; `values` are drawn for the open inputs unless given. An operand that is None is
        left out, by -1 in FULLY_CONNECTED as converters do, else by its absence."""
        assert name not in self.names, name
        self.names.add(name)
        if self.operator != "FULLY_CONNECTED":
            tensors = [t for t in tensors if t is not None]
        content = model(self.operator, options, tensors)
        if self.operator == "CONV_2D" and len(tensors) == 3:
            # The kernel insists on a bias, though the format does not: it is run with one of zeros.
            x, w, y = tensors
            kind, scale = (F32, None) if x.dtype == F32 else (np.int32, [x.scale * s for s in w.scale])
            reference = model(self.operator, options, [x, w, Tensor(kind, scale=scale, data=np.zeros(y.shape[3:], kind)), y])
        else:
            reference = content
        opened = [t for t in tensors[:-1] if t is not None and t.data is None]
        values = values or [draw(t.dtype, t.shape) for t in opened]
        output = run(reference, values)
        assert list(output.shape) == tensors[-1].shape, (name, output.shape, tensors[-1].shape)
        if output.dtype != F32 and output.size > 40:
            assert len(np.unique(output)) > (1 if self.operator == "SOFTMAX" else 3), (name, "has too few distinct results")
        self.blob(name.encode())
        self.blob(content)
        self.bytes += struct.pack("<I", len(values))
        for value in [*values, output]:
            self.blob(value.tobytes())

    def write(self):
        (HERE / f"{self.operator.lower()}.vectors").write_bytes(self.bytes)
        print(f"{self.operator}: {len(self.names)} cases, {len(self.bytes)} bytes")


def draw(dtype, shape, scale=2.0):
    """Normal f32, or the whole range of an integer type."""
    if dtype == F32:
        return np.asarray(random.standard_normal(shape) * scale, F32)
    info = np.iinfo(dtype)
    return np.asarray(random.integers(info.min, info.max + 1, shape), dtype)


def options(kind, **fields):
    made = getattr(tfl, kind + "OptionsT")()
    for field, value in fields.items():
        assert hasattr(made, field), field
        setattr(made, field, value)
    return made


def activation_scale():
    return float(F32(random.uniform(0.005, 0.09)))


def zero_point(dtype):
    return int(random.integers(60, 200)) - (128 if dtype == I8 else 0)


def linear(vectors, name, dtype, opts, x, w, y, axis, bias=True, channels=False, small=False):
    """A case of x, constant weights and bias. `small` weights make the requantising factor large, where
    rounding twice differs most from rounding once."""
    outputs = w[axis]
    taps = int(np.prod(w)) // outputs
    if dtype == F32:
        weights = Tensor(F32, data=draw(F32, w, 0.5))
        offset = Tensor(F32, data=draw(F32, [outputs])) if bias else None
        vectors.case(name, opts, [Tensor(F32, x), weights, offset, Tensor(F32, y)])
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
    vectors.case(name, opts, tensors)


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
            v.case(f"{n} {name}", opts, [Tensor(dtype, [batch, h, w, depth], *affine), Tensor(dtype, y, *affine)])
        opts = options("Pool2D", padding=VALID, strideH=2, strideW=2, filterHeight=6, filterWidth=7)
        affine = () if dtype == F32 else (0.05, 3)
        v.case(f"{n} whole image", opts, [Tensor(dtype, [1, 6, 7, 20], *affine), Tensor(dtype, [1, 1, 1, 20], *affine)])
    v.write()


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
            v.case(f"{n} {name}", options("Softmax", beta=beta), [Tensor(dtype, shape, *affine), Tensor(dtype, shape, *y_affine)])
        equal = np.full([2, 6], 3, dtype)
        affine = () if dtype == F32 else (0.1, 0)
        v.case(f"{n} equal", options("Softmax", beta=1.0), [Tensor(dtype, [2, 6], *affine), Tensor(dtype, [2, 6], *y_affine)], [equal])
    v.write()


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


if __name__ == "__main__":
    fully_connected()
    conv_2d()
    depthwise_conv_2d()
    pool_2d("MAX_POOL_2D")
    pool_2d("AVERAGE_POOL_2D")
    reshape()
    softmax()
    add()
    for operator in ["RELU", "RELU6", "LOGISTIC"]:
        elementwise(operator)
    quantize()
    dequantize()
    pad()
