"""Golden cases for the policies of crate `augment`.

`alpha.txt`: pairs of operations on RGBA images by Pillow, as UDA's and FixMatch's code apply them;
in the end what is transparent gets the fill. `levels.txt`: what timm and torchvision make of each
magnitude. `rates.txt`: CTAugment's bins after a series of updates. `blur.txt`: Gaussian blur by
Pillow, in the lines of `golden_augment.py`.

    python xtask/peers/golden_policies.py crates/augment/tests/golden

Needs Pillow 12.0.0, numpy, timm and torchvision.
"""

import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from timm.data import auto_augment as timm
from torchvision.transforms.v2 import RandAugment

from golden_augment import SIDES, fnv, picture, to_pil

rng = random.Random(21)
AFFINE = Image.Transform.AFFINE


def as_rgb(operation):
    """Operations without an RGBA form go through RGB, which makes everything opaque."""
    return lambda image, *given: operation(image.convert("RGB"), *given).convert("RGBA")


def cutout(image, x, y, half):
    box = max(0, x - half), max(0, y - half), min(image.width, x + half), min(image.height, y + half)
    image = image.copy()
    image.paste((125, 122, 113, 0), box)
    return image


# name: (arguments, operation on an RGBA image)
ALPHA = {
    "auto-contrast": (lambda w, h: [], as_rgb(ImageOps.autocontrast)),
    "equalize": (lambda w, h: [], as_rgb(ImageOps.equalize)),
    "invert": (lambda w, h: [], as_rgb(ImageOps.invert)),
    "posterize": (lambda w, h: [rng.randint(1, 4)], as_rgb(ImageOps.posterize)),
    "solarize": (lambda w, h: [rng.randrange(257)], as_rgb(ImageOps.solarize)),
    "color": (lambda w, h: [rng.uniform(0.1, 1.9)], lambda i, f: ImageEnhance.Color(i).enhance(f)),
    "contrast": (lambda w, h: [rng.uniform(0.1, 1.9)], lambda i, f: ImageEnhance.Contrast(i).enhance(f)),
    "brightness": (lambda w, h: [rng.uniform(0.1, 1.9)], lambda i, f: ImageEnhance.Brightness(i).enhance(f)),
    "sharpness": (lambda w, h: [rng.uniform(0.1, 1.9)], lambda i, f: ImageEnhance.Sharpness(i).enhance(f)),
    "rotate": (lambda w, h: [float(rng.randint(-30, 30))], lambda i, v: i.rotate(v)),
    "shear-x": (lambda w, h: [rng.uniform(-0.3, 0.3)], lambda i, v: i.transform(i.size, AFFINE, (1, v, 0, 0, 1, 0))),
    "shear-y": (lambda w, h: [rng.uniform(-0.3, 0.3)], lambda i, v: i.transform(i.size, AFFINE, (1, 0, 0, v, 1, 0))),
    "translate-x": (lambda w, h: [float(rng.randint(-10, 10))], lambda i, v: i.transform(i.size, AFFINE, (1, 0, v, 0, 1, 0))),
    "translate-y": (lambda w, h: [float(rng.randint(-10, 10))], lambda i, v: i.transform(i.size, AFFINE, (1, 0, 0, 0, 1, v))),
    "cutout": (lambda w, h: [rng.randrange(w), rng.randrange(h), rng.randint(1, 9)], cutout),
}
MOVING = ["rotate", "shear-x", "shear-y", "translate-x", "translate-y", "cutout"]


def alpha(count=440):
    for case in range(count):
        w, h = rng.choice([(32, 32), (17, 11), (9, 13), (40, 21)])
        seed = rng.randrange(1 << 32)
        # Every other case begins with something that makes pixels transparent.
        names = [rng.choice(MOVING if case % 2 else list(ALPHA)), rng.choice(list(ALPHA)), rng.choice(list(ALPHA))][: 2 + case % 2]
        image = Image.fromarray(picture(w, h, 3, seed)).convert("RGBA")
        words = []
        for name in names:
            arguments, operation = ALPHA[name]
            given = arguments(w, h)
            image = operation(image, *given)
            words.append(" ".join([name, *map(repr, given)]))
        pixels = np.array(image)
        out = np.where(pixels[:, :, 3:] == 0, np.uint8([125, 122, 113]), pixels[:, :, :3])
        yield f"{w}x{h} {seed} {' | '.join(words)} = {fnv(np.ascontiguousarray(out).tobytes())}\n"


