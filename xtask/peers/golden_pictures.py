"""Golden files for the decoding of crate `data-pipeline`: small image files, most of them written
by Pillow, and what Pillow reads out of them.

`pictures.bin`, `formats.bin` and `turned.bin` hold one file after the other, the `.txt` beside
them a line for each. Hashes are of all bytes.

- `pictures.txt`, JPEG and PNG: `KIND LENGTH WIDTHxHEIGHT RGB-HASH L-HASH` after `convert("RGB")`
  and `convert("L")`.
- `formats.txt`, every format and kind of pixel: `NAME LENGTH WIDTHxHEIGHT RGB-HASH L-HASH`, or
  `NAME LENGTH refused`. After names that begin with `cut-` follow the lengths at which the file,
  cut off there, is still read, as ranges `FROM-TO`. After those that begin with `near-` stand the
  bytes instead of hashes: ours differ by 1 at most.
- `turned.txt`, EXIF orientations: `NAME LENGTH WIDTHxHEIGHT RGB-HASH` after `exif_transpose`.
- `drafts.txt`: the JPEG files of `pictures.bin`, decoded for a smaller size: `INDEX
  ASKED-WIDTHxHEIGHT WIDTHxHEIGHT HASH` after `draft`, in the colours of the file.

    python xtask/peers/golden_pictures.py crates/data-pipeline/tests/golden

Needs Pillow 12.0.0 and numpy.
"""

import io
import random
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from golden_augment import fnv
from picture_files import bmp, packed, png, png_chunk, tiff

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


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def picture(mode, seed, side=5):
    w, h = SIDES[side]
    image = Image.fromarray(smooth(w, h, seed))
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray(smooth(w, h, seed + 1)[:, :, 0]))
    return image.convert(mode)


def deep(seed, channels, side=5):
    w, h = SIDES[side]
    return np.random.default_rng(seed).integers(0, 65536, (h, w, channels)).astype(np.uint16)


