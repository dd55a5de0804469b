"""Golden files for the decoding of crate `data-pipeline`: small JPEG and PNG files by Pillow, and
what Pillow reads out of them.

`pictures.bin` holds one file after the other; a line of `pictures.txt` is `KIND LENGTH WIDTHxHEIGHT
RGB-HASH L-HASH`: hashes of all bytes after `convert("RGB")` and `convert("L")`.

    python xtask/peers/golden_pictures.py crates/data-pipeline/tests/golden

Needs Pillow 12.0.0 and numpy.
"""

import io
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from golden_augment import fnv

rng = random.Random(23)
SIDES = [(1, 1), (2, 3), (7, 9), (8, 8), (16, 16), (17, 15), (33, 21), (24, 40), (50, 37)]


def smooth(width, height, seed):
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 110 * np.sin((columns * (3 + k) + rows * (5 - k)) / 9 + k + seed) for k in range(3)]
    return np.clip(np.stack(waves, 2) + np.random.default_rng(seed).normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def jpegs():
    for case in range(90):
        w, h = SIDES[case % 9]
        image = Image.fromarray(smooth(w, h, case))
        options = {"quality": rng.choice([10, 30, 50, 75, 90, 95, 100]), "subsampling": case % 3, "progressive": case % 4 == 3}
        if case % 5 == 4:
            image = image.convert("L")
            options.pop("subsampling")
        if case % 7 == 6:
            options["restart_marker_blocks"] = 2
        if case % 11 == 10 and image.mode == "RGB":
            options["keep_rgb"] = True
            options.pop("subsampling")
        if case == 12:
            image = image.convert("CMYK")
            options.pop("subsampling")
        if case % 13 == 12:
            options["optimize"] = True
        yield "jpeg" if image.mode != "CMYK" else "cmyk", image, "JPEG", options


def pngs():
    for case, mode in enumerate(["RGB", "L", "RGBA", "LA", "P", "1", "PA", "RGB", "L"] * 2):
        w, h = SIDES[case % 9]
        image = Image.fromarray(smooth(w, h, 100 + case))
        if mode == "PA":
            image = image.convert("P")
            image.info["transparency"] = 3
            yield "png", image, "PNG", {"transparency": 3}
            continue
        if mode in ("RGBA", "LA"):
            image = image.convert(mode)
            image.putalpha(Image.fromarray(smooth(w, h, 200 + case)[:, :, 0]))
        yield "png", image.convert(mode), "PNG", {}
    grey = (smooth(17, 15, 300)[:, :, 0].astype(np.uint16) << 8) + 77
    yield "png16", Image.fromarray(grey), "PNG", {}


if __name__ == "__main__":
    folder, blob, lines = Path(sys.argv[1]), b"", []
    for kind, image, form, options in [*jpegs(), *pngs()]:
        file = io.BytesIO()
        image.save(file, form, **options)
        data = file.getvalue()
        rgb, grey = Image.open(file).convert("RGB"), Image.open(file).convert("L")
        out = np.asarray(rgb).tobytes()
        line = f"{kind} {len(data)} {rgb.width}x{rgb.height} {fnv(out)} {fnv(np.asarray(grey).tobytes())}"
        lines.append(line + "\n")
        blob += data
    (folder / "pictures.bin").write_bytes(blob)
    (folder / "pictures.txt").write_text("".join(lines))
