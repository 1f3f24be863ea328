#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes framing_goldens.bin: recordings and the frames that SpikingJelly and Tonic make of them, for
test_framing_goldens.c. Needs the packages spikingjelly and tonic.

Where a tool gives no result (SpikingJelly's split by time fails on an empty bin) there is no case here; the hand-made
ones of tests/unit/test_framing.c say what happens then.
"""
import pathlib
import struct

import numpy as np
from spikingjelly.datasets import utils as sj
from tonic.functional.to_frame import to_frame_numpy

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 5, 4
MODES = ["sj-number", "sj-time", "sj-duration", "tonic-time", "tonic-count", "tonic-nbins"]


def recording(rng, count, span, start):
    events = np.zeros(count, dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int8)])
    events["t"] = np.sort(rng.integers(start, start + span, count))
    events["x"] = rng.integers(0, WIDTH, count)
    events["y"] = rng.integers(0, HEIGHT, count)
    events["p"] = rng.integers(0, 2, count)
    return events


def frames_of(events, mode, frames, window, count):
    """[T,2,H,W] or None where the tool gives nothing."""
    columns = {key: events[key] for key in "txyp"}
    try:
        if mode.startswith("sj") and mode != "sj-duration":
            return sj.integrate_events_by_fixed_frames_number(columns, mode[3:], frames, HEIGHT, WIDTH)
        if mode == "sj-duration":
            return sj.integrate_events_by_fixed_duration(columns, window, HEIGHT, WIDTH)
    except IndexError:
        return None
    option = {"tonic-time": ("time_window", window), "tonic-count": ("event_count", count),
              "tonic-nbins": ("n_time_bins", frames)}[mode]
    return to_frame_numpy(events.copy(), (WIDTH, HEIGHT, 2), **dict([option]))


def main():
    rng = np.random.default_rng(7)
    cases = []
    recordings = [recording(rng, n, span, start) for n, span, start in
                  [(97, 1000, 0), (256, 301, 12345), (40, 40, 7), (13, 100000, 2**33), (1, 1, 5), (60, 3, 1)]]
    for number, events in enumerate(recordings):
        for mode in range(len(MODES)):
            for frames, window, count in [(1, 1, 1), (3, 50, 10), (4, 77, 16), (10, 100, 97), (16, 5000, 300)]:
                result = frames_of(events, MODES[mode], frames, window, count)
                if result is None or len(result) > 64 or result.max(initial=0) > 255:
                    continue
                cases.append((number, mode, frames, window, count, result))
    out = struct.pack("<iiii", WIDTH, HEIGHT, len(recordings), len(cases))
    for events in recordings:
        out += struct.pack("<i", len(events))
        for e in events:
            out += struct.pack("<qhhhh", e["t"], e["x"], e["y"], e["p"], 0)
    for number, mode, frames, window, count, result in cases:
        out += struct.pack("<iiiiii", number, mode, frames, window, count, len(result))
        out += np.transpose(result, (0, 2, 3, 1)).astype(np.uint8).tobytes()
    (HERE / "framing_goldens.bin").write_bytes(out)
    by_mode = {MODES[m]: sum(case[1] == m for case in cases) for m in range(len(MODES))}
    print(len(out), "bytes,", len(cases), "cases:", by_mode)


if __name__ == "__main__":
    main()