def levels():
    plus = lambda: 0.0
    timm.random.random = plus  # `_randomly_negate` keeps the sign then.
    names = {"Rotate": "rotate", "ShearX": "shear-x", "TranslateXRel": "translate-x", "Posterize": "posterize", "Solarize": "solarize",
             "SolarizeAdd": "solarize-add", "Color": "color", "Sharpness": "sharpness"}
    for increasing in (0, 1):
        for name, ours in names.items():
            key = name + "Increasing" if increasing and name + "Increasing" in timm.LEVEL_TO_ARG else name
            for magnitude in range(11):
                (value,) = timm.LEVEL_TO_ARG[key](float(magnitude), {})
                value = value * 320 if ours == "translate-x" else value
                yield f"timm {increasing} {ours} {magnitude} {float(value)!r}\n"
    for name, ours in {"Desaturate": "desaturate", "GaussianBlur": "gaussian-blur"}.items():
        for magnitude in range(11):
            (value,) = timm.LEVEL_TO_ARG[name](float(magnitude), {})
            # What `desaturate` makes of it is a share of the colours that stays.
            value = min(1.0, max(0.0, 1.0 - value)) if ours == "desaturate" else value
            yield f"timm 1 {ours} {magnitude} {float(value)!r}\n"
    space = RandAugment()._AUGMENTATION_SPACE
    names = {"Rotate": "rotate", "ShearX": "shear-x", "TranslateX": "translate-x", "Posterize": "posterize", "Solarize": "solarize",
             "Color": "color", "Sharpness": "sharpness"}
    for name, ours in names.items():
        magnitudes, _ = space[name]
        values = magnitudes(31, 320, 320)
        for magnitude in range(31):
            value = float(values[magnitude])
            if ours in ("color", "sharpness"):
                value = 1.0 + value
            if ours == "translate-x":
                value = float(int(value))
            if ours == "solarize":
                value *= 255 if value <= 1 else 1  # v2 has thresholds as fractions.
            yield f"torchvision 0 {ours} {magnitude} {value!r}\n"


def rates():
    """One parameter of 17 bins and one of 8, moved by made-up probes; then the probabilities for
    two thresholds."""
    decay = 0.99
    weights = {"rotate": np.ones(17), "posterize": np.ones(8)}
    for step in range(400):
        name = ["rotate", "posterize"][step % 2]
        level = (step * 0.6180339887498949) % 1.0
        proximity = 1.0 - level if name == "rotate" else (step % 7) / 7.0
        w = weights[name]
        i = int(level * len(w) * 0.999)
        w[i] = decay * w[i] + (1 - decay) * proximity
        yield f"update {name} {level!r} {proximity!r}\n"
    for name, w in weights.items():
        for threshold in (0.8, 0.95):
            m = w + (1 - decay)
            m = m / m.max()
            m[m < threshold] = 0
            m /= m.sum()
            yield f"probabilities {name} {threshold} {' '.join(repr(float(p)) for p in m)}\n"


def blurs(count=220):
    own = random.Random(22)
    for case in range(count):
        w, h = own.choice(SIDES)
        channels, seed = own.choice([1, 3]), own.randrange(1 << 32)
        radius = [0.0, 0.1, 2.0, 30.0][case] if case < 4 else own.choice([own.uniform(0.1, 2.0), own.uniform(0.1, 2.0), own.uniform(0, 9)])
        out = np.array(to_pil(picture(w, h, channels, seed)).filter(ImageFilter.GaussianBlur(radius)))
        yield f"gaussian-blur {w}x{h}x{channels} {seed} {radius!r} = {fnv(out.tobytes())} {w}x{h}\n"


def unsharp_masks():
    """Images sharpened by Pillow, with radii and shares up to large ones."""
    own = random.Random(7)
    for case in range(220):
        w, h = own.choice(SIDES)
        channels, seed = own.choice([1, 3]), own.randrange(1 << 32)
        radius = 0.0 if case == 0 else own.choice([own.uniform(0.1, 3.0), own.uniform(0, 40)])
        percent = own.choice([0, 1, 100, 150, own.randrange(1000), 1000])
        filter = ImageFilter.UnsharpMask(radius, percent, threshold=0)
        out = np.array(to_pil(picture(w, h, channels, seed)).filter(filter))
        yield f"unsharp-mask {w}x{h}x{channels} {seed} {radius!r} {percent} = {fnv(out.tobytes())} {w}x{h}\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "alpha.txt").write_text("".join(alpha()))
    (folder / "levels.txt").write_text("".join(levels()))
    (folder / "rates.txt").write_text("".join(rates()))
    (folder / "blur.txt").write_text("".join(blurs()))
    (folder / "unsharp.txt").write_text("".join(unsharp_masks()))
