"""Times Pillow, torchvision (v2, on tensors) or albumentations on the cases of
`crates/augment/examples/timings.rs`.

Started by `cargo xtask bench augment --peers`, one process a library, which take turns:

    python xtask/peers/bench_augment.py LIBRARY DIR

DIR holds 32.raw and 224.raw, [64][side][side][3] bytes. Reads `CASE SIDE THREADS SECONDS` lines,
answers with nanoseconds an image, or `-` where the library lacks the operation. Each case makes a
new image and leaves its source alone, by the library's fastest public function. Needs the packages
of bench-requirements.txt.
"""

import random
import sys
import time
from pathlib import Path

import numpy as np

MEAN = (0.4913997, 0.4821584, 0.4465309)
STD = (0.2470322, 0.2434849, 0.2615878)


def fixmatch(ops, flip, crop, cutout, normalize):
    """The strong view: flip, mirrored crop, two operations at levels 1 to 9 with probability 1/2,
    cutout, normalise."""

    def apply(image, side):
        if random.random() < 0.5:
            image = flip(image)
        pad = side // 8
        image = crop(image, pad, random.randrange(2 * pad + 1), random.randrange(2 * pad + 1))
        for _ in range(2):
            op = random.choice(ops)
            level = random.randint(1, 9)
            if random.random() < 0.5:
                image = op(image, level, random.choice((-1, 1)), side)
        image = cutout(image, random.randrange(side), random.randrange(side), side // 4)
        return normalize(image)

    return apply


def enhance_factor(level):
    return 0.18 * level + 0.1


def box(x, y, half, side):
    return max(0, x - half), max(0, y - half), min(side, x + half), min(side, y + half)


def pillow():
    from PIL import Image, ImageEnhance, ImageOps

    near, linear = Image.Resampling.NEAREST, Image.Resampling.BILINEAR
    affine = Image.Transform.AFFINE
    mean, std = np.array(MEAN, np.float32) * 255, np.array(STD, np.float32) * 255
    shear_x = lambda i, v: i.transform(i.size, affine, (1, v, 0, 0, 1, 0), near)
    shear_y = lambda i, v: i.transform(i.size, affine, (1, 0, 0, v, 1, 0), near)
    move_x = lambda i, v: i.transform(i.size, affine, (1, 0, v, 0, 1, 0), near)
    move_y = lambda i, v: i.transform(i.size, affine, (1, 0, 0, 0, 1, v), near)

    def crop(image, pad, dx, dy):
        w, h = image.size
        padded = np.pad(np.asarray(image), ((pad, pad), (pad, pad), (0, 0)), "reflect")
        return Image.fromarray(padded[dy : dy + h, dx : dx + w])

    def cutout(image, x, y, half):
        image = image.copy()
        image.paste((127, 127, 127), box(x, y, half, image.width))
        return image

    def normalize(image):
        return np.ascontiguousarray(((np.asarray(image, np.float32) - mean) / std).transpose(2, 0, 1))

    ops = [
        lambda i, m, s, n: i,
        lambda i, m, s, n: ImageOps.autocontrast(i),
        lambda i, m, s, n: ImageOps.equalize(i),
        lambda i, m, s, n: i.rotate(s * int(3 * m)),
        lambda i, m, s, n: ImageOps.solarize(i, 256 - int(25.6 * m)),
        lambda i, m, s, n: ImageEnhance.Color(i).enhance(enhance_factor(m)),
        lambda i, m, s, n: ImageEnhance.Contrast(i).enhance(enhance_factor(m)),
        lambda i, m, s, n: ImageEnhance.Brightness(i).enhance(enhance_factor(m)),
        lambda i, m, s, n: ImageEnhance.Sharpness(i).enhance(enhance_factor(m)),
        lambda i, m, s, n: shear_x(i, s * 0.03 * m),
        lambda i, m, s, n: move_x(i, s * int(n / 32 * m)),
        lambda i, m, s, n: move_y(i, s * int(n / 32 * m)),
        lambda i, m, s, n: ImageOps.posterize(i, 4 - int(0.4 * m)),
        lambda i, m, s, n: shear_y(i, s * 0.03 * m),
    ]
    cases = {
        "copy": lambda i, n: i.copy(),
        "auto-contrast": lambda i, n: ImageOps.autocontrast(i),
        "equalize": lambda i, n: ImageOps.equalize(i),
        "invert": lambda i, n: ImageOps.invert(i),
        "posterize": lambda i, n: ImageOps.posterize(i, 4),
        "solarize": lambda i, n: ImageOps.solarize(i, 128),
        "color": lambda i, n: ImageEnhance.Color(i).enhance(1.5),
        "contrast": lambda i, n: ImageEnhance.Contrast(i).enhance(1.5),
        "brightness": lambda i, n: ImageEnhance.Brightness(i).enhance(1.5),
        "sharpness": lambda i, n: ImageEnhance.Sharpness(i).enhance(1.5),
        "rotate": lambda i, n: i.rotate(25.0),
        "rotate-bilinear": lambda i, n: i.rotate(25.0, linear),
        "shear-x": lambda i, n: shear_x(i, 0.25),
        "shear-y": lambda i, n: shear_y(i, 0.25),
        "translate-x": lambda i, n: move_x(i, int(n * 0.2)),
        "translate-y": lambda i, n: move_y(i, int(n * 0.2)),
        "cutout": lambda i, n: cutout(i, n // 2, n // 2, n // 4),
        "flip": lambda i, n: ImageOps.mirror(i),
        "reflect-crop": lambda i, n: crop(i, n // 8, n // 16, n // 5),
        "resize": lambda i, n: i.resize((n * 3 // 4, n * 3 // 4), linear),
        "resize-bicubic": lambda i, n: i.resize((n, n), Image.Resampling.BICUBIC, (n // 4, n // 4, n // 4 + n // 2, n // 4 + n // 2)),
        "normalize": lambda i, n: normalize(i),
        "fixmatch-strong": fixmatch(ops, ImageOps.mirror, crop, cutout, normalize),
    }
    return cases, lambda array: Image.fromarray(array)


def torchvision():
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    torch.set_num_threads(1)
    near, linear, cubic = InterpolationMode.NEAREST, InterpolationMode.BILINEAR, InterpolationMode.BICUBIC

    def warp(image, degrees=0.0, shift=(0, 0), shear=(0.0, 0.0), how=near, center=None):
        return F.affine(image, degrees, list(shift), 1.0, list(shear), interpolation=how, center=center)

    def crop(image, pad, dx, dy):
        n = image.shape[-1]
        return F.crop(F.pad(image, [pad] * 4, padding_mode="reflect"), dy, dx, n, n)

    def cutout(image, x, y, half):
        left, top, right, bottom = box(x, y, half, image.shape[-1])
        return F.erase(image, top, left, bottom - top, right - left, torch.full((3, 1, 1), 127, dtype=torch.uint8))

    def normalize(image):
        return F.normalize(F.to_dtype(image, torch.float32, scale=True), MEAN, STD)

    degrees = lambda v: float(np.degrees(np.arctan(v)))
    ops = [
        lambda i, m, s, n: i,
        lambda i, m, s, n: F.autocontrast(i),
        lambda i, m, s, n: F.equalize(i),
        lambda i, m, s, n: F.rotate(i, s * int(3 * m), interpolation=near),
        lambda i, m, s, n: F.solarize(i, 256 - int(25.6 * m)),
        lambda i, m, s, n: F.adjust_saturation(i, enhance_factor(m)),
        lambda i, m, s, n: F.adjust_contrast(i, enhance_factor(m)),
        lambda i, m, s, n: F.adjust_brightness(i, enhance_factor(m)),
        lambda i, m, s, n: F.adjust_sharpness(i, enhance_factor(m)),
        lambda i, m, s, n: warp(i, shear=(degrees(s * 0.03 * m), 0.0), center=[0, 0]),
        lambda i, m, s, n: warp(i, shift=(s * int(n / 32 * m), 0)),
        lambda i, m, s, n: warp(i, shift=(0, s * int(n / 32 * m))),
        lambda i, m, s, n: F.posterize(i, 4 - int(0.4 * m)),
        lambda i, m, s, n: warp(i, shear=(0.0, degrees(s * 0.03 * m)), center=[0, 0]),
    ]
    cases = {
        "copy": lambda i, n: i.clone(),
        "auto-contrast": lambda i, n: F.autocontrast(i),
        "equalize": lambda i, n: F.equalize(i),
        "invert": lambda i, n: F.invert(i),
        "posterize": lambda i, n: F.posterize(i, 4),
        "solarize": lambda i, n: F.solarize(i, 128),
        "color": lambda i, n: F.adjust_saturation(i, 1.5),
        "contrast": lambda i, n: F.adjust_contrast(i, 1.5),
        "brightness": lambda i, n: F.adjust_brightness(i, 1.5),
        "sharpness": lambda i, n: F.adjust_sharpness(i, 1.5),
        "rotate": lambda i, n: F.rotate(i, 25.0, interpolation=near),
        "rotate-bilinear": lambda i, n: F.rotate(i, 25.0, interpolation=linear),
        "shear-x": lambda i, n: warp(i, shear=(degrees(0.25), 0.0), center=[0, 0]),
        "shear-y": lambda i, n: warp(i, shear=(0.0, degrees(0.25)), center=[0, 0]),
        "translate-x": lambda i, n: warp(i, shift=(-int(n * 0.2), 0)),
        "translate-y": lambda i, n: warp(i, shift=(0, -int(n * 0.2))),
        "cutout": lambda i, n: cutout(i, n // 2, n // 2, n // 4),
        "flip": lambda i, n: F.horizontal_flip(i),
        "reflect-crop": lambda i, n: crop(i, n // 8, n // 16, n // 5),
        "resize": lambda i, n: F.resize(i, [n * 3 // 4] * 2, linear, antialias=True),
        "resize-bicubic": lambda i, n: F.resized_crop(i, n // 4, n // 4, n // 2, n // 2, [n, n], cubic, antialias=True),
        "normalize": lambda i, n: normalize(i),
        "fixmatch-strong": fixmatch(ops, F.horizontal_flip, crop, cutout, normalize),
    }
    return cases, lambda array: torch.from_numpy(array.transpose(2, 0, 1).copy())


def albumentations():
    import cv2
    import albumentations.augmentations.dropout.functional as D
    import albumentations.augmentations.geometric.functional as G
    import albumentations.augmentations.pixel.functional as P
    from albucore import hflip, normalize as albu_normalize

    cv2.setNumThreads(1)
    mean = np.array(MEAN, np.float32) * 255
    factor = 1 / (np.array(STD, np.float32) * 255)
    generator = np.random.default_rng(0)

    def warp(image, matrix, how=cv2.INTER_NEAREST):
        n = image.shape[0]
        matrix = np.array(matrix, np.float64)
        return G.warp_affine(image, matrix, how, 0, cv2.BORDER_CONSTANT, (n, n))

    def rotate(image, angle, how=cv2.INTER_NEAREST):
        n = image.shape[0]
        turn = cv2.getRotationMatrix2D((n / 2 - 0.5, n / 2 - 0.5), angle, 1.0)
        return warp(image, np.vstack([turn, [0, 0, 1]]), how)

    def crop(image, pad, dx, dy):
        n = image.shape[0]
        padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
        return np.ascontiguousarray(padded[dy : dy + n, dx : dx + n])

    def cutout(image, x, y, half):
        holes = np.array([box(x, y, half, image.shape[0])])
        return D.cutout(image, holes, 127, generator)

    def normalize(image):
        return np.ascontiguousarray(albu_normalize(image, mean, factor).transpose(2, 0, 1))

    shear_x = lambda i, v: warp(i, [[1, -v, 0], [0, 1, 0], [0, 0, 1]])
    shear_y = lambda i, v: warp(i, [[1, 0, 0], [-v, 1, 0], [0, 0, 1]])
    move = lambda i, x, y: warp(i, [[1, 0, x], [0, 1, y], [0, 0, 1]])
    sharpen = lambda i, f: P.sharpen_gaussian(i, min(1.0, abs(f - 1)), 3, 0.8)
    ops = [
        lambda i, m, s, n: i,
        lambda i, m, s, n: P.auto_contrast(i, 0, None, "pil"),
        lambda i, m, s, n: P.equalize(i, mode="cv"),
        lambda i, m, s, n: rotate(i, s * int(3 * m)),
        lambda i, m, s, n: P.solarize(i, (256 - int(25.6 * m)) / 255),
        lambda i, m, s, n: P.adjust_saturation_torchvision(i, enhance_factor(m)),
        lambda i, m, s, n: P.adjust_contrast_torchvision(i, enhance_factor(m)),
        lambda i, m, s, n: P.adjust_brightness_torchvision(i, enhance_factor(m)),
        lambda i, m, s, n: sharpen(i, enhance_factor(m)),
        lambda i, m, s, n: shear_x(i, s * 0.03 * m),
        lambda i, m, s, n: move(i, s * int(n / 32 * m), 0),
        lambda i, m, s, n: move(i, 0, s * int(n / 32 * m)),
        lambda i, m, s, n: P.posterize(i, 4 - int(0.4 * m)),
        lambda i, m, s, n: shear_y(i, s * 0.03 * m),
    ]
    cases = {
        "copy": lambda i, n: i.copy(),
        "auto-contrast": lambda i, n: P.auto_contrast(i, 0, None, "pil"),
        "equalize": lambda i, n: P.equalize(i, mode="cv"),
        "invert": lambda i, n: P.invert(i),
        "posterize": lambda i, n: P.posterize(i, 4),
        "solarize": lambda i, n: P.solarize(i, 0.5),
        "color": lambda i, n: P.adjust_saturation_torchvision(i, 1.5),
        "contrast": lambda i, n: P.adjust_contrast_torchvision(i, 1.5),
        "brightness": lambda i, n: P.adjust_brightness_torchvision(i, 1.5),
        "sharpness": lambda i, n: sharpen(i, 1.5),
        "rotate": lambda i, n: rotate(i, 25.0),
        "rotate-bilinear": lambda i, n: rotate(i, 25.0, cv2.INTER_LINEAR),
        "shear-x": lambda i, n: shear_x(i, 0.25),
        "shear-y": lambda i, n: shear_y(i, 0.25),
        "translate-x": lambda i, n: move(i, -int(n * 0.2), 0),
        "translate-y": lambda i, n: move(i, 0, -int(n * 0.2)),
        "cutout": lambda i, n: cutout(i, n // 2, n // 2, n // 4),
        "flip": lambda i, n: hflip(i),
        "reflect-crop": lambda i, n: crop(i, n // 8, n // 16, n // 5),
        # INTER_AREA is the library's antialiased way down; there is none for the bicubic way up,
        # which needs none.
        "resize": lambda i, n: G.resize(i, (n * 3 // 4, n * 3 // 4), cv2.INTER_AREA),
        "resize-bicubic": lambda i, n: G.resize(i[n // 4 : n // 4 + n // 2, n // 4 : n // 4 + n // 2], (n, n), cv2.INTER_CUBIC),
        "normalize": lambda i, n: normalize(i),
        "fixmatch-strong": fixmatch(ops, hflip, crop, cutout, normalize),
    }
    return cases, lambda array: array


def measure(case, images, side, seconds):
    for image in images[:4]:
        case(image, side)
    count, start = 0, time.perf_counter()
    while True:
        for image in images:
            case(image, side)
        count += len(images)
        passed = time.perf_counter() - start
        if passed >= seconds:
            return passed / count * 1e9


if __name__ == "__main__":
    cases, convert = {"pillow": pillow, "torchvision": torchvision, "albumentations": albumentations}[sys.argv[1]]()
    random.seed(20)
    images = {}
    for side in (32, 224):
        raw = np.fromfile(Path(sys.argv[2]) / f"{side}.raw", np.uint8).reshape(-1, side, side, 3)
        images[side] = [convert(array.copy()) for array in raw]
    for line in sys.stdin:
        name, side, _threads, seconds = line.split()
        case = cases.get(name)
        answer = "-" if case is None else measure(case, images[int(side)], int(side), float(seconds))
        print(answer, flush=True)
