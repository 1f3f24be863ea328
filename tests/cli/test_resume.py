# SPDX-License-Identifier: Apache-2.0
"""The same seed gives the same bits, whether a run is left alone, stopped, or killed at any moment and resumed."""
import json
import random
import signal
import subprocess
import time
import unittest

from program import SLOW, ProgramTest

KILLS = 20
THREADS = 2
# Terms as well: their graph must be rebuilt on resuming, and where one of them begins to count.
KD = ["--set", "teacher=teacher", "--set", "distill.0={method: kd, weight: 0.5, teacher_temperature: 2}",
      "--set", "distill.1={method: tser, start_epoch: 1, end_epoch: 2}"]
# So what the teacher makes of a picture is kept.
NOT_AUGMENTED = ["--set", "data.augment.crop_padding=0", "--set", "data.augment.mixup=0"]
# Every layer from spikes, whatever the density, which the defaults would not do.
FROM_SPIKES = [word for key in ("convolution_forward", "convolution_weights", "linear_forward", "linear_weights")
               for word in ("--set", f"speed.{key}=1")]


class Same(ProgramTest):
    def train(self, out, *words):
        self.good("train", "small.yaml", "--out", out, "--quiet", *words)

    def test_twice(self):
        for device in ("cpu", "cpu-ref"):
            words = ["--device", device, "--threads", THREADS]
            self.train(f"{device}-1", *words)
            self.train(f"{device}-2", *words)
            self.assert_same_run(f"{device}-2", f"{device}-1")
            self.train(f"{device}-3", *words, "--seed", 2)
            self.assertNotEqual(self.files(f"{device}-1")["history.jsonl"], self.files(f"{device}-3")["history.jsonl"])

    def test_speed_of_the_recipe_counts(self):
        """The numbers of the section reach the kernels: other ways round otherwise, the same way gives the same bits."""
        self.train("default", "--threads", THREADS)
        self.train("spikes-1", "--threads", THREADS, *FROM_SPIKES)
        self.train("spikes-2", "--threads", THREADS, *FROM_SPIKES)
        self.assert_same_run("spikes-2", "spikes-1")
        self.assertNotEqual(self.files("default")["checkpoint.safetensors"],
                            self.files("spikes-1")["checkpoint.safetensors"])

    def test_reference_does_not_depend_on_threads(self):
        self.train("one", "--device", "cpu-ref", "--threads", 1)
        self.train("two", "--device", "cpu-ref", "--threads", 2)
        self.assert_same_run("two", "one")

    def test_batches_do_not_depend_on_workers(self):
        histories = []
        for workers in (0, 1, 3):
            self.train(f"w{workers}", "--threads", 1, "--set", f"data.workers={workers}")
            histories.append(self.files(f"w{workers}")["history.jsonl"])
        self.assertEqual(histories[1:], histories[:1] * 2)

    def test_teacher_is_computed_once_a_picture(self):
        """Kept or computed in every step: the same bits, also where terms begin and end, and a spiking teacher's."""
        for kind, steps in ("ann", 1), ("snn", 2):
            self.train("teacher", "--overwrite", "--set", "train.epochs=1", "--set", f"student.kind={kind}",
                       "--set", f"student.timesteps={steps}")
            words = [*KD, "--set", "distill.2={method: feature_kd}", *NOT_AUGMENTED]
            results = {}
            for out, more in {"kept": [], "computed": ["--set", "teacher_memory=0"],
                              "beyond": ["--set", "teacher_memory=1"],
                              "augmented": ["--set", "data.augment.flip=true"]}.items():
                self.train(out, "--overwrite", *words, *more)
                results[out] = json.loads(self.path(f"{out}/result.json").read_text())
            self.assertEqual(self.files("kept")["history.jsonl"], self.files("computed")["history.jsonl"])
            self.assertEqual(self.tensors("kept/checkpoint.safetensors"), self.tensors("computed/checkpoint.safetensors"))
            self.assertGreater(results["kept"]["teacher_kept_bytes"], 1 << 20)
            self.assertEqual([results[out]["teacher_kept_bytes"] for out in ("computed", "beyond", "augmented")], [0] * 3)

    def test_loss_of_each_step(self):
        """The cross-entropy is convex: its mean over the steps is above that of their mean. One step is its own mean."""
        losses = {}
        for steps in 1, 3:
            for each in "false", "true":
                self.train("run", "--overwrite", *NOT_AUGMENTED, "--set", "train.epochs=1", "--set",
                           f"student.timesteps={steps}", "--set", f"loss.per_step={each}", "--set",
                           "optimizer.learning_rate=1e-12")
                losses[steps, each] = json.loads(self.path("run/history.jsonl").read_text())["parts"]["cross_entropy"]
        self.assertEqual(losses[1, "true"], losses[1, "false"])
        self.assertGreater(losses[3, "true"], losses[3, "false"] + 1e-4)

    def test_terms_begin_and_end(self):
        """A term's value is recorded in every epoch, and in the loss from its first epoch to its last."""
        self.train("plain", "--set", "train.epochs=2", "--set", "schedule.kind=constant")
        self.train("bounded", "--set", "schedule.kind=constant", "--set", "train.epochs=4", "--set",
                   "distill.0={method: tser, weight: 0.5, start_epoch: 2, end_epoch: 3}")
        plain, bounded = ([json.loads(line) for line in self.path(f"{run}/history.jsonl").read_text().splitlines()]
                          for run in ("plain", "bounded"))
        for epoch, line in enumerate(bounded):
            weight = 0.5 if epoch == 2 else 0
            self.assertGreater(line["parts"]["tser"], 0)
            self.assertAlmostEqual(line["train_loss"], line["parts"]["cross_entropy"] + weight * line["parts"]["tser"],
                                   places=5)
        for expected, line in zip(plain, bounded):
            line["parts"].pop("tser")
            self.assertEqual(line, expected)


