"""Writes `src/unicode.rs` and `src/fold.txt`: what the tokenizer has to know of each character, from the
Unicode database that Python has."""

import pathlib
import sys
import unicodedata

SOURCE = pathlib.Path(__file__).parent / "src"
KEEP, DROP, SPACE, PUNCTUATION, MARK, IDEOGRAPH = range(6)
# As the Unicode blocks that BERT calls Chinese.
IDEOGRAPHS = [
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F),
]


def category(code):
    char, general = chr(code), unicodedata.category(chr(code))
    if any(first <= code <= last for first, last in IDEOGRAPHS):
        return IDEOGRAPH
    if char in "\t\n\r" or general in ("Zs", "Zl", "Zp"):
        return SPACE
    if code == 0xFFFD or general in ("Cc", "Cf", "Co"):
        return DROP
    if general[0] == "P" or (code < 0x80 and general[0] == "S"):
        return PUNCTUATION
    return MARK if general == "Mn" else KEEP


def folded(char):
    """Without accents and in small letters."""
    bare = (c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn")
    return "".join(c.lower() for c in bare)


# Surrogates are no characters, and syllables of Hangul are taken apart by a formula.
codes = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
runs, last = [], None
for code in codes:
    if category(code) != last:
        last = category(code)
        runs.append(code << 3 | last)
numbers = [f"0x{run >> 16:04x}_{run & 0xFFFF:04x}" for run in runs]
rows = [", ".join(numbers[i : i + 7]) for i in range(0, len(runs), 7)]
(SOURCE / "unicode.rs").write_text(
    f"//! Which characters are what, Unicode {unicodedata.unidata_version}. Written by `tables.py`.\n\n"
    "/// The first character of each run of one category, and the category in the lowest three bits.\n"
    f"#[rustfmt::skip]\npub(crate) static RUNS: [u32; {len(runs)}] = [\n    "
    + ",\n    ".join(rows)
    + ",\n];\n"
)
pairs = [(chr(c), folded(chr(c))) for c in codes if c > 0x7F and category(c) != MARK and not 0xAC00 <= c <= 0xD7A3]
pairs = [(char, fold) for char, fold in pairs if fold != char]
assert max(len(fold) for _, fold in pairs) <= 3 and min(len(fold) for _, fold in pairs) >= 1
(SOURCE / "fold.txt").write_text("".join(f"{char}{fold}\n" for char, fold in pairs), encoding="utf-8", newline="\n")
print(len(runs), "runs,", len(pairs), "folded characters")
