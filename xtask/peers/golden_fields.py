"""Golden cases for the corruptions of crate `augment` that look at neighbours or draw whole layers,
by numpy, scipy, OpenCV and Pillow.

`fields.txt`: each corruption given its random fields (`field` below), every 37th byte of the result
in hexadecimal. `jpeg.txt`: hashes of what Pillow makes of an image that it writes as JPEG and reads
again. `moments.txt`: mean and deviation of corrupted images over many draws, with their standard
errors.

    python xtask/peers/golden_fields.py crates/augment/tests/golden

Needs Pillow 12.0.0, numpy, scipy and opencv-python-headless. Spatter, snow, fog, elastic transform
and zoom follow the authors' formulas, motion the package imagecorruptions; ice is not here, as its
texture is our own.
"""

import io
import math
import random
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from golden_augment import MASK, fnv, picture, to_pil

WIDTH, HEIGHT = 96, 72


class Lcg:
    """The generator of `picture`, as numbers from 0 to 1."""

    def __init__(self, seed):
        self.state = seed

    def unit(self, shape=()):
        count = int(np.prod(shape))
        out = np.empty(count)
        for i in range(count):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
            out[i] = (self.state >> 11) * 2.0**-53
        return out.reshape(shape) if shape else out[0]

    def signed(self, shape=()):
        return 2 * self.unit(shape) - 1

    def noise(self, mean, deviation, shape):
        """Uniform, with this mean and deviation: the cores do not care."""
        return mean + deviation * math.sqrt(3) * self.signed(shape)

    def below(self, count):
        return int(self.unit() * count)


