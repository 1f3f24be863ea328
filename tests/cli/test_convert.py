# SPDX-License-Identifier: Apache-2.0
"""A trained ann becomes a spiking network with nearly its accuracy, in a folder that every command takes."""
import csv
import json
import unittest

from program import ProgramTest

ANN = """\
data: {name: digits, digits_train: 4000, digits_test: 400, validation: 0.1}
student: {kind: ann, model: cnn, width: 0.25}
optimizer: {kind: adamw, learning_rate: 0.003}
train: {epochs: 3, batch: 50}
"""


class Convert(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("ann.yaml", ANN)

    def train(self, *words):
        self.good("train", "ann.yaml", "--out", "ann", "--quiet", *words)

    def convert(self, *words):
        result = self.good("convert", "ann", "--out", "snn", "--timesteps", "1,4,8,64", "--json", "--quiet", *words).json
        points = {point["timesteps"]: point for point in result["conversion"]["points"]}
        self.assertEqual(list(points), [1, 4, 8, 64])
        return result["conversion"]["ann_accuracy"], points, result

    def test_balanced(self):
        self.train()
        for method in ("threshold_balancing", "data_normalization"):
            ann, points, result = self.convert("--method", method, "--samples", "200", "--overwrite")
            self.assertGreater(ann, 0.85)
            self.assertGreater(points[64]["accuracy"], ann - 0.02)  # measured: within 0.5 points
            self.assertLess(points[1]["accuracy"], ann - 0.2)
            self.assertEqual(result["conversion"]["method"], method)
            self.assertEqual(list(result["conversion"]["thresholds"]), ["2.threshold", "6.threshold", "9.threshold"])

        # Files, and what the other commands make of them.
        rows = list(csv.DictReader(self.path("snn/conversion.csv").read_text().splitlines()))
        self.assertEqual([int(row["timesteps"]) for row in rows], [1, 4, 8, 64])
        self.assertEqual(float(rows[3]["accuracy"]), points[64]["accuracy"])
        self.assertEqual(json.loads(self.path("snn/result.json").read_text()), result)
        report = self.good("eval", "snn", "--json").json
        self.assertAlmostEqual(report["test_accuracy"], result["test_accuracy"], delta=0.006)  # other batches, other sums
        self.assertAlmostEqual(report["spikes_per_inference"] / result["spikes_per_inference"], 1, delta=1e-3)
        self.assertIn("6.spikes", self.good("inspect", "snn").out)
        self.write("student.yaml", ANN.replace("kind: ann, model: cnn, width: 0.25",
                                               "kind: snn, layer_thresholds: true, norm: none, model: cnn, width: 0.25,"
                                               " start: snn, timesteps: 2, neuron: {model: if, reset: soft}"))
        self.good("train", "student.yaml", "--out", "student", "--quiet", "--set", "train.epochs=1", "--set",
                  "data.digits_train=200")

        self.bad(1, ["convert", "ann", "--out", "snn"], "snn: holds a run already")
        self.bad(1, ["convert", "snn", "--out", "again"], "snn: ", "spiking network already")
        self.bad(1, ["convert", "ann", "--out", "again", "--method", "qcfs"], "qcfs or clip", "has relu")
        self.bad(1, ["convert", "ann.yaml", "--out", "again"], "ann.yaml: is a recipe")
        self.bad(1, ["convert", "ann", "--out", "again", "--timesteps", "4,2"], "timesteps has 2 at place 1")
        self.bad(2, ["convert", "ann", "--out", "again", "--timesteps", "4,x"], "--timesteps is '4,x'")
        self.bad(2, ["convert", "ann", "--out", "again", "--percentile", "0"], "--percentile is '0'")
        self.bad(2, ["convert", "ann"], "--out")
        self.assertFalse(self.path("again").exists())

    def test_qcfs(self):
        self.train("--set", "student.activation=qcfs", "--set", "student.neuron.threshold=4")
        ann, points, result = self.convert()
        self.assertEqual(result["conversion"]["method"], "qcfs")
        self.assertGreater(ann, 0.85)
        self.assertGreater(points[8]["accuracy"], ann - 0.02)  # T = L; measured: within 0.5 points
        self.assertGreater(points[64]["accuracy"], ann - 0.02)
        self.bad(1, ["convert", "ann", "--out", "again", "--method", "data_normalization"], "has qcfs")


if __name__ == "__main__":
    unittest.main()
