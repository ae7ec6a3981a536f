"""What Python's UTF-8 decoder makes of bytes."""

import pathlib
import platform
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def decode(data, invalid):
    data = data.split(b"\0")[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data[: error.start].decode("utf-8") if invalid == "cut" else None


def case(name, length, *texts, invalid="fault"):
    case = Case(name, {"invalid": invalid}, outputs=[("utf8", [1])])
    for text in texts:
        data = (text.encode() if isinstance(text, str) else text)[:length].ljust(length, b"\0")
        decoded = decode(data, invalid)
        data = np.frombuffer(data, np.uint8)
        case.call([data], None if decoded is None else [[decoded]], fault="bad-value" if decoded is None else None)
    return case


rng = np.random.default_rng(6)
noise = [bytes(rng.choice([0x41, 0x80, 0xBF, 0xC3, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0xED, 0xA0, 0xFF], 6).astype(np.uint8)) for _ in range(30)]
texts = ["silence", "", "déjà vu", "мир", "日本語の文", "🦀 rune 🏺", "tab\tand\nline", "e\u0301\u0327"]
cases = [
    case("texts", 40, *texts),
    case("full", 5, "right", "up", "\0left"),
    case("cut within a character", 4, "abcé", "日本語", invalid="cut"),
    case("fault within a character", 4, "abcé", "日本語"),
    case("noise", 6, *noise),
    case("noise, cut", 6, *noise, invalid="cut"),
    case("long", 3000, "wörter " * 300, "ы" * 1500),
]
write(__file__, f"CPython {platform.python_version()} bytes.decode", cases)
