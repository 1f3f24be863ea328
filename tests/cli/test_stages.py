# SPDX-License-Identifier: Apache-2.0
"""Stages run in turn; stopped at any moment and resumed they end as if nothing had been."""
import json
import random
import signal
import subprocess
import time
import unittest

from program import ProgramTest

STAGES = """\
data: {name: digits, digits_train: 400, digits_test: 60}
optimizer: {kind: adamw, learning_rate: 0.003}
train: {epochs: 2, batch: 20, evaluation_batch: 30}
stages:
  - name: ann
    recipe: {student: {kind: ann, model: mlp, hidden: 64, activation: qcfs}}
  - name: converted
    convert: {from: stage:ann, timesteps: [1, 4, 16]}
  - name: snn
    recipe:
      student: {model: mlp, hidden: 64, norm: none, layer_thresholds: true, timesteps: 2, start: stage:converted}
      teacher: stage:ann
      distill: [{method: kd, weight: 0.5}]
"""
FILES = ("ann/history.jsonl", "ann/checkpoint.safetensors", "converted/checkpoint.safetensors",
         "converted/conversion.csv", "snn/history.jsonl")


class Stages(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("stages.yaml", STAGES)

    def words(self, out, *more):
        return ["train", "stages.yaml", "--out", out, "--threads", 1, *more]

    def contents(self, out):
        return {name: self.path(f"{out}/{name}").read_bytes() for name in FILES}

    def test_sweep(self):
        words = ["sweep", "stages.yaml", "--vary", "snn.distill.0.weight=0,0.5", "--seeds", 2, "--threads", 1,
                 "--set", "train.epochs=1", "--out", "s"]
        self.good(*words)
        rows = self.path("s/sweep.csv").read_text().splitlines()
        self.assertEqual(len(rows), 5)
        plans = [run / "recipe.yaml" for run in sorted(self.path("s/runs").iterdir())]
        texts = [plan.read_text() for plan in plans]
        self.assertEqual([text.count("seed: 2") > 0 for text in texts], [False, True, False, True])
        self.assertEqual(len(set(texts)), 4)
        times = [plan.stat().st_mtime_ns for plan in plans]
        self.assertIn("4 of 4 runs are complete already", self.good(*words).err)
        self.assertEqual([plan.stat().st_mtime_ns for plan in plans], times)
        self.bad(1, [*words, "--set", "ann.train.batch=10"], "holds a run of another recipe")
        self.bad(1, ["sweep", "stages.yaml", "--vary", "nosuch.train.epochs=1,2", "--out", "t"], "nosuch")
        self.assertFalse(self.path("t").exists())

    def test_in_turn(self):
        said = self.good(*self.words("run")).err
        self.assertLess(said.index("stage 1/3  ann"), said.index("stage 2/3  converted"))
        result = json.loads(self.path("run/result.json").read_text())
        self.assertEqual(list(result["stages"]), ["ann", "converted", "snn"])
        last = json.loads(self.path("run/snn/result.json").read_text())
        self.assertEqual(result["test_accuracy"], last["test_accuracy"])
        self.assertEqual(self.good("eval", "run", "--json").json["test_accuracy"], last["test_accuracy"])
        self.assertEqual(self.good("recipe", "stages.yaml").out, self.path("run/recipe.yaml").read_text())

        before = self.contents("run")
        self.assertNotIn("epoch", self.good("train", "--resume", "--out", "run").err)  # nothing is done again
        self.assertEqual(self.contents("run"), before)
        self.bad(1, self.words("run"), "run: holds a run already")
        self.bad(1, self.words("run", "--resume", "--set", "snn.train.epochs=3"), "run: was begun with other stages",
                 "'epochs: 2'", "'epochs: 3'")
        self.good(*self.words("run", "--overwrite", "--quiet", "--set", "snn.train.epochs=1"))
        self.assertEqual(len(self.path("run/snn/history.jsonl").read_text().splitlines()), 1)

    def test_missing_input(self):
        self.write("gone.yaml", STAGES.replace("stage:ann, timesteps", "nowhere, timesteps"))
        self.bad(1, ["train", "gone.yaml", "--out", "other", "--quiet"], "stage 'converted': ", "nowhere")
        self.write("late.yaml", STAGES.replace("from: stage:ann", "from: stage:snn"))
        self.bad(1, ["train", "late.yaml", "--out", "late"], "late.yaml:7", "stage 'converted'", "stage 'snn'")
        self.assertFalse(self.path("late").exists())

    def test_killed(self):
        start = time.monotonic()
        self.good(*self.words("whole"))
        duration, expected = time.monotonic() - start, self.contents("whole")
        moments, disturbed, run = random.Random(2), 0, 0
        while disturbed < 12:
            for number in (signal.SIGKILL, signal.SIGINT, None):
                process = self.start(*self.words(f"run{run}", "--resume"))
                try:
                    process.communicate(timeout=moments.uniform(0, duration) if number else 300)
                except subprocess.TimeoutExpired:
                    process.send_signal(number)
                    process.communicate(timeout=300)
                    disturbed += 1
                if process.returncode == 0:
                    break
            self.assertEqual(process.returncode, 0)
            self.assertEqual(self.contents(f"run{run}"), expected)
            run += 1


if __name__ == "__main__":
    unittest.main()
