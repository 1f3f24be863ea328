# SPDX-License-Identifier: Apache-2.0
"""Quantised students: they train, resume to the same bits, start from checkpoints of another precision, and a twin may
have a precision of its own."""
import json
import signal
import struct
import unittest

from program import ProgramTest

EVERYTHING = ["student.quantize.first_last=same", "student.quantize.membrane_bits=4", "student.quantize.norm_bits=8"]
WEIGHTS = ["0.conv.weight", "5.linear.weight"]
STEPS = ["0.conv.step", "5.linear.step"]


def settings(*values):
    return [word for value in values for word in ("--set", value)]


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


class Quantize(ProgramTest):
    def train(self, out, *values):
        return self.good("train", "small.yaml", "--out", out, "--quiet", *settings(*values))

    def test_trains_and_resumes_to_the_same_bits(self):
        learned = ["student.quantize.weights=learned_step", *EVERYTHING]
        self.train("whole", *learned)
        tensors = self.tensors("whole/checkpoint.safetensors")
        for step in STEPS:
            self.assertGreater(floats(tensors[step])[0], 0)
        process = self.start("train", "small.yaml", "--out", "cut", "--quiet", *settings(*learned))
        while process.poll() is None and not (self.path("cut") / "history.jsonl").exists():
            pass
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.good("train", "--resume", "--out", "cut", "--quiet")
        self.assert_same_run("cut", "whole")
        report = self.good("eval", "whole", "--json").json
        result = json.loads((self.path("whole") / "result.json").read_text())
        self.assertEqual(report["spikes_per_inference"], result["spikes_per_inference"])

    def test_starts_from_another_precision(self):
        self.train("full")
        self.train("learned", "student.start=full", "student.quantize.weights=learned_step", *EVERYTHING,
                   "optimizer.learning_rate=1e-9", "train.epochs=1")
        full, learned = (self.tensors(f"{run}/checkpoint.safetensors") for run in ("full", "learned"))
        # Hardly moved, so that the steps show where they started: 2 mean|W| / sqrt(7).
        for weight, step in zip(WEIGHTS, STEPS):
            values = floats(full[weight])
            start = 2 * sum(map(abs, values)) / len(values) / 7 ** 0.5
            self.assertAlmostEqual(floats(learned[step])[0] / start, 1, places=4)
        for run, values in [("ternary", ["student.quantize.weights=ternary"]), ("back", []),
                            ("channels", ["student.quantize.weights=learned_step", "student.quantize.per_channel=true",
                                          "student.quantize.weight_bits=2"])]:
            self.train(run, "student.start=learned", "student.quantize.first_last=same", "train.epochs=1", *values)
        self.assertEqual(len(floats(self.tensors("channels/checkpoint.safetensors")["0.conv.step"])), 4)
        self.bad(1, ["train", "small.yaml", "--out", "other", "--quiet",
                     *settings("student.start=full", "student.norm=none")], "another network")

    def test_precision_of_the_twin(self):
        common = ["twin.enabled=true", "student.quantize.weights=learned_step", *EVERYTHING, "train.epochs=1",
                  "distill.0={method: twin, weight: 0.005}"]
        self.train("same", *common)
        self.train("mixed", *common, "twin.precision=full")
        same, mixed = (self.tensors(f"{run}/checkpoint.safetensors") for run in ("same", "mixed"))
        self.assertIn("companion.twin.0.conv.step", same)
        self.assertNotIn("companion.twin.0.conv.step", mixed)
        self.assertIn("0.conv.step", mixed)
        self.assertNotEqual(same["0.conv.weight"], mixed["0.conv.weight"])

    def test_inspect_tells_bits(self):
        report = self.good("inspect", "small.yaml", "--json",
                           *settings("student.quantize.weights=ternary", *EVERYTHING)).json
        bits = {layer["name"]: layer["bits"] for layer in report["layers"]}
        self.assertEqual((bits["0.conv.codes"], bits["1.norm"], bits["2.act"]), (2, 8, 4))

    def test_bad_input(self):
        for values, sentence in [
                (["student.quantize.membrane_bits=1"], "student.quantize.membrane_bits is 1, expected 0"),
                (["student.quantize.norm_bits=1"], "student.quantize.norm_bits is 1, expected 0"),
                (["student.quantize.input_bits=1"], "student.quantize.input_bits is 1, expected 0"),
                (["student.quantize.input_bits=4", "data.encoding=poisson"], "expected 0 with data.encoding poisson"),
                (["student.quantize.weight_bits=9"], "student.quantize.weight_bits"),
                (["student.quantize.weights=binary"], "student.quantize.weights"),
                (["student.quantize.membrane_bits=4", "student.kind=ann", "student.timesteps=1"], "has no membranes"),
                (["student.quantize.membrane_bits=4", "student.neuron.model=alif"], "kind is alif"),
                (["student.quantize.membrane_bits=4", "student.neuron.v_reset=-0.5"], "v_reset is -0.5, expected 0"),
                (["student.quantize.membrane_bits=4", "student.neuron.reset=soft", "student.neuron.threshold=0.7"],
                 "expected a multiple of 0.125")]:
            self.bad(1, ["train", "small.yaml", "--out", "none", "--quiet", *settings(*values)], sentence)


if __name__ == "__main__":
    unittest.main()
