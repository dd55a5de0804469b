"""Golden cases for crate `metrics`: Matthews correlation and F1 by scikit-learn, correlations by
scipy, spans by seqeval, and answers by the rules of SQuAD's scripts, written down anew.

    python xtask/peers/golden_text_metrics.py crates/metrics/tests/golden

Each line of `text_metrics.jsonl` is a case of one kind. The rules for answers give the values that
the official scripts give on the cases of the issue tracker (test `o08`, `o09`).
"""

import json
import random
import re
import string
import sys
from collections import Counter
from pathlib import Path

from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from sklearn.metrics import f1_score as class_f1
from sklearn.metrics import matthews_corrcoef

rng = random.Random(11)
WORDS = ["the", "a", "an", "The", "cat", "Cat's", "dog", "dog.", "l'été", "x_y", "№5", "²", "1998", "in", "—the—", "á a", "A\u0301", "\u001c", "\u00a0the", "!", "İ"]


def classes():
    n, k = rng.randint(2, 30), rng.randint(2, 4)
    truth = [rng.randrange(k) for _ in range(n)]
    prediction = [t if rng.random() < 0.5 else rng.randrange(k) for t in truth]
    f1 = class_f1(truth, prediction, labels=list(range(k)), average=None, zero_division=0.0)
    matthews = matthews_corrcoef(truth, prediction)
    return {"kind": "classes", "truth": truth, "prediction": prediction, "matthews": float(matthews), "f1": f1.tolist()}


def scores():
    while True:
        n = rng.randint(3, 30)
        truth = [rng.randint(0, 25) / 5 for _ in range(n)]
        prediction = [round(t + rng.gauss(0, 2), rng.randint(0, 3)) for t in truth]
        if len(set(truth)) > 1 and len(set(prediction)) > 1:
            break
    pearson, spearman = pearsonr(truth, prediction)[0], spearmanr(truth, prediction)[0]
    return {"kind": "scores", "truth": truth, "prediction": prediction, "pearson": float(pearson), "spearman": float(spearman)}


def tags():
    names = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-LOC", "S-PER", "E-PER"]
    names = names[: rng.choice([6, 9])]
    sentences = [[rng.choice(names) for _ in range(rng.randint(1, 12))] for _ in range(rng.randint(1, 4))]
    other = [[t if rng.random() < 0.7 else rng.choice(names) for t in s] for s in sentences]
    measures = [precision_score, recall_score, f1_score]
    whole = [float(f(sentences, other, zero_division=0)) for f in measures]
    report = classification_report(sentences, other, output_dict=True, zero_division=0)
    kinds = [k for k in report if k not in ("micro avg", "macro avg", "weighted avg")]
    types = [{"name": k, "precision": float(report[k]["precision"]), "recall": float(report[k]["recall"]), "f1": float(report[k]["f1-score"])} for k in kinds]
    return {"kind": "tags", "truth": sentences, "prediction": other, "all": whole, "types": types}


def normal(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(prediction, gold, version):
    p, g = normal(prediction).split(), normal(gold).split()
    if version == 2 and not (p and g):
        return float(p == g)
    same = sum((Counter(p) & Counter(g)).values())
    if same == 0:
        return 0.0
    return 2 * (same / len(p)) * (same / len(g)) / (same / len(p) + same / len(g))


def best_of(prediction, golds, version):
    if version == 2:
        golds = [g for g in golds if normal(g)] or [""]
    exact = max(float(normal(prediction) == normal(g)) for g in golds)
    return [exact, max(f1(prediction, g, version) for g in golds)]


def phrase():
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 5)))


def answer():
    golds = [phrase() for _ in range(rng.randint(0, 3))]
    prediction = rng.choice(golds) if golds and rng.random() < 0.4 else phrase()
    v1 = best_of(prediction, golds, 1) if golds else [0.0, 0.0]
    return {"kind": "answer", "golds": golds, "prediction": prediction, "v1": v1, "v2": best_of(prediction, golds, 2)}


def thresholds():
    n = rng.randint(2, 12)
    golds = [[] if rng.random() < 0.4 else [phrase() or "x"] for _ in range(n)]
    predictions = [rng.choice(g) if g and rng.random() < 0.5 else rng.choice(["", phrase()]) for g in golds]
    no_answer = [rng.randint(-4, 4) / 2 for _ in range(n)]
    raw = [best_of(p, g, 2) for p, g in zip(predictions, golds)]
    out = []
    for which in (0, 1):
        kept = [float(not g) if na > 0 else s[which] for s, g, na in zip(raw, golds, no_answer)]
        out.append(100.0 * sum(kept) / n)
    for which in (0, 1):
        # The sum when everything up to a threshold is answered; the first best one counts.
        now = top = float(sum(not g for g in golds))
        at = 0.0
        for i in sorted(range(n), key=lambda i: no_answer[i]):
            now += raw[i][which] if golds[i] else (-1 if predictions[i] else 0)
            if now > top:
                top, at = now, no_answer[i]
        out += [100.0 * top / n, at]
    return {"kind": "thresholds", "golds": golds, "predictions": predictions, "no_answer": no_answer, "out": out}


if __name__ == "__main__":
    cases = [make() for make in (classes, scores, tags, answer, thresholds) for _ in range(60 if make is answer else 25)]
    text = "".join(json.dumps(case) + "\n" for case in cases)
    (Path(sys.argv[1]) / "text_metrics.jsonl").write_text(text)
