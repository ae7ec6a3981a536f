"""Makes `import.forms`: models of old and of unsupported forms, which the importer must read or refuse by name.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6
    python forms.py

A case is its name and the model, each written as its length (u32, little-endian) and its bytes. What each
must give stands in the test, `frontend/models/tests/forms.rs`.
"""

import copy
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from forge import F32, HERE, I8, SAME, U8, Tensor, options, pack, table

forms = b""


def form(name, root):
    global forms
    for blob in [name.encode(), pack(root)]:
        forms += struct.pack("<I", len(blob)) + blob


def changed(root, change):
    root = copy.deepcopy(root)
    change(root, root.subgraphs[0], root.subgraphs[0].tensors, root.subgraphs[0].operators[0])
    return root


def set_field(tensor, field, value):
    def change(root, subgraph, tensors, operator):
        setattr(tensors[tensor], field, value)
    return change


def set_quantization(tensor, field, value):
    def change(root, subgraph, tensors, operator):
        setattr(tensors[tensor].quantization, field, value)
    return change


def set_option(field, value):
    def change(root, subgraph, tensors, operator):
        setattr(operator.builtinOptions, field, value)
    return change


dense = table("FULLY_CONNECTED", options("FullyConnected"), [
    Tensor(I8, [1, 2], 0.1, 3), Tensor(I8, data=np.ones([3, 2], I8), scale=0.2),
    Tensor(np.int32, data=np.arange(3, dtype=np.int32), scale=0.02), Tensor(I8, [1, 3], 0.5, 0)])
conv = table("CONV_2D", options("Conv2D", padding=SAME, strideH=1, strideW=1), [
    Tensor(F32, [1, 4, 4, 1]), Tensor(F32, data=np.ones([1, 3, 3, 1], F32)), Tensor(F32, [1, 4, 4, 1])])
relu = table("RELU", None, [Tensor(F32, [2, 3]), Tensor(F32, [2, 3])])
reshape = table("RESHAPE", None, [
    Tensor(F32, [2, 3]), Tensor(np.int64, data=np.array([-1, 2])), Tensor(F32, [3, 2])])
pad = table("PAD", None, [
    Tensor(F32, [2]), Tensor(np.int32, data=np.array([[1, 2]], np.int32)), Tensor(F32, [5])])


def old(root, subgraph, tensors, operator):
    """As the first converters wrote: no newer code, no names, the weights' axis on the bias, no zero point of 0."""
    root.version = 0
    root.operatorCodes[0].builtinCode = 0
    for tensor in tensors:
        tensor.name = None
    tensors[2].quantization.quantizedDimension = 3
    tensors[1].quantization.zeroPoint = None


form("old file", changed(dense, old))
form("shape of I64", reshape)
form("open batch", changed(dense, set_field(0, "shapeSignature", [-1, 2])))


def unused(root, subgraph, tensors, operator):
    stray = tfl.TensorT()
    stray.name, stray.type, stray.shape = "stray", tfl.TensorType.STRING, [-1]
    tensors.append(stray)
    root.subgraphs.append(copy.deepcopy(subgraph))


form("unused tensor and second subgraph", changed(relu, unused))

form("open dimension", changed(relu, set_field(0, "shapeSignature", [2, -1])))
form("no dimension", changed(relu, set_field(1, "shape", [2, -1])))
form("empty tensor", changed(relu, set_field(0, "shape", [2, 0])))
form("huge tensor", changed(relu, set_field(0, "shape", [70000, 70000])))
form("half precision", changed(relu, set_field(0, "type", tfl.TensorType.FLOAT16)))
form("state", changed(relu, set_field(0, "isVariable", True)))
form("sparse", changed(conv, set_field(1, "sparsity", tfl.SparsityParametersT())))
form("external buffer", changed(conv, set_field(1, "externalBuffer", 1)))
form("missing buffer", changed(conv, set_field(1, "buffer", 9)))
form("short data", changed(conv, set_field(1, "shape", [1, 3, 4, 1])))


def behind(root, subgraph, tensors, operator):
    root.buffers[1] = tfl.BufferT()
    root.buffers[1].offset, root.buffers[1].size = 4096, 36


form("data behind the model", changed(conv, behind))


def code(number, custom=None):
    def change(root, subgraph, tensors, operator):
        root.operatorCodes[0].builtinCode = number
        root.operatorCodes[0].deprecatedBuiltinCode = min(number, 127)
        root.operatorCodes[0].customCode = custom
    return change


form("unknown operator", changed(relu, code(tfl.BuiltinOperator.LSH_PROJECTION)))
form("operator above 127", changed(relu, code(tfl.BuiltinOperator.BUCKETIZE)))
form("custom operator", changed(relu, code(tfl.BuiltinOperator.CUSTOM, "Telescope")))


def no_code(root, subgraph, tensors, operator):
    operator.opcodeIndex = 5


form("missing operator code", changed(relu, no_code))


def no_tensor(root, subgraph, tensors, operator):
    operator.inputs = [7]


form("missing tensor", changed(relu, no_tensor))
form("fused tanh", changed(conv, set_option("fusedActivationFunction", 4)))
form("shuffled weights", changed(dense, set_option("weightsFormat", 1)))
form("no stride", changed(conv, set_option("strideW", 0)))
form("another window", changed(conv, set_option("strideW", 2)))
form("hybrid", table("FULLY_CONNECTED", options("FullyConnected"), [
    Tensor(F32, [1, 2]), Tensor(I8, data=np.ones([3, 2], I8), scale=0.2), None, Tensor(F32, [1, 3])]))
form("asymmetric weights", changed(dense, set_quantization(1, "zeroPoint", [5])))
form("scale of zero", changed(dense, set_quantization(0, "scale", [0.0])))
form("zero point out of range", changed(dense, set_quantization(3, "zeroPoint", [200])))
form("no quantisation", changed(dense, set_field(3, "quantization", None)))


def per_channel(axis, scales):
    def change(root, subgraph, tensors, operator):
        tensors[1].quantization.scale = scales
        tensors[1].quantization.zeroPoint = [0] * len(scales)
        tensors[1].quantization.quantizedDimension = axis
    return change


form("scales along inputs", changed(dense, per_channel(1, [0.1, 0.2])))
form("another reshape", changed(reshape, set_field(2, "shape", [6])))
form("another padding", changed(pad, set_field(2, "shape", [6])))


def open_padding(root, subgraph, tensors, operator):
    root.buffers[1].data = None


form("padding not constant", changed(pad, open_padding))


def written_twice(root, subgraph, tensors, operator):
    subgraph.operators.append(copy.deepcopy(operator))


form("written twice", changed(relu, written_twice))

(HERE / "import.forms").write_bytes(forms)
print(len(forms), "bytes")
