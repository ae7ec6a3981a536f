"""Tokens of HuggingFace's BertWordPieceTokenizer, with a vocabulary of our own in several languages."""

import pathlib
import sys
import unicodedata

import numpy as np
import tokenizers
from tokenizers import BertWordPieceTokenizer

sys.path.append(str(pathlib.Path(__file__).parent.parent / "vectors"))
from vectors import Case, write

SENTENCES = [
    "What is a rune? It's a container for machine-learning models, e.g. on a micro-controller.",
    "Das Überqueren der Straße ist für Fußgänger gefährlich; Äpfel, Öl und Übermut!",
    "L'été, où naît l'œuvre, ça déçoit... «Élève» garçon!",
    "Мир и война. Ёлка стоит в лесу, й и и̇.",
    "Το γρήγορο καφέ αλεπού πηδά. ΟΔΟΣ ΣΊΣΥΦΟΣ",
    "日本語の文章と漢字、北京大学。",
    "한국어 문장입니다. 값",
    "हिन्दी में एक वाक्य।",
    "Tiếng Việt có nhiều dấu: Điều này rất khó.",
    "İstanbul'da ılık bir gün; ĳsje Ǆ ŉ ﬁn Ⅳ ①",
]


def folded(text):
    marks = (c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return "".join(c.lower() for c in marks)


def vocabulary(is_cased):
    """Whole words of the sentences, some beginnings and endings, and most letters."""
    pieces = {}
    for sentence in SENTENCES:
        for i, word in enumerate((sentence if is_cased else folded(sentence)).split()):
            word = word.strip(".,;:!?«»…、。।'")
            if i % 3 == 0:
                pieces[word] = None
            pieces[word[:3]] = None
            pieces["##" + word[3:]] = None
            pieces["##" + word[-2:]] = None
            for letter in word[:-1] if i % 2 else word:
                pieces[letter] = pieces["##" + letter] = None
    rest = [p for p in pieces if p not in ("", "##") and len(p.encode()) < 20]
    first = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", *".,;:!?'-&«»。、।"]
    return list(dict.fromkeys(first + rest))


def case(name, pairs, length, is_cased=False, sizes=(130, 130)):
    tokens = vocabulary(is_cased)
    longest = max(len(t.encode()) for t in tokens) + 1
    oracle = BertWordPieceTokenizer({t: i for i, t in enumerate(tokens)}, lowercase=not is_cased)
    oracle.enable_truncation(length, strategy="longest_first")
    oracle.enable_padding(length=length, pad_id=0)
    case = Case(name, {"vocabulary": "\n".join(tokens), "length": length, "cased": is_cased})
    for first, second in pairs:
        found = oracle.encode(first, second or None)
        words = ("\n".join(found.tokens) + "\n").encode().ljust(longest * length, b"\0")
        rows = [np.int32([x]) for x in (found.ids, found.attention_mask, found.type_ids)]
        texts = [np.frombuffer(t.encode().ljust(n, b"\0"), np.uint8) for t, n in zip((first, second), sizes)]
        case.call(texts, [*rows, np.frombuffer(words, np.uint8)])
    return case


rng = np.random.default_rng(10)
questions = [(SENTENCES[i], SENTENCES[j]) for i, j in ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))]
alone = [(sentence, "") for sentence in SENTENCES[::2]]
odd = [
    ("tab\tnew\nline\r\x01zero\u200bwidth\u00adsoft\ufffd", "nbsp\u00a0em\u2003line\u2028"),
    ("≠ ≮ Å Ω K \u0340 \u1fef \u037e", "e\u0301\u0327\u0323 q\u0307\u0323"),
    ("北 京\uf900 豈 \U00020000", "か\u3099 が ガ"),
    ("foo‽bar…baz–qux 'tis «a»", "$5.00 + 3% = £7 ^_^ `x` ~"),
    ("🦀🏺 👩‍🔬", "ａｂｃ ½ ㎏"),
    ("   ", "."),
]
letters = list("aeinrstÀéüßñçğžăĐđиойЙςσ日本한값中.,-' \u0301\u0323")
noise = [tuple("".join(rng.choice(letters, rng.integers(1, 60))) for _ in range(2)) for _ in range(8)]
short = [tuple(" ".join(["rune"] * n) for n in counts) for counts in ((1, 20), (20, 1), (9, 9), (10, 9), (9, 10), (6, 7), (7, 6), (1, 1), (30, 0))]


def refused(name, tokens, message):
    row = ("i32", [1, 8])
    return Case(name, {"vocabulary": "\n".join(tokens), "length": 8}, [("u8", [4])] * 2, [row] * 3 + [("u8", [48])], refused=message)


cases = [
    case("pairs of languages", questions, 50),
    case("pairs of languages, cased", questions, 50, True),
    case("one text", alone, 32),
    case("odd characters", odd, 32),
    case("odd characters, cased", odd, 32, True),
    case("noise", noise, 32),
    case("long words", [("a" * 100 + " " + "a" * 101, "é" * 100)], 300, sizes=(201, 200)),
    case("cut to an odd number", short, 16, sizes=(160, 100)),
    case("cut to an even number", short, 15, sizes=(160, 100)),
    case("the least length", short[:3], 3, sizes=(100, 100)),
    refused("no unknown", ["[PAD]", "[CLS]", "[SEP]"], "no `[UNK]`"),
    refused("no padding", ["[UNK]", "[CLS]", "[SEP]"], "no `[PAD]`"),
]
write(__file__, f"tokenizers {tokenizers.__version__} BertWordPieceTokenizer", cases)
