"""Makes a model that fits the listing in the Runefile: how high a sound is, from its spectrum.

Packages: tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0, numpy 2.4.6 (all in
../requirements.txt).

The model takes F32[150, 1], the magnitudes of the 150 bins of a Fourier transform of 150 samples, and
gives F32[1], the probability that most of the sound's energy is above 2 kHz (bins 19 to 75 of 75). It is
a logistic regression, trained on random sums of one to three tones and noise.
"""

import sys
import wave
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import modelkit
from modelkit import tf
from reference import Model, fft

SAMPLES, RATE, BORDER = 150, 16000, 2000
# Brings the magnitudes of 16-bit samples near 1, where training works best.
SCALE = 2.0**-20


def clip(rng):
    """150 samples of random tones and noise."""
    tones = rng.integers(1, 4)
    hertz = np.exp(rng.uniform(np.log(150), np.log(7800), tones))
    phase = rng.uniform(0, 2 * np.pi, tones)
    t = np.arange(SAMPLES)[:, None] / RATE
    sound = (rng.uniform(0.1, 1, tones) * np.sin(2 * np.pi * hertz * t + phase)).sum(1)
    sound += rng.normal(0, 0.02, SAMPLES)
    return np.round(sound / np.abs(sound).max() * rng.uniform(1000, 32000)).astype(np.int16)


def is_high(spectrum):
    """Whether most of the energy is above the border; the second half of a spectrum mirrors the first."""
    energy = spectrum[1 : SAMPLES // 2 + 1].astype(np.float64) ** 2
    border = int(BORDER * SAMPLES / RATE)
    return energy[border:].sum() > energy[:border].sum()


def data(seed, count):
    rng = np.random.default_rng(seed)
    spectra = np.stack([fft(clip(rng)) for _ in range(count)])
    return spectra, np.array([is_high(s) for s in spectra], np.float32)


def main():
    modelkit.repeatable(seed=1)
    x, y = data(seed=1, count=20000)
    x_test, y_test = data(seed=2, count=2000)

    layer = tf.keras.layers.Dense(1, "sigmoid")
    model = tf.keras.Sequential([tf.keras.Input([SAMPLES]), layer])
    modelkit.fit(model, x * SCALE, y, loss="binary_crossentropy", epochs=20, batch_size=64, rate=3e-2)
    weights, bias = layer.get_weights()
    layer.set_weights([weights * np.float32(SCALE), bias])

    path = HERE / "example.tflite"
    modelkit.save(path, lambda x: tf.reshape(model(tf.reshape(x, [1, SAMPLES])), [1]), [SAMPLES, 1])
    reference = Model(path)
    found = np.array([reference(s)[0] > 0.5 for s in x_test])
    print(f"{np.mean(found == y_test):.2%} of {len(y_test)} test clips are right")

    # A slide from 500 Hz to 4 kHz in ten clips.
    t = np.arange(10 * SAMPLES) / RATE
    hertz = 500 * 8 ** (t / t[-1])
    sound = np.round(12000 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)).astype("<i2")
    with wave.open(str(HERE / "input.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(sound.tobytes())


main()
