"""Trains a small network of depthwise separable convolutions to tell four words, and writes it in int8.

Packages: tensorflow-cpu 2.21.0, keras 3.15.1, ai-edge-litert 2.3.0, numpy 2.4.6, pillow 13.0.0, scipy
1.17.1 (all in ../requirements.txt), and the program espeak-ng 1.51.

speech.py says how the recordings come about. The features are those of TensorFlow's own operator, over
whole recordings: what the block `audio-frontend` gives, to the last bit, when it is fed them piece by
piece. Training and test have different voices, and but for three different words that are none of the labels.
"""

import argparse
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import modelkit
import speech
from modelkit import tf
from reference import FRAMES, Model, audio_frontend, smooth_scores

ROW = 320  # samples from one row of features to the next
WINDOW = 480  # samples of one row
MODEL = HERE / "keyword.tflite"
HOP = 5  # rows from one call of the rune to the next


def label(spoken, first, last):
    """What the samples `first` to `last` are, or None where people would argue."""
    parts = sorted((max(0, min(last, b) - max(first, a)) / (b - a), word) for word, a, b in spoken)
    most, word = parts[-1]
    second = parts[-2][0]
    if most >= 0.95:
        return word if second < 0.4 else None
    if most < 0.3:
        return 0
    # A part of a word is a sound like others.
    return 1 if most < 0.6 else None


def windows(cache, split, seed, count):
    """Windows of features as int8 and what is in them, of so many recordings.

    For each recording up to three for each word, at random places, and four each of silence and of parts.
    """
    xs, ys = [], []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        samples, spoken = speech.recording(rng, cache, split)
        rows = audio_frontend(samples)
        found = {}
        for end in range(FRAMES, len(rows) + 1):
            last = (end - 1) * ROW + WINDOW
            first = (end - FRAMES) * ROW
            word = label(spoken, first, last)
            if word is not None:
                whole = [k for k, (_, a, b) in enumerate(spoken) if first - 400 <= a and b <= last + 400]
                found.setdefault((word, *whole), []).append(end)
        for (word, *whole), ends in found.items():
            for end in rng.choice(ends, min(len(ends), 3 if whole else 4), replace=False):
                xs.append(rows[end - FRAMES : end])
                ys.append(word)
    return np.array(xs), np.array(ys)


def scaled(x):
    """Features as the network is trained on them; the converter makes them the same int8 again."""
    return ((x.astype(np.float32) + 128) / 128).astype(np.float32)


def network():
    """F32[n, 49, 40] to the confidence in each label."""
    k = tf.keras.layers

    def normed(layer):
        # The converter folds the normalisation and the activation into the layer.
        return [layer, k.BatchNormalization(), k.ReLU()]

    def separable(channels, strides=1):
        depthwise = k.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)
        return [*normed(depthwise), *normed(k.Conv2D(channels, 1, use_bias=False))]

    return tf.keras.Sequential([
        tf.keras.Input([FRAMES, 40]),
        k.Reshape([FRAMES, 40, 1]),
        *normed(k.Conv2D(32, (10, 4), strides=2, padding="same", use_bias=False)),
        *separable(48, strides=2),
        k.Dropout(0.1),
        *separable(64),
        *separable(64),
        *separable(80, strides=2),
        k.Dropout(0.2),
        *separable(80),
        k.AveragePooling2D((7, 5)),
        k.Reshape([80]),
        k.Dropout(0.3),
        k.Dense(len(speech.LABELS), "softmax"),
    ])


def confusion(y, found):
    """A table of how often what was found, rows the truth."""
    print(f"{'':8}", *(f"{w:>8}" for w in speech.LABELS))
    for i, word in enumerate(speech.LABELS):
        print(f"{word:8}", *(f"{np.sum((y == i) & (found == j)):8}" for j in range(len(speech.LABELS))),
              f"{np.mean(found[y == i] == i):8.2%}")


def streams(model, cache, seed, count):
    """Whole recordings through all that the rune does: words heard, missed, and heard where there are none."""
    spoken_words, heard_words, false = [], [], 0
    for i in range(count):
        samples, spoken = speech.recording(np.random.default_rng([seed, i]), cache, "test")
        rows = audio_frontend(samples)
        ends = range(FRAMES, len(rows) + 1, HOP)
        results = smooth_scores(model(rows[e - FRAMES : e])[0] for e in ends)
        words = [(word, a, b) for word, a, b in spoken if word > 1]
        spoken_words += [word for word, _, _ in words]
        for at, word in results:
            if word < 2:
                continue
            last = (ends[at] - 1) * ROW + WINDOW
            near = [w for w in words if w[0] == word and w[1] < last < w[2] + 1.2 * speech.HZ]
            if near:
                words.remove(near[0])
                heard_words.append(word)
            else:
                false += 1
    print(f"in {count} recordings {len(heard_words)} of {len(spoken_words)} words are heard "
          f"({len(heard_words) / len(spoken_words):.2%}), and {false} where there are none")
    for i, word in enumerate(speech.LABELS[2:], 2):
        print(f"{word:8} {heard_words.count(i)} of {spoken_words.count(i)}")


def sample(cache, seed):
    """Writes words.wav: the first recording of a voice of the test that is short, whatever the network
    makes of it."""
    words = ["up", "hello", "left", "down", "right"]
    for i in range(100):
        rng = np.random.default_rng([seed, i])
        samples, _ = speech.recording(rng, cache, "test", words=words, pause=0.7)
        if len(samples) <= 6 * speech.HZ:
            break
    with wave.open(str(HERE / "words.wav"), "wb") as sound:
        sound.setparams((1, 2, speech.HZ, len(samples), "NONE", ""))
        sound.writeframes(samples.tobytes())


def train(cache):
    """Writes keyword.tflite."""
    modelkit.repeatable(seed=1)
    x, y = windows(cache, "train", seed=1, count=3000)
    print(f"{len(x)} windows to train")
    model = network()
    modelkit.fit(model, scaled(x), y, loss="sparse_categorical_crossentropy", epochs=16, batch_size=64, rate=4e-3)

    samples = scaled(x[:: len(x) // 400][:400])
    # The range of the input is that of int8, so that features need no conversion.
    samples[0].flat[0], samples[0].flat[1] = 0, 255 / 128
    modelkit.save(MODEL, model, [1, FRAMES, 40], samples=samples, input_type=tf.int8, output_type=tf.int8)


def test(cache):
    """Says how good keyword.tflite is."""
    x, y = windows(cache, "test", seed=2, count=400)
    model = Model(MODEL)
    assert model.input["quantization"] == (1 / 128, -128), model.input
    assert model.output["quantization"] == (1 / 256, -128), model.output
    found = np.array([np.argmax(model(w)) for w in x])
    print(f"{np.mean(found == y):.2%} of {len(y)} test windows are right; rows are the truth:")
    confusion(y, found)
    streams(model, cache, seed=3, count=200)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", default=Path(tempfile.gettempdir()) / "keyword", type=Path,
                        help="folder for the speech, a few hundred megabytes")
    parser.add_argument("--test", action="store_true", help="only test the model that is there")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    speech.check_voices(args.cache)
    if not args.test:
        train(args.cache)
        sample(args.cache, seed=4)
    test(args.cache)


if __name__ == "__main__":
    main()
