# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/ run on small sizes: they train, classify and distil, and say what is wrong with their input."""
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("SPIKESTILL_SOURCE_DIR", Path(__file__).resolve().parents[2]))
EXAMPLES = Path(os.environ.get("SPIKESTILL_BUILD_DIR", ".")) / "examples"
SIZES = ["data.digits_train=1000", "data.digits_test=100", "train.epochs=2"]


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.teacher = f"{cls.folder.name}/teacher"
        # An ANN in a tenth of a student's time: relu instead of neurons, one step instead of four.
        cls.trained = cls.run_example("train_digits", cls.teacher, "student.kind=ann", "student.timesteps=1", *SIZES)

    @classmethod
    def run_example(cls, name, *words):
        return subprocess.run([EXAMPLES / name, *words], capture_output=True, text=True, timeout=500, check=False,
                              cwd=cls.folder.name)

    def check_failure(self, result, sentence, code=1):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertRegex(result.stderr, sentence)
        self.assertEqual(result.stderr.count("\n"), 1, "one sentence")

    def test_every_example_is_tried_here(self):
        text = Path(__file__).read_text()
        for source in sorted((SOURCE / "examples").glob("*.c")):
            self.assertIn(f'"{source.stem}"', text, f"{source.name} is not run by a test")

    def test_train_digits_makes_a_run(self):
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        self.assertIn("epoch 2 of 2", self.trained.stdout)
        result = json.loads((Path(self.teacher) / "result.json").read_text())
        self.assertIn(f"test accuracy {result['test_accuracy']:.3f}", self.trained.stdout)
        self.assertGreater(result["test_accuracy"], 0.3) # 0.1 is guessing

    def test_train_digits_names_a_bad_key(self):
        self.check_failure(self.run_example("train_digits", "other", "train.epoch=1"), "nearest.*'epochs'")
        self.check_failure(self.run_example("train_digits"), "usage", code=2)

    def test_classify_prints_a_class_and_agrees_with_the_label_mostly(self):
        right = 0
        for picture in range(10):
            result = self.run_example("classify", self.teacher, str(picture))
            self.assertEqual(result.returncode, 0, result.stderr)
            logits = [float(value) for value in re.findall(r"class \d: +(-?[\d.]+)", result.stdout)]
            answer, label = map(int, re.search(r"taken for class (\d); its label is (\d)", result.stdout).groups())
            self.assertEqual(len(logits), 10)
            self.assertEqual(max(range(10), key=logits.__getitem__), answer)
            right += answer == label
        self.assertGreater(right, 3) # 1 is guessing

    def test_classify_names_what_is_wrong(self):
        self.check_failure(self.run_example("classify", "nothing"), "nothing")
        self.check_failure(self.run_example("classify", self.teacher, "100"), "pictures 0 to 99")
        self.check_failure(self.run_example("classify"), "usage", code=2)

    def test_custom_loss_lowers_its_term(self):
        result = self.run_example("custom_loss", self.teacher, "1000", "3")
        self.assertEqual(result.returncode, 0, result.stderr)
        terms = [float(value) for value in re.findall(r"cosine term ([\d.]+)", result.stdout)]
        losses = [float(value) for value in re.findall(r"cross-entropy ([\d.]+)", result.stdout)]
        self.assertEqual(len(terms), 3)
        self.assertLess(terms[-1], terms[0])
        self.assertLess(losses[-1], losses[0])

    def test_custom_loss_names_a_missing_teacher(self):
        self.check_failure(self.run_example("custom_loss", "nothing"), "nothing")
        self.check_failure(self.run_example("custom_loss"), "usage", code=2)


if __name__ == "__main__":
    unittest.main()
