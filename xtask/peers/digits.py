"""Writes the embedded digits of `data-pipeline`: the 1,797 images that scikit-learn ships, as two
gzipped idx files.

Run with scikit-learn 1.9.1 and numpy 2.4.6:  python xtask/peers/digits.py
Pixels keep their original values 0..16. The gzip headers hold no time and no name, so the output
never changes.
"""

import gzip
import pathlib
import struct

import numpy as np
from sklearn.datasets import load_digits

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/data-pipeline/data"


def write(name, array):
    """One unsigned-byte idx file: magic number, big-endian sides, data."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    (OUT / name).write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes(), 9, mtime=0))


digits = load_digits()
assert digits.images.shape == (1797, 8, 8) and digits.images.min() == 0 and digits.images.max() == 16
assert (digits.images == np.round(digits.images)).all()
write("digits-images-idx3-ubyte.gz", digits.images)
write("digits-labels-idx1-ubyte.gz", digits.target)
