"""Makes the models of `models.rune`: the sine example with its operator or its element type changed.

Needs tensorflow (see examples/requirements.txt) for its reader and writer of the format.
"""
import pathlib

import flatbuffers
from tensorflow.lite.python import schema_py_generated as schema

HERE = pathlib.Path(__file__).parent
SOURCE = (HERE / "../../examples/sine/sine.tflite").read_bytes()


def model():
    return schema.ModelT.InitFromPackedBuf(SOURCE, 0)


def write(name, changed):
    builder = flatbuffers.Builder(1024)
    builder.Finish(changed.Pack(builder), b"TFL3")
    (HERE / name).write_bytes(bytes(builder.Output()))


tanh = model()
for code in tanh.operatorCodes:
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TANH
for operator in tanh.subgraphs[0].operators:
    operator.builtinOptionsType, operator.builtinOptions = 0, None
write("tanh.tflite", tanh)

int16 = model()
for tensor in int16.subgraphs[0].tensors:
    if tensor.buffer == 0 or int16.buffers[tensor.buffer].data is None:
        tensor.type = schema.TensorType.INT16
write("int16.tflite", int16)
