"""Folders for docs/results/own-images.md: labelled, unlabelled and test pictures of the sign digits
or of CIFAR-10.

    python xtask/peers/folder_splits.py sign-digits DATA OUT LABELS_PER_CLASS SEED [RATIO]
    python xtask/peers/folder_splits.py cifar-10 DATA OUT LABELS_PER_CLASS SEED

DATA is a folder with a sub-folder for each class, or the one that holds CIFAR-10's binary files. Of
the sign digits 50 pictures a class are the test part and the others are unlabelled, by links; with
RATIO the classes have fewer and fewer labelled and unlabelled ones, so many times fewer in the last
class as in the first, and as many test pictures as ever; of
CIFAR-10 4,000 of the first training file are unlabelled, and 1,000 of the test file are the test
part.
"""

import os
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

kind, data, out, labels, seed = sys.argv[1:6]
data, out, labels, seed = Path(data), Path(out), int(labels), int(seed)
ratio = float(sys.argv[6]) if len(sys.argv) > 6 else 1.0


def sign_digits():
    rng = random.Random(seed * 1000 + labels)
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    for number, folder in enumerate(folders):
        files = sorted(folder.iterdir())
        rng.shuffle(files)
        share = ratio ** (-number / (len(folders) - 1))
        test = labels + 50
        unlabeled = files[test:]
        parts = {
            "labeled": files[: max(1, round(labels * share))],
            "test": files[labels:test],
            "unlabeled": unlabeled[: round(len(unlabeled) * share)],
        }
        for part, chosen in parts.items():
            below = out / part if part == "unlabeled" else out / part / folder.name
            below.mkdir(parents=True, exist_ok=True)
            for file in chosen:
                os.symlink(file.resolve(), below / f"{folder.name}_{file.name}")


def records(path):
    rows = np.fromfile(path, dtype=np.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0]


def cifar_10():
    names = (data / "batches.meta.txt").read_text().split()
    rng = np.random.RandomState(seed)

    def save(pixels, below, index):
        below.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(below / f"{index}.png")

    images, classes = records(data / "data_batch_1.bin")
    counts, unlabeled = [0] * len(names), 0
    for i in rng.permutation(len(images)):
        if counts[classes[i]] < labels:
            counts[classes[i]] += 1
            save(images[i], out / "labeled" / names[classes[i]], i)
        elif unlabeled < 4000:
            unlabeled += 1
            save(images[i], out / "unlabeled", i)
    images, classes = records(data / "test_batch.bin")
    for i in rng.permutation(len(images))[:1000]:
        save(images[i], out / "test" / names[classes[i]], i)


{"sign-digits": sign_digits, "cifar-10": cifar_10}[kind]()
