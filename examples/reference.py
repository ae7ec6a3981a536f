"""A second implementation of what the example runes do, in numpy and LiteRT's reference kernels.

Run it to write the expected outputs beside the samples, or with --check to compare them. It shares no
code with the compiler, so that neither can hide a fault of the other.

Packages: ai-edge-litert 2.3.0, numpy 2.4.6, pillow 13.0.0, and tensorflow-cpu 2.21.0 for the features of
speech (all in requirements.txt).
"""

import json
import sys
import wave
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from PIL import Image

HERE = Path(__file__).parent


class Model:
    """A model of one input and one output, run by the reference kernels."""

    def __init__(self, path):
        resolver = OpResolverType.BUILTIN_REF
        self.interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
        self.interpreter.allocate_tensors()
        [self.input] = self.interpreter.get_input_details()
        [self.output] = self.interpreter.get_output_details()

    def __call__(self, x):
        assert x.dtype == self.input["dtype"], (x.dtype, self.input)
        self.interpreter.set_tensor(self.input["index"], x.reshape(self.input["shape"]))
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output["index"])


def windows(data, size):
    """Whole windows one after the other; a partial one at the end is dropped."""
    return [data[i : i + size] for i in range(0, len(data) - size + 1, size)]


def rand(seed, low, high):
    """The capability RAND as F32: SplitMix64, the upper 53 bits of each number as a fraction."""
    word = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & word
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
        fraction = ((z ^ (z >> 31)) >> 11) / 2**53
        yield min(np.float32(low + fraction * (high - low)), np.nextafter(np.float32(high), np.float32(low)))


def normalize(x):
    """The block `normalize`."""
    low, high = x.min(), x.max()
    return x if low == high else (x - low) / (high - low)


def fft(x):
    """The block `fft`: how strong each frequency is."""
    return np.abs(np.fft.fft(x.astype(np.float64))).astype(np.float32)


def most_confident(x, labels):
    """The blocks `most-confident-indices` with a count of 1, and `label`."""
    return np.array([labels[int(np.argmax(x))]])


FRAMES = 49


def audio_frontend(samples):
    """The block `audio-frontend` as int8, by TensorFlow's operator: all rows that the samples give."""
    from tensorflow.lite.experimental.microfrontend.python.ops import audio_microfrontend_op as op
    import tensorflow as tf

    rows = op.audio_microfrontend(
        tf.constant(samples), sample_rate=16000, window_size=30, window_step=20, num_channels=40,
        lower_band_limit=125, upper_band_limit=7500, smoothing_bits=10, even_smoothing=0.025,
        odd_smoothing=0.06, min_signal_remaining=0.05, enable_pcan=True, pcan_strength=0.95,
        pcan_offset=80, gain_bits=21, enable_log=True, scale_shift=6, out_type=tf.uint16,
    ).numpy().astype(np.int64)
    # As the micro_speech example of TensorFlow Lite Micro does it.
    return np.clip((rows * 256 + 333) // 666 - 128, -128, 127).astype(np.int8)


def smooth_scores(scores, average=4, suppress=4, threshold=0.6, minimum=3):
    """The block `smooth-scores` of int8 scores: pairs of the call and the index that was recognised."""
    recent, last, since, found = [], 0, np.inf, []
    for call, score in enumerate(scores):
        recent = [*recent, (score.astype(np.float64) + 128) / 256][-average:]
        since += 1
        if len(recent) < minimum or 4 * (len(recent) - 1) < average - 1:
            continue
        mean = np.mean(recent, 0)
        best = int(np.argmax(mean))
        if mean[best] > threshold and best != last and (last == 0 or since > suppress):
            last, since = best, 0
            found.append((call, best))
    return found


def line(x):
    """What a rune whose output is SERIAL prints for one tensor."""
    if x.dtype.kind == "U":
        element, elements = "utf8", [json.dumps(str(e)) for e in x]
    else:
        element = f"{x.dtype.kind}{8 * x.itemsize}"
        # The fewest digits that read back as the same number.
        elements = [np.format_float_positional(e, trim="0") if x.dtype.kind == "f" else str(e) for e in x.ravel()]
    record = f'"element_type": "{element}", "dimensions": {list(x.shape)}, "elements": [{", ".join(elements)}]'
    return f'{{"serial": [{{{record}}}]}}\n'


def sine(folder):
    yield "expected.jsonl", [Model(folder / "sine.tflite")(next(rand(0, 0.0, 6.2831855)))]
    inputs = windows(np.fromfile(folder / "input.bin", "<f4"), 1)
    for name, file in [("raw", "sine.tflite"), ("int8", "sine_int8.tflite")]:
        model = Model(folder / file)
        yield f"{name}.expected.jsonl", [model(x) for x in inputs]


def gesture(folder):
    model = Model(folder / "gesture.tflite")
    for name in ["ring", "wing", "slope", "unknown"]:
        rows = np.loadtxt(folder / f"{name}.csv", np.float32, delimiter=",")
        scores = [model(normalize(x)) for x in windows(rows, 128)]
        labels = ["Wing", "Ring", "Slope", "Unknown"]
        yield f"{name}.expected.jsonl", [most_confident(s, labels) for s in scores]


def digits(folder):
    model = Model(folder / "digits.tflite")
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path).convert("L")
        if image.size != (8, 8):
            image = image.resize((8, 8), Image.Resampling.BICUBIC)
        scores = model(np.asarray(image))
        yield f"{path.stem}.expected.jsonl", [most_confident(scores, "0123456789")]


def paper(folder):
    model = Model(folder / "example.tflite")
    with wave.open(str(folder / "input.wav")) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    yield "expected.jsonl", [model(fft(x)) for x in windows(samples, 150)]


def keyword(folder):
    model = Model(folder / "keyword.tflite")
    with wave.open(str(folder / "words.wav")) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    scores = []
    # A call reads 1600 samples, gives the last rows there are, and nothing until there are enough.
    for end in range(1600, len(samples) + 1, 1600):
        rows = audio_frontend(samples[:end])
        if len(rows) >= FRAMES:
            scores.append(model(rows[-FRAMES:])[0])
    labels = ["silence", "unknown", "up", "down", "left", "right"]
    # Silence and unknown words are recognised and not told.
    found = [np.array([labels[i]]) for _, i in smooth_scores(scores) if i >= 2]
    yield "words.expected.jsonl", found


def main():
    check = sys.argv[1:] == ["--check"]
    wrong = []
    for example in [sine, gesture, digits, paper, keyword]:
        folder = HERE / example.__name__
        for name, results in example(folder):
            text = "".join(map(line, results))
            if not check:
                (folder / name).write_text(text)
            elif (folder / name).read_text() != text:
                wrong.append(f"{folder.name}/{name}")
    if wrong:
        raise SystemExit(f"not as expected: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
