"""Labels as Python's lists and `str.splitlines` have them."""

import pathlib
import platform
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

RING = ["Wing", "Ring", "Slope", "Unknown"]
KINDS = "u8 i8 u16 i16 u32 i32 u64 i64 f32 f64".split()
DTYPES = dict(zip(KINDS, "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64".split()))


def case(name, labels, *calls, args=None, bound=None, kind="u32"):
    dims = [f"<={bound}"] if bound else list(np.shape(calls[0]))
    case = Case(name, args or {"labels": labels}, [(kind, dims)], [("utf8", dims)])
    for indices in calls:
        flat = np.ravel(indices)
        data = np.array(indices, DTYPES[kind])
        if all(float(i).is_integer() and 0 <= i < len(labels) for i in flat):
            case.call([data], [[labels[int(i)] for i in flat]])
        else:
            case.call([data], fault="out-of-range")
    return case


many = [f"{i:05d} ünïcode {'x' * (i % 17)}" for i in range(2000)]
wordlist = "\n  first\nsecond \r\n\nfourth, with a comma\n日本語\n\n"
lines = wordlist.strip().replace("\r\n", "\n").split("\n")
cases = [
    *(case(kind, RING, [0, 1], [3, 3], [2, 4], kind=kind) for kind in KINDS),
    case("negative", RING, [-1, 0], [-128, 3], kind="i8"),
    case("floats that are no indices", RING, [0.5], [-1.0], [4.0], [np.nan], [np.inf], [-0.0], [2.0**32], kind="f32"),
    case("great floats", RING, [2.0**53], [1e300], [-np.inf], [1 + 1e-15], [3.0], kind="f64"),
    case("a matrix", RING, [[0, 1, 2], [3, 2, 1]]),
    case("fewer than at most", RING, [], [1], [3, 2, 1, 0, 1], bound=5),
    case("a word list", lines, *[[i] for i in range(6)], args={"wordlist": wordlist}),
    case("odd labels", ["", " ", "a\tb", "🦀", "e\u0301", "a, b"], [0, 1, 2, 3, 4, 5]),
    case("many", many, *np.random.default_rng(9).integers(0, 2000, (6, 20)), args={"wordlist": "\n".join(many)}),
    Case("no labels", {}, [("u8", [1])], [("utf8", [1])], refused="give the labels"),
    Case("twice", {"labels": RING, "wordlist": "a"}, [("u8", [1])], [("utf8", [1])], refused="not both"),
]
write(__file__, f"CPython {platform.python_version()} list, str", cases)
