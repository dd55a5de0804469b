"""Golden cases for `augment::text::words`: BERT's basic tokenizer by its rules and Python's own tables of characters.

    python xtask/peers/golden_words.py crates/augment/tests/golden

A line is the text and its words as JSON. Characters are of Unicode 13 or older, which all tables know alike.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

TEXTS = [
    "", "   ", "Hello, World!", "don't stop-me now...", "Où est-il né? À Zürich.", "naïve café ÀÉÎÕÜ", "a\u0000b\ufffdc\u200bd",
    "tab\tnew\nline\u00a0nbsp\u3000wide", "中文字符 mixed 漢字kana かな", "$5.00 + 10% = ~`^|<>", "<br />HTML & entities;", "ﬁ ligature ½ №",
    "e\u0301 combining", "İstanbul DİYARBAKIR", "Straße GROẞ", "“quoted” — dash… ¿qué?", "emoji 😀 stay", "русский Ёлка й", "한국어 텍스트", "ไทย ภาษา",
]


def is_space(c):
    return c in " \t\n\r" or unicodedata.category(c) == "Zs"


def is_punctuation(c):
    return (33 <= ord(c) <= 47 or 58 <= ord(c) <= 64 or 91 <= ord(c) <= 96 or 123 <= ord(c) <= 126) or unicodedata.category(c)[0] == "P"


RANGES = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]


def words(text):
    cleaned = ""
    for c in text:
        if is_space(c):
            cleaned += " "
        elif ord(c) in (0, 0xFFFD) or unicodedata.category(c) in ("Cc", "Cf"):
            continue
        elif any(low <= ord(c) <= high for low, high in RANGES):
            cleaned += f" {c} "
        else:
            cleaned += c
    out = []
    for chunk in cleaned.split():
        letters = [c for c in unicodedata.normalize("NFD", chunk.lower()) if unicodedata.category(c) != "Mn"]
        out += "".join(f" {c} " if is_punctuation(c) else c for c in letters).split()
    return out


def texts():
    yield from TEXTS
    rng = random.Random(24)
    pool = [c for c in map(chr, range(32, 0x3100)) if unicodedata.category(c) not in ("Cn", "Cs", "Co") and unicodedata.unidata_version]
    old = [c for c in pool if unicodedata.ucd_3_2_0.category(c) == unicodedata.category(c)]
    for _ in range(200):
        yield "".join(rng.choice(old if rng.random() < 0.3 else " aBcD.,'-é") for _ in range(rng.randint(1, 24)))


if __name__ == "__main__":
    lines = [json.dumps([text, words(text)], ensure_ascii=True) + "\n" for text in texts()]
    (Path(sys.argv[1]) / "words.jsonl").write_text("".join(lines))
