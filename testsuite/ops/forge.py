"""Makes one-operator TensorFlow Lite models and records what reference kernels make of them: what the
families of operators beside this file share.

`<operator>.vectors` is a run of cases. A case is: its name, the model, and its calls: their number, and for
each the number of inputs, the inputs, the number of outputs, the outputs. Numbers are u32, little-endian;
names, models and values are written as their length and their bytes. Every case begins with fresh state,
which its calls then carry on.
"""

import pathlib
import struct
import zlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent
F32, I8, U8, I16, I32, I64 = np.float32, np.int8, np.uint8, np.int16, np.int32, np.int64
BOOL = np.bool_
TYPES = {
    np.dtype(F32): tfl.TensorType.FLOAT32,
    np.dtype(np.float16): tfl.TensorType.FLOAT16,
    np.dtype(np.float64): tfl.TensorType.FLOAT64,
    np.dtype(I8): tfl.TensorType.INT8,
    np.dtype(U8): tfl.TensorType.UINT8,
    np.dtype(I16): tfl.TensorType.INT16,
    np.dtype(np.uint16): tfl.TensorType.UINT16,
    np.dtype(I32): tfl.TensorType.INT32,
    np.dtype(np.uint32): tfl.TensorType.UINT32,
    np.dtype(I64): tfl.TensorType.INT64,
    np.dtype(BOOL): tfl.TensorType.BOOL,
}
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME, VALID = 0, 1

random = np.random.default_rng(20)


def affine_of(dtype, *pair):
    """Scale and zero point, or nothing for a type that is not quantised."""
    return () if np.dtype(dtype) == F32 else pair


class Tensor:
    """A tensor of a model: constant where it has `data`, per channel where `scale` is a list, kept between
    calls where it is `variable`."""

    def __init__(self, dtype, shape=None, scale=None, zero=0, data=None, axis=0, variable=False):
        self.dtype, self.scale, self.zero, self.data, self.axis = np.dtype(dtype), scale, zero, data, axis
        self.shape = list(data.shape if shape is None else shape)
        self.variable = variable

    def table(self, name, buffer):
        table = tfl.TensorT()
        table.name, table.type, table.shape, table.buffer = name, TYPES[self.dtype], self.shape, buffer
        table.isVariable = self.variable
        if self.scale is not None:
            table.quantization = tfl.QuantizationParametersT()
            table.quantization.scale = np.atleast_1d(np.array(self.scale, F32))
            table.quantization.zeroPoint = np.full(len(table.quantization.scale), self.zero, np.int64)
            table.quantization.quantizedDimension = self.axis
        return table


def table(operator, options, tensors, outputs=1, custom=None):
    """A model with one operator; the last `outputs` tensors are its outputs. A custom operator has the
    name `operator` and its options as bytes in `custom`."""
    subgraph, buffers = tfl.SubGraphT(), [tfl.BufferT()]
    subgraph.tensors, inputs = [], []
    first_output = len(tensors) - outputs
    for index, tensor in enumerate(tensors):
        if tensor is None:
            inputs.append(-1)
            continue
        if tensor.data is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
            buffers.append(buffer)
        inputs.append(len(subgraph.tensors))
        name = ["x", "w", "b", *(f"x{n}" for n in range(3, 99))][index]
        if index >= first_output:
            name = "y" if outputs == 1 else f"y{index - first_output}"
        subgraph.tensors.append(tensor.table(name, len(buffers) - 1 if tensor.data is not None else 0))
    step, code, root = tfl.OperatorT(), tfl.OperatorCodeT(), tfl.ModelT()
    step.inputs, step.outputs = inputs[:first_output], inputs[first_output:]
    subgraph.inputs = [
        i for i, t in zip(step.inputs, tensors) if t is not None and t.data is None and not t.variable
    ]
    subgraph.outputs = step.outputs
    subgraph.operators = [step]
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        step.builtinOptionsType, step.builtinOptions = getattr(tfl.BuiltinOptions, kind), options
    if custom is not None:
        code.builtinCode, code.customCode = tfl.BuiltinOperator.CUSTOM, operator
        step.customOptions = list(custom)
    else:
        code.builtinCode = getattr(tfl.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    root.version, root.operatorCodes, root.subgraphs, root.buffers = 3, [code], [subgraph], buffers
    return root


def pack(root):
    """The bytes of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def model(operator, options, tensors, outputs=1, custom=None):
    """The bytes of a model with one operator."""
    return pack(table(operator, options, tensors, outputs, custom))


def litert(content, calls):
    """The outputs of each call, by LiteRT's reference kernels."""
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    results = []
    for inputs in calls:
        for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        results.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return results


def micro(content, calls):
    """The outputs of each call, by TensorFlow Lite Micro, for what LiteRT has not."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 20)
    results = []
    for inputs in calls:
        for index, value in enumerate(inputs):
            interpreter.set_input(value, index)
        interpreter.invoke()
        count = len(tfl.ModelT.InitFromObj(tfl.Model.GetRootAs(content, 0)).subgraphs[0].outputs)
        results.append([np.array(interpreter.get_output(i)) for i in range(count)])
    return results


class Vectors:
    """The cases of one operator. Random numbers begin anew with each, by the operator's name."""

    def __init__(self, operator):
        global random
        self.operator, self.bytes, self.names = operator, b"", set()
        random.bit_generator.state = np.random.default_rng(zlib.crc32(operator.encode())).bit_generator.state

    def blob(self, content):
        self.bytes += struct.pack("<I", len(content)) + content

    def add(self, name, content, calls, reference=None, oracle=litert, distinct=True):
        """Adds a case of any model: `calls` is a list of lists of inputs. `reference` is a model that the
        oracle takes in place of it."""
        assert name not in self.names, name
        self.names.add(name)
        results = oracle(reference or content, calls)
        for output in (o for outputs in results for o in outputs):
            if distinct and output.dtype not in (F32, BOOL) and output.size > 40:
                assert len(np.unique(output)) > 1, (self.operator, name, "is the same throughout")
        self.blob(name.encode())
        self.blob(content)
        self.bytes += struct.pack("<I", len(calls))
        for inputs, outputs in zip(calls, results, strict=True):
            for values in [inputs, outputs]:
                self.bytes += struct.pack("<I", len(values))
                for value in values:
                    self.blob(np.ascontiguousarray(value).tobytes())

    def case(self, name, options, tensors, values=None, outputs=1, calls=1, reference=None, **more):
        """Adds a case of one operator; `values` (of the first call) are drawn for the open inputs unless
        given. An operand that is None is left out by -1."""
        content = model(self.operator, options, tensors, outputs)
        opened = [
            t for t in tensors[: len(tensors) - outputs] if t is not None and t.data is None and not t.variable
        ]
        rounds = [values or [draw(t.dtype, t.shape) for t in opened] for _ in range(calls)]
        if reference is not None:
            reference = model(self.operator, options, reference, outputs)
        self.add(name, content, rounds, reference, **more)

    def write(self):
        (HERE / f"{self.operator.lower()}.vectors").write_bytes(self.bytes)
        print(f"{self.operator}: {len(self.names)} cases, {len(self.bytes)} bytes")


def draw(dtype, shape, scale=2.0):
    """Normal f32, booleans, or the whole range of an integer type."""
    if dtype == F32:
        return np.asarray(random.standard_normal(shape) * scale, F32)
    if dtype == BOOL:
        return np.asarray(random.integers(0, 2, shape), BOOL)
    info = np.iinfo(dtype)
    return np.asarray(random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True), dtype)


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
