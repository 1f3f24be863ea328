# SPDX-License-Identifier: Apache-2.0
"""Networks on frames of events: training, teachers of the same steps and of one frame, run directories without the data."""
import json
import unittest

from program import ProgramTest

RECIPE = """data: {name: moving-digits, digits_train: 60, digits_test: 20, validation: 0,
       augment: {crop_padding: 2, flip: false, roll: 2, drop_point: 0.2, mixup: 0.1}}
student: {kind: snn, model: mlp, hidden: 24, timesteps: 3}
optimizer: {kind: adamw, learning_rate: 0.002}
train: {epochs: 2, batch: 20}
"""
KD = ["--set", "distill.0={method: kd}"]


class Events(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("events.yaml", RECIPE)

    def train(self, out, *words):
        self.good("train", "events.yaml", "--out", out, "--quiet", *words)
        return json.loads(self.path(f"{out}/result.json").read_text())

    def test_teachers(self):
        self.train("spiking")
        self.train("ann", "--set", "student.kind=ann", "--set", "student.timesteps=1", "--set", "data.mean=0.5")
        self.train("longer", "--set", "student.timesteps=4")
        self.assertEqual(self.train("student", "--set", "teacher=spiking", *KD)["name"], "events")
        self.train("one_frame", "--set", "teacher=ann", *KD)
        self.bad(1, ["train", "events.yaml", "--out", "run", "--set", "teacher=longer", *KD],
                 "teacher 'longer' sees 4 frames of a recording and the student 3; expected as many, or one")
        self.bad(1, ["train", "events.yaml", "--out", "run", "--set", "student.kind=ann",
                     "--set", "student.timesteps=1", "--set", "teacher=spiking", *KD], "sees 3 frames")

    def test_same_bits_for_any_workers(self):
        for workers in (0, 2):
            self.train(f"run{workers}", "--set", f"data.workers={workers}")
        one, two = (json.loads(self.path(f"{run}/result.json").read_text()) for run in ("run0", "run2"))
        self.assertEqual(one["test_loss"], two["test_loss"])

    def test_encodings_and_sets_belong_together(self):
        self.bad(1, ["recipe", "events.yaml", "--set", "data.encoding=poisson"],
                 "data.encoding is one of pictures, expected frames, but moving-digits has events")
        self.bad(1, ["recipe", "events.yaml", "--set", "data.name=digits", "--set", "data.encoding=frames"],
                 "data.encoding is frames, but digits has pictures")
        self.assertIn("encoding: frames", self.good("recipe", "events.yaml").out)

    def test_info(self):
        answer = self.good("data", "info", "events.yaml", "--json").json
        self.assertEqual((answer["train"]["count"], answer["train"]["frames"]), (60, 3))
        self.assertEqual(answer["test"]["shape"], [34, 34, 2])
        self.assertLess(0.3, answer["train"]["brighter"])
        self.assertLess(answer["train"]["events"]["least"], answer["train"]["events"]["most"])
        self.assertIn("of the events are brighter", self.good("data", "info", "moving-digits",
                                                              "--set", "data.digits_train=20").out)

    def test_run_without_its_data(self):
        """Classes and sizes of a folder stand in the run's recipe."""
        self.write("folder.yaml", "data: {name: folder, root: gone, classes: 3, height: 20, width: 24}\n"
                                  "student: {kind: snn, model: mlp, hidden: 8}\n")
        answer = self.good("inspect", "folder.yaml", "--json").json
        self.assertEqual(answer["layers"][0]["shape"][-1], 20 * 24 * 3)
        self.bad(1, ["recipe", "folder.yaml", "--set", "data.classes=0"], "gone/train: there is no such folder")


if __name__ == "__main__":
    unittest.main()
