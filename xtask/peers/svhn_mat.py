"""Writes small SVHN-like .mat files as scipy saves them, with and without compression.

Run with scipy 1.17.1 and numpy 2.4.6:  python xtask/peers/svhn_mat.py
"""

import pathlib

import numpy as np
from scipy.io import savemat

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/data-pipeline/tests/golden"

h, w, c, n = np.meshgrid(np.arange(32), np.arange(32), np.arange(3), np.arange(4), indexing="ij")
images = ((7 * h + 3 * w + 11 * c + 29 * n) % 256).astype(np.uint8)
labels = np.array([[10], [1], [9], [10]])
savemat(OUT / "svhn_compressed.mat", {"X": images, "y": labels.astype(np.uint8)}, do_compression=True)
savemat(OUT / "svhn_plain.mat", {"note": "skip me", "y": labels.astype(np.float64), "X": images})
for name in ("svhn_compressed.mat", "svhn_plain.mat"):
    # The header holds the time of writing; 116 bytes of text mean nothing to a reader.
    path = OUT / name
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + path.read_bytes()[116:])
