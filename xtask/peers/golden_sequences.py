"""Golden cases for the sequences of ImageNet-P of crate `augment`: those that are not random, by
Pillow, numpy and OpenCV.

A line is `PERTURBATION FRAME WIDTHxHEIGHTxCHANNELS SEED = HASH` where every byte must match, or
`... ~ HEX` with every 37th byte where one grey level is allowed (a mean or a perspective in
floating point). The source is `picture` of golden_augment.py; its shorter side stands for the 256
pixels of ImageNet-P, of which 7/8 are kept.

    python xtask/peers/golden_sequences.py crates/augment/tests/golden

Needs Pillow 12.0.0, numpy, scipy and opencv-python-headless 5.0.0. Angles and centres are those of
`affine` in torchvision 0.2.
"""

import math
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from golden_augment import fnv, picture, to_pil
from golden_fields import finish, hsv_to_rgb, rgb_to_hsv, smeared

SOURCES = [(64, 64, 3), (80, 64, 3), (64, 73, 1)]


def cut(array):
    """The square in the middle."""
    height, width = array.shape[:2]
    side = min(width, height) * 7 // 8
    top, left = round((height - side) / 2), round((width - side) / 2)
    return array[top : top + side, left : left + side]


def affine(array, degrees=0.0, shift=0, scale=1.0, resample=Image.Resampling.BILINEAR):
    height, width, channels = array.shape
    angle = math.radians(degrees)
    a, b = math.cos(angle) / scale, math.sin(angle) / scale
    cx, cy = width * 0.5 + 0.5, height * 0.5 + 0.5
    matrix = [a, b, a * (-cx - shift) + b * -cy + cx, -b, a, -b * (-cx - shift) + a * -cy + cy]
    return np.asarray(to_pil(array).transform((width, height), Image.Transform.AFFINE, matrix, resample)).reshape(array.shape)


def translate(array, i):
    return cut(affine(array, shift=i - 20, resample=Image.Resampling.NEAREST))


def rotate(array, i):
    return cut(affine(array, degrees=i - 15))


def scale(array, i):
    return cut(affine(array, scale=(i * 2.5 + 40) / 100))


def zoom_blur(array, i):
    frames = [cut(affine(array, scale=1 + 0.004 * k)).astype(np.float64) for k in range(i + 1)]
    return np.mean(frames, 0).astype(np.uint8)


def tilt(array, i):
    height, width, _ = array.shape
    angle, focal = math.radians(i - 15), math.hypot(width, height)
    sin, cos = math.sin(angle), math.cos(angle)
    onto = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1], [0, 0, 1]])
    pitch = np.array([[1, 0, 0, 0], [0, cos, -sin, 0], [0, sin, cos, 0], [0, 0, 0, 1]])
    yaw = np.array([[cos, 0, -sin, 0], [0, 1, 0, 0], [sin, 0, cos, 0], [0, 0, 0, 1]])
    back = np.eye(4)
    back[2, 3] = focal
    camera = np.array([[focal, 0, width / 2, 0], [0, focal, height / 2, 0], [0, 0, 1, 0]])
    return cut(cv2.warpPerspective(array, camera @ back @ pitch @ yaw @ onto, (width, height)).reshape(array.shape))


def brightness(array, i):
    x, amount = cut(array) / 255, (i - 15) * 2 / 100
    if x.shape[2] == 1:
        return finish(x + amount)
    hsv = np.array([[rgb_to_hsv(p) for p in row] for row in x])
    hsv[:, :, 2] = np.clip(hsv[:, :, 2] + amount, 0, 1)
    return finish(np.array([[hsv_to_rgb(p) for p in row] for row in hsv]))


def motion_blur(array, i):
    return finish(smeared(cut(array) / 255, 10, 3, 4 * (i - 30)))


if __name__ == "__main__":
    assert cv2.__version__.startswith("5."), "earlier versions round places to 32nds of a pixel"
    lines = []
    for name, exact in [(translate, 1), (rotate, 1), (scale, 1), (zoom_blur, 0), (tilt, 0), (brightness, 0), (motion_blur, 0)]:
        for k, (w, h, channels) in enumerate(SOURCES):
            for i in (0, 1, 7, 14, 15, 16, 23, 29, 30) + ((33, 40) if name is translate else ()):
                seed = 4 * i + (0, 2, 3)[k]
                out = np.ascontiguousarray(name(picture(w, h, channels, seed), i))
                text = f"= {fnv(out.tobytes())}" if exact else f"~ {out.reshape(-1)[::37].tobytes().hex()}"
                lines.append(f"{name.__name__} {i} {w}x{h}x{channels} {seed} {text}\n")
    (Path(sys.argv[1]) / "sequences.txt").write_text("".join(lines))
