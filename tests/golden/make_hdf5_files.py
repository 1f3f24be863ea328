#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small HDF5 files to tests/golden/hdf5 for tests/unit/test_hdf5_read.c, and smaller ones as the corpus of fuzz_hdf5.
Needs the packages h5py and numpy.

earliest.h5, latest.h5   the same content in the oldest and the newest version of the format that libhdf5 writes:
    numbers/*    element i is (7 * i % 11 - 5) / 8, in integers 7 * i % 11 - 5 (unsigned: 7 * i % 11)
    texts/*      element i is "text <i> é" (ascii: "text <i>")
    sequences/*  element i is the numbers above for 0 to 3 * i
    order/       700 links, made in the order of falling names, in a group that remembers it; named/: the same, but forgets
    refused/*    what is no part of the subset; the name says what the message must contain
before.h5        earliest.h5's numbers behind 512 bytes of somebody else's
"""
import pathlib
import shutil

import h5py
import numpy as np

FOLDER = pathlib.Path(__file__).parent / "hdf5"
CORPUS = FOLDER.parent.parent / "fuzz" / "corpus_hdf5"
LINKS = 700


def numbers(shape, kind):
    kind = np.dtype(kind)
    i = np.arange(int(np.prod(shape)), dtype=np.int64) * 7 % 11
    return ((i - 5) / 8 if kind.kind == "f" else i if kind.kind == "u" else i - 5).astype(kind).reshape(shape)


def low_level(group, name, shape, chunks=None, compact=False, early=False):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    if compact:
        properties.set_layout(h5py.h5d.COMPACT)
    if chunks:
        properties.set_chunk(chunks)
    if early:
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(shape), properties)
    group[name][...] = numbers(shape, "f4")


def skipped_filter(group):
    """Of two chunks one is not packed: libhdf5 leaves a filter out where it does not pay."""
    data = numbers((8,), "i4")
    made = group.create_dataset("skipped_filter", (8,), "i4", chunks=(4,), compression="gzip")
    made[:4] = data[:4]
    made.id.write_direct_chunk((4,), data[4:].tobytes(), filter_mask=1)


def put_numbers(group):
    for kind in ("i1", "u1", "i2", ">i2", "u2", "i4", ">u4", "i8", "u8", ">i8", "f2", "f4", ">f4", "f8", ">f8"):
        group[kind.replace(">", "big_")] = numbers((5, 3), kind)
    group["scalar"] = np.float32(-5 / 8)
    group["empty"] = np.zeros((0, 3), "f4")
    group.create_dataset("enumeration", data=numbers((4,), "i1"), dtype=h5py.enum_dtype({"A": -5, "B": 2}, "i1"))
    how = {"chunked": {}, "gzip": {"compression": "gzip"}, "checked": {"fletcher32": True},
           "all_filters": {"compression": 9, "shuffle": True, "fletcher32": True}}
    for name, options in how.items():
        group.create_dataset(name, data=numbers((7, 5, 3), "f8"), chunks=(3, 2, 2), **options)
        group.create_dataset("single_" + name, data=numbers((4, 3), "f4"), chunks=(4, 3), **options)
    for name in ("chunked", "gzip"):  # more than a page of a fixed array, more than a node of a tree
        group.create_dataset("many_" + name, data=numbers((1100,), "i2"), chunks=(1,), **how[name])
    group.create_dataset("odd_bytes", data=numbers((33,), "u1"), chunks=(33,), fletcher32=True)
    low_level(group, "compact", (3, 4), compact=True)
    low_level(group, "implicit", (5, 7), chunks=(2, 3), early=True)
    skipped_filter(group)
    for i in range(30):  # attributes until the header is in several pieces
        group["scalar"].attrs[f"about {i}"] = "x" * 40


def put_texts(group):
    texts = [f"text {i} é" for i in range(40)]
    group.create_dataset("variable", data=np.array(texts[:6], dtype=object).reshape(3, 2), dtype=h5py.string_dtype())
    group.create_dataset("packed", data=texts, dtype=h5py.string_dtype(), chunks=(16,), compression="gzip")
    group.create_dataset("fixed", data=[t.encode() for t in texts[:5]], dtype=h5py.string_dtype("utf-8", 20))
    group.create_dataset("ascii", data=np.array([f"text {i}" for i in range(3)], dtype="S8"))
    spaces = h5py.h5t.C_S1.copy()
    spaces.set_size(12)
    spaces.set_strpad(h5py.h5t.STR_SPACEPAD)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    made = h5py.h5d.create(group.id, b"spaces_ascii", spaces, h5py.h5s.create_simple((2,)), properties)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([b"text 0", b"text 1"], dtype="S12"), spaces)


def put_sequences(group):
    for name, kind in (("halves", "f2"), ("words", "u2"), ("big", ">i8")):
        made = group.create_dataset(name, (6,), h5py.vlen_dtype(np.dtype(kind)), chunks=(4,) if name == "big" else None)
        for i in range(6):
            made[i] = numbers((3 * i,), kind)


def put_refused(group):
    group.create_dataset("neither", data=np.zeros(2, dtype=[("a", "i4"), ("b", "f4")]))
    group.create_dataset("never stored", (4,), "f4")
    group.create_dataset("chunk 1 was never stored", (4,), "f4", chunks=(2,))[:2] = 1
    group.create_dataset("filter 32000 (lzf)", data=np.zeros(2), chunks=(2,), compression="lzf")
    group.create_dataset("outside this file", (2,), "f4", external=[("nothing.raw", 0, 8)])
    group.create_dataset("has no value", data=h5py.Empty("f4"))
    group.create_dataset("9 dimensions", data=np.zeros((1,) * 9, "f4"))
    if group.file.libver[0] != "earliest":
        group.create_dataset("an extensible array", data=np.zeros(4), chunks=(2,), maxshape=(None,))
        group.create_dataset("a version 2 B-tree", data=np.zeros((4, 4)), chunks=(2, 2), maxshape=(None, None))


def put_links(file):
    for name, ordered in (("order", True), ("named", False)):
        group = file.create_group(name, track_order=ordered)
        target = file["numbers/scalar"]
        for i in reversed(range(LINKS)):
            group[f"entry {i:03d} {'x' * (i % 37)}"] = target
    file["order"]["soft"] = h5py.SoftLink("/numbers")
    file["order"]["external"] = h5py.ExternalLink("other.h5", "/numbers")


def write(name, libver):
    with h5py.File(FOLDER / name, "w", libver=libver) as file:
        put_numbers(file.create_group("numbers"))
        put_texts(file.create_group("texts"))
        put_sequences(file.create_group("sequences"))
        put_refused(file.create_group("refused"))
        put_links(file)


def write_corpus(version, oldest):
    def begin(what):
        return h5py.File(CORPUS / f"{what}_{version}", "w", libver=(oldest, "v110"))

    with begin("group") as file:
        group = file.create_group("a", track_order=True)
        for i in range(70):  # dense, and a tree of two levels
            group[f"{i:02d}"] = file
    with begin("chunks") as file:
        for name, how in (("gzip", {"compression": "gzip", "shuffle": True}), ("checked", {"fletcher32": True}), ("plain", {})):
            file.create_dataset(name, data=numbers((3, 5), "i2"), chunks=(2, 2), **how)
        file.create_dataset("single", data=numbers((4,), "f4"), chunks=(4,), compression="gzip")
        file.create_dataset("pages", data=numbers((1030,), "i1"), chunks=(1,))
    with begin("values") as file:
        low_level(file, "compact", (3, 2), compact=True)
        low_level(file, "implicit", (3,), chunks=(2,), early=True)
        file.create_dataset("texts", data=["one", "", "three"], dtype=h5py.string_dtype())
        file["text"] = np.bytes_("four")
        file["enumeration"] = np.array([True, False])
        made = file.create_dataset("sequences", (2,), h5py.vlen_dtype(np.dtype("f2")))
        made[1] = [1, 2, 3]


def main():
    for folder in (FOLDER, CORPUS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    write_corpus("old", "earliest")
    write_corpus("new", "v110")
    write("earliest.h5", ("earliest", "v110"))
    write("latest.h5", ("v110", "v110"))
    with h5py.File(FOLDER / "before.h5", "w", userblock_size=512) as file:
        file.create_group("numbers")["f4"] = numbers((5, 3), "f4")
    for path in sorted(FOLDER.iterdir()):
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
