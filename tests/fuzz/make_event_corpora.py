#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of fuzz_event_readers. It is small and in the tree; this is how it was made."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus_event_readers"
ATIS, AEDAT2, AEDAT2_CIFAR10_DVS, AEDAT3, LABELS = range(5)


def put(name, reader, data):
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / name).write_bytes(bytes([reader]) + data)


def atis(x, y, p, t):
    return bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255])


def record(x, y, p, t, special=0):
    return struct.pack(">II", special << 15 | y << 8 | x << 1 | p, t)


def packet(events, kind=1, size=8, offset=4, overflow=0, capacity=None, number=None):
    number = len(events) if number is None else number
    head = struct.pack("<hhiiiiii", kind, 1, size, offset, overflow, capacity or number, number, number)
    return head + b"".join(events)


def event(x, y, p, t, valid=1):
    return struct.pack("<II", x << 17 | y << 2 | p << 1 | valid, t)


HEAD2 = b"#!AER-DAT2.0\r\n# comment\r\n#End Of ASCII Header\r\n"
HEAD3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"

put("atis", ATIS, atis(3, 4, 1, 70000) + atis(0, 240, 0, 0) + atis(127, 127, 0, 2**23 - 1) + atis(1, 2, 1, 5))
put("atis_outside", ATIS, atis(3, 4, 1, 7) + atis(128, 0, 0, 8))
put("atis_cut", ATIS, atis(3, 4, 1, 7)[:-1])
put("atis_empty", ATIS, b"")
put("aedat2", AEDAT2, HEAD2 + record(1, 2, 1, 2**32 - 2) + record(5, 6, 0, 3, special=1) + record(127, 127, 0, 9))
put("aedat2_cifar", AEDAT2_CIFAR10_DVS, HEAD2 + record(1, 2, 1, 9) + record(0, 127, 0, 3))
put("aedat2_other_camera", AEDAT2, HEAD2 + struct.pack(">II", 0x80000000, 1))
put("aedat2_no_events", AEDAT2, HEAD2)
put("aedat2_header_cut", AEDAT2, HEAD2[:-1])
put("aedat3", AEDAT3, HEAD3 + packet([event(1, 2, 1, 2**31 - 1), event(3, 4, 0, 5, valid=0)])
    + packet([b"x" * 12], kind=2, size=12) + packet([event(127, 127, 1, 4)], overflow=1))
put("aedat3_promise_too_much", AEDAT3, HEAD3 + packet([event(1, 2, 1, 1)], number=2**31 - 1))
put("aedat3_negative", AEDAT3, HEAD3 + packet([event(1, 2, 1, 1)], number=-1, capacity=-1))
put("aedat3_outside", AEDAT3, HEAD3 + packet([event(128, 2, 1, 1)]))
put("aedat3_spare_places", AEDAT3, HEAD3 + packet([event(1, 2, 1, 1), event(0, 0, 0, 0)], number=1, capacity=2))
put("labels", LABELS, b"class,startTime_usec,endTime_usec\r\n1,10,20\r\n11, 20 ,30\n\n")
put("labels_four", LABELS, b"h\n1,2,3,4\n")
put("labels_class_0", LABELS, b"h\n0,2,3\n")
put("labels_no_end", LABELS, b"h\n3,0,99999999999")
