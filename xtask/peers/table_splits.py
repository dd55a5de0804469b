"""Draws labelled texts from a table, the same number of every class.

    python xtask/peers/table_splits.py TABLE COLUMN COUNT SEED OUT

TABLE has tabs between columns, a head and no quotes; COLUMN is the name of the labels' column.
Writes COUNT rows, classes as evenly as COUNT allows, in an order that SEED decides, to OUT.
"""

import sys
from pathlib import Path

import numpy as np

table, column, count, seed, out = sys.argv[1:]
head, *rows = Path(table).read_bytes().decode("utf-8").rstrip("\n").split("\n")
labels = np.array([row.split("\t")[head.split("\t").index(column)] for row in rows])
classes = sorted(set(labels))
rng = np.random.RandomState(int(seed))
each = int(count) // len(classes)
drawn = [rng.permutation(np.where(labels == name)[0])[:each] for name in classes]
order = rng.permutation(np.concatenate(drawn))
Path(out).write_bytes(("\n".join([head, *(rows[i] for i in order)]) + "\n").encode("utf-8"))