class Stopped(ProgramTest):
    more = ()

    def setUp(self):
        super().setUp()
        self.good("train", "small.yaml", "--out", "teacher", "--quiet", "--set", "train.epochs=1",
                  "--set", "student.kind=ann", "--set", "student.timesteps=1")

    def words(self, device, out):
        return ["train", "small.yaml", "--device", device, "--threads", THREADS, *KD, *self.more, "--out", out]

    def undisturbed(self, device):
        """A run that is left alone, and how long it took."""
        start = time.monotonic()
        self.good(*self.words(device, f"{device}-whole"))
        return time.monotonic() - start

    def disturb(self, words, moment, number):
        """Starts the program, sends the signal after that many seconds; the exit code and what it said."""
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            out, err = process.communicate(timeout=300)
        self.assertTrue(out or process.returncode != 0)
        return process.returncode, err.decode()

    def try_device(self, device, number, times):
        """Disturbs runs until it has happened often enough; each one that comes to its end is as the whole one."""
        duration = self.undisturbed(device)
        moments = random.Random(1)
        disturbed, run, sittings = 0, 0, 0
        while disturbed < times or sittings > 0:
            words = [*self.words(device, f"{device}-{run}"), "--resume"]
            if disturbed < times:
                code, err = self.disturb(words, moments.uniform(0, duration), number)
            else:
                result = self.run_program(*words)
                code, err = result.code, result.err
            if code == 0:
                self.assert_same_run(f"{device}-{run}", f"{device}-whole")
                self.assert_no_scraps()
                run, sittings = run + 1, 0
                continue
            disturbed += 1
            sittings += 1
            if code == -number:
                continue  # killed, or stopped before anything was begun
            self.assertEqual((code, number), (1, signal.SIGINT), err)
            self.assertRegex(err, r"spikestill: stopped in [^\n]*saved in " + f"{device}-{run}\n"
                             rf"go on with: spikestill train --resume --out {device}-{run}\n\Z")

    def test_killed_cpu(self):
        self.try_device("cpu", signal.SIGKILL, KILLS)

    def test_killed_reference(self):
        self.try_device("cpu-ref", signal.SIGKILL, 4 if SLOW else KILLS)

    def test_interrupted_cpu(self):
        self.try_device("cpu", signal.SIGINT, 8)

    def test_interrupted_reference(self):
        self.try_device("cpu-ref", signal.SIGINT, 3 if SLOW else 6)

    def test_killed_as_soon_as_a_file_is_there(self):
        """Kills right behind the writing of each file of the first epochs, where a gap between two would show."""
        self.undisturbed("cpu")
        for name in ("recipe.yaml", "environment.json", "checkpoint.safetensors", "timing.jsonl", "best.safetensors",
                     "history.jsonl"):
            process = self.start(*self.words("cpu", "run"))
            target = self.path("run") / name
            while not target.exists() and process.poll() is None:
                time.sleep(0.0005)
            process.kill()
            process.communicate()
            self.good(*self.words("cpu", "run"), "--resume")
            self.assert_same_run("run", "cpu-whole")
            for path in self.path("run").iterdir():
                path.unlink()

    def test_what_it_says_works(self):
        """The command that a stopped run prints is taken at its word."""
        self.go_on_as_told()

    def test_goes_on_from_spikes(self):
        """What the run directory records of how layers are computed is obeyed."""
        self.more = FROM_SPIKES
        self.go_on_as_told()

    def test_goes_on_with_a_kept_teacher(self):
        self.more = NOT_AUGMENTED
        self.go_on_as_told()

    def go_on_as_told(self):
        self.undisturbed("cpu")
        process = self.start(*self.words("cpu", "run"))
        line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=300)
        self.assertTrue(line.startswith(b"epoch 1/3"), line)
        if process.returncode == 0:
            self.skipTest("the run was over before the signal came")
        self.assertEqual(process.returncode, 1)
        command = rest.decode().strip().split("\n")[-1].removeprefix("go on with: spikestill ").split()
        self.good(*command, "--threads", THREADS)
        self.assert_same_run("run", "cpu-whole")

    def test_second_signal_ends_at_once(self):
        process = self.start("train", "small.yaml", "--out", "run", "--set", "train.epochs=1000")
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        for _ in range(2000):
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (1, -signal.SIGTERM))


