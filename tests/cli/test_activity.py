# SPDX-License-Identifier: Apache-2.0
"""activity.json: what a run records of spikes, membranes and weights agrees with itself and with the other records."""
import json
import unittest

from program import ProgramTest

RECIPE = """\
data: {name: digits, digits_train: 200, digits_test: 90, validation: 0.1}
student: {model: cnn, width: 0.25, timesteps: 3, neuron: {decay: 0.5, reset: %s}%s}
optimizer: {kind: adamw}
train: {epochs: 1, batch: 20, evaluation_batch: 40}
"""
QUANTISED = ", quantize: {weights: learned_step, weight_bits: 3, membrane_bits: 4, norm_bits: 8}"


class Activity(ProgramTest):
    def record(self, reset="hard", quantised="", *words):
        self.write("recipe.yaml", RECIPE % (reset, quantised))
        self.good("train", "recipe.yaml", "--out", "run", "--overwrite", "--quiet", *words)
        return json.loads(self.path("run/activity.json").read_text())

    def check_samples(self, record, steps):
        mistakes = json.loads(self.path("run/mistakes.json").read_text())
        right, wrong = record["samples"]
        self.assertEqual(right["class"], right["taken_for"])
        self.assertNotEqual(wrong["class"], wrong["taken_for"])
        self.assertGreater(mistakes["confusion"][wrong["class"]][wrong["taken_for"]], 0)
        self.assertEqual(min(right["index"], wrong["index"]), 0)  # the first picture is the one or the other
        rates = json.loads(self.path("run/result.json").read_text())["firing_rate"]
        for sample in record["samples"]:
            self.assertEqual([layer["name"] for layer in sample["layers"]], list(rates))
            for layer in sample["layers"]:
                self.assertEqual(len(layer["shown"]), min(16, layer["neurons"]))
                self.assertEqual(layer["shown"], sorted(set(layer["shown"])))
                self.assertLess(layer["shown"][-1], layer["neurons"])
                self.assertTrue(all(len(row) == steps for row in layer["spikes"]))
                most = [layer["spikes"][place].count("1") for place in layer["traced"]]
                self.assertEqual(most, sorted((row.count("1") for row in layer["spikes"]), reverse=True)[:3])
                for place, trace in zip(layer["traced"], layer["membranes"]):
                    for spike, membrane in zip(layer["spikes"][place], trace):
                        if abs(membrane - 1) > 1e-3:  # they are rounded
                            self.assertEqual(spike == "1", membrane > 1)

    def test_full_precision(self):
        record = self.record()
        self.assertEqual(record["version"], 1)
        self.check_samples(record, 3)
        sizes = {layer["name"]: layer["neurons"] for layer in record["samples"][0]["layers"]}
        self.assertEqual(record["membranes"]["pictures"], 64)
        rates = json.loads(self.path("run/result.json").read_text())["firing_rate"]
        for layer in record["membranes"]["layers"]:
            self.assertEqual(layer["bits"], 0)
            self.assertNotIn("stored", layer)
            counts = layer["before_firing"]
            self.assertEqual(sum(counts), 64 * 3 * sizes[layer["name"]])
            # From the threshold on neurons fire; 64 of the 90 pictures are about as many as all.
            self.assertAlmostEqual(sum(counts[80:]) / sum(counts), rates[layer["name"]], delta=0.03)
        costs = json.loads(self.path("run/costs.json").read_text())
        self.assertEqual([layer["name"] for layer in record["weights"]["layers"]],
                         [layer["name"] for layer in costs["layers"]])
        for layer, cost in zip(record["weights"]["layers"], costs["layers"]):
            self.assertEqual(sum(layer["full"]), cost["weights"])
            self.assertNotIn("quantised", layer)

    def test_quantised(self):
        for reset in ("hard", "soft"):
            record = self.record(reset, QUANTISED)
            self.check_samples(record, 3)
            for layer in record["membranes"]["layers"]:
                self.assertEqual(layer["bits"], 4)
                before, stored = layer["before_storing"], layer["stored"]
                self.assertEqual(sum(before), sum(stored))
                self.assertEqual(sum(before), sum(layer["before_firing"]))
                used = [i for i, count in enumerate(stored) if count]
                # The grid ends at the threshold (16 bins from 0 in bin 64) and has a step of 1/8 of it: two bins.
                self.assertTrue(all(i % 2 == 0 and 64 - 14 <= i <= 64 + 14 for i in used), used)
                self.assertGreater(sum(1 for count in before if count), len(used))
            bits = [layer["bits"] for layer in record["weights"]["layers"]]
            self.assertEqual((bits[0], bits[-1]), (0, 0))
            for layer in record["weights"]["layers"][1:-1]:
                self.assertEqual(layer["bits"], 3)
                self.assertEqual(sum(layer["full"]), sum(layer["quantised"]))
                self.assertLessEqual(sum(1 for count in layer["quantised"] if count), 7)
                self.assertGreater(sum(1 for count in layer["full"] if count), 7)

    def test_an_ann_has_weights_only(self):
        record = self.record("hard", "", "--set", "student.kind=ann", "--set", "student.timesteps=1")
        self.assertEqual(record["samples"], [])
        self.assertNotIn("membranes", record)
        self.assertEqual(len(record["weights"]["layers"]), 4)

    def test_the_same_for_any_threads(self):
        self.record("hard", QUANTISED, "--device", "cpu-ref", "--threads", "1")
        first = self.path("run/activity.json").read_bytes()
        self.record("hard", QUANTISED, "--device", "cpu-ref", "--threads", "2")
        self.assertEqual(self.path("run/activity.json").read_bytes(), first)


if __name__ == "__main__":
    unittest.main()
