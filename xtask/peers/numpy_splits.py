"""Writes golden values of numpy's legacy generator and of the published split rules that use it.

Run with numpy 2.4.6:  python xtask/peers/numpy_splits.py
The rules are re-stated here from their descriptions, with numpy's own shuffle, permutation and
choice.
"""

import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/data-pipeline/tests/golden/numpy_splits.json"


def fixmatch(labels, n, seed):
    """Labelled indices that follow the class frequencies, ascending."""
    classes = [np.where(labels == c)[0] for c in range(10)]
    share = np.array([len(c) for c in classes], np.float64)
    share /= share.max()
    if seed:
        rng = np.random.RandomState(seed)
        for c in classes:
            rng.shuffle(c)
    taken = np.zeros(10, np.int64)
    chosen = []
    for _ in range(n):
        c = np.argmax(share - taken / max(taken.max(), 1))
        chosen.append(classes[c][taken[c]])
        taken[c] += 1
    return sorted(chosen)


def kekmodel(labels, n, seed):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.choice(np.where(labels == c)[0], n // 10, False) for c in range(10)])


def usb(labels, n, seed):
    rng = np.random.RandomState(seed)
    labeled, rest = [], []
    for c in range(10):
        index = np.where(labels == c)[0]
        rng.shuffle(index)
        labeled.extend(index[: n // 10])
        rest.extend(index[n // 10 :])
    return labeled, labeled + rest


def ints(array):
    return [int(x) for x in array]


labels = np.random.RandomState(11).choice(10, 600, p=np.array([16, 14, 12, 11, 10, 9, 8, 8, 6, 6]) / 100)
golden = {"labels": ints(labels)}
golden["bits"] = {str(s): ints(np.random.RandomState(s).randint(0, 2**32, 8, np.uint32)) for s in (0, 5489, 2**32 - 1)}
many = np.random.RandomState(3).randint(0, 2**32, 2000, np.uint32)
golden["bits_3_from_1990"] = ints(many[1990:])
golden["permutation"] = {str(s): ints(np.random.RandomState(s).permutation(700)) for s in (0, 42)}
golden["permutation_0_73257_first"] = ints(np.random.RandomState(0).permutation(73257)[:20])
golden["fixmatch"] = {str(s): ints(fixmatch(labels, 50, s)) for s in range(6)}
golden["kekmodel"] = ints(kekmodel(labels, 40, 5))
golden["usb"] = [ints(x) for x in usb(labels, 40, 2)]
rng = np.random.RandomState(0)
train, extra = np.arange(400), np.arange(400, 600)
rng.shuffle(train)
rng.shuffle(extra)
golden["noisy_student"] = {"train": ints(train), "extra": ints(extra)}
OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
