"""Golden values of UDA's loss on texts (arXiv 1904.12848; released code, `uda/text/uda.py`), in
float64 numpy.

Run with numpy 2.4.6:  python xtask/peers/golden_uda_text.py
Writes crates/ssl-core/tests/golden/uda-text.json: logits of labelled texts, of unlabelled ones and
of their augmented versions, with the loss and what it is made of. Every sum is written over single
texts, and the derivatives by hand: no gradient through the target, none through what annealing
leaves out. The first case is that of a port which sharpened the prediction in place of the target.
"""

import json
import math
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/ssl-core/tests/golden/uda-text.json"


def softmax(logits, temperature=1.0):
    powers = [math.exp((z - max(logits)) / temperature) for z in logits]
    return [power / sum(powers) for power in powers]


def eta(tsa, u, classes):
    alpha = {"none": 1.0, "linear": u, "exp": math.exp(5 * (u - 1)), "log": 1 - math.exp(-5 * u)}[tsa]
    return alpha * (1 - 1 / classes) + 1 / classes


def loss(case):
    """The terms, what is noted, and the derivative by the network's bias, which all logits have."""
    classes = len(case["labeled"][0])
    threshold = eta(case["tsa"], case["step"] / case["steps"], classes)
    slope = np.zeros(classes)
    total, kept, slopes = 0.0, 0, np.zeros(classes)
    for logits, label in zip(case["labeled"], case["labels"], strict=True):
        p = softmax(logits)
        if case["tsa"] != "none" and p[label] > threshold:
            continue
        kept += 1
        total -= math.log(p[label])
        slopes += np.array(p) - np.eye(classes)[label]
    sup = total / max(kept, 1)
    slope += slopes / max(kept, 1)
    unsup, masked, confidence, slopes = 0.0, 0, 0.0, np.zeros(classes)
    for original, augmented in zip(case["original"], case["augmented"], strict=True):
        plain, q = softmax(original), softmax(augmented)
        target = softmax(original, case["temperature"])
        confidence += max(plain)
        if not max(plain) > case["threshold"]:
            continue
        masked += 1
        unsup += sum(t * (math.log(t) - math.log(p)) for t, p in zip(target, q, strict=True) if t > 0)
        slopes += np.array(q) - np.array(target)
    count = len(case["original"])
    unsup /= count
    slope += case["weight"] * slopes / count
    return {
        "sup": sup,
        "unsup": unsup,
        "total": sup + case["weight"] * unsup,
        "mask": masked / count,
        "confidence": confidence / count,
        "released": kept / len(case["labels"]),
        "released_below": threshold,
        "bias": slope.tolist(),
    }


def cases():
    yield {
        "labeled": [[0.0, 0.0]], "labels": [0], "original": [[2.0, 0.0]], "augmented": [[1.0, 0.0]],
        "temperature": 0.4, "threshold": 0.0, "weight": 1.0, "tsa": "none", "step": 0, "steps": 10,
    }
    rng = np.random.default_rng(14)
    for classes in (2, 5):
        for tsa in ("none", "linear", "exp", "log"):
            for threshold, temperature in ((0.0, 1.0), (0.0, 0.85), (0.8, 0.4)):
                draw = lambda rows: (np.round(32 * rng.normal(0, 2, (rows, classes))) / 32).tolist()
                yield {
                    "labeled": draw(4), "labels": rng.integers(0, classes, 4).tolist(),
                    "original": draw(12), "augmented": draw(12), "temperature": temperature,
                    "threshold": threshold, "weight": 1.0, "tsa": tsa, "step": 50, "steps": 100,
                }
    # No label is kept: the term is 0 and not 0 / 0.
    yield {
        "labeled": [[9.0, 0.0], [0.0, 9.0]], "labels": [0, 1], "original": [[1.0, 0.0]],
        "augmented": [[0.0, 1.0]], "temperature": 0.4, "threshold": 0.9, "weight": 1.0,
        "tsa": "linear", "step": 0, "steps": 100,
    }


def main():
    found = []
    for case in cases():
        result = loss(case)
        assert all(math.isfinite(value) for value in [*result["bias"], result["total"]])
        found.append({**case, "found": result})
    assert abs(found[0]["found"]["unsup"] - 0.2797749353) < 1e-9, "the temperature sharpens the target alone"
    assert abs(eta("exp", 0.5, 2) - 0.5410) < 5e-5 and abs(eta("log", 0.5, 5) - 0.9343) < 5e-5
    OUT.write_text("[\n" + ",\n".join(json.dumps(case) for case in found) + "\n]\n")


if __name__ == "__main__":
    main()
