"""Golden cases for crate `augment`: each operation by Pillow (those of TensorFlow by their
formulas) on small made-up images, one line a case.

A line is `NAME WIDTHxHEIGHTxCHANNELS SEED ARGUMENTS... = HASH [WIDTHxHEIGHT]`: the input is made
from the seed by `picture` (integer arithmetic, repeated by the test), the hash is FNV-1a (64 bit)
over the output's bytes, row by row.

    python xtask/peers/golden_augment.py crates/augment/tests/golden

Needs Pillow 12.0.0 and numpy.
"""

import random
import sys
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

assert PIL.__version__ == "12.0.0", PIL.__version__

SIDES = [(1, 1), (1, 7), (6, 1), (2, 2), (3, 3), (3, 2), (5, 3), (4, 4), (8, 8), (9, 13), (16, 16), (17, 11), (12, 31), (32, 32), (65, 41), (97, 33), (130, 70)]
MASK = (1 << 64) - 1
rng = random.Random(20)


def picture(width, height, channels, seed):
    """Noise, a narrow band of values, a slope, or few values, by seed % 4."""
    state, values = seed, []
    for i in range(width * height * channels):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        byte = state >> 56
        x, y = i // channels % width, i // channels // width
        values.append([byte, 100 + byte % 40, (7 * x + 11 * y + byte // 8) % 256, 60 if byte < 200 else 190][seed % 4])
    return np.array(values, np.uint8).reshape(height, width, channels)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return f"{value:016x}"


def to_pil(array):
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def fill_colour(channels, grey):
    return grey if channels == 1 else (grey,) * 3


def table(image, entry):
    return image.point([max(0, min(255, entry(i))) for i in range(256)] * len(image.getbands()))


def affine(image, matrix, how, grey):
    resample = Image.Resampling.BILINEAR if how == "bilinear" else Image.Resampling.NEAREST
    return image.transform(
        image.size, Image.Transform.AFFINE, matrix, resample, fillcolor=fill_colour(len(image.getbands()), grey)
    )


def rotate(image, degrees, how, grey):
    resample = Image.Resampling.BILINEAR if how == "bilinear" else Image.Resampling.NEAREST
    return image.rotate(degrees, resample, fillcolor=fill_colour(len(image.getbands()), grey))


def reflect_crop(image, pad, dx, dy):
    array = np.asarray(image)
    margins = [(pad, pad), (pad, pad)] + [(0, 0)] * (array.ndim - 2)
    padded = np.pad(array, margins, "reflect")
    return Image.fromarray(padded[dy : dy + image.height, dx : dx + image.width])


def cutout(image, x, y, half, grey):
    array = np.array(image)
    array[max(0, y - half) : y + half, max(0, x - half) : x + half] = grey
    return Image.fromarray(array)


def inclusive_cutout(image, x, y, size, grey):
    """kekmodel's CutoutAbs, its centre given."""
    image = image.copy()
    x0, y0 = int(max(0, x - size / 2.0)), int(max(0, y - size / 2.0))
    x1, y1 = int(min(image.width, x0 + size)), int(min(image.height, y0 + size))
    ImageDraw.Draw(image).rectangle((x0, y0, x1, y1), fill_colour(len(image.getbands()), grey))
    return image


WHOLE = {
    "auto-contrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "invert": ImageOps.invert,
    "blur": lambda image: image.filter(ImageFilter.BLUR),
    "smooth": lambda image: image.filter(ImageFilter.SMOOTH),
}


def blended(image, name, share):
    return Image.blend(image, WHOLE[name](image), share)


def rescale(image, margin, name):
    w, h = image.size
    return image.crop((margin * w, margin * h, w - margin * w, h - margin * h)).resize((w, h), FILTERS[name])


def center_crop(image, size):
    """The evaluation view of EfficientNet's code: the middle S / (S + 32) of the shorter side, then
    bicubic to S."""
    w, h = image.size
    side = max(1, int(size / (size + 32) * min(w, h)))
    x, y = (w - side + 1) // 2, (h - side + 1) // 2
    return image.crop((x, y, x + side, y + side)).resize((size, size), Image.Resampling.BICUBIC)


def tf_blend(degenerate, array, factor):
    """The TensorFlow code's blend: float32, clipped, the fraction dropped."""
    a, b = degenerate.astype(np.float32), array.astype(np.float32)
    return to_pil(np.clip(a + np.float32(factor) * (b - a), 0, 255).astype(np.uint8))


def tf_color(image, factor):
    array = np.asarray(image)
    if array.ndim == 2:
        return image
    weights = [np.float32(w) for w in (0.2989, 0.587, 0.114)]
    parts = [array[:, :, i].astype(np.float32) / np.float32(255) * weights[i] for i in range(3)]
    grey = ((parts[0] + parts[1] + parts[2]) * np.float32(255.5)).astype(np.uint8)
    return tf_blend(np.repeat(grey[:, :, None], 3, 2), array, factor)


def tf_sharpness(image, factor):
    array = np.asarray(image).reshape(image.height, image.width, -1)
    h, w, _ = array.shape
    if h < 3 or w < 3:
        return image
    total = sum(array[y : y + h - 2, x : x + w - 2].astype(int) for y in range(3) for x in range(3)) + 4 * array[1:-1, 1:-1].astype(int)
    smooth = array.copy()
    smooth[1:-1, 1:-1] = total // 13
    return tf_blend(smooth, array, factor)


FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "hamming": Image.Resampling.HAMMING,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


FIRST_FILTERS = ["box", "bilinear", "bicubic", "lanczos"]


def factor(case, _w, _h):
    return [[0.0, 1.0, 0.5, 1.9, 0.1][case] if case < 5 else rng.choice([rng.uniform(0, 1), rng.uniform(0, 2), rng.uniform(-1, 6)])]


def warp(amount):
    def arguments(case, w, h):
        return [amount(case, w, h), rng.choice(["nearest", "bilinear"]), rng.choice([0, 128, rng.randrange(256)])]

    return arguments


def shift(side):
    def amount(case, w, h):
        reach = 1.3 * (w, h)[side]
        return rng.choice([float(int(rng.uniform(-reach, reach))), rng.uniform(-reach, reach), 0.0 if case < 9 else 4.5])

    return warp(amount)


def any_affine(case, w, h):
    spread = [0.3, 2.0, 3000.0][case % 3]
    m = [rng.gauss(1, spread), rng.gauss(0, spread), rng.gauss(0, 3), rng.gauss(0, spread), rng.gauss(1, spread), rng.gauss(0, 3)]
    if case % 5 == 0:
        m[1] = m[3] = 0.0
    return m + [rng.choice(["nearest", "bilinear"]), rng.randrange(256)]


def pads(_case, w, h):
    pad = rng.randrange(0, 9)
    return [pad, rng.randint(0, 2 * pad), rng.randint(0, 2 * pad)]


# name: (arguments of a case, the operation)
COLOR = {
    "auto-contrast": (lambda c, w, h: [], ImageOps.autocontrast),
    "equalize": (lambda c, w, h: [], ImageOps.equalize),
    "invert": (lambda c, w, h: [], ImageOps.invert),
    "posterize": (lambda c, w, h: [c % 9], ImageOps.posterize),
    "solarize": (lambda c, w, h: [rng.randrange(300)], ImageOps.solarize),
    "solarize-add": (
        lambda c, w, h: [rng.randrange(300), rng.choice([128, rng.randrange(256)])],
        lambda image, add, limit: table(image, lambda i: i + add if i < limit else i),
    ),
    "color": (factor, lambda image, f: ImageEnhance.Color(image).enhance(f)),
    "contrast": (factor, lambda image, f: ImageEnhance.Contrast(image).enhance(f)),
    "brightness": (factor, lambda image, f: ImageEnhance.Brightness(image).enhance(f)),
    "sharpness": (factor, lambda image, f: ImageEnhance.Sharpness(image).enhance(f)),
}
MORE = {
    "bicubic-rotate": (
        lambda c, w, h: [rng.uniform(-400, 400), rng.randrange(256)],
        lambda i, v, grey: i.rotate(v, Image.Resampling.BICUBIC, fillcolor=fill_colour(len(i.getbands()), grey)),
    ),
    "bicubic-affine": (
        lambda c, w, h: any_affine(c, w, h)[:6] + [rng.randrange(256)],
        lambda i, a, b, c, d, e, f, grey: i.transform(
            i.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC, fillcolor=fill_colour(len(i.getbands()), grey)
        ),
    ),
    "blended": (lambda c, w, h: [list(WHOLE)[c % 5], [0.0, 1.0][c % 2] if c < 10 else rng.random()], blended),
    "rescale": (lambda c, w, h: [0.25 * rng.random(), list(FILTERS)[c % 6]], rescale),
    "resize": (
        lambda c, w, h: [rng.choice([w, rng.randint(1, 40)]), rng.choice([h, rng.randint(1, 40)]), ["nearest", "hamming"][c % 2]],
        lambda image, w, h, name: image.resize((w, h), FILTERS[name]),
    ),
    "inclusive-cutout": (
        lambda c, w, h: [rng.randrange(w), rng.randrange(h), rng.choice([16, rng.randint(1, 20)]), rng.randrange(256)],
        inclusive_cutout,
    ),
    "center-crop": (lambda c, w, h: [[224, 475, 600, 800, rng.randint(1, 64)][c % 5] if c < 40 else rng.randint(1, 64)], center_crop),
    "color-tf": (factor, tf_color),
    "sharpness-tf": (factor, tf_sharpness),
}
GEOMETRY = {
    "rotate": (warp(lambda c, w, h: float(rng.randrange(-8, 9) * 45) if c % 4 == 0 else rng.uniform(-400, 400)), rotate),
    "shear-x": (warp(lambda c, w, h: rng.uniform(-1.5, 1.5)), lambda i, v, *s: affine(i, (1, v, 0, 0, 1, 0), *s)),
    "shear-y": (warp(lambda c, w, h: rng.uniform(-1.5, 1.5)), lambda i, v, *s: affine(i, (1, 0, 0, v, 1, 0), *s)),
    "translate-x": (shift(0), lambda i, v, *s: affine(i, (1, 0, v, 0, 1, 0), *s)),
    "translate-y": (shift(1), lambda i, v, *s: affine(i, (1, 0, 0, 0, 1, v), *s)),
    "affine": (any_affine, lambda i, a, b, c, d, e, f, *s: affine(i, (a, b, c, d, e, f), *s)),
    "flip": (lambda c, w, h: [], ImageOps.mirror),
    "reflect-crop": (pads, reflect_crop),
    "cutout": (lambda c, w, h: [rng.randrange(w), rng.randrange(h), rng.randrange(12), rng.randrange(256)], cutout),
    "resize": (
        lambda c, w, h: [rng.choice([w, rng.randint(1, 40)]), rng.choice([h, rng.randint(1, 40)]), rng.choice(FIRST_FILTERS)],
        lambda image, w, h, name: image.resize((w, h), FILTERS[name]),
    ),
}


def cases(operations, count=220):
    for name, (arguments, operation) in operations.items():
        for case in range(count):
            (w, h), channels, seed = rng.choice(SIDES), rng.choice([1, 3]), rng.randrange(1 << 32)
            given = arguments(case, w, h)
            out = operation(to_pil(picture(w, h, channels, seed)), *given)
            written = "".join(f" {a!r}" if isinstance(a, float) else f" {a}" for a in given)
            yield f"{name} {w}x{h}x{channels} {seed}{written} = {fnv(np.asarray(out).tobytes())} {out.width}x{out.height}\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "color.txt").write_text("".join(cases(COLOR)))
    (folder / "geometry.txt").write_text("".join(cases(GEOMETRY)))
    (folder / "more.txt").write_text("".join(cases(MORE)))
