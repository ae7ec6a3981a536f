"""Trains a small convolutional network to tell signs drawn in the air, and writes it in int8.

Packages: tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0, numpy 2.4.6 (all in
../requirements.txt).

The data are synthetic: generator.py says how they come about. Training and test windows have different
seeds.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import generator
import modelkit
from modelkit import tf
from reference import Model, normalize


def network():
    """F32[n, 128, 3] to the confidence in each label.

    Convolutions run along time alone: a reading's three axes are the channels of one point.
    """
    k = tf.keras.layers

    def normed(layer):
        # The converter folds the normalisation and the activation into the layer.
        return [layer, k.BatchNormalization(), k.ReLU()]

    return tf.keras.Sequential([
        tf.keras.Input([generator.READINGS, 3]),
        k.Reshape([generator.READINGS, 1, 3]),
        *normed(k.Conv2D(12, (9, 1), strides=(2, 1), padding="same")),
        k.MaxPooling2D((2, 1)),
        *normed(k.DepthwiseConv2D((7, 1), padding="same")),
        *normed(k.Conv2D(24, 1)),
        k.MaxPooling2D((2, 1)),
        *normed(k.DepthwiseConv2D((7, 1), padding="same")),
        *normed(k.Conv2D(32, 1)),
        k.MaxPooling2D((2, 1)),
        *normed(k.DepthwiseConv2D((5, 1), padding="same")),
        *normed(k.Conv2D(32, 1)),
        k.AveragePooling2D((8, 1)),
        k.Reshape([32]),
        k.Dense(len(generator.LABELS), "softmax"),
    ])


def main():
    modelkit.repeatable(seed=1)
    raw, y = generator.windows(seed=1, count=16000)
    raw_test, y_test = generator.windows(seed=2, count=2000)
    x, x_test = (np.stack([normalize(w) for w in r]) for r in (raw, raw_test))

    model = network()
    modelkit.fit(model, x, y, loss="sparse_categorical_crossentropy", epochs=25, batch_size=64, rate=5e-3)
    found = np.argmax(model.predict(x_test, verbose=0), 1)
    print(f"f32: {np.mean(found == y_test):.2%} of {len(y_test)} test windows are right")

    path = HERE / "gesture.tflite"
    modelkit.save(path, model, [1, *x.shape[1:]], samples=x[:400])
    quantised = Model(path)
    found = np.array([np.argmax(quantised(w)) for w in x_test])
    print(f"int8: {np.mean(found == y_test):.2%}; rows are the true label, columns what was found:")
    for i, label in enumerate(generator.LABELS):
        print(f"{label:8}", *(f"{np.sum((y_test == i) & (found == j)):4}" for j in range(4)))

    # The first test window of each label, whatever the network makes of it.
    for i, label in enumerate(generator.LABELS):
        np.savetxt(HERE / f"{label.lower()}.csv", raw_test[y_test == i][0], "%.9g", delimiter=",")


main()
