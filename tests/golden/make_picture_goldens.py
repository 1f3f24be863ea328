#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/pictures/: small picture files of every kind, and what PIL makes of them, as raw RGB bytes:
NAME.rgb is the decoded picture (width, height as two bytes each before it), NAME.fit that scaled to 9x7 as the loader does."""
import io
import pathlib
import struct
import zlib

import numpy
from PIL import Image

HERE = pathlib.Path(__file__).parent / "pictures"
HERE.mkdir(exist_ok=True)
WIDTH, HEIGHT = 24, 20
FIT = (9, 7)


def picture(mode):
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [(x * 10) % 256, (y * 12) % 256, (x * 5 + y * 6) % 256, (255 - x * 3) % 256]
    if mode == "L":
        return Image.fromarray(planes[2].astype("uint8"))
    return Image.fromarray(numpy.stack(planes[:len(mode)], 2).astype("uint8"), mode)


def fit(image):
    width, height = image.size
    scale = max(FIT[0] / width, FIT[1] / height)
    w, h = FIT[0] / scale, FIT[1] / scale
    left, top = (width - w) / 2, (height - h) / 2
    return image.resize(FIT, Image.BILINEAR, box=(left, top, left + w, top + h))


def put(name, data, rgb):
    (HERE / name).write_bytes(data)
    rgb = rgb.convert("RGB")
    (HERE / (name + ".rgb")).write_bytes(struct.pack("<HH", *rgb.size) + rgb.tobytes())
    (HERE / (name + ".fit")).write_bytes(fit(rgb).tobytes())


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def sixteen_bits():
    """RGB of 16 bits: the high byte is the picture's, the low one is noise."""
    pixels = numpy.asarray(picture("RGB")).astype(">u2") * 256 + 77
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(">u2"))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


for mode, name in (("RGB", "colour.jpg"), ("L", "grey.jpg"), ("CMYK", "cmyk.jpg")):
    data = saved(picture(mode), "JPEG", quality=92)
    put(name, data, Image.open(io.BytesIO(data)))
data = saved(picture("RGB"), "JPEG", quality=92, progressive=True)
put("progressive.jpg", data, Image.open(io.BytesIO(data)))
for mode, name in (("RGB", "colour.png"), ("L", "grey.png")):
    put(name, saved(picture(mode), "PNG"), picture(mode))
palette = picture("RGB").quantize(16)
put("palette.png", saved(palette, "PNG"), palette)
put("alpha.png", saved(picture("RGBA"), "PNG"), picture("RGBA"))
put("sixteen.png", sixteen_bits(), picture("RGB"))
small = picture("RGB").crop((3, 2, 9, 6))  # grows to the size it is fitted to
put("small.png", saved(small, "PNG"), small)
