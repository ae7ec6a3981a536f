"""Trains a small convolutional network to read handwritten digits, and writes it in int8.

Packages: tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0, numpy 2.4.6, scikit-learn 1.9.1,
pillow 13.0.0 (all in ../requirements.txt).

The data are the 1,797 digits that come with scikit-learn (the test part of E. Alpaydin and C. Kaynak,
Optical Recognition of Handwritten Digits, UCI, CC BY 4.0): 8 by 8 pixels from 0 (paper) to 16 (ink),
brought to 0..255. One in five is held out for the test, each digit as often as it occurs. In training
each digit is also seen shifted by one pixel.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import modelkit
from modelkit import tf
from reference import Model


def shifted(x):
    """The images as they are, and moved by one pixel up, down, left and right."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    places = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    return np.concatenate([padded[:, r : r + 8, c : c + 8] for r, c in places])


def main():
    modelkit.repeatable(seed=1)
    images, y = load_digits(return_X_y=True)
    pixels = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    pixels, pixels_test, y, y_test = train_test_split(pixels, y, test_size=0.2, random_state=1, stratify=y)
    scaled = shifted(pixels)[..., None].astype(np.float32) / 255
    x_test = pixels_test[..., None].astype(np.float32) / 255

    k = tf.keras.layers
    model = tf.keras.Sequential([
        tf.keras.Input([8, 8, 1]),
        k.Conv2D(12, 3, padding="same", activation="relu"),
        k.Conv2D(16, 3, padding="same", activation="relu"),
        k.MaxPooling2D(),
        k.Conv2D(24, 3, activation="relu"),
        k.Reshape([96]),
        k.Dropout(0.3),
        k.Dense(10, "softmax"),
    ])
    modelkit.fit(
        model, scaled, np.tile(y, 5),
        loss="sparse_categorical_crossentropy", epochs=30, batch_size=64, rate=3e-3,
    )
    found = np.argmax(model.predict(x_test, verbose=0), 1)
    print(f"f32: {np.mean(found == y_test):.2%} of {len(y_test)} held-out digits are right")

    path = HERE / "digits.tflite"
    modelkit.save(
        path, lambda x: model(x, training=False), [1, 8, 8, 1],
        samples=scaled[:400], input_type=tf.uint8, output_type=tf.uint8,
    )
    quantised = Model(path)
    found = np.array([np.argmax(quantised(p)) for p in pixels_test])
    print(f"int8: {np.mean(found == y_test):.2%}")

    # The first held-out 0, 3, 7 and 9, whatever the network makes of them, and the 7 eight times larger.
    for digit in [0, 3, 7, 9]:
        image = Image.fromarray(pixels_test[y_test == digit][0])
        image.save(HERE / f"{digit}.png")
        if digit == 7:
            image.resize((64, 64), Image.Resampling.BILINEAR).save(HERE / "7-large.png")


main()
