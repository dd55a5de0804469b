"""Small CIFAR pickles for the tests of crate `data-pipeline`, as Python 2 wrote the published ones.

    python xtask/peers/cifar_pickles.py crates/data-pipeline/tests/golden

Needs numpy 2.4.6 and the program zstd. Writes `cifar-10-batches-py/test_batch`,
`cifar-100-python/test` and `.../meta`, each compressed by zstd: the dictionaries of the published
files with their 10,000 rows, whose pixels repeat every ten images so that they compress well. In
image i red is i % 10 + x, green 100 + y, blue i % 10.
"""

import io
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

COUNT = 10_000


class Python2(pickle._Pickler):
    """Protocol 2 with the strings of Python 2, which are bytes."""

    dispatch = dict(pickle._Pickler.dispatch)

    def string(self, value):
        text = value if isinstance(value, bytes) else value.encode("ascii")
        head = b"U" + bytes([len(text)]) if len(text) < 256 else b"T" + struct.pack("<i", len(text))
        self.write(head + text)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = string


def dumps(value):
    out = io.BytesIO()
    Python2(out, protocol=2).dump(value)
    # The module's name at that time; the line has no length before it.
    return out.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def images():
    column, row = np.meshgrid(np.arange(32), np.arange(32))
    ten = [np.stack([i + column, 100 + row, np.full_like(row, i)]).reshape(3072) for i in range(10)]
    return np.tile(np.array(ten, np.uint8), (COUNT // 10, 1))


def main():
    folder = Path(sys.argv[1])
    filenames = [f"kind_s_{i % 10:06}.png" for i in range(COUNT)]
    batch = {"batch_label": "testing batch 1 of 1", "data": images(), "filenames": filenames}
    files = {
        "cifar-10-batches-py/test_batch": batch | {"labels": [i % 10 for i in range(COUNT)]},
        "cifar-100-python/test": batch | {
            "fine_labels": [i % 100 for i in range(COUNT)],
            "coarse_labels": [i % 20 for i in range(COUNT)],
        },
        "cifar-100-python/meta": {
            "fine_label_names": [f"fine {i}" for i in range(100)],
            "coarse_label_names": [f"coarse {i}" for i in range(20)],
        },
    }
    for name, value in files.items():
        path = folder / f"{name}.zst"
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(["zstd", "-19", "--stdout"], input=dumps(value), capture_output=True, check=True)
        path.write_bytes(packed.stdout)


if __name__ == "__main__":
    main()
