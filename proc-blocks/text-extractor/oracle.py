"""Answers put together by Python's string methods."""

import pathlib
import platform
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def case(name, words, *spans, length=None, end="\n"):
    data = (end.join(words)).encode()
    data = np.frombuffer(data.ljust(length or len(data), b"\0"), np.uint8)
    case = Case(name, outputs=[("utf8", [1])])
    for first, last in spans:
        inputs = [data, np.uint32([first]), np.uint32([last])]
        if last < first:
            case.call(inputs, fault="bad-value")
        elif last >= len(words):
            case.call(inputs, fault="out-of-range")
        else:
            chosen = words[first : last + 1]
            text = " ".join(chosen).replace(" ##", "")
            case.call(inputs, [[text[2:] if text.startswith("##") else text]])
    return case


question = "[CLS] who named the play ##er ? [SEP] the play ##er was named una ##ffa ##ble by his un ##cle . [SEP]".split()
several = "日 本 語 ##の über ##mut ##ig мир ##ный e\u0301t ##e\u0301 🦀 ##s".split()
every = [(a, b) for a in range(len(several)) for b in range(len(several))]
cases = [
    case("an answer", question, (12, 14), (4, 5), (17, 18), (0, 19), (18, 18), (5, 4), (19, 20)),
    case("padded", question, (12, 14), (7, 19), (20, 20), length=400),
    case("every span of several languages", several, *every),
    case("lines of two bytes' end", several, (0, 3), (3, 7), (0, len(several) - 1), end="\r\n"),
    case("one word", ["a"], (0, 0), (0, 1), (1, 0), (2**32 - 1, 2**32 - 1)),
]
write(__file__, f"CPython {platform.python_version()} str", cases)
