"""Vectors of smooth-scores: the published algorithm of TensorFlow's RecognizeCommands, in its own terms.

That has a clock in milliseconds, labels with names, a deque of results, and a window that holds results up
to as old as its duration: here a call lasts 100 ms, so `average` calls span `average - 1` of them.
"""

import math
import pathlib
import sys
from collections import deque

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

STEP = 100


class RecognizeCommands:
    """As tensorflow/examples/speech_commands/recognize_commands describes it."""

    def __init__(self, window_ms, threshold, suppression_ms, minimum):
        self.window_ms, self.threshold = window_ms, threshold
        self.suppression_ms, self.minimum = suppression_ms, minimum
        self.results, self.top, self.top_time = deque(), "_silence_", -math.inf

    def latest(self, scores, time):
        """(label, score) if it is a new command, or None."""
        self.results.append((time, scores))
        while self.results[0][0] < time - self.window_ms:
            self.results.popleft()
        if len(self.results) < self.minimum or time - self.results[0][0] < self.window_ms / 4:
            return None
        average = {label: np.mean([s[label] for _, s in self.results]) for label in scores}
        label = max(average, key=average.get)
        passed = math.inf if self.top == "_silence_" else time - self.top_time
        if average[label] > self.threshold and label != self.top and passed > self.suppression_ms:
            self.top, self.top_time = label, time
            return label, average[label]
        return None


def part(x):
    """A score as a part of one."""
    if x.dtype.kind == "f":
        return np.where(np.isfinite(x), x, 0).astype(np.float64)
    return (x.astype(np.float64) - np.iinfo(x.dtype).min) / 256


def case(name, calls, average=4, suppress=4, threshold=0.6, minimum=3, hidden=0):
    given = {"average": average, "suppress": suppress, "threshold": threshold, "minimum": minimum, "hidden": hidden}
    oracle = RecognizeCommands((average - 1) * STEP, threshold, suppress * STEP, minimum)
    result = Case(name, given, outputs=[("u32", [1]), ("f32", [1])], relative=1e-6)
    names = ["_silence_", *map(str, range(1, len(calls[0])))]
    heard = 0
    for i, scores in enumerate(calls):
        new = oracle.latest(dict(zip(names, part(scores))), i * STEP)
        label = names.index(new[0]) if new else 0
        if new is None or label < hidden:
            result.call([scores])
        else:
            heard += 1
            result.call([scores], [np.array([label], np.uint32), np.array([new[1]], np.float32)])
    print(f"{name}: {heard} of {len(calls)}")
    return result


def words(rng, labels, plan, dtype=np.float32, sure=0.9):
    """Scores while words of these labels pass by, each for so many calls."""
    rows = []
    for label, count in plan:
        for _ in range(count):
            row = rng.dirichlet(np.full(labels, 0.5)) * (1 - sure)
            row[label] += sure * rng.uniform(0.7, 1)
            row /= row.sum()
            rows.append(row)
    rows = np.array(rows)
    if dtype == np.float32:
        return rows.astype(np.float32)
    parts = np.clip(np.round(rows * 256), 0, 255)
    return (parts + np.iinfo(dtype).min).astype(dtype)


def main():
    rng = np.random.default_rng(3)
    plan = [(0, 6), (2, 6), (0, 6), (2, 6), (3, 6), (1, 5), (4, 3), (0, 4), (5, 7), (2, 8)]
    cases = [
        case("words", words(rng, 6, plan)),
        case("words of i8", words(rng, 6, plan, np.int8)),
        case("words of u8", words(rng, 6, plan, np.uint8)),
        case("words of i8, silence and unknown hidden", words(rng, 6, plan, np.int8), hidden=2),
        case("unsure", words(rng, 6, plan, sure=0.5), threshold=0.55),
        case("every call by itself", words(rng, 4, [(i % 4, 1) for i in range(24)]), average=1, minimum=1, suppress=0),
        case("long suppression", words(rng, 4, [(1, 5), (2, 5), (3, 5), (0, 5), (2, 6), (3, 30)]), suppress=20),
        case("a long average", words(rng, 3, [(0, 10), (1, 30), (2, 40)]), average=24, minimum=1, suppress=3),
        case("the quarter of a window", words(rng, 3, [(1, 12)]), average=10, minimum=1),
        case("a large minimum", words(rng, 3, [(1, 12)]), average=9, minimum=9),
        case("threshold 1", words(rng, 3, [(1, 9)]), threshold=1.0),
        case("threshold 0", words(rng, 3, [(0, 3), (1, 9), (2, 4)]), threshold=0.0, suppress=0),
        case("one label", words(rng, 1, [(0, 5)])),
    ]
    for dtype in [np.int8, np.uint8, np.float32]:
        low, high = (0, 1) if dtype == np.float32 else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        equal = np.full([5, 4], high, dtype)
        cases.append(case(f"all equal, {np.dtype(dtype)}", equal, suppress=0))
        later = np.full([8, 4], low, dtype)
        later[:, [2, 3]] = high
        cases.append(case(f"the first of equals, {np.dtype(dtype)}", later))
    # 154 parts of 256 are above 0.6, 153 are not.
    for score in [153, 154]:
        rows = np.zeros([6, 3], np.uint8)
        rows[:, 2] = score
        cases.append(case(f"{score} parts of 256", rows))
    odd = words(rng, 3, [(1, 12)])
    odd[2, 0], odd[3, 1], odd[4, 2], odd[5] = np.nan, np.inf, -np.inf, np.nan
    odd[6:8] = np.finfo(np.float32).max
    cases.append(case("not finite, and huge", odd))
    minus = np.full([8, 3], -1e30, np.float32)
    cases.append(case("below 0", minus, threshold=0.0))
    scores = np.zeros(4, np.float32)
    types = [np.zeros(1, np.uint32), np.zeros(1, np.float32)]
    cases += [
        Case("no such minimum", {"minimum": 5}, refused="more calls than").types([scores], types),
        Case("nothing to say", {"hidden": 4}, refused="leaves no label").types([scores], types),
    ]
    write(__file__, "the algorithm of TensorFlow's RecognizeCommands in Python", cases)


main()