def png_kinds():
    grey, rgb = smooth(17, 15, 400)[:, :, 0], smooth(17, 15, 401)
    palette = png_chunk(b"PLTE", smooth(16, 1, 402).tobytes())
    for woven in (False, True):
        weave = "-woven" if woven else ""
        for bits in (1, 2, 4, 8):
            yield f"png-grey-{bits}{weave}", png(grey >> (8 - bits), 0, bits, woven)
            index = np.minimum(grey >> (8 - bits), 15)
            yield f"png-palette-{bits}{weave}", png(index, 3, bits, woven, [palette])
        alpha = [palette, png_chunk(b"tRNS", bytes(range(0, 160, 10)))]
        yield f"png-palette-alpha{weave}", png(grey >> 4, 3, 4, woven, alpha)
        yield f"png-rgb-16{weave}", png(deep(403, 3), 2, 16, woven)
        yield f"png-rgba-16{weave}", png(deep(404, 4), 6, 16, woven)
        yield f"png-la-16{weave}", png(deep(405, 2), 4, 16, woven)
        yield f"png-grey-key{weave}", png(grey, 0, 8, woven, [png_chunk(b"tRNS", struct.pack(">H", 128))])
        yield f"png-rgb-key{weave}", png(rgb, 2, 8, woven, [png_chunk(b"tRNS", struct.pack(">HHH", *rgb[3, 4]))])
    # Damage that Pillow does not mind, and damage that it does.
    yield "png-no-end", png(rgb, 2, 8, end=False)
    whole = png(rgb, 2, 8)
    at = whole.index(b"IEND") - 8  # The checksum of the data.
    yield "png-data-checksum", whole[:at] + b"\0\1\2\3" + whole[at + 4 :]
    yield "png-stream-checksum", whole[: at - 2] + b"\0\1" + whole[at:]
    yield "png-end-checksum", whole[:-4] + b"\0\1\2\3"
    yield "png-header-checksum", whole[:29] + b"\0\1\2\3" + whole[33:]
    yield "png-trailing-bytes", whole + b"and more"
    yield "png-junk-after-data", whole[: at + 4] + b"\xff" * 40
    short = png_chunk(b"PLTE", bytes(range(12)))
    yield "png-palette-checksum", png(grey >> 4, 3, 4, False, [palette[:-4] + b"\0\1\2\3"])
    yield "png-palette-too-short", png(grey >> 4, 3, 4, False, [short])
    yield "png-no-palette", png(grey >> 4, 3, 4)
    yield "png-palette-odd-length", png(grey >> 4, 3, 4, False, [png_chunk(b"PLTE", bytes(range(46)))])
    yield "png-two-palettes", png(grey >> 4, 3, 4, False, [png_chunk(b"PLTE", bytes(48)), palette])
    yield "png-faulty-palette-unused", png(rgb, 2, 8, False, [png_chunk(b"PLTE", b"ab")])
    yield "png-unknown-chunk", png(rgb, 2, 8, False, [png_chunk(b"ABCD", b"x")])
    yield "png-text-first", whole[:8] + png_chunk(b"tEXt", b"a\0b") + whole[8:]
    yield "png-two-headers", whole[:33] + whole[8:]
    method = whole[12:26] + b"\1" + whole[27:29]
    yield "png-compression-1", whole[:8] + png_chunk(method[:4], method[4:]) + whole[33:]
    data = whole[41:at]
    yield "png-data-after-text", whole[:33] + png_chunk(b"IDAT", data[:90]) + png_chunk(b"tEXt", b"a\0b") + png_chunk(b"IDAT", data[90:]) + whole[-12:]
    yield "png-data-in-parts", whole[:33] + b"".join(png_chunk(b"IDAT", data[i : i + 9]) for i in range(0, len(data), 9)) + whole[-12:]
    yield "png-data-and-more", whole[:33] + png_chunk(b"IDAT", data + b"more") + whole[-12:]
    taller = struct.pack(">IIBBBBB", 17, 16, 8, 2, 0, 0, 0)
    yield "png-row-missing", whole[:8] + png_chunk(b"IHDR", taller) + whole[33:]
    yield "cut-png", whole
    yield "cut-png-palette", png(grey >> 4, 3, 4, False, [palette])


