"""What the training scripts share: repeatable runs, conversion with a fixed batch of 1, and a check of
the operators that a model file uses."""

import os
from collections import Counter

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its kernels depend on the processor

import absl.logging
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

absl.logging.set_verbosity(absl.logging.ERROR)

# The operators that the compiler has.
SUPPORTED = {
    "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "FULLY_CONNECTED",
    "LOGISTIC", "MAX_POOL_2D", "PAD", "QUANTIZE", "RELU", "RELU6", "RESHAPE", "SOFTMAX",
}


def repeatable(seed):
    """Makes everything that follows the same on every run with the same packages."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fit(model, x, y, *, loss, metrics=(), epochs, batch_size, rate=1e-2):
    """Adam with a rate that falls to zero along a cosine."""
    steps = epochs * (len(x) // batch_size)
    schedule = tf.keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(tf.keras.optimizers.Adam(schedule), loss, metrics=list(metrics))
    model.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0)


def save(path, function, shape, *, samples=None, input_type=tf.float32, output_type=tf.float32):
    """Writes `function`, a Keras model or what calls one, as a TFLite model of one F32 input.

    `shape` has the batch in it: with a batch left open the converter computes shapes at run time.
    With `samples` the model is quantised to int8, with ranges taken from them; only then may the input
    and output be integers.
    """
    traced = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32, "input")])
    frozen = convert_variables_to_constants_v2(traced.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([s.reshape(shape)] for s in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = input_type
        converter.inference_output_type = output_type
    data = converter.convert()
    print(f"{os.path.basename(path)}: {len(data)} bytes, {describe(data)}")
    with open(path, "wb") as file:
        file.write(data)


def describe(data):
    """The operators of a model file and how often each occurs; fails on one the compiler does not have."""
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    codes = (model.OperatorCodes(graph.Operators(i).OpcodeIndex()) for i in range(graph.OperatorsLength()))
    count = Counter(names[max(c.BuiltinCode(), c.DeprecatedBuiltinCode())] for c in codes)
    unknown = sorted(set(count) - SUPPORTED)
    if unknown or model.SubgraphsLength() != 1:
        raise SystemExit(f"not for us: {unknown}, {model.SubgraphsLength()} subgraphs")
    return ", ".join(f"{n} x{k}" if k > 1 else n for n, k in count.items())
