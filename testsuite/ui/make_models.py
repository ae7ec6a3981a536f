"""Makes the models of `models.rune`: examples of ours with an operator, an element type or a detail changed.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6
    python make_models.py
"""
import pathlib
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE / "../ops"))

from forge import I8, I32, SAME, Tensor, options, table  # noqa: E402


def model(path="sine/sine.tflite"):
    return schema.ModelT.InitFromPackedBuf((HERE / "../../examples" / path).read_bytes(), 0)


def write(name, changed):
    builder = flatbuffers.Builder(1024)
    builder.Finish(changed.Pack(builder), b"TFL3")
    (HERE / name).write_bytes(bytes(builder.Output()))


# Each layer is another operator, none of which is supported.
strange = model()
names = ["LSH_PROJECTION", "RNN", "MATRIX_DIAG"]
strange.operatorCodes = []
for index, operator in enumerate(strange.subgraphs[0].operators):
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, names[index % len(names)])
    code.deprecatedBuiltinCode = code.builtinCode
    strange.operatorCodes.append(code)
    operator.opcodeIndex, operator.builtinOptionsType, operator.builtinOptions = index, 0, None
write("strange.tflite", strange)

mixed = model()
for tensor in mixed.subgraphs[0].tensors:
    if tensor.buffer == 0 or mixed.buffers[tensor.buffer].data is None:
        tensor.type = schema.TensorType.INT16
write("mixed.tflite", mixed)

# As the first converters wrote: the dimension of the weights' scales on the bias, too.
x, y = Tensor(I8, [1, 4, 4, 1], 0.5, 3), Tensor(I8, [1, 4, 4, 2], 0.25, -4)
weights = Tensor(I8, data=np.arange(-9, 9, dtype=I8).reshape(2, 3, 3, 1), scale=[0.1, 0.2])
bias = Tensor(I32, data=np.array([7, -7], I32), scale=[0.05, 0.1], axis=3)
write("old.tflite", table("CONV_2D", options("Conv2D", padding=SAME, strideH=1, strideW=1), [x, weights, bias, y]))
