"""Runs the reference models on 100 random inputs each with LiteRT's reference kernels, and keeps the outputs.

    pip install ai-edge-litert==2.3.0 numpy==2.4.6
    python generate.py ../../../shared/models

`<name>.outputs` is the bytes of the 100 outputs, one after the other; what a model keeps between calls goes on
through all of them. The inputs are not kept: one
xorshift32 generator (shifts 13, 17, 5; first state 1) for each model gives one number for each element, in
order. I8 and U8 take its lowest byte; F32 its upper 24 bits as a fraction f in 0..1, as 8 * f - 4.
"""

import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

MODELS = {
    "sine": "sine/sinemodel.tflite",
    "sine_int8": "sine/hello_world_int8.tflite",
    "gesture": "gesture/model.tflite",
    "gesture_quantized": "gesture/model_quantized.tflite",
    "kws": "kws/kws_ref_model.tflite",
    "anomaly": "anomaly/ad01_int8.tflite",
    "lstm": "lstm/trained_lstm_int8.tflite",
}


def xorshift32(state=1):
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state


def draw(numbers, dtype, shape):
    words = np.array([next(numbers) for _ in range(int(np.prod(shape)))], np.uint32)
    if dtype == np.float32:
        values = (words >> 8).astype(np.float32) * np.float32(2.0**-21) - np.float32(4)
    else:
        values = (words & 0xFF).astype(np.uint8).view(dtype)
    return values.reshape(shape)


folder = pathlib.Path(sys.argv[1])
for name, path in MODELS.items():
    interpreter = Interpreter(
        str(folder / path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    numbers, outputs = xorshift32(), b""
    for _ in range(100):
        interpreter.set_tensor(given["index"], draw(numbers, given["dtype"], given["shape"]))
        interpreter.invoke()
        outputs += interpreter.get_tensor(wanted["index"]).tobytes()
    (pathlib.Path(__file__).parent / f"{name}.outputs").write_bytes(outputs)
    print(f"{name}: {given['dtype'].__name__}{given['shape']}, {len(outputs)} bytes")
