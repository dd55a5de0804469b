"""Golden cases for `data_pipeline::text`: WordPiece ids by transformers' tokenizer in Python (the
slow one, Google's code), ids of a tokenizer that our trainer wrote, and texts in Parquet, with
classes as `datasets` notes them.

    python xtask/peers/golden_tokenizer.py crates/data-pipeline/tests/golden

`wordpieces.jsonl`: a vocabulary, then lines of [casing, text, ids]. `trained_ids.jsonl`: [text,
ids] by what AutoTokenizer makes of the folder `trained-tokenizer`, which the test
`text::vocabulary::write_the_trained_tokenizer` writes. Characters are assigned, and of Unicode 13
or older, which all tables know alike. Where accents stay, texts are in normal form C: Python's
tokenizer puts them into it first, Google's code and the library do not.
"""

import json
import sys
import tempfile
import unicodedata
from pathlib import Path

import pyarrow
import pyarrow.parquet
from golden_words import texts
from transformers import AutoTokenizer, BertTokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
WORDS = "hello world ##ing ##op stop don now où est naive naïve café cafe istanbul ##nbul русский ё ##lo ##rl 中 ß".split()
CASINGS = {
    "uncased": {"do_lower_case": True},
    "cased": {"do_lower_case": False},
    "accents": {"do_lower_case": True, "strip_accents": False},
}
TEXTS = ["It was\ngood.\n\nReally.", 'bad \u2028 "film"', "naïve", None]


def line(value):
    return json.dumps(value, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    marks = [chr(c) for c in range(33, 127) if not chr(c).isalnum()]
    vocabulary = SPECIALS + marks + list(LETTERS) + ["##" + c for c in LETTERS] + list("éüÀçñ") + WORDS
    vocabulary = list(dict.fromkeys(vocabulary))
    lines = [line(vocabulary)]
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n")
        for name, casing in CASINGS.items():
            tokenizer = BertTokenizer(str(path), **casing)
            # Special tokens in texts are text.
            tokenizer.split_special_tokens = True
            ids = lambda text: tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
            composed = lambda text: name == "uncased" or unicodedata.is_normalized("NFC", text)
            lines += [line([name, text, ids(text)]) for text in texts() if composed(text)]
    (folder / "wordpieces.jsonl").write_text("".join(lines))

    trained = AutoTokenizer.from_pretrained(str(folder / "trained-tokenizer"))
    assert trained.is_fast and trained.mask_token == "[MASK]" and len(trained) == 160
    ends = trained("low", "high")
    assert ends["input_ids"][0] == trained.cls_token_id and ends["token_type_ids"][-1] == 1
    rows = [line([text, trained(text, add_special_tokens=False)["input_ids"]]) for text in texts()]
    (folder / "trained_ids.jsonl").write_text("".join(rows))

    table = pyarrow.table({"id": pyarrow.array([1, 2, 3, 4]), "text": pyarrow.array(TEXTS)})
    pyarrow.parquet.write_table(table, folder / "texts.parquet", compression="zstd", row_group_size=2)
    labels = pyarrow.array([1, 0, -1])
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    table = pyarrow.table({"text": pyarrow.array(["good", "bad", "what"]), "label": labels})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, folder / "classes.parquet")
