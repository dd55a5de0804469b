"""The filters of `data-pipeline`'s dialogues in plain Python, from lines of JSON to pairs.

Started by `cargo xtask bench dialog --peers`:

    python xtask/peers/bench_dialog.py DIR WORDS

DIR has `messages.jsonl.gz` and `tokenizer.json`, WORDS is the list of offensive words. Each line of
the input is a question: `pipeline` is answered with the seconds that all messages take on one core,
`messages`, `kept` and `pairs` with numbers of the last time, `peak` with the most memory so far in
MiB. Written from docs/dialog-data.md; subwords come from the package `tokenizers`, in batches.
Needs the packages of requirements.txt.
"""

import collections
import gzip
import json
import pathlib
import re
import resource
import sys
import time

from tokenizers import Tokenizer

LEAST_WORDS = 4
DOMAINS = set("com org net edu gov info io uk de fr ru ly tv biz".split())
LABEL = re.compile(r"[0-9a-z-]+\Z")
MARKS = {('"', '"'), ("“", "”"), ("«", "»"), ("'", "'")}
TURNS = 7


def one_line(text):
    line = " ".join(text.split())
    return "".join(c for c in line if c.isprintable() or ord(c) >= 0xA0 and c != "\ufeff")


def words(text):
    text = text.lower().replace("'", "").replace("’", "")
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


def has_url(text):
    for word in text.split():
        if "://" in word:
            return True
        while word and not word[0].isalnum():
            word = word[1:]
        while word and not word[-1].isalnum():
            word = word[:-1]
        word = word.lower()
        if word.startswith("www."):
            return True
        host = re.split(r"[(\[:<=]", re.split(r"[/?#]", word, maxsplit=1)[0])[-1]
        labels = host.split(".")
        if len(labels) > 1 and labels[-1] in DOMAINS and all(map(LABEL.match, labels[:-1])):
            return True
    return False


def copy_of(text, parent, bare):
    """Where the parent's text stands as a whole, with its quotation marks."""
    start = text.find(parent)
    while start >= 0:
        end = start + len(parent)
        before, after = text[start - 1 : start], text[end : end + 1]
        if (before, after) in MARKS:
            return start - 1, end + 1
        if bare and not before.isalnum() and not after.isalnum():
            return start, end
        start = text.find(parent, start + 1)
    return None


def without_quotes(raw, text, parent):
    if not parent:
        return text
    left = text
    if "\n" in raw or raw.startswith((">", "&")):
        within = f" {words(parent)} "

        def is_quote(line):
            line = line.lstrip()
            for mark in (">", "&gt;"):
                if line.startswith(mark):
                    quoted = words(line[len(mark) :])
                    return not quoted or f" {quoted} " in within
            return False

        lines = raw.split("\n")
        if any(map(is_quote, lines)):
            left = one_line("\n".join(line for line in lines if not is_quote(line)))
    bare = len(parent.split(" ")) >= LEAST_WORDS
    while place := copy_of(left, parent, bare):
        left = one_line(f"{left[: place[0]]} {left[place[1] :]}")
    return left if left == text or any(c.isalnum() for c in left) else text


def trigrams(ids):
    return set(zip(ids, ids[1:], ids[2:]))


class Pipeline:
    def __init__(self, folder, offensive):
        self.file = folder / "messages.jsonl.gz"
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        lines = (words(line.split("#")[0]) for line in offensive.read_text(encoding="utf-8").splitlines())
        self.offensive = set(filter(None, lines))
        self.longest = max(len(phrase.split(" ")) for phrase in self.offensive)
        self.counts = collections.Counter()

    def is_unsafe(self, text):
        own = words(text).split(" ")
        phrases = (own[i : i + n] for n in range(1, self.longest + 1) for i in range(len(own) - n + 1))
        return any(" ".join(phrase) in self.offensive for phrase in phrases)

    def reason(self, message, text, ids, parent_ids, occurrences):
        if "bot" in message["author"].lower():
            return "bot"
        if has_url(text):
            return "url"
        if occurrences > 100:
            return "too-frequent"
        if len(ids) < 2:
            return "too-few-subwords"
        if len(ids) > 128:
            return "too-many-subwords"
        if sum(map(str.isalpha, text)) / len(text) < 0.7:
            return "not-alphabetic"
        if parent_ids is not None and len(ids) > 2:
            own = trigrams(ids)
            if len(own & trigrams(parent_ids)) / len(own) >= 0.8:
                return "repeats-parent"
        return "unsafe" if self.is_unsafe(text) else None

    def run(self):
        messages = {}
        with gzip.open(self.file, "rt", encoding="utf-8") as lines:
            for line in lines:
                message = json.loads(line)
                message["author"] = message.get("author") or ""
                key = message["conversation"], str(message["id"])
                before = messages.get(key)
                if before is None or len(before["text"].encode()) < len(message["text"].encode()):
                    messages[key] = message
        total = len(messages)
        for message in messages.values():
            message["line"] = one_line(message["text"])
        occurrences = collections.Counter(message["line"] for message in messages.values())
        parents = {}
        for key, message in messages.items():
            parent = message.get("parent")
            parents[key] = None if parent in (None, "") else (key[0], str(parent))
        for key, message in messages.items():
            above = messages.get(parents[key])
            quoted = message["line"] if above is None else without_quotes(message["text"], message["line"], above["line"])
            message["said"] = quoted
        keys = list(messages)
        ids_of = {}
        for name in ("line", "said"):
            texts = sorted({messages[key][name] for key in keys} - ids_of.keys())
            encoded = self.tokenizer.encode_batch(texts, add_special_tokens=False)
            ids_of.update((text, encoding.ids) for text, encoding in zip(texts, encoded))
        reasons = {}
        for key, message in messages.items():
            above = messages.get(parents[key])
            parent_ids = None if above is None else ids_of[above["line"]]
            ids = ids_of[message["said"]]
            reasons[key] = self.reason(message, message["said"], ids, parent_ids, occurrences[message["line"]])
        # Whether a message is in a tree and nothing above it was dropped.
        kept = {}
        for key in keys:
            path, at = [], key
            while at is not None and at in messages and at not in kept and at not in path[-1:]:
                path.append(at)
                if len(path) > total:
                    break
                at = parents[at]
            good = at is None or kept.get(at, False)
            for at in reversed(path):
                good = good and reasons[at] is None
                kept[at] = good
        pairs = []
        for key in keys:
            if not kept[key] or parents[key] is None:
                continue
            context, at = [], parents[key]
            while at is not None and len(context) < TURNS:
                context.append(messages[at]["said"])
                at = parents[at]
            pairs.append((key, context[::-1], messages[key]["said"]))
        known = set()
        for _, context, response in pairs:
            last, said = words(context[-1]), words(response)
            few = len(last.split()) + len(said.split()) < 8
            known.add(("\n".join(map(words, context)) if few else last, said))
        self.counts = {"messages": total, "kept": sum(kept.values()), "pairs": len(known)}


def main():
    pipeline = Pipeline(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    for line in sys.stdin:
        question = line.strip()
        if question == "pipeline":
            start = time.perf_counter()
            pipeline.run()
            print(time.perf_counter() - start, flush=True)
        elif question in ("messages", "kept", "pairs"):
            print(pipeline.counts[question], flush=True)
        elif question == "peak":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        else:
            sys.exit(f"no question {question}")


main()
