"""Golden Parquet files of images for data-pipeline, as Hugging Face's `datasets` writes and reads
them. From the root:

    python xtask/peers/hf_images.py crates/data-pipeline/tests/golden    # datasets, pillow, pyarrow
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Image, load_dataset
from PIL import Image as Picture

out = Path(sys.argv[1])


def picture(i: int) -> Picture.Image:
    return Picture.fromarray((10 * i + np.arange(36, dtype=np.uint8)).reshape(3, 4, 3))


def png(i: int) -> bytes:
    to = io.BytesIO()
    picture(i).save(to, "PNG")
    return to.getvalue()


# A struct of bytes and path, class labels with names in the file's notes, row groups of three, and
# a sample without a label.
classes = ClassLabel(names=["fox", "cat", "dog"])
features = Features({"image": Image(), "id": ClassLabel(names=["x"]), "label": classes})
labels = [2, 0, 1, 1, None, 0, 2, -1]
rows = {"image": [picture(i) for i in range(8)], "id": [0] * 8, "label": labels}
Dataset.from_dict(rows, features=features).to_parquet(out / "hf_images.parquet", batch_size=3)

# Binary, text as labels, without notes; pages so small that each row group has several.
numbers = range(20)
table = pa.table({
    "file": [f"{i}.png" for i in numbers],
    "label": ["b" if i % 3 else "a" for i in numbers],
    "image": pa.array([png(i) for i in numbers], pa.binary()),
})
pq.write_table(table, out / "binary_images.parquet", compression="zstd", row_group_size=12,
               data_page_size=150, write_batch_size=1, use_dictionary=["label"])

# What `datasets` reads out of them.
found = {}
for name in ["hf_images", "binary_images"]:
    set_ = load_dataset("parquet", data_files=str(out / f"{name}.parquet"), split="train")
    set_ = set_.cast_column("image", Image())
    pixels = [np.asarray(row["image"]).ravel().tolist() for row in set_]
    found[name] = [{"pixels": p, "label": label} for p, label in zip(pixels, set_["label"])]
(out / "hf_images.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
