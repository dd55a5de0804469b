"""Small image files that Pillow reads and cannot write: PNG, TIFF and BMP byte by byte.

A module of `golden_pictures.py`.
"""

import struct
import zlib

import numpy as np


def packed(values, bits):
    """Rows of samples of 1, 2, 4, 8 or 16 bits, big-endian, each row filled up to whole bytes."""
    rows = np.asarray(values).reshape(len(values), -1)
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    if bits == 8:
        return [row.astype(np.uint8).tobytes() for row in rows]
    spread = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row).tobytes() for row in spread.reshape(len(rows), -1)]


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values, colour, bits, interlaced=False, chunks=(), end=True):
    """`values`: `[height][width]` or `[height][width][channels]`; `colour`: the type in IHDR."""
    values = np.asarray(values)
    height, width = values.shape[:2]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x, y, dx, dy in passes:
        part = values[y::dy, x::dx]
        if part.size:
            raw += b"".join(b"\0" + row for row in packed(part, bits))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    body = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(raw))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body) + (png_chunk(b"IEND", b"") if end else b"")


TIFF_TYPES = {"B": 1, "H": 3, "I": 4}


def tiff(width, height, tags, strips, order="<"):
    """`tags`: `{number: (type, values)}` beside those of the size and the strips."""
    tags = dict(tags)
    tags[256], tags[257] = ("H", [width]), ("H", [height])
    tags.setdefault(259, ("H", [1]))
    tags.setdefault(278, ("H", [height]))
    tags[273], tags[279] = ("I", [0] * len(strips)), ("I", [len(strip) for strip in strips])

    def written():
        entries, extra = b"", b""
        start = 8 + 2 + 12 * len(tags) + 4
        for number in sorted(tags):
            kind, values = tags[number]
            data = struct.pack(f"{order}{len(values)}{kind}", *values)
            if len(data) > 4:
                where = struct.pack(order + "I", start + len(extra))
                extra += data + b"\0" * (len(data) % 2)
                data = where
            entries += struct.pack(order + "HHI", number, TIFF_TYPES[kind], len(values)) + data.ljust(4, b"\0")
        head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
        return head + struct.pack(order + "H", len(tags)) + entries + b"\0" * 4 + extra

    at, offsets = len(written()), []
    for strip in strips:
        offsets.append(at)
        at += len(strip)
    tags[273] = ("I", offsets)
    return written() + b"".join(strips)


def bmp(width, height, bits, pixels, palette=b"", compression=0, masks=b"", top_down=False, core=False):
    """`pixels`: the rows as they are stored."""
    if core:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        tall = -height if top_down else height
        colours = len(palette) // 4
        info = struct.pack("<IiiHHIIiiII", 40, width, tall, 1, bits, compression, len(pixels), 2835, 2835, colours, 0)
    start = 14 + len(info) + len(masks) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return head + info + masks + palette + pixels
