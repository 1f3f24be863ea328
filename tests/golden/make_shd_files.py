#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small HDF5 files in the layout of SHD and SSC to tests/golden/shd, for tests/unit/test_shd.c, and the corpus of
fuzz_shd. Needs the packages h5py and numpy.

Recording i of the good files has 3 * i spikes; spike k is at (3 * k + i) / 64 s, of unit (37 * k + 11 * i) % 700.
"""
import pathlib
import shutil

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "shd"
CORPUS = HERE.parent / "fuzz" / "corpus_shd"
COUNT = 7


def write(name, count=COUNT, time_type=np.float16, unit_type=np.uint16, labels=None, change=None, oldest="earliest",
          **how):
    path = FOLDER / name
    with h5py.File(path, "w", libver=(oldest, "v110")) as file:
        spikes = file.create_group("spikes")
        times = spikes.create_dataset("times", (count,), h5py.vlen_dtype(np.dtype(time_type)), **how)
        units = spikes.create_dataset("units", (count,), h5py.vlen_dtype(np.dtype(unit_type)), **how)
        for i in range(count):
            k = np.arange(3 * i)
            times[i] = ((3 * k + i) / 64).astype(time_type)
            units[i] = ((37 * k + 11 * i) % 700).astype(unit_type)
        file["labels"] = np.arange(count, dtype=np.uint16) * 3 % 20 if labels is None else np.array(labels)
        if change is not None:
            change(file)


def fewer_units(file):
    file["spikes/units"][3] = np.zeros(2, dtype=np.uint16)


def unit_700(file):
    units = file["spikes/units"][2]
    units[4] = 700
    file["spikes/units"][2] = units


def negative_time(file):
    times = file["spikes/times"][2]
    times[1] = -1
    file["spikes/times"][2] = times


def link_elsewhere(file):
    del file["spikes/units"]
    file["spikes/units"] = h5py.ExternalLink("plain.h5", "/spikes/units")


def without_units(file):
    del file["spikes/units"]


def flat_times(file):
    del file["spikes/times"]
    file["spikes/times"] = np.zeros(COUNT, dtype=np.float32)


def main():
    for folder in (FOLDER, CORPUS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    write("plain.h5")
    write("chunked.h5", chunks=(3,))
    write("grows.h5", maxshape=(None,), chunks=(4,), time_type=">f4", unit_type=">i8")
    write("modern.h5", oldest="v110", chunks=(3,), compression="gzip")
    write("double.h5", time_type=np.float64, unit_type=np.uint32)
    write("spoken_words.h5", count=4, labels=[34, 0, 7, 34])
    write("label_20.h5", labels=[0, 1, 2, 20, 4, 5, 6])
    write("six_labels.h5", labels=[0, 1, 2, 3, 4, 5])
    write("fewer_units.h5", change=fewer_units)
    write("unit_700.h5", change=unit_700)
    write("negative_time.h5", change=negative_time)
    write("link.h5", change=link_elsewhere)
    write("without_units.h5", change=without_units)
    write("flat_times.h5", change=flat_times)
    write("packed.h5", chunks=(3,), compression="gzip")
    for name in ("plain", "chunked", "grows", "flat_times", "packed", "link", "modern"):
        shutil.copy(FOLDER / f"{name}.h5", CORPUS / f"{name}.h5")
    print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes")


if __name__ == "__main__":
    main()
