"""What Python's `re` finds, for the part of its syntax that the block has."""

import pathlib
import platform
import re
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def translated(regex):
    """The same expression for `re`: `$` is the very end, and all other signs are characters."""
    body = regex.removeprefix("^")
    is_to_end = re.search(r"(?<!\\)(\\\\)*\$$", body) is not None
    body = body[:-1] if is_to_end else body
    parts = re.findall(r"\\.|.", body, re.DOTALL)
    out = "".join(p if p in ".*+" else re.escape(p[-1]) for p in parts)
    return ("\\A" if regex.startswith("^") else "") + out + ("\\Z" if is_to_end else "")


def bytes_case(regex, *texts):
    size = max(len(t.encode()) for t in texts) + 1
    case = Case(f"bytes {regex}", {"regex": regex})
    for text in texts:
        data = np.frombuffer(text.encode().ljust(size, b"\0"), np.uint8)
        case.call([data], [np.uint8([re.search(translated(regex), text, re.DOTALL) is not None])])
    return case


def text_case(regex, *texts):
    case = Case(f"text {regex}", {"regex": regex})
    for text in texts:
        case.call([[text]], [np.uint8([re.search(translated(regex), text, re.DOTALL) is not None])])
    return case


def random_cases(rng, count):
    for _ in range(count):
        atoms = "".join(
            rng.choice(["a", "b", "c", ".", "é", "\\."]) + rng.choice(["", "", "*", "+"])
            for _ in range(rng.integers(1, 6))
        )
        regex = rng.choice(["", "^"]) + atoms + rng.choice(["", "$"])
        texts = ["".join(rng.choice(list("abcé.\n"), rng.integers(0, 9))) for _ in range(12)]
        yield (bytes_case if rng.random() < 0.5 else text_case)(str(regex), *texts)


def refused(regex, message):
    case = Case(f"refused {regex}", {"regex": regex}, refused=message)
    return case.types([np.zeros(4, np.uint8)], [np.zeros(1, np.uint8)])


words = ["", "hello", "Hello!", "say hello", "hello there!", "hell", "helllo", "o", "\nhello\n"]
cases = [
    *(bytes_case(r, *words) for r in ["hello", "^hello", "hello$", "^hello$", "^hel*o", "^hel+o$", "^.*$", "^$", "", "$", "l*", "^.+o$", "^h.*!$"]),
    text_case("^日.語+$", "日本語", "日本語語語", "本語", "日本", "日あ語"),
    text_case("^a(b|c)?[d]{2}$", "abdd", "a(b|c)?[d]{2}", "add"),
    text_case("^\\$\\^\\*\\+\\.\\\\$", "$^*+.\\", "$^*+x\\"),
    bytes_case("^a*a*a*a*a*a*a*a*a*a*b$", "a" * 24, "a" * 24 + "b", "b"),
    *{case.name: case for case in random_cases(np.random.default_rng(7), 60)}.values(),
    refused("a**", "nothing to repeat"),
    refused("+", "nothing to repeat"),
    refused("a^", "comes first"),
    refused("$a", "comes last"),
    refused("\\", "needs a character"),
]
write(__file__, f"CPython {platform.python_version()} re", cases)