class Numpy:
    """True randomness, for moments."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def unit(self, shape=()):
        return self.rng.random(shape)

    def signed(self, shape=()):
        return 2 * self.unit(shape) - 1

    def noise(self, mean, deviation, shape):
        return self.rng.normal(mean, deviation, shape)

    def below(self, count):
        return int(self.rng.integers(count))


def finish(x):
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def blurred(x, sigma, truncate=4.0, mode="nearest"):
    sigmas = (sigma, sigma) + (0,) * (x.ndim - 2)
    return ndimage.gaussian_filter(x, sigmas, mode=mode, truncate=truncate)


def middle_enlarged(x, factor):
    h, w = x.shape[:2]
    kh, kw = math.ceil(h / factor), math.ceil(w / factor)
    top, left = (h - kh) // 2, (w - kw) // 2
    zoom = (factor, factor) + (1,) * (x.ndim - 2)
    large = ndimage.zoom(x[top : top + kh, left : left + kw], zoom, order=1)
    top, left = (large.shape[0] - h) // 2, (large.shape[1] - w) // 2
    return large[top : top + h, left : left + w]


def smeared(x, radius, sigma, degrees):
    taps = 2 * radius + 1
    weights = np.exp(-(np.arange(taps) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    down, across = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    h, w = x.shape[:2]
    out = np.zeros_like(x)
    for i, weight in enumerate(weights):
        dy, dx = -math.ceil(i * down - 0.5), -math.ceil(i * across - 0.5)
        if abs(dy) >= h or abs(dx) >= w:
            break
        rows, columns = np.clip(np.arange(h) - dy, 0, h - 1), np.clip(np.arange(w) - dx, 0, w - 1)
        out += weight * x[rows][:, columns]
    return out


def glass_blur(x, c, rng):
    sigma, reach, passes = c
    x = finish(blurred(x, sigma))
    h, w = x.shape[:2]
    for _ in range(passes):
        for i in range(h - reach, reach, -1):
            for j in range(w - reach, reach, -1):
                dx, dy = rng.below(2 * reach) - reach, rng.below(2 * reach) - reach
                x[i, j] = x[i + dy, j + dx]
    return finish(blurred(x / 255, sigma))


def motion_blur(x, c, rng):
    return finish(smeared(x, c[0], c[1], 45 * rng.signed()))


def zoom_blur(x, c, rng):
    factors = np.arange(1, *c)
    return finish((x + sum(middle_enlarged(x, f) for f in factors)) / (len(factors) + 1))


def snow(x, c, rng):
    mean, deviation, zoom, threshold, radius, sigma, mix = c
    layer = middle_enlarged(rng.noise(mean, deviation, x.shape[:2]), zoom)
    layer = np.clip(np.where(layer < threshold, 0, layer), 0, 1)
    layer = smeared(layer, radius, sigma, -90 + 45 * rng.signed())
    layer = (np.round(layer * 255) / 255)[:, :, None]
    grey = (x @ [0.299, 0.587, 0.114])[:, :, None]
    x = mix * x + (1 - mix) * np.maximum(x, grey * 1.5 + 0.5)
    return finish(x + layer + np.rot90(layer, 2))


def plasma(side, decay, rng):
    m = np.zeros((side, side))
    step, wibble = side, 100.0

    def mean(total):
        return total / 4 + wibble * (wibble * rng.signed(total.shape))

    while step >= 2:
        half = step // 2
        corners = m[::step, ::step]
        pairs = corners + np.roll(corners, -1, 0)
        m[half::step, half::step] = mean(pairs + np.roll(pairs, -1, 1))
        centres, corners = m[half::step, half::step], m[::step, ::step]
        m[::step, half::step] = mean(centres + np.roll(centres, 1, 0) + (corners + np.roll(corners, -1, 1)))
        m[half::step, ::step] = mean(centres + np.roll(centres, 1, 1) + (corners + np.roll(corners, -1, 0)))
        step, wibble = half, wibble / decay
    m -= m.min()
    return m / m.max()


def fog(x, c, rng):
    h, w = x.shape[:2]
    side = 1 << (max(h, w) - 1).bit_length()
    top = x.max()
    return finish((x + c[0] * plasma(side, c[1], rng)[:h, :w, None]) * top / (top + c[0]))


def frost(x, c, rng):
    texture = (rng.unit(x.shape) * 256).astype(int)
    return np.clip(c[0] * np.round(x * 255) + c[1] * texture, 0, 255).astype(np.uint8)


def elastic_transform(x, c, rng):
    h, w = x.shape[:2]
    strength, sigma, jitter = (v * min(h, w) for v in c)
    centre, reach = np.array([h // 2, w // 2], float), min(h, w) // 3
    source = np.array([centre + reach, [centre[0] + reach, centre[1] - reach], centre - reach])
    target = source + jitter * rng.signed((3, 2))
    # (x, y, 1) @ back is the place in the source.
    back = np.linalg.solve(np.c_[target, np.ones(3)], source)
    columns, rows = np.meshgrid(np.arange(w, dtype=float), np.arange(h, dtype=float))
    places = np.stack([columns, rows, np.ones_like(rows)], 2) @ back
    turned = [ndimage.map_coordinates(x[:, :, k], [places[:, :, 1], places[:, :, 0]], order=1, mode="mirror") for k in range(3)]
    dx, dy = (strength * (blurred(rng.signed((h, w)), sigma, 3.0, "reflect") if sigma else rng.signed((h, w))) for _ in range(2))
    bent = [ndimage.map_coordinates(t, [rows + dy, columns + dx], order=1, mode="reflect") for t in turned]
    return finish(np.stack(bent, 2))


def spatter(x, c, rng):
    mean, deviation, sigma, threshold, weight, mud = c
    layer = blurred(rng.noise(mean, deviation, x.shape[:2]), sigma)
    layer = np.where(layer < threshold, 0, layer)
    if mud:
        mask = blurred((layer > threshold).astype(float), weight)[:, :, None]
        mask = np.where(mask < 0.8, 0, mask)
        return finish(x * (1 - mask) + np.array([63, 42, 20]) / 255 * mask)
    liquid = (layer * 255).astype(np.uint8)
    light = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    light = cv2.blur(np.minimum(light, 20).astype(np.float32), (3, 3)).astype(np.uint8)
    light = cv2.filter2D(cv2.equalizeHist(light), cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    shade = liquid * cv2.blur(light, (3, 3)).astype(np.float32)
    shade = weight * shade / shade.max() if shade.max() > 0 else shade
    return finish(x + shade[:, :, None] * np.array([175, 238, 238]) / 255)


def saturate(x, c, rng):
    hsv = np.array([[rgb_to_hsv(p) for p in row] for row in x])
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] * c[0] + c[1], 0, 1)
    return finish(np.array([[hsv_to_rgb(p) for p in row] for row in hsv]))


def rgb_to_hsv(p):
    import colorsys

    return colorsys.rgb_to_hsv(*p)


def hsv_to_rgb(p):
    import colorsys

    return colorsys.hsv_to_rgb(*p)


STRETCH = 244 / 224
CASES = {
    "glass_blur": (
        glass_blur,
        [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
        [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
    ),
    "motion_blur": (motion_blur, [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)], [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)]),
    "zoom_blur": (
        zoom_blur,
        [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
        [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    ),
    "snow": (
        snow,
        [
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ],
        [
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ],
    ),
    "fog": (fog, [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)], [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)]),
    "frost": (frost, [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)], [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)]),
    "elastic_transform": (
        elastic_transform,
        [tuple(STRETCH * v for v in c) for c in [(2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)]],
        [(0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)],
    ),
    "spatter": (
        spatter,
        [(0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0), (0.65, 0.3, 1, 0.65, 1.5, 1), (0.67, 0.4, 1, 0.65, 1.5, 1)],
        [(0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.8, 0.7, 0.5, 0), (0.65, 0.3, 1, 0.69, 0.5, 0), (0.65, 0.1, 0.7, 0.69, 0.6, 1), (0.65, 0.1, 0.5, 0.68, 0.6, 1)],
    ),
    "saturate": (saturate, [(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)], [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)]),
}



def fields():
    for name, (corruption, *tables) in CASES.items():
        for scale, table in zip(("imagenet-224", "cifar-32"), tables):
            for severity, constants in enumerate(table, 1):
                seed = 100 * severity + len(name)
                image = picture(WIDTH, HEIGHT, 3, 4 * seed + 2)
                out = corruption(image / 255, constants, Lcg(seed))
                yield f"{name} {scale} {severity} {seed} {out.reshape(-1)[::37].tobytes().hex()}\n"


def jpeg(count=300):
    rng = random.Random(22)
    sides = [(1, 1), (2, 2), (3, 5), (7, 9), (8, 8), (16, 16), (17, 15), (33, 47), (40, 24), (5, 64), (4, 3), (32, 32)]
    for case in range(count):
        (w, h), channels, seed = rng.choice(sides), 1 if case % 5 == 0 else 3, rng.randrange(1 << 32)
        quality = [25, 18, 15, 10, 7, 80, 65, 58, 50, 40][case % 10] if case % 2 else rng.randint(1, 100)
        file = io.BytesIO()
        to_pil(picture(w, h, channels, seed)).save(file, "JPEG", quality=quality)
        out = np.asarray(Image.open(file))
        yield f"{w}x{h}x{channels} {seed} {quality} = {fnv(out.tobytes())}\n"


def moments(draws=100):
    """Of one smooth image of 32x32 or 64x64, whose bytes the test makes by `picture`."""
    for name in ("glass_blur", "motion_blur", "snow", "fog", "elastic_transform", "spatter"):
        corruption, *tables = CASES[name]
        for scale, table, side in zip(("imagenet-224", "cifar-32"), tables, (64, 32)):
            for severity in (1, 3, 5):
                image = picture(side, side, 3, 2) / 255
                stats = []
                for draw in range(draws):
                    out = corruption(image, table[severity - 1], Numpy(1000 * severity + draw)) / 255
                    stats.append((out.mean(), out.std()))
                stats = np.array(stats)
                mean, error = stats.mean(0), stats.std(0, ddof=1) / math.sqrt(draws)
                yield f"{name} {scale} {severity} {side} {mean[0]!r} {error[0]!r} {mean[1]!r} {error[1]!r}\n".replace("np.float64(", "").replace(")", "")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "fields.txt").write_text("".join(fields()))
    (folder / "jpeg.txt").write_text("".join(jpeg()))
    (folder / "moments.txt").write_text("".join(moments()))
