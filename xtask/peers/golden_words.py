"""Golden cases for `augment::text::words`: BERT's basic tokenizer as transformers has it, on
Python's own tables of characters.

    python xtask/peers/golden_words.py crates/augment/tests/golden

A line is the text and its words as JSON. Characters are assigned, and of Unicode 13 or older, which
all tables know alike.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

from transformers.models.bert.tokenization_bert import BasicTokenizer

TEXTS = [
    "", "   ", "Hello, World!", "don't stop-me now...", "Où est-il né? À Zürich.", "naïve café ÀÉÎÕÜ", "a\u0000b\ufffdc\u200bd",
    "tab\tnew\nline\u00a0nbsp\u3000wide", "中文字符 mixed 漢字kana かな", "$5.00 + 10% = ~`^|<>", "<br />HTML & entities;", "ﬁ ligature ½ №",
    "e\u0301 combining", "İstanbul DİYARBAKIR", "Straße GROẞ", "“quoted” — dash… ¿qué?", "emoji 😀 stay", "русский Ёлка й", "한국어 텍스트", "ไทย ภาษา",
]
MORE = [
    "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ", "line\u2028para\u2029graph\u0085next", "soft\u00adhyphen zero\u200djoin \ufeffbom", "a\u0301\u0301\u0327b \u0301 c", "豈更車\U0002f800x",
    "\u037e\u1fef\u2126", "«guillemets» ‹so› „low“ 、。「日本」", "x\u001cy\u000bz\u000cw\rv", "tab\u2003em\u2009thin", "№5·3×2÷4±1§¶†‡•",
    "ǅ ǈ ŉ ß ſ K Å", "100,000.00€-£5/¥3_under#hash@at",
]


def texts():
    yield from TEXTS
    rng = random.Random(24)
    pool = [c for c in map(chr, range(32, 0x3100)) if unicodedata.category(c) not in ("Cn", "Cs", "Co")]
    old = [c for c in pool if unicodedata.ucd_3_2_0.category(c) == unicodedata.category(c)]
    for _ in range(200):
        yield "".join(rng.choice(old if rng.random() < 0.3 else " aBcD.,'-é") for _ in range(rng.randint(1, 24)))
    yield from MORE


if __name__ == "__main__":
    words = BasicTokenizer(do_lower_case=True).tokenize
    lines = [json.dumps([text, words(text)], ensure_ascii=True) + "\n" for text in texts()]
    (Path(sys.argv[1]) / "words.jsonl").write_text("".join(lines))