class Refused(ProgramTest):
    def test_one_process_a_folder(self):
        process = self.start("train", "small.yaml", "--out", "run", "--set", "train.epochs=100000")
        process.stderr.readline()
        result = self.run_program("train", "--resume", "--out", "run")
        self.assertEqual(result.code, 1)
        self.assertEqual(result.err, "spikestill: run: another process is training there; choose another folder (--out)\n")
        process.kill()
        process.communicate()

    def test_scraps_of_a_killed_run_are_swept(self):
        self.good("train", "small.yaml", "--out", "run", "--quiet")
        self.path("run/result.json").unlink()
        self.write("run/checkpoint.safetensors.tmp-12345", "half")
        self.write("run/mine.tmp-1", "not the program's")
        self.good("train", "--resume", "--out", "run", "--quiet")
        self.assertFalse(self.path("run/checkpoint.safetensors.tmp-12345").exists())
        self.assertTrue(self.path("run/mine.tmp-1").exists())

    def test_torn_lines_are_cut(self):
        """A power cut may leave half a line at the end of a record."""
        self.good("train", "small.yaml", "--out", "whole", "--quiet")
        self.good("train", "small.yaml", "--out", "run", "--quiet")
        self.path("run/result.json").unlink()
        for name in ("history.jsonl", "timing.jsonl"):
            with open(self.path("run") / name, "a", encoding="ascii") as file:
                file.write('{"epoch": 4, "tra')
        self.good("train", "--resume", "--out", "run", "--quiet")
        self.assert_same_run("run", "whole")

    def test_history_that_is_too_short(self):
        self.good("train", "small.yaml", "--out", "run", "--quiet")
        self.path("run/result.json").unlink()
        lines = self.path("run/history.jsonl").read_bytes().splitlines(keepends=True)
        self.path("run/history.jsonl").write_bytes(lines[0])
        self.bad(1, ["train", "--resume", "--out", "run"], "run/history.jsonl", "1 complete lines", "epoch 3")


if __name__ == "__main__":
    unittest.main()
