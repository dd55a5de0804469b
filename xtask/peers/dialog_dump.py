"""A made-up dump of conversations, for measuring what `tutor data dialog` takes.

    python xtask/peers/dialog_dump.py GIGABYTES > dump.jsonl
    python xtask/peers/dialog_dump.py GIGABYTES | zstd --long=27 > dump.jsonl.zst

Lines of JSON: trees of up to 60 messages, every reply before the message that it answers, the lines
of 200 conversations mixed. Words are drawn by Zipf's law from 20,000; one message in 30 is one of
200 phrases, each of which occurs far more often than 100 times, one in 60 has the address of a
page, one author in 100 is a bot, and one message in 200 has a parent that is not there.
"""

import itertools
import json
import random
import sys

rng = random.Random(1)
LETTERS = "etaoinshrdlucmfwypvbgk"
WORDS = ["".join(rng.choice(LETTERS) for _ in range(rng.randint(2, 9))) for _ in range(20_000)]
WEIGHTS = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(WORDS))))
# Many words at once are drawn far faster.
POOL = rng.choices(WORDS, cum_weights=WEIGHTS, k=2_000_000)
PHRASES = [" ".join(rng.choices(WORDS[:500], k=rng.randint(3, 6))) for _ in range(200)]


def text():
    if rng.random() < 1 / 30:
        return rng.choice(PHRASES)
    start = rng.randrange(len(POOL) - 40)
    words = " ".join(POOL[start : start + rng.randint(4, 30)])
    return f"{words} http://x.org/{start}" if rng.random() < 1 / 60 else words


def conversation(number):
    """Its lines, the last message first."""
    lines = []
    for i in reversed(range(rng.randint(2, 60))):
        parent = None if i == 0 else f"{number}.{rng.randint(max(0, i - 3), i - 1)}"
        if parent and rng.random() < 1 / 200:
            parent += ".gone"
        author = rng.randrange(100_000)
        lines.append({
            "id": f"{number}.{i}", "parent": parent, "conversation": str(number),
            "author": f"HelperBot{author}" if author % 100 == 0 else f"user{author}", "text": text(),
        })
    return lines


def main():
    left = float(sys.argv[1]) * 1e9
    first = 0
    while left > 0:
        open_ones = [conversation(number) for number in range(first, first + 200)]
        first += 200
        out = []
        while open_ones:
            at = rng.randrange(len(open_ones))
            out.append(json.dumps(open_ones[at].pop(0), separators=(",", ":")))
            if not open_ones[at]:
                open_ones[at] = open_ones[-1]
                open_ones.pop()
        chunk = "\n".join(out) + "\n"
        left -= len(chunk)
        sys.stdout.write(chunk)


main()
