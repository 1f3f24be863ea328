# SPDX-License-Identifier: Apache-2.0
"""A twin trains beside the student, survives a stop, and is gone from everything that the run leaves for use."""
import json
import signal
import struct
import unittest

from program import ProgramTest

TWIN = ["--set", "twin.enabled=true", "--set", "distill.0={method: twin, weight: 0.005}"]
UNMATCHED = ["--set", "twin.enabled=true", "--set", "distill.0={method: twin, weight: 0}"]


class Twin(ProgramTest):
    def train(self, out, *words):
        self.good("train", "small.yaml", "--out", out, "--quiet", *words)

    def result(self, out):
        return json.loads((self.path(out) / "result.json").read_text())

    def test_only_the_student_is_left(self):
        self.train("plain")
        self.train("twin", *TWIN)
        plain, resumable, best = (self.tensors(name) for name in ("plain/checkpoint.safetensors",
                                  "twin/checkpoint.safetensors", "twin/best.safetensors"))
        self.assertIn("0.conv.weight", plain)
        self.assertEqual(set(resumable), set(plain) | {f"companion.twin.{name}" for name in plain})
        self.assertIn("companion.twin.optimizer.velocity", resumable)
        self.assertEqual(set(best), {name for name in plain if not name.startswith("optimizer.")})
        self.assertNotEqual(resumable["0.conv.weight"], resumable["companion.twin.0.conv.weight"])
        self.assertNotEqual(resumable["0.conv.weight"], plain["0.conv.weight"])
        self.assertTrue(any(resumable["companion.twin.optimizer.velocity"]), "the twin was never moved")
        one, two = self.result("twin"), self.result("plain")
        self.assertEqual(one["parameters"], two["parameters"])
        self.assertEqual(list(one["firing_rate"]), list(two["firing_rate"]))
        last = json.loads((self.path("twin") / "history.jsonl").read_text().splitlines()[-1])
        self.assertEqual(list(last["parts"]), ["cross_entropy", "cross_entropy_twin", "twin"])
        parts = last["parts"]
        self.assertAlmostEqual(last["train_loss"], parts["cross_entropy"] + parts["cross_entropy_twin"]
                               + 0.005 * parts["twin"], places=4)

    def test_unmatched_is_plain(self):
        self.train("plain")
        expected, result = self.tensors("plain/checkpoint.safetensors"), self.result("plain")
        for kind in ("same", "ann"):
            self.train(kind, *UNMATCHED, "--set", f"twin.kind={kind}")
            found = self.tensors(f"{kind}/checkpoint.safetensors")
            for name, value in expected.items():
                self.assertTrue(found[name] == value, f"{kind}: {name}")
            for key in ("test_accuracy", "test_loss", "spikes_per_inference", "firing_rate", "best_epoch"):
                self.assertEqual(self.result(kind)[key], result[key])

    def test_its_checkpoint_opens_as_any(self):
        self.train("twin", *TWIN)
        report = self.good("eval", "twin", "--json").json
        self.assertEqual(report["spikes_per_inference"], self.result("twin")["spikes_per_inference"])
        self.good("inspect", "twin")
        self.train("from", "--set", "student.start=twin", "--set", "train.epochs=1")
        self.train("taught", "--set", "teacher=twin", "--set", "distill.0={method: kd}", "--set", "train.epochs=1")

    def test_stopped_and_resumed(self):
        words = ["train", "small.yaml", *TWIN, "--threads", 2, "--set", "optimizer.kind=adamw",
                 "--set", "optimizer.learning_rate=0.002"]
        self.good(*words, "--out", "whole", "--quiet")
        process = self.start(*words, "--out", "run")
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
        self.good(*words, "--out", "run", "--resume", "--quiet")
        self.assert_same_run("run", "whole")

    def test_resuming_needs_the_twin(self):
        """A checkpoint whose recipe asks for a twin that is not in it."""
        self.train("run")
        self.path("run/result.json").unlink()
        recipe = self.path("run/recipe.yaml").read_text()
        self.write("run/recipe.yaml", recipe.replace("enabled: false", "enabled: true"))
        data = self.path("run/checkpoint.safetensors").read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = data[8:8 + length].replace(b"enabled: false", b"enabled: true").ljust(length)
        self.write("run/checkpoint.safetensors", data[:8] + header + data[8 + length:])
        self.bad(1, ["train", "--resume", "--out", "run"], "run/checkpoint.safetensors", "'companion.twin.",
                 "is not in it")

    def test_what_is_wrong_is_said(self):
        self.bad(1, ["train", "small.yaml", "--set", "distill.0={method: twin}"], "distill.0 (twin) needs a twin network",
                 "twin: {enabled: true}")
        self.bad(1, ["train", "small.yaml", "--set", "twin.enable=true"], "unknown key 'enable' in twin",
                 "nearest is 'enabled'")
        self.bad(1, ["train", "small.yaml", "--set", "twin.seed_offset=0"], "twin.seed_offset", "at least 1")
        self.bad(1, ["train", "small.yaml", "--set", "twin={enabled: true, kind: ann}", "--set",
                     "data.encoding=poisson"], "twin.kind is ann", "expected direct")


if __name__ == "__main__":
    unittest.main()
