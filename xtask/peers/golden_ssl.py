"""Golden values of `ssl-core`: losses of Supervised and Noisy Student with their gradients, in
float64 numpy.

Run with numpy 2.4.6 and safetensors 0.8.0:  python xtask/peers/golden_ssl.py
Every loss is written as a sum over single samples, straight from the papers. Gradients come from
central differences of that loss, so that no derivative is written down twice.
"""

import json
import math
import pathlib

import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/ssl-core/tests/golden"
LABELED, UNLABELED, CLASSES = 3, 5, 4
STEP = 1e-4


def distribution(logits):
    powers = [math.exp(z) for z in logits]
    return [power / sum(powers) for power in powers]


def cross_entropy(target, logits):
    """Of one sample, in nats."""
    return -sum(p * math.log(q) for p, q in zip(target, distribution(logits), strict=True))


def smoothed(label, epsilon):
    """Mixes the one class with the uniform distribution."""
    return [(1 - epsilon) * (k == label) + epsilon / CLASSES for k in range(CLASSES)]


def target(config, probabilities):
    """What a student is to say of one unlabelled sample."""
    if config.get("targets") == "hard":
        return smoothed(int(np.argmax(probabilities)), config["label_smoothing"])
    powers = [p ** (1 / config["temperature"]) for p in probabilities]
    return [power / sum(powers) for power in powers]


def supervised(config, x, labels):
    parts = [cross_entropy(smoothed(y, config["label_smoothing"]), z) for z, y in zip(x, labels, strict=True)]
    return sum(parts) / len(parts)


def noisy_student(config, x, u, labels, probabilities):
    """The sum of all samples' losses, by which it is divided, and the two means."""
    sup = [cross_entropy(smoothed(y, config["label_smoothing"]), z) for z, y in zip(x, labels, strict=True)]
    unsup = [cross_entropy(target(config, p), z) for z, p in zip(u, probabilities, strict=True)]
    over = {"labeled": len(sup), "all": len(sup) + len(unsup)}[config["average"]]
    return (sum(sup) + sum(unsup)) / over, sum(sup) / len(sup), sum(unsup) / len(unsup)


def gradient(loss, at):
    """Central differences of the fourth order."""
    slopes = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        def moved(by):
            other = at.copy()
            other[place] += by * STEP
            return loss(other)
        slopes[place] = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * STEP)
    return slopes


def main():
    rng = np.random.default_rng(11)
    x = (rng.standard_normal((LABELED, CLASSES)) * 2).astype(np.float32)
    u = (rng.standard_normal((UNLABELED, CLASSES)) * 2).astype(np.float32)
    labels = np.array([2, 0, 3])
    teacher = (rng.standard_normal((UNLABELED, CLASSES)) * 2).astype(np.float32)
    teacher[1] = 0.5  # Nowhere confident.
    teacher[2] = [14, -3, -2, 0]  # All but certain.
    probabilities = np.array([distribution(z) for z in teacher.astype(np.float64)])
    stored = probabilities.astype(np.float32)
    stored[3] = [0, 1, 0, 0]  # A stored target may be hard already.

    plain = {"label_smoothing": 0.1, "temperature": 1.0, "targets": "soft", "average": "labeled", "labeling": "offline"}
    cases = {
        "default": plain,
        "average-all": plain | {"average": "all"},
        "no-smoothing": plain | {"label_smoothing": 0.0},
        "sharp": plain | {"temperature": 0.4},
        "flat": plain | {"temperature": 3.0, "average": "all"},
        "hard": plain | {"targets": "hard", "label_smoothing": 0.2},
        "hard-unsmoothed": plain | {"targets": "hard", "label_smoothing": 0.0, "average": "all"},
        "in-loop": plain | {"labeling": "in-loop"},
        "in-loop-sharp": plain | {"labeling": "in-loop", "temperature": 0.5, "label_smoothing": 0.3},
        "in-loop-hard": plain | {"labeling": "in-loop", "targets": "hard", "average": "all"},
    }
    tensors = {"x": x, "u": u, "labels": labels, "teacher": teacher, "stored": stored}
    x, u = x.astype(np.float64), u.astype(np.float64)
    for name, config in cases.items():
        known = probabilities if config["labeling"] == "in-loop" else stored.astype(np.float64)
        tensors[f"{name}/losses"] = np.array(noisy_student(config, x, u, labels, known))
        tensors[f"{name}/x.grad"] = gradient(lambda x: noisy_student(config, x, u, labels, known)[0], x)
        tensors[f"{name}/u.grad"] = gradient(lambda u: noisy_student(config, x, u, labels, known)[0], u)
    for epsilon in (0.0, 0.1, 0.5):
        config = {"label_smoothing": epsilon}
        tensors[f"supervised-{epsilon}/losses"] = np.array([supervised(config, x, labels)])
        tensors[f"supervised-{epsilon}/x.grad"] = gradient(lambda x: supervised(config, x, labels), x)
    OUT.mkdir(parents=True, exist_ok=True)
    save_file(tensors, OUT / "losses.safetensors", metadata={"cases": json.dumps(cases, sort_keys=True)})


main()
