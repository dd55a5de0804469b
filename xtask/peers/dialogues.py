"""The conversations that data-pipeline contains: Topical-Chat, IRC, and transcripts of people, one
message a line as JSON.

    python xtask/peers/dialogues.py DATA crates/data-pipeline/data/dialogues.jsonl.gz

`DATA` holds `topical-chat/{valid,test}_{freq,rare}.json` (github.com/alexa/Topical-Chat,
`conversations/`), `irc-disentanglement/{train,dev,test}`
(github.com/jkkummerfeld/irc-disentanglement, `data/`) and `meena-transcripts/human.txt`
(github.com/google-research/google-research, `meena/`).

Of Topical-Chat every second conversation of each file is taken, in the order of the file, from the
first on. Of IRC all messages that are linked, of several links up the first in the file. Of the
transcripts those of people with people. Since the training parts are not, or only in part, among
the files, most of the other parts is trained on too. It tests every fourth conversation of
Topical-Chat's test files, every third log of IRC's test part and every tenth transcript; it
validates every eighth conversation of Topical-Chat's validation files, every fourth log of IRC's
development part and every tenth transcript. Ids are numbers in the order of the file. White space
is changed to single spaces; nothing else is.
"""

import gzip
import json
import re
import sys
from pathlib import Path

source, out = map(Path, sys.argv[1:3])
TEST_EVERY, VALIDATION_EVERY = 4, 8
lines = []


def line(conversation, number, parent, author, text, part):
    message = {"conversation": conversation, "id": str(number)}
    if parent is not None:
        message["parent"] = str(parent)
    message |= {"author": author, "text": " ".join(text.split()), "part": part}
    lines.append(json.dumps(message, ensure_ascii=False, separators=(",", ":")))


def chain(conversation, turns, part):
    for number, (author, text) in enumerate(turns):
        line(conversation, number, number - 1 if number else None, author, text, part)


def part_of(number, test_file):
    if test_file:
        return "test" if number % TEST_EVERY == 0 else "train"
    return "validation" if number % VALIDATION_EVERY == 0 else "train"


for name in ["valid_freq", "valid_rare", "test_freq", "test_rare"]:
    path = source / "topical-chat" / f"{name}.json"
    conversations = list(json.loads(path.read_text(encoding="utf-8")).values())[::2]
    for number, conversation in enumerate(conversations):
        turns = [(turn["agent"][-1], turn["message"]) for turn in conversation["content"]]
        chain(f"topical-chat/{name}/{number}", turns, part_of(number, name.startswith("test")))

SAID = re.compile(r"^\[[^\]]*\] +(?:<([^>]*)>|\* (\S+)) ?(.*)$")
for folder, part in [("train", "train"), ("dev", "validation"), ("test", "test")]:
    logs = sorted((source / "irc-disentanglement" / folder).glob("*.annotation.txt"))
    for place, path in enumerate(logs):
        every = {"train": 1, "validation": 4, "test": 3}[part]
        its = part if place % every == 0 else "train"
        log = path.name.removesuffix(".annotation.txt")
        raw = path.with_name(f"{log}.raw.txt").read_text(encoding="utf-8").split("\n")
        parents, group = {}, {}

        def first(number):
            while group.setdefault(number, number) != number:
                number = group[number]
            return number

        for link in path.read_text(encoding="utf-8").split("\n"):
            if not link.strip():
                continue
            a, b = sorted(int(number) for number in link.split()[:2])
            low, high = sorted((first(a), first(b)))
            group[high] = low
            if a != b:
                parents.setdefault(b, a)
        for number in sorted(group):
            said = SAID.match(raw[number].rstrip("\r"))
            if said:
                author = said[1] if said[1] is not None else said[2]
                name = f"irc/{log}/{first(number)}"
                line(name, number, parents.get(number), author, said[3], its)

text = (source / "meena-transcripts" / "human.txt").read_text(encoding="utf-8")
turns, number = [], 0
for row in text.split("\n") + [""]:
    if row.startswith("Human Conversation") or not row.strip():
        if turns:
            part = ["test", "validation"][number % 10] if number % 10 < 2 else "train"
            chain(f"transcripts/{number}", turns, part)
            turns, number = [], number + 1
        continue
    author, _, said = row.partition(": ")
    turns.append((author, said))

data = ("\n".join(lines) + "\n").encode()
out.write_bytes(gzip.compress(data, 9, mtime=0))
parts = [json.loads(row)["part"] for row in lines]
counts = {part: parts.count(part) for part in ["train", "validation", "test"]}
print(f"{len(data)} bytes, {len(lines)} messages {counts}, {out.stat().st_size} bytes compressed")
