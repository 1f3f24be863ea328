#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of fuzz_run_records. It is small and in the tree; this is how it was made."""
import json
import pathlib

FOLDER = pathlib.Path(__file__).parent / "corpus_run_records"
NAMES = ["activity", "mistakes", "history", "timing", "result", "costs", "environment", "recipe"]


def put(record, name, value):
    text = value if isinstance(value, str) else json.dumps(value)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{record}_{name}").write_bytes(bytes([48 + NAMES.index(record)]) + text.encode())


def activity():
    layer = {"name": "1.act", "neurons": 20, "shown": [3, 9], "spikes": ["01", "11"], "traced": [1],
             "membranes": [[0.5, 1.25]]}
    samples = [{"index": 0, "class": 7, "taken_for": 7, "layers": [layer]},
               {"index": 4, "class": 7, "taken_for": 1, "layers": [dict(layer, shown=[0, 19])]}]
    membranes = {"pictures": 2, "low": -4, "high": 4, "layers": [
        {"name": "1.act", "bits": 4, "before_firing": [1, 2, 3, 0], "before_storing": [0, 0, 6, 0], "stored": [0, 6, 0, 0]},
        {"name": "2.act", "bits": 0, "before_firing": [0, 0, 1, 5]}]}
    weights = {"low": -4, "high": 4, "layers": [{"name": "0.conv", "bits": 2, "deviation": 0.1, "full": [1, 5, 1],
                                                 "quantised": [0, 7, 0]}]}
    return {"version": 1, "samples": samples, "membranes": membranes, "weights": weights}


put("activity", "whole", activity())
put("activity", "empty", {"version": 1, "samples": []})
put("activity", "newer", dict(activity(), version=2))
put("activity", "cut", json.dumps(activity())[:300])
huge = activity()
huge["samples"][0]["layers"][0]["neurons"] = 2**62
huge["membranes"]["layers"][0]["before_firing"] = [10**18] * 4
put("activity", "huge", huge)
wrong = activity()
wrong["samples"][0]["layers"][0]["spikes"] = ["01", 11]
put("activity", "wrong_type", wrong)
PICTURE = {"index": 5, "class": 1, "taken_for": 0, "confidence": 0.75, "height": 2, "width": 1, "channels": 1,
           "pixels": "00ff"}
put("mistakes", "whole", {"samples": 9, "classes": 2, "confusion": [[4, 1], [1, 3]], "pictures": [PICTURE]})
put("mistakes", "side", {"samples": 9, "classes": 2, "pictures": [dict(PICTURE, height=2**40)]})
put("mistakes", "ragged", {"samples": 9, "classes": 2, "confusion": [[4, 1], [1]], "pictures": []})
LINE = {"epoch": 1, "learning_rate": 0.1, "train_loss": 1.5, "train_accuracy": 0.5, "validation_accuracy": 0.25,
        "parts": {"cross_entropy": 1.5, "kd": 0.25}, "firing_rate": {"1.act": 0.125}}
put("history", "two", json.dumps(LINE) + "\n" + json.dumps(dict(LINE, epoch=2)) + "\n" + '{"epoch": 3')
put("history", "types", json.dumps(dict(LINE, train_loss="1", parts=[1], firing_rate=3)) + "\n")
put("timing", "two", '{"epoch": 1, "seconds": 2.5}\n{"epoch": 2, "seconds": null}\n')
put("result", "whole", {"name": "x", "test_accuracy": 0.5, "firing_rate": {"1.act": 0.125}, "spikes_per_inference": 12.5,
                        "energy_pj": 1e6, "parameters": 7, "seconds": 1.5, "stages": {"one": {"test_accuracy": 0.25}}})
put("result", "list", [1])
put("environment", "whole", {"version": "0", "started": "2026-02-29T23:59:60Z", "threads": 2})
put("recipe", "stages", "name: x\nstages:\n  - {name: ../x, recipe: {}}\n")
put("recipe", "ann", "name: '<b>'\nstudent: {kind: ann}\nteacher: 1\n")
put("costs", "cut", '{"version": 1, "layers": [{"name": "a", "kind": "conv"')
