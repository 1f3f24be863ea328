#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpora of fuzz_idx, fuzz_cifar, fuzz_picture and fuzz_annotations. They are small and in the tree; this is how they were made."""
import gzip
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def put(corpus, name, data):
    (HERE / corpus).mkdir(exist_ok=True)
    (HERE / corpus / name).write_bytes(data)


def pictures(count, promised=None, side=4, magic=0x803):
    return struct.pack(">IIII", magic, promised or count, side, side) + bytes(i % 256 for i in range(count * side * side))


def labels(count, promised=None, worst=9):
    return struct.pack(">II", 0x801, promised or count) + bytes(min(i, worst) for i in range(count))


def packed(data):
    return gzip.compress(data, mtime=0)


put("corpus_idx", "pictures", b"\0\0" + pictures(3))
put("corpus_idx", "pictures_limit", b"\0\2" + pictures(3))
put("corpus_idx", "pictures_gzip", b"\0\0" + packed(pictures(3)))
put("corpus_idx", "pictures_promise_too_much", b"\0\0" + pictures(3, promised=0xFFFFFFFF))
put("corpus_idx", "pictures_gzip_promise_too_much", b"\0\0" + packed(pictures(3, promised=0xFFFFFFF0)))
put("corpus_idx", "pictures_other_side", b"\0\0" + pictures(3, side=5))
put("corpus_idx", "pictures_extra", b"\0\0" + pictures(3) + b"x")
put("corpus_idx", "labels", b"\1\0" + labels(10))
put("corpus_idx", "labels_gzip", b"\1\0" + packed(labels(10)))
put("corpus_idx", "labels_too_large", b"\1\0" + labels(12, worst=11))
put("corpus_idx", "labels_gzip_no_trailer", b"\1\0" + packed(labels(10))[:-8])
put("corpus_idx", "gzip_nothing", b"\0\0\x1f\x8b")
put("corpus_idx", "empty", b"\0\0")

ten = b"".join(bytes([label]) + bytes((label + i) % 256 for i in range(3072)) for label in (0, 9))
hundred = bytes([19, 99]) + bytes(i % 251 for i in range(3072))
put("corpus_cifar", "ten", b"\0" + ten)
put("corpus_cifar", "ten_bad_label", b"\0" + bytes([10]) + ten[1:])
put("corpus_cifar", "ten_cut", b"\0" + ten[:-1])
put("corpus_cifar", "hundred", b"\1" + hundred)
put("corpus_cifar", "hundred_bad_coarse", b"\1" + bytes([20]) + hundred[1:])
put("corpus_cifar", "empty", b"\0")

for path in sorted((HERE.parent / "golden/pictures").iterdir()):
    if path.suffix in (".jpg", ".png"):
        name, data = path.name.replace(".", "_"), path.read_bytes()
        put("corpus_picture", name, b"\x08" + data)
        put("corpus_picture", name + "_cut", b"\x1f" + data[:len(data) // 2])
put("corpus_annotations", "plain", b"n2\nn1\n\0a.jpg\tn1\t0\t0\t1\t1\nb.jpg\tn2\t0\t0\t1\t1\n")
put("corpus_annotations", "unknown", b"n1\n\0a.jpg\tn7\t0\n")
put("corpus_annotations", "twice", b"n1\nn1\n")
put("corpus_annotations", "crlf", b"n1\r\n\0a.jpg\tn1\r\n")
