"""`dequantize` as TensorFlow Lite's reference kernel and as exact rational arithmetic say it."""

import os
import sys
from fractions import Fraction

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(4)


def kernel(low, high):
    """DEQUANTIZE at the end of a model calibrated on low..high: scale, zero point, input and result."""
    values = np.linspace(low, high, 300, dtype=np.float32).reshape(1, 300)

    @tf.function(input_signature=[tf.TensorSpec(values.shape, tf.float32)])
    def model(x):
        return tf.nn.leaky_relu(x)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter([[values]])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    interpreter = tf.lite.Interpreter(
        model_content=converter.convert(),
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (op,) = [o for o in interpreter._get_ops_details() if o["op_name"] == "DEQUANTIZE"]
    source, result = op["inputs"][0], op["outputs"][0]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    scale, zero_point = interpreter._get_tensor_details(source, 0)["quantization"]
    return scale, zero_point, interpreter.get_tensor(source), interpreter.get_tensor(result)


def exact(quantized, scale, zero_point):
    """The exact product, rounded once to f64 (which is exact below 2^53) and then to f32."""
    scale = Fraction(float(np.float32(scale)))
    with np.errstate(over="ignore"):
        return np.array([np.float32(float(scale * (int(q) - zero_point))) for q in quantized], np.float32)


cases = []
for name, low, high in [("model of both signs", -3.0, 5.0), ("model of positive numbers", 0.0, 1.0)]:
    scale, zero_point, quantized, values = kernel(low, high)
    case = Case(name, args={"scale": float(scale), "zero-point": int(zero_point)})
    cases.append(case.call([quantized], [values]))
for dtype in [np.int8, np.uint8, np.int16, np.int32]:
    info = np.iinfo(dtype)
    quantized = rng.integers(info.min, info.max, 16, dtype, endpoint=True)
    quantized = np.concatenate([np.array([info.min, info.max, 0, 1], dtype), quantized])
    for zero_point in sorted({0, int(info.min), int(info.max)}):
        for scale in [1.0, 0.1, 1e-38, 3e38]:
            case = Case(
                f"{info.dtype}, scale {scale}, zero point {zero_point}",
                args={"scale": scale, "zero-point": zero_point},
            )
            cases.append(case.call([quantized], [exact(quantized, scale, zero_point)]))
bounded = Case(
    "bounded", args={"scale": 0.5}, inputs=[("i8", ["<=2", 2])], outputs=[("f32", ["<=2", 2])]
)
bounded.call([np.int8([3, -3])], [np.float32([1.5, -1.5])])
bounded.call([np.int8([])], [np.float32([])])
cases.append(bounded.call([np.int8([1, 2, 3, 4])], [np.float32([0.5, 1, 1.5, 2])]))
for name, args, dtype, part in [
    ("no scale", {"scale": 0.0}, np.int8, "greater than 0"),
    ("scale below f32", {"scale": 1e-60}, np.int8, "greater than 0"),
    ("zero point beyond i8", {"scale": 1.0, "zero-point": 128}, np.int8, "I8 goes from -128 to 127"),
    ("zero point below u8", {"scale": 1.0, "zero-point": -1}, np.uint8, "U8 goes from 0 to 255"),
]:
    refused = Case(name, args=args, refused=part)
    cases.append(refused.types([np.zeros(3, dtype)], [np.zeros(3, np.float32)]))
write(__file__, oracle=f"tensorflow {tf.__version__} DEQUANTIZE; fractions", cases=cases)
