# SPDX-License-Identifier: Apache-2.0
"""Integer networks on the command line: a network trained as integers is lowered exactly, another one is quantised
after training; both are inspected, evaluated and compared with their simulation, spike by spike."""
import json
import unittest

from program import ProgramTest

WHOLE = ["student.quantize.weights=ternary", "student.quantize.first_last=same", "student.quantize.membrane_bits=6",
         "student.quantize.norm_bits=8", "student.quantize.input_bits=8"]


def settings(*values):
    return [word for value in values for word in ("--set", value)]


class Integer(ProgramTest):
    def train(self, out, *values):
        return self.good("train", "small.yaml", "--out", out, "--quiet", *settings(*values))

    def test_a_network_trained_as_integers(self):
        self.train("whole", *WHOLE)
        record = self.good("quantize", "whole", "--out", "net.integer", "--json").json
        self.assertTrue(record["exact"])
        self.assertGreater(record["float_bytes"], 4 * record["bytes"])
        self.assertEqual(record, json.loads(self.path("net.integer.json").read_text()))
        self.assertEqual((record["method"], record["model"], record["file"]), ("as_trained", "whole", "net.integer"))
        self.assertEqual(record["version"], self.good("version", "--json").json["version"])
        self.assertEqual(record["bits"], {"quantizer": "ternary", "weights": 2, "membranes": 6, "norms": 8, "input": 8,
                                          "membrane_range": record["bits"]["membrane_range"]})
        self.assertNotIn("calibration", record)
        inspected = {node["name"]: node for node in self.good("inspect", "net.integer", "--json").json["nodes"]}
        for layer in record["layers"]:
            node = inspected.pop(layer["name"])
            self.assertEqual(layer.get("weight_bits", layer.get("state_bits")), node["bits"])
            for key in layer.keys() & node.keys():
                self.assertEqual(layer[key], node[key], key)
        self.assertFalse([node for node in inspected.values() if node["weights"] or node["neurons"]])
        weighted = [layer for layer in record["layers"] if "weights" in layer]
        self.assertEqual(record["bytes"], sum(layer["weight_bytes"] + layer["constant_bytes"] for layer in weighted))
        for layer in [record] + weighted:
            size = layer["bytes"] if layer is record else layer["weight_bytes"] + layer["constant_bytes"]
            self.assertAlmostEqual(layer["float_ratio"], layer["float_bytes"] / size)
        compared = self.good("eval", "net.integer", "--compare", "whole", "--json").json
        self.assertEqual((compared["different_spikes"], compared["different_membranes"], compared["different_classes"]),
                         (0, 0, 0))
        self.assertGreater(compared["spikes"], 0)
        self.assertIsNone(compared["first"])
        self.assertEqual(self.good("eval", "whole", "--compare", "net.integer", "--json").json, compared)
        ours, theirs = (self.good("eval", model, "--json").json for model in ("net.integer", "whole"))
        for key in ("test_accuracy", "count", "spikes_per_inference", "layer_spikes", "data"):
            self.assertEqual(ours[key], theirs[key], key)
        self.assertAlmostEqual(ours["loss"], theirs["loss"], places=4)
        self.assertIn("differing spikes       0", self.good("eval", "net.integer", "--compare", "whole").out)

    def test_the_first_difference_is_told(self):
        self.train("one", *WHOLE)
        self.train("other", *WHOLE, "seed=2")
        self.good("quantize", "one", "--out", "one.integer")
        told = self.run_program("eval", "one.integer", "--compare", "other")
        self.assertEqual(told.code, 3)
        self.assertRegex(told.out, r"first +layer \S+, picture \d+, step \d+, neuron row \d+ column \d+ channel \d+: "
                                   r"membrane \S+ in the simulation, \S+ in the integer network")
        first = self.run_program("eval", "one.integer", "--compare", "other", "--json").json["first"]
        self.assertEqual(len(first["neuron"]), 3)

    def test_inspect(self):
        self.train("look", *WHOLE)
        self.good("quantize", "look", "--out", "look.integer")
        report = self.good("inspect", "look.integer", "--json").json
        self.assertTrue(report["integer"])
        self.assertEqual(report["weights"], sum(node["weights"] for node in report["nodes"]))
        for node in report["nodes"]:
            if node["kind"] == "synapses":
                self.assertEqual((node["bits"], node["weight_bytes"]), (2, -(-node["weights"] // 5)))
        self.assertIn("times as many", self.good("inspect", "look.integer").out)

    def test_after_training(self):
        self.train("float")
        record = self.good("quantize", "float", "--out", "ptq.integer", "--samples", "40", "--simulation", "ptq",
                           "--json").json
        self.assertFalse(record["exact"])
        self.assertLess(abs(record["test_accuracy"] - record["test_accuracy_before"]), 0.15)
        self.assertEqual(record, json.loads(self.path("ptq.integer.json").read_text()))
        self.assertEqual(record["method"], "post_training")
        self.assertEqual((record["calibration"]["data"], record["calibration"]["samples"]), ("digits train", 40))
        for model, ending in [("float", "_before"), ("ptq", "")]:
            report = self.good("eval", model, "--json").json
            for key in ("test_accuracy", "spikes_per_inference"):
                self.assertEqual(record[key + ending], report[key])
                self.assertAlmostEqual(record[key + "_difference"], record[key] - record[key + "_before"])
        self.assertEqual(record["count"], report["count"])
        compared = self.good("eval", "ptq.integer", "--compare", "ptq", "--json").json
        self.assertEqual((compared["different_spikes"], compared["different_membranes"]), (0, 0))
        self.assertEqual(compared["accuracy_integer"], record["test_accuracy"])
        few = self.good("quantize", "float", "--out", "few.integer", "--weight-bits", "3", "--samples", "40", "--json")
        self.assertLess(few.json["bytes"], record["bytes"])

    def folded(self, run, *words):
        record = self.good("quantize", run, "--out", "net.integer", "--simulation", "folded", "--overwrite", "--json",
                           *words).json
        compared = self.good("eval", "net.integer", "--compare", "folded", "--json").json
        self.assertEqual((compared["different_spikes"], compared["different_membranes"]), (0, 0))
        self.assertGreater(compared["spikes"], 0)
        # Measured: within 1 %. A threshold that is left out somewhere changes spikes by more than a half.
        self.assertLess(abs(record["spikes_per_inference_difference"]), 0.03 * record["spikes_per_inference_before"])
        return record

    def test_a_converted_network(self):
        """Spikes of an ANN's conversion have the size of its layers' thresholds, here 4.8, 8.2 and 17.6."""
        self.write("ann.yaml", "data: {name: digits, digits_train: 4000, digits_test: 400, validation: 0.1}\n"
                               "student: {kind: ann, model: cnn, width: 0.25}\n"
                               "optimizer: {kind: adamw, learning_rate: 0.003}\ntrain: {epochs: 3, batch: 50}\n")
        self.good("train", "ann.yaml", "--out", "ann", "--quiet")
        self.good("convert", "ann", "--timesteps", "32", "--samples", "200", "--out", "snn", "--quiet")
        record = self.folded("snn", "--input-bits", "6", "--samples", "100")
        self.assertGreater(record["test_accuracy_before"], 0.85)
        self.assertLess(abs(record["test_accuracy_difference"]), 0.02)  # measured: 0.1 points

    def test_learned_thresholds(self):
        """With norms, a residual block whose shortcut has weights, and codes that were trained."""
        thresholds = ["student.layer_thresholds=true", "student.neuron.reset=soft", "student.neuron.threshold=0.5"]
        plain = "conv: {out: 4, stride: 2}, norm, act, avgpool, dropout: {rate: 0.1}, linear"
        layers = "conv: {out: 4, stride: 2}, norm, act, block: {out: 6, stride: 2}, avgpool, linear"
        text = self.path("small.yaml").read_text()
        self.write("small.yaml", text.replace(plain, layers))
        self.train("float", *thresholds)
        self.folded("float", "--input-bits", "5", "--membrane-bits", "12")
        codes = ["student.quantize.weights=learned_step", "student.quantize.first_last=same",
                 "student.quantize.membrane_bits=12", "student.quantize.norm_bits=8", "student.quantize.input_bits=5"]
        self.train("codes", *thresholds, *codes)
        self.assertIsNone(self.folded("codes")["calibration"])
        self.train("steps", *thresholds, *codes, "student.quantize.weight_bits=2", "student.norm=none")
        self.folded("steps")
        self.write("sew.yaml", text.replace(plain, layers.replace("stride: 2}, avg", "stride: 2, form: sew}, avg")))
        self.good("train", "sew.yaml", "--out", "sew", "--quiet", *settings(*thresholds))
        self.bad(1, ["quantize", "sew", "--out", "x"], "layer 3.out needs numbers of one scale",
                 "quantize --approximate")
        record = self.approximated("sew")
        self.assertIn({"layer": "3.shortcut_act", "what": "factors"},  # the shortcut, at the scale of the block's own spikes
                      [{"layer": one["layer"], "what": one["what"]} for one in record["approximations"]])

    def approximated(self, run, *words):
        """Measured: 0.1 % of spikes and fewer differ, as accuracy by a picture or two of 60."""
        record = self.good("quantize", run, "--approximate", "--out", "net.integer", "--samples", "30", "--json",
                           *words).json
        self.assertEqual(record, json.loads(self.path("net.integer.json").read_text()))
        self.assertEqual((record["exact"], record["method"]), (False, "approximate"))
        self.assertNotIn("calibration", record)
        for one in record["approximations"]:
            self.assertTrue(0 < one["size"] < 0.05, one)
        compared = record["comparison"]
        self.assertEqual(compared["samples"], 30)
        for layer in compared["layers"]:
            self.assertEqual(layer["share"], layer["different_spikes"] / layer["neuron_steps"])
            self.assertLess(layer["share"], 0.05, layer["name"])
        for model, ending in [(run, "_before"), ("net.integer", "")]:
            report = self.good("eval", model, "--json").json
            for key in ("test_accuracy", "spikes_per_inference"):
                self.assertAlmostEqual(record[key + ending], report[key])
        told = self.run_program("eval", "net.integer", "--compare", run, "--json").json
        self.assertEqual(told["accuracy_integer"], record["test_accuracy"])
        return record

    def test_what_lies_on_no_grid(self):
        """A leak of 0.7, windows of nine, a readout of decay 0.3: refused by name, and rounded on request."""
        text = self.path("small.yaml").read_text()
        plain = "conv: {out: 4, stride: 2}, norm, act, avgpool, dropout: {rate: 0.1}, linear"
        self.write("small.yaml", text.replace(plain, plain.replace("avgpool", "avgpool: {kernel: 3, stride: 2}")))
        self.train("off", "student.neuron.decay=0.7", "student.readout=membrane", "student.readout_decay=0.3")
        self.bad(1, ["quantize", "off", "--out", "x"], "cannot be lowered exactly",
                 "quantize --approximate")
        record = self.approximated("off")
        self.assertEqual({one["what"] for one in record["approximations"]},
                         {"input", "weights", "factors", "offsets", "leak", "state", "readout"})
        told = self.good("quantize", "off", "--approximate", "--out", "again.integer", "--samples", "30").out
        for part in ("approximated layer", "0.conv ", "leak", "differing", "on digits train, 30 samples", "accuracy"):
            self.assertIn(part, told)
        self.bad(2, ["quantize", "off", "--approximate", "--simulation", "dir", "--out", "x"], "makes no simulation")

    def test_bad_input(self):
        self.train("plain")
        self.train("alif", "student.neuron.model=alif")
        self.train("whole", *WHOLE)
        self.good("train", "tiny.yaml", "--out", "tiny", "--quiet")
        self.good("quantize", "whole", "--out", "net.integer")
        data = self.path("net.integer").read_bytes()
        self.write("cut.integer", data[:-3])
        self.write("lost.integer", data.replace(b"0.conv.codes", b"9.conv.codes"))
        for code, words, sentence in [
                (1, ["quantize", "small.yaml", "--out", "x"], "is a recipe"),
                (1, ["quantize", "alif", "--out", "x"], "kind is alif"),
                (1, ["quantize", "whole", "--set", "student.readout=membrane", "--set", "student.readout_decay=0.3",
                     "--out", "x"], "expected a multiple of 1/256"),
                (1, ["eval", "cut.integer"], "cut.integer"),
                (1, ["inspect", "lost.integer"], "tensor '0.conv.codes' is missing"),
                (1, ["eval", "net.integer", "--compare", "tiny"], "the simulation has no neurons"),
                (2, ["eval", "plain", "--samples", "3"], "--samples is for integer networks"),
                (1, ["convert", "net.integer", "--out", "x"], "is an integer network"),
                (2, ["eval", "plain", "--compare", "none"], "neither plain nor none is an integer network"),
                (2, ["quantize", "plain"], "needs --out FILE"),
                (2, ["quantize", "plain", "--weight-bits", "9", "--out", "x"], "--weight-bits is '9'")]:
            self.bad(code, words, sentence)
        self.assertFalse(self.path("x").exists() or self.path("x.json").exists())


if __name__ == "__main__":
    unittest.main()
