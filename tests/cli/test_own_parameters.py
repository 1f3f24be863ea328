# SPDX-License-Identifier: Apache-2.0
"""What a distillation term learns for itself trains beside the student, survives a stop, and is gone from everything that
the run leaves for use."""
import json
import signal
import unittest

from program import ProgramTest

# Of another width than the student's. Trained for an epoch: what it knows does not matter here.
TEACHER = """\
name: teacher
data: {name: digits, digits_train: 400, digits_test: 60, validation: 0.1}
student:
  kind: ann
  layers: [conv: {out: 6, stride: 2}, norm, act, avgpool, linear]
train: {epochs: 1, batch: 20, evaluation_batch: 30}
"""
TERM = "{method: lasnn, map: feature, taps: \"2.act\", weight: %s}"


class OwnParameters(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("teacher.yaml", TEACHER)
        self.good("train", "teacher.yaml", "--out", "teacher", "--quiet")

    def words(self, *terms):
        return ["--set", "teacher=teacher", *(word for i, term in enumerate(terms)
                                               for word in ("--set", f"distill.{i}={term}"))]

    def train(self, out, *words):
        self.good("train", "small.yaml", "--out", out, "--quiet", *words)

    def test_only_the_student_is_left(self):
        self.train("plain")
        self.train("kd", *self.words("{method: kd}"))
        self.train("own", *self.words("{method: kd}", TERM % 0.01))
        plain, resumable, best = (self.tensors(name) for name in ("plain/checkpoint.safetensors",
                                  "own/checkpoint.safetensors", "own/best.safetensors"))
        own = {f"companion.distill.{name}" for name in ("1.align1.weight", "1.align1.bias", "optimizer.velocity")}
        self.assertEqual(set(resumable), set(plain) | own)
        self.assertEqual(set(self.tensors("kd/checkpoint.safetensors")), set(plain))
        self.assertEqual(set(best), {name for name in plain if not name.startswith("optimizer.")})
        self.assertTrue(any(resumable["companion.distill.1.align1.bias"]), "the term learned nothing")
        one, two = (json.loads((self.path(out) / "result.json").read_text()) for out in ("own", "plain"))
        self.assertEqual(one["parameters"], two["parameters"])
        self.good("eval", "own", "--json")
        self.train("from", "--set", "student.start=own", "--set", "train.epochs=1")

    def test_weight_zero_is_plain(self):
        self.train("plain")
        self.train("zero", *self.words(TERM % 0))
        self.assertTrue(self.tensors("plain/checkpoint.safetensors") == self.tensors("zero/checkpoint.safetensors"))

    def test_stopped_and_resumed(self):
        blotted = '{method: bkdsnn, taps: "2.act", feature_weight: 1e-3}'
        words = ["train", "small.yaml", *self.words(TERM % "0.01, start_epoch: 1", blotted), "--threads", 2]
        self.good(*words, "--out", "whole", "--quiet")
        process = self.start(*words, "--out", "run")
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
        self.good(*words, "--out", "run", "--resume", "--quiet")
        self.assert_same_run("run", "whole")

    def test_what_is_wrong_is_said(self):
        self.bad(1, ["train", "small.yaml", *self.words(TERM.replace("weight: %s", "align: pool"))],
                 "the student's 2.act is [1,20,14,14,4] and the teacher's 2.act is [1,20,14,14,6]",
                 "use align: conv1x1")


if __name__ == "__main__":
    unittest.main()
