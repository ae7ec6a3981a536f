"""`quantize` as TensorFlow Lite's reference kernel and as exact decimal arithmetic say it."""

import os
import sys
from decimal import ROUND_HALF_UP, Decimal

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

sys.path.append("../vectors")
from vectors import Case, write

rng = np.random.default_rng(3)


def kernel(values, low, high):
    """QUANTIZE of a model that was calibrated on low..high: scale, zero point and result."""

    @tf.function(input_signature=[tf.TensorSpec(values.shape, tf.float32)])
    def model(x):
        return tf.nn.relu(x)

    def calibration():
        yield [np.linspace(low, high, values.size, dtype=np.float32).reshape(values.shape)]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    interpreter = tf.lite.Interpreter(
        model_content=converter.convert(),
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (op,) = [o for o in interpreter._get_ops_details() if o["op_name"] == "QUANTIZE"]
    result = op["outputs"][0]
    interpreter.set_tensor(op["inputs"][0], values)
    interpreter.invoke()
    scale, zero_point = interpreter._get_tensor_details(result, 0)["quantization"]
    return scale, zero_point, interpreter.get_tensor(result)


def exact(values, scale, zero_point, dtype):
    """Halves away from zero, of the 32-bit quotient as a decimal number; NaN is the zero point."""
    info = np.iinfo(dtype)

    def one(x):
        if np.isnan(x):
            return zero_point
        if np.isinf(x):
            return info.max if x > 0 else info.min
        steps = int(Decimal(float(x)).to_integral_value(ROUND_HALF_UP))
        return min(max(steps + zero_point, info.min), info.max)

    with np.errstate(over="ignore"):
        quotients = values / np.float32(scale)
    return np.array([one(x) for x in quotients], dtype)


cases = []
for name, low, high in [("model of both signs", -3.0, 5.0), ("model of positive numbers", 0.0, 1.0)]:
    values = rng.uniform(1.2 * low - 0.1, 1.2 * high, (1, 8, 16)).astype(np.float32)
    scale, zero_point, quantized = kernel(values, low, high)
    case = Case(name, args={"scale": float(scale), "zero-point": int(zero_point)})
    cases.append(case.call([values], [quantized]))

halves = np.concatenate([np.arange(-5, 5.5, 0.5), [-0.49999997, 0.49999997, 8388609, -8388609]])
extremes = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 127.49, 127.5, -32768.5]
values = np.concatenate([halves, extremes, rng.normal(0, 1e4, 20)]).astype(np.float32)
for dtype, zero_points in [
    (np.int8, [0, -128, 127]),
    (np.uint8, [0, 128, 255]),
    (np.int16, [0, -32768, 32767]),
]:
    for zero_point in zero_points:
        for scale in [1.0, 0.1, 1e-38, 3e38]:
            case = Case(
                f"{np.dtype(dtype)}, scale {scale}, zero point {zero_point}",
                args={"scale": scale, "zero-point": zero_point},
            )
            cases.append(case.call([values], [exact(values, scale, zero_point, dtype)]))
short = np.float32([0.25, 1.5, -7])
for dtype in [np.int8, np.int16]:
    name = np.dtype(dtype).name.replace("int", "i")
    case = Case(
        f"bounded, {name}",
        args={"scale": 0.5},
        inputs=[("f32", ["<=4", 1])],
        outputs=[(name, ["<=4", 1])],
    )
    case.call([short], [exact(short, 0.5, 0, dtype)])
    case.call([short[:0]], [exact(short[:0], 0.5, 0, dtype)])
    cases.append(case.call([np.repeat(short[:1], 4)], [exact(np.repeat(short[:1], 4), 0.5, 0, dtype)]))

for name, args, dtype, part in [
    ("no scale", {"scale": 0.0}, np.int8, "greater than 0"),
    ("scale below f32", {"scale": 1e-60}, np.int8, "greater than 0"),
    ("scale above f32", {"scale": 1e60}, np.int8, "greater than 0"),
    ("zero point beyond i8", {"scale": 1.0, "zero-point": 128}, np.int8, "I8 goes from -128 to 127"),
    ("zero point below u8", {"scale": 1.0, "zero-point": -1}, np.uint8, "U8 goes from 0 to 255"),
]:
    refused = Case(name, args=args, refused=part)
    cases.append(refused.types([short], [short.astype(dtype)]))
write(__file__, oracle=f"tensorflow {tf.__version__} QUANTIZE; decimal", cases=cases)
