#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes autoaugment_goldens.bin: AutoAugment's operations as Pillow does them. Needs Pillow and NumPy (Pillow 13.0).

File: bytes height, width, number of pictures, the pictures [height, width, 3]; then, to the end, cases: bytes picture,
operation (its place in the list below), magnitude 0..9, sign (0 plus, 1 minus), the result [height, width, 3].
"""
import math
import pathlib

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

GREY = (128, 128, 128)
HEIGHT, WIDTH = 13, 17


def affine(image, matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=GREY)


def factor(m, sign):
    return 1 + sign * 0.9 * m / 9


# In the order of SSTI_AUTOAUGMENT_OPERATIONS.
OPERATIONS = [
    lambda i, m, s: affine(i, (1, s * 0.3 * m / 9, 0, 0, 1, 0)),
    lambda i, m, s: affine(i, (1, 0, 0, s * 0.3 * m / 9, 1, 0)),
    lambda i, m, s: affine(i, (1, 0, s * 150 / 331 * m / 9 * WIDTH, 0, 1, 0)),
    lambda i, m, s: affine(i, (1, 0, 0, 0, 1, s * 150 / 331 * m / 9 * HEIGHT)),
    lambda i, m, s: i.rotate(s * 30 * m / 9, Image.Resampling.NEAREST, fillcolor=GREY),
    lambda i, m, s: ImageEnhance.Color(i).enhance(factor(m, s)),
    lambda i, m, s: ImageEnhance.Brightness(i).enhance(factor(m, s)),
    lambda i, m, s: ImageEnhance.Contrast(i).enhance(factor(m, s)),
    lambda i, m, s: ImageEnhance.Sharpness(i).enhance(factor(m, s)),
    lambda i, m, s: ImageOps.posterize(i, 8 - math.floor(4 * m / 9 + 0.5)),
    lambda i, m, s: ImageOps.solarize(i, 256 - 256 * m / 9),
    lambda i, m, s: ImageOps.autocontrast(i),
    lambda i, m, s: ImageOps.equalize(i),
    lambda i, m, s: ImageOps.invert(i),
]
UNSIGNED, WITHOUT_MAGNITUDE = {9, 10, 11, 12, 13}, {11, 12, 13}


def pictures():
    """Noise, a dull gradient with few values, and one where a channel is constant."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = random.integers(0, 256, (HEIGHT, WIDTH, 3))
    dull = np.stack([60 + 5 * x, 90 + 3 * y, 100 + 2 * (x + y)], axis=2)
    flat = np.stack([np.full_like(x, 77), 200 - 7 * y, random.integers(40, 60, (HEIGHT, WIDTH))], axis=2)
    return [p.astype(np.uint8) for p in (noise, dull, flat)]


def main():
    out = bytearray([HEIGHT, WIDTH, 3])
    images = [Image.fromarray(p) for p in pictures()]
    for image in images:
        out += image.tobytes()
    for p, image in enumerate(images):
        for o, operation in enumerate(OPERATIONS):
            for magnitude in [0] if o in WITHOUT_MAGNITUDE else [1, 4, 7, 9]:
                for sign in [1] if o in UNSIGNED else [1, -1]:
                    out += bytes([p, o, magnitude, sign < 0]) + operation(image, magnitude, sign).tobytes()
    (pathlib.Path(__file__).parent / "autoaugment_goldens.bin").write_bytes(out)


main()
