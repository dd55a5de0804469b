"""Golden cases for BLEU and chrF of crate `metrics`, by sacrebleu.

    python xtask/peers/golden_bleu.py crates/metrics/tests/golden

Each line of `bleu.jsonl` is a set of translations with its streams of references, and what
sacrebleu says of it: of the whole set by several settings, and of each sentence.
"""

import json
import random
import sys
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF

rng = random.Random(5)
WORDS = (
    "the The a dog dogs bit bitten man's man was it's It 3.5 1,000 2-3 12- ... . , ; ! ? - -- "
    "(very) [sic] \"so\" &amp; &lt;b&gt; &quot;x&quot; & <skipped> l'été café naïve 犬 。 ½ x_y a/b "
    "e-mail U.S. Mr. 5. .5 ,5 a.b a,b \u00a0 \u001c na\u0308ive %5 $3 10:30 😀 end-\n of\nline"
).split(" ")


def text(most):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, most))) + rng.choice(["", ".", " ", "!"])


def changed(line):
    words = line.split(" ")
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(words))
        words[at : at + 1] = rng.choice([[], [rng.choice(WORDS)], [words[at], rng.choice(WORDS)]])
        words = words or [""]
    return " ".join(words)


def case(lines, streams):
    settings = {
        "exp": BLEU(),
        "floor": BLEU(smooth_method="floor"),
        "add-k": BLEU(smooth_method="add-k"),
        "none": BLEU(smooth_method="none"),
        "lower": BLEU(lowercase=True),
        "spaces": BLEU(tokenize="none", force=True),
        "effective": BLEU(effective_order=True),
    }
    corpus = {}
    for name, bleu in settings.items():
        s = bleu.corpus_score(lines, streams)
        corpus[name] = {
            "score": s.score, "precisions": s.precisions, "bp": s.bp, "counts": s.counts,
            "totals": s.totals, "lengths": [s.sys_len, s.ref_len],
            "signature": bleu.get_signature().format().rsplit("|version", 1)[0],
        }
    single, chrf = BLEU(effective_order=True), CHRF()
    refs = [[stream[i] for stream in streams] for i in range(len(lines))]
    return {
        "lines": lines,
        "streams": streams,
        "corpus": corpus,
        "sentences": [single.sentence_score(line, r).score for line, r in zip(lines, refs)],
        "chrf": chrf.corpus_score(lines, streams).score,
        "chrf_signature": chrf.get_signature().format().rsplit("|version", 1)[0] if lines else "",
        "chrf_sentences": [chrf.sentence_score(line, r).score for line, r in zip(lines, refs)],
    }


def cases():
    lines = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    first = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
    second = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]
    yield case(lines, [first, second])
    yield case(["", "", ""], [first])
    yield case(["a b c"] * 3, [["a b c"] * 3])
    yield case(["x y"], [["a b c"]])
    for _ in range(40):
        references = [text(14) for _ in range(rng.randint(1, 6))]
        streams = [references] + [[changed(r) for r in references] for _ in range(rng.randint(0, 2))]
        yield case([changed(r) for r in references], streams)


out = Path(sys.argv[1])
with (out / "bleu.jsonl").open("w", encoding="utf-8") as file:
    for one in cases():
        file.write(json.dumps(one, ensure_ascii=False) + "\n")
