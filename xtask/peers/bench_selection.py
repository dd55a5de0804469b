"""Selection of pseudo-labels in two plain passes, for `cargo xtask bench selection --peers`.

    python xtask/peers/bench_selection.py make FOLDER ROWS
    python xtask/peers/bench_selection.py FOLDER PER_CLASS OUT

The first form writes synthetic predictions: Parquet files of a name, one of 1,000 classes that are
not equally frequent, and a confidence. The second one counts how many rows of each class lie in
each hundredth of confidence, and then takes those from a class's threshold on, most confident
first; classes that are short are filled with copies. It prints how many rows it took and how many
times in all.
"""

import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES = 8
CLASSES = 1000
LEAST = 0.3


def make(folder, rows):
    rng = np.random.default_rng(1)
    for file in range(FILES):
        first, last = rows * file // FILES, rows * (file + 1) // FILES
        count = last - first
        # From a fifth to three times the mean.
        classes = (CLASSES * rng.beta(0.9, 1.4, count)).astype(np.int64).clip(0, CLASSES - 1)
        numbers = rng.integers(0, 1 << 32, count)
        names = [f"{n:08x}/{first + i:09}.jpg" for i, n in enumerate(numbers)]
        table = pa.table(
            {
                "image": names,
                "label": [f"n{n:04}" for n in classes],
                "confidence": rng.beta(2.0, 1.5, count).astype(np.float32),
            }
        )
        pq.write_table(table, folder / f"part-{file + 1:05}-of-{FILES:05}.parquet")


def rows(folder):
    for path in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["image", "label", "confidence"]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def select(folder, per_class, out):
    counts = defaultdict(lambda: [0] * 101)
    for _, label, confidence in rows(folder):
        if confidence >= LEAST:
            counts[label][int(confidence * 100)] += 1
    least = {}
    for label, buckets in counts.items():
        bucket, there = 100, buckets[100]
        while bucket > 0 and there < per_class:
            bucket -= 1
            there += buckets[bucket]
        least[label] = bucket
    taken = defaultdict(list)
    for name, label, confidence in rows(folder):
        if confidence >= LEAST and int(confidence * 100) >= least[label]:
            taken[label].append((-confidence, name))
    columns = {"id": [], "label": [], "confidence": [], "copies": []}
    for label in sorted(taken):
        best = sorted(taken[label])[:per_class]
        copies = [1] * len(best)
        for _ in range(per_class - len(best)):
            copies[random.randrange(len(best))] += 1
        columns["id"].extend(name for _, name in best)
        columns["label"].extend(label for _ in best)
        columns["confidence"].extend(-confidence for confidence, _ in best)
        columns["copies"].extend(copies)
    pq.write_table(pa.table(columns), out)
    print(len(columns["id"]), sum(columns["copies"]))


def main():
    match sys.argv[1:]:
        case ["make", folder, count]:
            make(Path(folder), int(count))
        case [folder, per_class, out]:
            select(Path(folder), int(per_class), out)


main()
