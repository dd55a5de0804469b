"""Golden digests of `tutor`: what a picture becomes before a published net sees it.

    python xtask/peers/golden_eval.py    # timm 1.0.9, torchvision 0.26.0, pillow 12.0.0

Writes `eval_transform.txt`: lines `WIDTH HEIGHT SIZE CROP INTERPOLATION DIGEST` with the first 32
hexadecimal digits of the SHA-256 of the pixels (rows, then RGB) that timm's transform for
evaluation makes of the picture of `picture`.
"""

import hashlib
import pathlib

import numpy as np
from PIL import Image
from timm.data.transforms_factory import transforms_imagenet_eval

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/tutor/tests/golden"
SIZES = [(320, 241), (97, 150), (64, 64), (33, 300), (301, 32), (255, 256)]
SQUARES = [(224, 0.875, "bicubic"), (64, 0.9, "bilinear"), (65, 0.882, "bicubic"), (96, 1.0, "lanczos"), (32, 0.875, "nearest")]


def picture(width, height):
    """Pixels without a pattern that resizing would hide."""
    i = np.arange(width * height * 3, dtype=np.uint64)
    return Image.fromarray(((i * i + 7 * i) % 251).astype(np.uint8).reshape(height, width, 3))


def main():
    OUT.mkdir(exist_ok=True)
    lines = []
    for width, height in SIZES:
        for size, crop, interpolation in SQUARES:
            transform = transforms_imagenet_eval(size, crop_pct=crop, interpolation=interpolation, use_prefetcher=True)
            pixels = transform(picture(width, height))
            assert pixels.shape == (3, size, size) and pixels.dtype == np.uint8
            digest = hashlib.sha256(np.ascontiguousarray(pixels.transpose(1, 2, 0)).tobytes()).hexdigest()[:32]
            lines.append(f"{width} {height} {size} {crop} {interpolation} {digest}\n")
    (OUT / "eval_transform.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
