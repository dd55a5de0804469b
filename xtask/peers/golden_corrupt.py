"""Golden cases for the deterministic corruptions of crate `augment`: numpy and scipy formulas of
ImageNet-C, Pillow for pixelate.

A line is `CORRUPTION SCALE SEVERITY WIDTHxHEIGHTxCHANNELS SEED HEX`: the input is `picture` of
golden_augment.py, HEX the output's bytes.

    python xtask/peers/golden_corrupt.py crates/augment/tests/golden

Needs Pillow 12.0.0, numpy and scipy.
"""

import colorsys
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from golden_augment import picture, to_pil

SCALES = {"imagenet-224": (31, 24, 1), "cifar-32": (20, 17, 3), "digits-8": (8, 8, 1)}
BLUR = {"imagenet-224": [1, 2, 3, 4, 6], "cifar-32": [0.4, 0.6, 0.7, 0.8, 1], "digits-8": [0.3, 0.45, 0.6, 0.8, 1.0]}
BRIGHT = {"imagenet-224": [0.1, 0.2, 0.3, 0.4, 0.5], "cifar-32": [0.05, 0.1, 0.15, 0.2, 0.3], "digits-8": [0.1, 0.2, 0.3, 0.4, 0.5]}
FLAT = {"imagenet-224": [0.4, 0.3, 0.2, 0.1, 0.05], "cifar-32": [0.75, 0.5, 0.4, 0.3, 0.15], "digits-8": [0.6, 0.45, 0.3, 0.2, 0.12]}
BLOCKS = {"imagenet-224": [0.6, 0.5, 0.4, 0.3, 0.25], "cifar-32": [0.95, 0.9, 0.85, 0.75, 0.65], "digits-8": [7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8]}
DISK = {
    "imagenet-224": [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
    "cifar-32": [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
    "digits-8": [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.5, 0.8), (1, 0.2)],
}


def finish(x):
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def defocus_blur(image, constant):
    radius, softness = constant
    reach, soft = (8, 1) if radius <= 8 else (radius, 2)
    axis = np.arange(-reach, reach + 1)
    disk = (axis[None] ** 2 + axis[:, None] ** 2 <= radius**2).astype(float)
    line = np.exp(-0.5 * (np.arange(-soft, soft + 1) / softness) ** 2)
    line /= line.sum()
    kernel = ndimage.correlate(disk / disk.sum(), np.outer(line, line), mode="mirror")
    return finish(np.stack([ndimage.correlate(c, kernel, mode="mirror") for c in np.moveaxis(image / 255, 2, 0)], 2))


def gaussian_blur(image, sigma):
    return finish(ndimage.gaussian_filter(image / 255, (sigma, sigma, 0), mode="nearest", truncate=4))


def brightness(image, amount):
    def pixel(values):
        if len(values) == 1:
            return [values[0] + amount]
        h, s, v = colorsys.rgb_to_hsv(*values)
        return colorsys.hsv_to_rgb(h, s, min(max(v + amount, 0), 1))

    return finish(np.array([[pixel(p) for p in row] for row in image / 255]))


def contrast(image, factor):
    means = (image / 255).mean((0, 1), keepdims=True)
    return finish((image / 255 - means) * factor + means)


def pixelate(image, factor):
    height, width, channels = image.shape
    small = to_pil(image).resize((int(width * factor), int(height * factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BOX)).reshape(height, width, channels)


CASES = [(defocus_blur, DISK), (gaussian_blur, BLUR), (brightness, BRIGHT), (contrast, FLAT), (pixelate, BLOCKS)]

if __name__ == "__main__":
    lines = []
    for corruption, constants in CASES:
        for scale, (w, h, channels) in SCALES.items():
            for severity, constant in enumerate(constants[scale], 1):
                seed = 40 + severity
                out = corruption(picture(w, h, channels, seed), constant)
                lines.append(f"{corruption.__name__} {scale} {severity} {w}x{h}x{channels} {seed} {out.tobytes().hex()}\n")
    (Path(sys.argv[1]) / "corrupt.txt").write_text("".join(lines))
