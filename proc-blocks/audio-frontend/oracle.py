"""Vectors of audio-frontend: TensorFlow's operator AudioMicrofrontend, and pymicro-features.

The operator takes every parameter and one signal; fed piece by piece the block has to give the same rows.
pymicro-features has fixed parameters and keeps its own state from call to call.

    oracle.py rows.npz     with pymicro-features installed: writes its rows there
    oracle.py rows.npz     with tensorflow-cpu installed: reads them, writes vectors.json
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "vectors"))
from vectors import Case, wav, write

DEFAULTS = {
    "hz": 16000, "window-ms": 30, "step-ms": 20, "channels": 40, "low-hz": 125.0, "high-hz": 7500.0,
    "smoothing-bits": 10, "even-smoothing": 0.025, "odd-smoothing": 0.06, "min-signal-remaining": 0.05,
    "pcan": True, "pcan-strength": 0.95, "pcan-offset": 80.0, "gain-bits": 21, "log": True, "log-shift": 6,
}
NAMES = {
    "hz": "sample_rate", "window-ms": "window_size", "step-ms": "window_step", "channels": "num_channels",
    "low-hz": "lower_band_limit", "high-hz": "upper_band_limit", "pcan": "enable_pcan", "log": "enable_log",
    "log-shift": "scale_shift",
}


def operator(samples, **args):
    """All rows of a signal, by TensorFlow."""
    import tensorflow as tf
    from tensorflow.lite.experimental.microfrontend.python.ops import audio_microfrontend_op as op

    given = DEFAULTS | args
    named = {NAMES.get(k, k.replace("-", "_")): v for k, v in given.items()}
    return op.audio_microfrontend(tf.constant(samples), out_type=tf.uint16, **named).numpy()


def pymicro(samples):
    """All rows of a signal, by pymicro-features: u16, a step of 10 ms."""
    from pymicro_features import MicroFrontend

    frontend, data, rows = MicroFrontend(), samples.tobytes(), []
    while len(data) >= 320:  # it wants 10 ms at a time
        output = frontend.process_samples(data)
        data = data[2 * output.samples_read :]
        if output.features:
            rows.append(np.round(np.array(output.features) * 25.6))
    return np.array(rows, np.uint16)


def as_i8(rows):
    """What the example micro_speech of TensorFlow Lite Micro feeds its model."""
    return np.clip((rows.astype(np.int64) * 256 + 333) // 666 - 128, -128, 127).astype(np.int8)


def as_f32(rows):
    return rows.astype(np.float32) * np.float32(0.0390625)


def stream(name, pieces, rows, frames, convert=lambda x: x, **args):
    """A case that is fed `pieces`, of one length, and gives the last `frames` rows there are."""
    given = DEFAULTS | args
    window, step = (given[k] * given["hz"] // 1000 for k in ("window-ms", "step-ms"))
    like = convert(np.zeros([frames, given["channels"]], np.uint16))
    first = pieces[0]
    case = Case(name, args | {"frames": frames}).types([first], [like])
    total = done = 0
    for piece in pieces:
        total += len(getattr(piece, "samples", piece))
        before, done = done, 0 if total < window else (total - window) // step + 1
        gives = done > before and done >= frames
        case.call([piece], [convert(rows[done - frames : done])] if gives else None)
    return case


def cut(name, length, start=0, count=None):
    """A recording in pieces."""
    whole = wav(name, start, count).samples
    pieces = range(0, len(whole) - length + 1, length)
    return whole, [wav(name, start + i, length) for i in pieces]


def main():
    recordings, path = ["speech", "noise", "silence", "clipping"], Path(sys.argv[1])
    if not path.exists():
        np.savez(path, **{name: pymicro(wav(f"{name}.wav").samples) for name in recordings})
        return
    cases, expected = [], np.load(path)
    for name in recordings:
        whole, pieces = cut(f"{name}.wav", 800)
        args = {"step-ms": 10, "tables": "single"}
        cases.append(stream(f"pymicro-features, {name}", pieces, expected[name], 4, **args))

    whole, pieces = cut("speech.wav", 16000)
    assert len(operator(whole)) > 49
    case = stream("a second at a time", pieces, operator(whole), 49, as_i8)
    case.args = {}
    cases.append(case)
    # One second again with each length of pieces; only what a call adds is asked for.
    for length in [320, 1600, 480, 777, 100, 6001]:
        whole, pieces = cut("speech.wav", length, 4000, 14000)
        count = min(len(pieces), 40)
        frames = max(1, min(8, length // 320))
        cases.append(stream(f"pieces of {length}", pieces[:count], operator(whole), frames, as_i8))
    for name in ["noise", "silence", "clipping"]:
        whole, pieces = cut(f"{name}.wav", 640)
        cases.append(stream(name, pieces, operator(whole), 2))
    whole, pieces = cut("speech.wav", 1600)
    cases.append(stream("as f32", pieces[:8], operator(whole), 5, as_f32))
    lowest = np.full(1600, -32768, np.int16)
    square = np.where(np.arange(1600) // 7 % 2 == 0, 32767, -32768).astype(np.int16)
    single = np.zeros(1600, np.int16)
    single[700] = -1
    for name, samples in [("lowest", lowest), ("square wave", square), ("one sample", single)]:
        cases.append(stream(name, [samples], operator(samples), 4))
    rng = np.random.default_rng(1)
    for loud in [1, 30, 1000]:
        samples = np.round(rng.normal(0, loud, 1600)).astype(np.int16)
        cases.append(stream(f"noise of {loud}", [samples], operator(samples), 4))

    for name, args in {
        "no gain": {"pcan": False},
        "no logarithm": {"log": False},
        "neither": {"pcan": False, "log": False},
        "a step of 10 ms": {"step-ms": 10},
        "a step as long as the window": {"step-ms": 30},
        "a window of 25 ms and 32 channels": {"window-ms": 25, "step-ms": 10, "channels": 32},
        "a window of 64 ms": {"window-ms": 64, "step-ms": 32},
        "a window of 100 ms": {"window-ms": 100, "step-ms": 50, "channels": 64},
        "a window of 4 ms": {"window-ms": 4, "step-ms": 4, "channels": 10, "low-hz": 300.0},
        "8 kHz": {"hz": 8000, "channels": 20, "high-hz": 3800.0},
        "44.1 kHz": {"hz": 44100, "high-hz": 15000.0},
        "11025 Hz": {"hz": 11025, "high-hz": 5000.0, "window-ms": 32, "step-ms": 16},
        "one channel": {"channels": 1},
        "more channels than low frequencies": {"channels": 80, "low-hz": 20.0},
        "a narrow band": {"low-hz": 1000.0, "high-hz": 2000.0, "channels": 12},
        "no noise reduction": {"even-smoothing": 0.0, "odd-smoothing": 0.0},
        "much noise reduction": {"even-smoothing": 0.9, "odd-smoothing": 1.0, "min-signal-remaining": 0.0},
        "all signal remaining": {"min-signal-remaining": 1.0},
        "a steep gain": {"pcan-strength": 1.5, "pcan-offset": 10.0},
        "a gain of one": {"pcan-strength": 0.0},
        "a gain without offset": {"pcan-offset": 0.0},
        "few gain bits": {"gain-bits": 16},
        "many gain bits": {"gain-bits": 27},
        "few smoothing bits": {"smoothing-bits": 4},
        "many smoothing bits": {"smoothing-bits": 14},
        "a long logarithm": {"log-shift": 11},
        "a short logarithm": {"log-shift": 0},
    }.items():
        whole, pieces = cut("speech.wav", 4500, 3000, 9000)
        rows = operator(whole, **args)
        cases.append(stream(name, pieces, rows, 3, **args))

    second = np.zeros(16000, np.int16)
    for name, args, message in [
        ("too little for a row", {}, "do not fill a window of 480"),
        ("too long a step", {"step-ms": 31}, "1 to the 480 of the window"),
        ("too short a window", {"window-ms": 3}, "it takes 64 to 4096"),
        ("too long a window", {"window-ms": 300}, "it takes 64 to 4096"),
        ("too high a band", {"high-hz": 8000.0}, "half of `--hz`"),
        ("a band above all", {"low-hz": 47000.0, "high-hz": 47000.1}, "half of `--hz`"),
        ("an empty band", {"low-hz": 7500.0}, "not below"),
        ("too many channels", {"window-ms": 4, "step-ms": 4, "channels": 33, "frames": 49}, "only 32 frequencies"),
        ("too few gain bits", {"gain-bits": 14}, "at least 15"),
        ("too few smoothing bits", {"smoothing-bits": 2}, "at least 3"),
    ]:
        samples = second[:400] if "little" in name else second
        features = np.zeros([49, args.get("channels", 40)], np.int8)
        cases.append(Case(name, args, refused=message).types([samples], [features]))
    write(__file__, "TensorFlow 2.21.0 AudioMicrofrontend, and pymicro-features 2.0.2", cases)


main()
