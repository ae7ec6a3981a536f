"""Trains a small network to be sin(x) for x in [0, 2 pi), and writes it in f32 and in int8.

Packages: tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0, numpy 2.4.6 (all in
../requirements.txt).

The data are exact: 4,096 points, evenly spaced, with their sines. The test points lie between them.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import modelkit
from modelkit import tf
from reference import Model

POINTS = 4096


def main():
    modelkit.repeatable(seed=1)
    step = 2 * np.pi / POINTS
    x = (np.arange(POINTS) * step).astype(np.float32).reshape(-1, 1)
    test = x + np.float32(step / 2)

    model = tf.keras.Sequential([
        tf.keras.Input([1]),
        tf.keras.layers.Dense(16, "relu"),
        tf.keras.layers.Dense(16, "relu"),
        tf.keras.layers.Dense(1),
    ])
    modelkit.fit(model, x, np.sin(x), loss="mse", epochs=300, batch_size=64)
    modelkit.save(HERE / "sine.tflite", model, [1, 1])
    modelkit.save(HERE / "sine_int8.tflite", model, [1, 1], samples=x[::16])
    for name in ["sine.tflite", "sine_int8.tflite"]:
        error = np.abs([Model(HERE / name)(p) for p in test[::8]] - np.sin(test[::8, None]))
        print(f"{name}: error {error.mean():.4f} on average, {error.max():.4f} at most")

    # One sample every pi / 4.
    x[:: POINTS // 8].astype("<f4").tofile(HERE / "input.bin")


main()
