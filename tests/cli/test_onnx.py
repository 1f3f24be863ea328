# SPDX-License-Identifier: Apache-2.0
"""ONNX files as models and teachers: the trained ResNets of the data folder, where they are."""
import json
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

    def test_conversion(self):
        digits = ["--data", "digits", "--set", "data.digits_train=60", "--set", "data.digits_test=30"]
        words = ["convert", GOLDENS / "spiking_resnet.onnx", *digits, "--normalize", "mnist", "--out", "snn", "--samples", "20"]
        done = self.good(*words, "--timesteps", "1,4,8")
        lines = done.err.splitlines()  # plain ones, where no terminal is
        self.assertEqual(lines[:4], [f"calibrating layer {k}" for k in (1, 2, 3, 4)])
        self.assertEqual(lines[4:], ["simulating picture 0 of 30"])
        self.assertEqual(self.good(*words, "--timesteps", "8", "--overwrite", "--quiet").err, "")
        result = json.loads(self.path("snn/result.json").read_text())
        self.assertEqual(list(result["conversion"]["thresholds"]),
                         ["Relu_2.threshold", "Relu_5.threshold", "capped.threshold", "Relu_14.threshold"])

        # A run directory like any other; its checkpoint needs neither the ONNX file nor the folder.
        recipe = self.path("snn/recipe.yaml").read_text()
        self.assertIn("mean: [0.1307]", recipe)
        self.assertTrue(recipe.startswith("# The layers of this network are those of the ONNX file"))
        report = self.good("eval", "snn", "--json").json
        self.assertEqual(report["count"], 30)
        self.assertAlmostEqual(report["spikes_per_inference"] / result["spikes_per_inference"], 1, delta=1e-6)
        self.path("snn/checkpoint.safetensors").rename(self.path("alone.safetensors"))
        self.assertEqual(self.good("eval", "alone.safetensors", "--json").json["test_accuracy"], report["test_accuracy"])
        self.assertIn("capped.spikes", self.good("inspect", "alone.safetensors").out)
        self.assertIn("Conv_1", self.good("energy", "alone.safetensors", "--samples", "10").out)
        self.good("train", "tiny.yaml", "--out", "student", "--quiet", "--set", "teacher=alone.safetensors", "--set",
                  "train.epochs=1", "--set", "distill=[{method: kd}]")
        # As integers it is an approximation, which is asked for.
        self.bad(1, ["quantize", "alone.safetensors", "--out", "net.integer"], "network of another tool", "quantize --approximate")
        record = self.good("quantize", "alone.safetensors", "--approximate", "--out", "net.integer", "--samples", "20",
                           "--json").json
        self.assertEqual([layer["name"] for layer in record["comparison"]["layers"]],
                         ["Relu_2.spikes", "Relu_5.spikes", "capped.spikes", "Relu_14.spikes"])
        for layer in record["comparison"]["layers"]:
            self.assertLess(layer["share"], 0.05)
        self.assertAlmostEqual(record["spikes_per_inference"] / record["spikes_per_inference_before"], 1, delta=0.03)

        # Whose layers they are shows when something else is asked of them.
        self.bad(1, ["eval", "alone.safetensors", "--set", "student.layer_thresholds=false"], "no parameter 'Relu_2.threshold'")
        self.bad(1, ["train", "tiny.yaml", "--out", "other", "--set", "student.start=alone.safetensors"],
                 "checkpoint of another network")
        content = self.path("alone.safetensors").read_bytes()
        self.write("damaged.safetensors", content.replace(b"Softmax", b"Hardmax"))
        self.bad(1, ["eval", "damaged.safetensors"], "damaged.safetensors: tensor 'network.onnx': 1 node cannot be imported", "Hardmax")

    def test_what_cannot_be_converted(self):
        refused = GOLDENS / "not_spiking.onnx"
        self.bad(1, ["convert", refused, "--data", "digits", "--out", "snn"], "node 'pool1' (MaxPool), node 'gate' (Sigmoid)")
        self.bad(1, ["convert", GOLDENS / "relu6.onnx", "--data", "digits", "--out", "snn"], "digits has 28x28x1 and 10")
        self.bad(1, ["convert", GOLDENS / "spiking_resnet.onnx", "--data", "digits", "--out", "snn", "--method", "qcfs"],
                 "spiking_resnet.onnx: the method qcfs needs", "has relu")
        self.bad(1, ["convert", GOLDENS / "spiking_resnet.onnx", "--data", "digits", "--normalize", "imagenet", "--out", "snn"],
                 "3 numbers", "1 channel")
        self.assertFalse(self.path("snn").exists())
        source = GOLDENS / "spiking_resnet.onnx"
        stage = "stages:\n  - name: snn\n    convert: "
        self.write("stages.yaml", f"{stage}{{from: {source}}}\n")
        self.bad(1, ["train", "stages.yaml", "--out", "stages", "--quiet"], "stages.yaml:3:", "stage 'snn'", "what its data are")
        self.write("stages.yaml", f"{stage}{{from: {source}, data: {{name: digits, hieght: 28}}}}\n")
        self.bad(1, ["train", "stages.yaml", "--out", "stages", "--quiet"], "stages.yaml:3:", "nearest is 'height'")
        self.write("stages.yaml", f"{stage}{{from: run, data: {{name: digits}}}}\n")
        self.bad(1, ["train", "stages.yaml", "--out", "stages", "--quiet"], "convert.data, which is for ONNX files")
        self.assertFalse(self.path("stages").exists())

    def test_a_stage_converts_a_file(self):
        self.write("stages.yaml", f"""
data: {{name: digits, digits_train: 60, digits_test: 30, mean: [0.1307], deviation: [0.3081]}}
device: cpu-ref
optimizer: {{kind: adamw, learning_rate: 0.003}}
train: {{epochs: 1, batch: 20}}
stages:
  - name: converted
    convert: {{from: {GOLDENS / 'spiking_resnet.onnx'}, timesteps: [1, 4], samples: 20, data: {{test_limit: 25}}}}
  - name: small
    recipe:
      student: {{kind: snn, layers: [flatten, linear: {{out: 8}}, act, linear], timesteps: 2}}
      teacher: stage:converted
      distill: [{{method: kd}}]
""")
        words = ["--data", "digits", "--set", "data.digits_train=60", "--set", "data.digits_test=30", "--set", "device=cpu-ref"]
        self.good("convert", GOLDENS / "spiking_resnet.onnx", *words, "--set", "data.test_limit=25", "--normalize", "mnist",
                  "--timesteps", "1,4", "--samples", "20", "--out", "alone", "--quiet")
        self.good("train", "stages.yaml", "--out", "stages", "--quiet")
        alone = json.loads(self.path("alone/result.json").read_text())
        staged = json.loads(self.path("stages/converted/result.json").read_text())
        self.assertEqual(staged["conversion"]["thresholds"], alone["conversion"]["thresholds"])
        self.assertEqual(staged["test_accuracy"], alone["test_accuracy"])
        self.assertEqual(self.path("stages/converted/checkpoint.safetensors").read_bytes(),
                         self.path("alone/checkpoint.safetensors").read_bytes())
        # The resolved plan says it all again, also to a run that is resumed.
        self.assertIn("device: cpu-ref\n      data:\n        name: digits\n", self.path("stages/recipe.yaml").read_text())
        self.path("stages/converted/result.json").unlink()
        self.good("train", "--resume", "--out", "stages", "--quiet")
        self.assertEqual(json.loads(self.path("stages/converted/result.json").read_text())["test_accuracy"],
                         alone["test_accuracy"])
        self.good("train", "stages.yaml", "--out", "less", "--quiet", "--set", "data.digits_test=20", "--set",
                  "converted.data.test_limit=0")
        self.assertEqual(self.good("eval", "less/converted", "--json").json["count"], 20)

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
