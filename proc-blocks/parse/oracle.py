"""Numbers as Python reads them, in exact fractions."""

import pathlib
import platform
import sys
from fractions import Fraction

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write


def nearest(word, dtype):
    """The float nearest to a word, ties to the even one."""
    if word.strip("+-").lower() in ("nan", "inf", "infinity"):
        return dtype(word)
    exact = abs(Fraction(word))
    with np.errstate(over="ignore"):
        near = dtype(float(word) if dtype is np.float64 or abs(exact) < 10**300 else np.inf)
    near = abs(near)
    limits = np.finfo(dtype)
    beyond = Fraction(float(limits.max)) * 2 - Fraction(float(np.nextafter(limits.max, dtype(0))))

    def value(x):
        return beyond if np.isinf(x) else Fraction(float(x))

    candidates = {float(near): near}
    with np.errstate(over="ignore"):
        above = np.nextafter(near, dtype(np.inf))
    for x in (above, np.nextafter(near, dtype(0))):
        candidates[float(x)] = x
    bits = np.uint32 if dtype is np.float32 else np.uint64
    best = min(candidates.values(), key=lambda x: (abs(value(x) - exact), int(np.array(x, dtype).view(bits)) & 1))
    return np.copysign(best, dtype(-1 if word.startswith("-") else 1))


def floats(name, dtype, *texts):
    case = Case(name)
    for text in texts:
        words = text.split("\0")[0].split()
        case.call([[text]], [np.array([nearest(w, dtype) for w in words], dtype)])
    return case


def integers(name, dtype, *texts):
    case = Case(name)
    for text in texts:
        case.call([[text]], [np.array([int(w) for w in text.split("\0")[0].split()], dtype)])
    return case


def faults(name, dtype, count, *texts):
    case = Case(name, outputs=[(np.dtype(dtype).name.replace("uint", "u").replace("int", "i").replace("float", "f"), [count])])
    for text in texts:
        case.call([[text]], fault="bad-value")
    return case


rng = np.random.default_rng(8)


def lines(count, digits, exponents):
    for _ in range(count):
        words = []
        for _ in range(4):
            n = rng.integers(1, digits)
            text = "".join(map(str, rng.integers(0, 10, n)))
            at = rng.integers(0, n + 1)
            words.append(f"{rng.choice(['', '-', '+'])}{text[:at]}.{text[at:]}e{rng.integers(-exponents, exponents)}")
        yield " ".join(words)


plain = ["1 2.5 -0.125 .5", "  3.\t-1e3\n1E-3\u3000+7\0 9", "0 -0 0.0 -0e5", "3.4028235e38 1.17549435e-38 1.4e-45 7e-46", "inf -Infinity +INF 1e39"]
edges = ["1.7976931348623157e308 1.7976931348623159e308 -1e400 2.2250738585072014e-308", "4.9e-324 2.4703282292062327e-324 2.4703282292062329e-324 1e-400", "9007199254740993 9007199254740995 16777217 1.00000017881393432617187499"]
cases = [
    floats("f32", np.float32, *plain),
    floats("f64", np.float64, *plain, *edges),
    floats("f32 at the edges", np.float32, *edges),
    floats("many digits as f32", np.float32, *lines(30, 25, 60)),
    floats("many digits as f64", np.float64, *lines(30, 60, 360)),
    floats("very many digits", np.float64, "0." + "123456789" * 150, "1" + "0" * 900 + "1e-900", "1.00000000000000011102230246251565404236316680908203125" + "0" * 800 + "1"),
    floats("not a number", np.float32, "nan", "NAN"),
    integers("u8", np.uint8, "0 255 007 +9"),
    integers("i8", np.int8, "-128 127 -0 +0"),
    integers("u16", np.uint16, "65535\n0"),
    integers("i16", np.int16, "-32768 32767"),
    integers("u32", np.uint32, "4294967295"),
    integers("i32", np.int32, "-2147483648 2147483647"),
    integers("u64", np.uint64, "18446744073709551615 0"),
    integers("i64", np.int64, "-9223372036854775808 9223372036854775807"),
    faults("no floats", np.float32, 1, "", "x", "1 2", "1..2", "1e", ".", "1e5e5", "0x10", "1,5", "\0 1", "--1", "infin", "١"),
    faults("no bytes", np.uint8, 1, "256", "-1", "-0", "1.0", "99999999999999999999999", "+", "1e1"),
    faults("no small integers", np.int8, 2, "1", "1 2 3", "1 128", "-129 0", "1 a"),
]
write(__file__, f"CPython {platform.python_version()} fractions, numpy {np.__version__}", cases)
