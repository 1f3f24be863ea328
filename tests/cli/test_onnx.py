# SPDX-License-Identifier: Apache-2.0
"""ONNX files as models and teachers: the trained ResNets of the data folder, where they are."""
import os
import unittest
from pathlib import Path

from program import SOURCE, ProgramTest

DATA = Path(os.environ.get("SPIKESTILL_DATA", "nowhere"))
TEACHERS = DATA / "teachers/cifar10-resnet"
GOLDENS = SOURCE / "tests/golden/onnx_goldens"
NO_DATA = "SPIKESTILL_DATA has no teachers/cifar10-resnet and cifar10"


class Onnx(ProgramTest):
    def setUp(self):
        super().setUp()
        if "not built in" in self.run_program("inspect", GOLDENS / "conv.onnx").err:
            self.skipTest("ONNX is not built in")

    def test_inspect(self):
        found = self.good("inspect", GOLDENS / "option_a.onnx", "--json").json
        self.assertFalse(found["spiking"])
        self.assertIn("Conv_11", " ".join(found["taps"]))
        self.assertEqual(found["layers"][-1]["shape"], [1, 1, 1, 1, 4])

    def test_data_must_fit(self):
        self.bad(1, ["eval", GOLDENS / "conv.onnx", "--data", "digits"], "takes 6x5x2 and tells 4 classes apart",
                 "digits has 28x28x1 and 10", "--data NAME")

    def test_normalisation(self):
        self.bad(1, ["eval", GOLDENS / "conv.onnx", "--data", "digits", "--normalize", "imagenet"], "3 numbers", "1 channel")
        self.bad(1, ["eval", GOLDENS / "conv.onnx", "--normalize", "imagnet"], 'did you mean "imagenet"')

    @unittest.skipUnless((TEACHERS / "resnet20.onnx").is_file() and (DATA / "cifar10").is_dir(), NO_DATA)
    def test_resnet20_on_cifar10(self):
        words = ["--data", "cifar10", "--normalize", "imagenet"]
        found = self.good("eval", TEACHERS / "resnet20.onnx", *words, "--json").json
        self.assertAlmostEqual(found["test_accuracy"], 0.9173, delta=0.0002)
        self.assertEqual(found["count"], 10000)

    @unittest.skipUnless((TEACHERS / "resnet56.onnx").is_file() and (DATA / "cifar10").is_dir(), NO_DATA)
    def test_resnet56_teaches(self):
        recipe = (SOURCE / "recipes/cifar10_onnx_resnet56_feature_kd.yaml").read_text()
        self.write("distil.yaml", recipe)
        words = [f"teacher={TEACHERS / 'resnet56.onnx'}", "train.epochs=1", "train.batch=32", "data.train_limit=136",
                 "data.test_limit=40", "student.width=0.25"]
        self.good("train", "distil.yaml", "--out", "run", "--quiet", *(w for s in words for w in ("--set", s)))
        self.assertIn("mean: [0.485, 0.456, 0.406]", (self.path("run") / "recipe.yaml").read_text())
        self.assertIn("feature_kd", (self.path("run") / "history.jsonl").read_text())


if __name__ == "__main__":
    unittest.main()
