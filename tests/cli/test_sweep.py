# SPDX-License-Identifier: Apache-2.0
"""Sweeps: what they train and write, however often they are stopped and however many runs go on at a time."""
import csv
import os
import shutil
import signal
import statistics
import time
import unittest

from program import ProgramTest

GRID = ["--vary", "student.timesteps=1,2", "--vary", "optimizer.learning_rate=0.001,0.01", "--seeds", 2]
LONG = ["--vary", "train.epochs=4,150", "--seeds", 2, "--out", "s"]


class SweepTest(ProgramTest):
    def rows(self, name):
        with open(self.path(name), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def timeless(self, name):
        return [{key: value for key, value in row.items() if key != "seconds"} for row in self.rows(name)]

    def complete(self, out):
        return sorted(path.parent.name for path in self.path(out).glob("runs/*/result.json"))


class Results(SweepTest):
    def test_grid(self):
        result = self.good("sweep", "tiny.yaml", *GRID, "--out", "s")
        self.assertEqual(len(result.err.splitlines()), 8, result.err)
        runs = self.rows("s/sweep.csv")
        self.assertEqual(len(runs), 8)
        self.assertEqual(list(runs[0]), ["student.timesteps", "optimizer.learning_rate", "seed", "test_accuracy",
                                         "test_accuracy_best_by_validation", "validation_accuracy",
                                         "spikes_per_inference", "parameters", "seconds", "run"])
        self.assertEqual(runs[5]["run"], "runs/student.timesteps=2_optimizer.learning_rate=0.001_seed=2")
        # A run is what train makes of the same words.
        self.good("train", "tiny.yaml", "--set", "student.timesteps=2", "--set", "optimizer.learning_rate=0.001",
                  "--seed", 2, "--out", "alone")
        self.assert_same_run("s/" + runs[5]["run"], "alone")
        summary = self.rows("s/summary.csv")
        self.assertEqual(len(summary), 4)
        for place, row in enumerate(summary):
            for column, mean, deviation in (
                    ("test_accuracy", "test_accuracy_mean", "test_accuracy_deviation"),
                    ("spikes_per_inference", "spikes_per_inference_mean", "spikes_per_inference_deviation")):
                values = [float(run[column]) for run in runs[2 * place:2 * place + 2]]
                self.assertAlmostEqual(float(row[mean]), statistics.mean(values), 12)
                self.assertAlmostEqual(float(row[deviation]), statistics.stdev(values), 12)
            self.assertEqual(row["n"], "2")
        points = [(float(row["test_accuracy_mean"]), float(row["spikes_per_inference_mean"])) for row in summary]
        for row, (accuracy, spikes) in zip(summary, points):
            beaten = any(a >= accuracy and s <= spikes and (a, s) != (accuracy, spikes) for a, s in points)
            self.assertEqual(row["front"], "0" if beaten else "1")
        self.assertEqual(result.out.count("*"), sum(row["front"] == "1" for row in summary))

    def test_again_trains_nothing(self):
        self.good("sweep", "tiny.yaml", *GRID, "--out", "s")
        before = self.files("s/runs")
        result = self.good("sweep", "tiny.yaml", *GRID, "--out", "s", "--json")
        self.assertIn("8 of 8 runs are complete already", result.err)
        self.assertEqual(self.files("s/runs"), before)
        self.assertEqual([len(result.json[key]) for key in ("runs", "combinations", "failed")], [8, 4, 0])
        # More values and seeds make a larger sweep of the same runs.
        words = [word.replace("=1,2", "=1,2,3") if isinstance(word, str) else 3 for word in GRID]
        result = self.good("sweep", "tiny.yaml", *words, "--out", "s", "--quiet")
        after = self.files("s/runs")
        self.assertEqual({name: after[name] for name in before}, before)
        self.assertEqual((len(self.complete("s")), result.err), (18, ""))

    def test_list_and_one_seed(self):
        self.write("list.txt", "# two\nstudent.timesteps=1\nstudent.timesteps=2 loss.weight=0.5\n")
        result = self.good("sweep", "tiny.yaml", "--list", "list.txt", "--out", "s", "--json", "--seed", 7)
        self.assertEqual([run["values"] for run in result.json["runs"]],
                         [{"student.timesteps": "1", "loss.weight": None},
                          {"student.timesteps": "2", "loss.weight": "0.5"}])
        self.assertEqual({row["seed"] for row in self.rows("s/sweep.csv")}, {"7"})
        self.assertEqual({row["test_accuracy_deviation"] for row in self.rows("s/summary.csv")}, {""})
        self.assertIsNone(result.json["combinations"][0]["test_accuracy_deviation"])

    def test_runs_start_from_those_of_the_same_seed(self):
        self.good("sweep", "tiny.yaml", "--seeds", 2, "--out", "first")
        self.good("sweep", "tiny.yaml", "--seeds", 2, "--out", "second",
                  "--set", "student.start=first/runs/seed={seed}")
        for seed in (1, 2):
            recipe = self.path(f"second/runs/seed={seed}/recipe.yaml").read_text(encoding="utf-8")
            self.assertIn(f"start: first/runs/seed={seed}\n", recipe)

    def test_jobs_do_not_matter(self):
        """With the reference backend the threads that runs share do not matter either."""
        for jobs in (1, 2):
            self.good("sweep", "tiny.yaml", *GRID, "--out", f"s{jobs}", "--jobs", jobs, "--threads", 2,
                      "--device", "cpu-ref")
        self.assertEqual(self.timeless("s1/sweep.csv"), self.timeless("s2/sweep.csv"))
        self.assertEqual(self.files("s1")["summary.csv"], self.files("s2")["summary.csv"])

    def test_front_is_drawn(self):
        if not shutil.which("gnuplot"):
            self.skipTest("gnuplot is not installed")
        self.good("sweep", "tiny.yaml", *GRID, "--out", "s")
        self.assertTrue(self.files("s")["front.png"].startswith(b"\x89PNG"))
        svg = self.files("s")["front.svg"].decode()
        self.assertIn("</svg>", svg)
        self.assertIn("student.timesteps=2 optimizer.learning_rate=0.01", svg)

    def test_without_gnuplot(self):
        self.addCleanup(os.environ.update, PATH=os.environ["PATH"])
        os.environ["PATH"] = str(self.folder)
        result = self.good("sweep", "tiny.yaml", "--out", "s")
        self.assertIn("gnuplot is not installed, so there is no s/front.svg", result.err)
        self.assertTrue(self.path("s/front.gnuplot").exists())
        self.assertFalse(self.path("s/front.svg").exists())


class Stopped(SweepTest):
    def start_and_wait(self, *words):
        """Starts a sweep and waits until its first run is complete and the next is under way."""
        process = self.start("sweep", "tiny.yaml", *LONG, *words)
        end = time.monotonic() + 120
        while not list(self.path("s").glob("runs/*epochs=150_seed=*/history.jsonl")):
            self.assertIsNone(process.poll(), "the sweep was over before the signal came")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.002)
        return process

    def check(self):
        self.good("sweep", "tiny.yaml", *LONG[:-1], "whole")
        self.assertEqual(self.timeless("s/sweep.csv"), self.timeless("whole/sweep.csv"))
        for name in self.complete("whole"):
            self.assert_same_run(f"s/runs/{name}", f"whole/runs/{name}")
        self.assert_no_scraps()

    def test_interrupted_and_what_it_says_works(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start_and_wait("--jobs", 2, "--threads", 2, "--set", "data.root=it's here")
            process.send_signal(number)
            out, err = process.communicate(timeout=120)
            self.assertEqual((process.returncode, out), (1, b""), err)
            self.assertRegex(err.decode(), r"spikestill: stopped with \d of 4 runs complete; what was done is saved in "
                             r"s\ngo on with: spikestill sweep tiny.yaml [^\n]*--out s\n\Z")
            self.assertEqual(len(self.rows("s/sweep.csv")), len(self.complete("s")))
            self.assertLess(len(self.complete("s")), 4)
            if number == signal.SIGINT:
                shutil.rmtree(self.path("s"))
        words = err.decode().strip().split("go on with: spikestill ")[1]
        self.assertIn("--set 'data.root=it'\\''s here'", words)
        words = [word for word in words.replace("'data.root=it'\\''s here'", "data.root=it's@here").split()]
        self.good(*[word.replace("@", " ") for word in words])
        self.assertEqual(len(self.complete("s")), 4)

    def test_killed(self):
        process = self.start_and_wait()
        process.kill()
        process.communicate()
        for _ in range(200):  # the run that was going on is asked to stop, which takes a moment
            result = self.run_program("sweep", "tiny.yaml", *LONG)
            if "another process is training there" not in result.err:
                break
            time.sleep(0.02)
        self.assertEqual(result.code, 0, result.err)
        self.check()


class Wrong(SweepTest):
    def test_nothing_is_trained_if_anything_is_wrong(self):
        cases = {
            ("--vary", "train.epoch=1,2"): "the combination train.epoch=1: --set train.epoch: unknown key 'epoch'",
            ("--vary", "train.epochs=1,x"): "the combination train.epochs=x: ",
            ("--vary", "data.mean=[1"): "a bracket or quote is not closed",
            ("--vary", "seed=1,2"): "(--seeds)",
            ("--list", "missing.txt"): "missing.txt: ",
            ("--set", "nonsense=1"): "unknown key 'nonsense'",
        }
        for words, part in cases.items():
            self.bad(1, ["sweep", "tiny.yaml", *words, "--out", "s"], part)
            self.assertFalse(self.path("s").exists())

    def test_usage(self):
        self.bad(2, ["sweep", "tiny.yaml"], "sweep needs --out DIR")
        self.bad(2, ["sweep", "tiny.yaml", "--out", "s", "--vary", "a"], "--vary is 'a', expected KEY=V1,V2")
        self.bad(2, ["sweep", "tiny.yaml", "--out", "s", "--vary", "a=1", "--list", "f"], "exclude each other")
        self.bad(2, ["sweep", "tiny.yaml", "--out", "s", "--jobs", "0"], "a whole number from 1 to 256")
        self.bad(2, ["sweep", "tiny.yaml", "--out", "s", "--seeds", "1001"], "a whole number from 1 to 1000")

    def test_a_failing_run_does_not_stop_the_others(self):
        words = ["sweep", "tiny.yaml", "--vary", "teacher=missing,\"\"", "--seeds", 2, "--out", "s",
                 "--set", "distill.0={method: tet, weight: 0.1}"]
        result = self.run_program(*words, "--json")
        self.assertEqual(result.code, 1, result.err)
        self.assertRegex(result.err, r"(?m)^spikestill: runs/teacher=missing_seed=1: teacher: missing[^\n]*$")
        self.assertTrue(result.err.endswith("spikestill: 2 of 4 runs failed\n"), result.err)
        self.assertEqual(result.json["failed"], ["runs/teacher=missing_seed=1", "runs/teacher=missing_seed=2"])
        self.assertEqual([row["n"] for row in self.rows("s/summary.csv")], ["0", "2"])
        self.assertEqual(len(self.rows("s/sweep.csv")), 2)

    def test_another_sweeps_folder(self):
        self.good("sweep", "tiny.yaml", "--out", "s")
        self.bad(1, ["sweep", "tiny.yaml", "--out", "s", "--set", "train.epochs=3"], "holds a run of another recipe")


if __name__ == "__main__":
    unittest.main()
