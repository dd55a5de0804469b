"""DailyDialog's utterances with what they do (inform, question, directive, commissive) as tables
for `tutor fit --text`.

    python xtask/peers/dialog_acts.py DAILYDIALOG OUT

DAILYDIALOG has dialogues_text.txt and dialogues_action.txt. Writes test.tsv (4,000 utterances),
unlabeled.tsv (12,000, without labels) and train.tsv (8,000, of which table_splits.py draws labels)
into OUT. An utterance occurs once; dialogues whose numbers of utterances and acts differ are left
out, and so is a dialogue that was there before.
"""

import random
import sys
from pathlib import Path

ACTS = "inform", "question", "directive", "commissive"


def main():
    source, out = map(Path, sys.argv[1:])
    lines = (source / "dialogues_text.txt").read_text(encoding="utf-8").split("\n")
    acts = (source / "dialogues_action.txt").read_text(encoding="utf-8").split("\n")
    known, rows = set(), []
    for line, numbers in zip(lines, acts):
        if not line.strip() or line in known:
            continue
        known.add(line)
        utterances = [text.strip() for text in line.split("__eou__") if text.strip()]
        numbers = numbers.split()
        if len(utterances) != len(numbers):
            continue
        for text, number in zip(utterances, numbers):
            if text not in known and "\t" not in text:
                known.add(text)
                rows.append((text, ACTS[int(number) - 1]))
    random.Random(7).shuffle(rows)
    out.mkdir(parents=True, exist_ok=True)
    for name, part in [("test", rows[:4000]), ("train", rows[16000:24000])]:
        lines = [f"{text}\t{act}\n" for text, act in part]
        (out / f"{name}.tsv").write_text("text\tlabel\n" + "".join(lines), encoding="utf-8")
    texts = [f"{text}\n" for text, _ in rows[4000:16000]]
    (out / "unlabeled.tsv").write_text("text\n" + "".join(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