def bmp_kinds():
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"bmp-{mode}", saved(picture(mode, 410), "BMP")
    grey, rgb = smooth(17, 15, 411)[:, :, 0], smooth(17, 15, 412)
    colours = b"".join(bytes(c) + b"\0" for c in smooth(16, 1, 413)[0])
    padded = lambda rows: b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    yield "bmp-4", bmp(17, 15, 4, padded(packed(grey >> 4, 4)), colours)
    yield "bmp-1", bmp(17, 15, 1, padded(packed(grey >> 7, 1)), colours[:8])
    core = b"".join(colours[i : i + 3] for i in range(0, 64, 4))
    yield "bmp-core-4", bmp(17, 15, 4, padded(packed(grey >> 4, 4)), core, core=True)
    yield "bmp-top-down", bmp(17, 15, 24, padded(packed(rgb, 8)), top_down=True)
    words = np.random.default_rng(414).integers(0, 65536, (15, 17))
    rows = padded([row.astype("<u2").tobytes() for row in words])
    yield "near-bmp-555", bmp(17, 15, 16, rows)
    yield "near-bmp-565", bmp(17, 15, 16, rows, compression=3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    four = np.random.default_rng(415).integers(0, 256, (15, 17, 4))
    yield "bmp-32", bmp(17, 15, 32, padded(packed(four, 8)))
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    yield "bmp-32-masks", bmp(17, 15, 32, padded(packed(four, 8)), compression=3, masks=masks)
    runs = b"".join(bytes([9, y, 0, 8]) + bytes(range(8)) + b"\0\0" for y in range(15)) + b"\0\1"
    yield "bmp-runs-8", bmp(17, 15, 8, runs, colours, compression=1)
    runs = b"".join(bytes([9, 16 * y + 5, 8, 0x12]) + b"\0\0" for y in range(15)) + b"\0\1"
    yield "bmp-runs-4", bmp(17, 15, 4, runs, colours, compression=2)
    yield "cut-bmp", bmp(17, 15, 24, padded(packed(rgb, 8)))
    yield "cut-bmp-palette", bmp(17, 15, 4, padded(packed(grey >> 4, 4)), colours)


def tiff_kinds():
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr"):
        for compression in (None, "packbits", "tiff_lzw", "tiff_adobe_deflate"):
            near = "near-" if mode == "YCbCr" and compression else ""
            yield f"{near}tiff-{mode}-{compression}", saved(picture(mode, 420), "TIFF", compression=compression)
    for mode in ("L", "RGB", "CMYK", "YCbCr"):
        yield f"tiff-{mode}-jpeg", saved(picture(mode, 421, 8), "TIFF", compression="jpeg")
        yield f"tiff-{mode}-jpeg-90", saved(picture(mode, 421, 8), "TIFF", compression="jpeg", quality=90)
    yield "tiff-1-group3", saved(picture("1", 422), "TIFF", compression="group3")
    yield "tiff-1-group4", saved(picture("1", 422), "TIFF", compression="group4")
    for mode in ("L", "RGB", "RGBA"):
        yield f"tiff-{mode}-differences", saved(picture(mode, 423), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    several = {"save_all": True, "append_images": [picture("L", 425)]}
    yield "tiff-pages", saved(picture("RGB", 424), "TIFF", **several)
    grey, rgb = smooth(17, 15, 426)[:, :, 0], smooth(17, 15, 427)
    for order, name in (("<", "little"), (">", "big")):
        words = lambda a: a.astype(order + "u2").tobytes()
        for bits in (1, 2, 4, 8):
            strips = [b"".join(packed(grey >> (8 - bits), bits))]
            for photometric, white in ((1, ""), (0, "-white-0")):
                tags = {258: ("H", [bits]), 262: ("H", [photometric]), 277: ("H", [1])}
                yield f"tiff-grey-{bits}{white}-{name}", tiff(17, 15, tags, strips, order)
            tags = {258: ("H", [bits]), 262: ("H", [3]), 277: ("H", [1])}
            tags[320] = ("H", [int(v) for v in np.random.default_rng(429).integers(0, 65536, 3 * 2**bits)])
            yield f"tiff-palette-{bits}-{name}", tiff(17, 15, tags, strips, order)
        colour = {258: ("H", [16] * 3), 262: ("H", [2]), 277: ("H", [3])}
        yield f"tiff-rgb-16-{name}", tiff(17, 15, colour, [words(deep(430, 3))], order)
        colour = {258: ("H", [16] * 4), 262: ("H", [2]), 277: ("H", [4]), 338: ("H", [2])}
        yield f"tiff-rgba-16-{name}", tiff(17, 15, colour, [words(deep(431, 4))], order)
        colour = {258: ("H", [8] * 4), 262: ("H", [2]), 277: ("H", [4]), 338: ("H", [1])}
        premultiplied = np.dstack([rgb, smooth(17, 15, 432)[:, :, :1]])
        yield f"tiff-premultiplied-{name}", tiff(17, 15, colour, [premultiplied.tobytes()], order)
        colour = {258: ("H", [8] * 3), 262: ("H", [2]), 277: ("H", [3]), 284: ("H", [2])}
        planes = [rgb[:, :, k].tobytes() for k in range(3)]
        yield f"tiff-planes-{name}", tiff(17, 15, colour, planes, order)
        colour = {258: ("H", [8] * 3), 262: ("H", [2]), 277: ("H", [3]), 278: ("H", [4])}
        strips = [rgb[y : y + 4].tobytes() for y in range(0, 15, 4)]
        yield f"tiff-strips-{name}", tiff(17, 15, colour, strips, order)
    yield "cut-tiff", tiff(17, 15, {258: ("H", [8]), 262: ("H", [1]), 277: ("H", [1])}, [grey.tobytes()])


def other_kinds():
    for mode in ("RGB", "RGBA"):
        for quality in (20, 75, 95):
            for side in (5, 8):
                yield f"webp-{mode}-{quality}-{side}", saved(picture(mode, 440, side), "WEBP", quality=quality)
        yield f"webp-{mode}-lossless", saved(picture(mode, 441, 6), "WEBP", lossless=True, exact=True)
    pages = {"save_all": True, "append_images": [picture("RGB", 443)]}
    yield "webp-moving", saved(picture("RGB", 442), "WEBP", **pages)
    yield "webp-moving-alpha", saved(picture("RGBA", 442), "WEBP", lossless=True, **pages)
    yield "cut-webp", saved(picture("RGB", 444), "WEBP")
    yield "cut-webp-lossless", saved(picture("RGB", 444), "WEBP", lossless=True)
    for mode in ("1", "L", "P", "RGB"):
        for woven in (0, 1):
            yield f"gif-{mode}-{woven}", saved(picture(mode, 450), "GIF", interlace=woven)
    seen = int(np.asarray(picture("P", 451))[3, 4])
    yield "gif-transparent", saved(picture("P", 451), "GIF", transparency=seen, optimize=False)
    yield "gif-moving", saved(picture("P", 452), "GIF", **{"save_all": True, "append_images": [picture("P", 453)]})
    still = saved(picture("P", 454), "GIF")
    few = saved(picture("P", 455), "GIF")
    yield "gif-palette-too-short", few[:10] + b"\x80" + few[11:19] + few[13 + 3 * 2 ** (few[10] % 8 + 1) :]
    larger = still[:6] + struct.pack("<HH", 25, 22) + still[10:]
    at = larger.index(b",\0\0\0\0")
    yield "gif-smaller-frame", larger[: at + 1] + struct.pack("<HH", 3, 4) + larger[at + 5 :]
    yield "gif-smaller-frame-background", (larger[:11] + b"\7" + larger[12 : at + 1]) + struct.pack("<HH", 3, 4) + larger[at + 5 :]
    yield "gif-frame-outside", still[: at + 1] + struct.pack("<HH", 3, 4) + still[at + 5 :]
    yield "cut-gif", still
    for mode in ("1", "L", "RGB"):
        yield f"pnm-{mode}", saved(picture(mode, 460), "PPM")
    grey, rgb = smooth(17, 15, 461)[:, :, 0], smooth(17, 15, 462)
    text = lambda values: b"\n".join(b" ".join(b"%d" % v for v in row) for row in values.reshape(15, -1))
    yield "pnm-text-1", b"P1\n# a comment\n17 15\n" + text(grey >> 7)
    yield "pnm-text-L", b"P2\n17 15\n# a comment\n255\n" + text(grey)
    yield "pnm-text-RGB", b"P3 17 15 255\n" + text(rgb)
    yield "pnm-L-15", b"P5 17 15 15\n" + (grey >> 4).tobytes()
    yield "near-pnm-RGB-100", b"P6 17 15 100\n" + (rgb // 3).tobytes()
    yield "pnm-text-L-7", b"P2 17 15 7\n" + text(grey >> 5)
    yield "near-pnm-RGB-16", b"P6 17 15 65535\n" + deep(463, 3).astype(">u2").tobytes()
    yield "cut-pnm", b"P5 17 15 255\n" + grey.tobytes()
    yield "cut-pnm-text", b"P2 17 15 255\n" + text(grey)
    for mode in ("RGB", "RGBA"):
        yield f"qoi-{mode}", saved(picture(mode, 470), "QOI")
    yield "cut-qoi", saved(picture("RGB", 471), "QOI")
    # CMYK and YCCK, with Adobe's marker and without it.
    marked = saved(picture("CMYK", 490), "JPEG")
    at = marked.index(b"\xff\xeeX" if b"\xff\xeeX" in marked else b"\xff\xee")
    yield "jpeg-cmyk", marked
    yield "jpeg-ycck", marked[: at + 15] + b"\2" + marked[at + 16 :]
    yield "jpeg-cmyk-unmarked", marked[:at] + marked[at + 16 :]
    yield "cut-jpeg", saved(picture("RGB", 491), "JPEG")
    yield "cut-jpeg-progressive", saved(picture("RGB", 491), "JPEG", progressive=True)


def read(data):
    """The picture as Pillow reads it, or nothing."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        return image
    except Exception:
        return None


def verdict(name, data):
    image = read(data)
    if image is None:
        return f"{name} {len(data)} refused"
    rgb, grey = (np.asarray(image.convert(mode)).tobytes() for mode in ("RGB", "L"))
    if name.startswith("near-"):
        return f"{name} {len(data)} {image.width}x{image.height} {rgb.hex()}"
    line = f"{name} {len(data)} {image.width}x{image.height} {fnv(rgb)} {fnv(grey)}"
    if name.startswith("cut-"):
        fits = [read(data[:length]) is not None for length in range(len(data) + 1)]
        edges = [i for i in range(len(fits)) if fits[i] != (i > 0 and fits[i - 1])] + [len(fits)]
        for start, end in zip(edges[::2], edges[1::2]):
            line += f" {start}-{end - 1}"
    return line


def turned():
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        for form, mode in (("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("WEBP", "RGB"), ("TIFF", "RGB")):
            options = {"lossless": True} if form == "WEBP" else {}
            yield f"{form}-{mode}-{orientation}", saved(picture(mode, 500), form, exif=exif, **options)
        big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1" + bytes([0, orientation, 0, 0, 0, 0, 0, 0])
        yield f"JPEG-big-endian-{orientation}", saved(picture("RGB", 501), "JPEG", exif=b"Exif\0\0" + big)
        late = saved(picture("RGB", 502), "PNG")
        yield f"PNG-late-{orientation}", late[:-12] + png_chunk(b"eXIf", big) + late[-12:]
        packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="%d"/></x:xmpmeta>' % orientation
        for form in ("JPEG", "PNG", "WEBP"):
            options = {"lossless": True} if form == "WEBP" else {}
            if form == "PNG":
                late = saved(picture("RGB", 503), "PNG")
                text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
                yield f"PNG-xmp-{orientation}", late[:33] + text + late[33:]
            else:
                yield f"{form}-xmp-{orientation}", saved(picture("RGB", 503), form, xmp=packet, **options)


def drafts(files):
    for index, (kind, data) in enumerate(files):
        if kind not in ("jpeg", "cmyk"):
            continue
        for asked in ((1, 1), (4, 3), (8, 8), (12, 9), (20, 20)):
            image = Image.open(io.BytesIO(data))
            image.draft(None, asked)
            pixels = np.asarray(image.convert("L" if image.mode == "L" else "RGB"))
            yield f"{index} {asked[0]}x{asked[1]} {image.width}x{image.height} {fnv(pixels.tobytes())}"


def write(folder, name, files, lines):
    (folder / f"{name}.bin").write_bytes(b"".join(data for _, data in files))
    (folder / f"{name}.txt").write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    folder, lines, files = Path(sys.argv[1]), [], []
    for kind, image, form, options in [*jpegs(), *pngs()]:
        data = saved(image, form, **options)
        files.append((kind, data))
        lines.append(verdict(kind, data))
    write(folder, "pictures", files, lines)
    (folder / "drafts.txt").write_text("".join(line + "\n" for line in drafts(files)))
    files = [*png_kinds(), *bmp_kinds(), *tiff_kinds(), *other_kinds()]
    write(folder, "formats", files, [verdict(*file) for file in files])
    files = list(turned())
    lines = []
    for name, data in files:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        lines.append(f"{name} {len(data)} {image.width}x{image.height} {fnv(np.asarray(image).tobytes())}")
    write(folder, "turned", files, lines)
