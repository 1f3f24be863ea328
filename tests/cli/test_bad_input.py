# SPDX-License-Identifier: Apache-2.0
"""What is wrong is told in one sentence with its place; nothing is left half-written and nothing is lost."""
import gzip
import os
import resource
import shutil
import struct
import subprocess
import unittest

from program import SLOW, ProgramTest

TEMPLATE = """\
name: bad
data:
  name: digits
  digits_train: 100
student:
  model: mlp
train:
  epochs: 2
"""


class Recipes(ProgramTest):
    def recipe_fails(self, text, *parts):
        self.write("bad.yaml", text)
        self.bad(1, ["train", "bad.yaml", "--out", "run"], *parts)
        self.assertFalse(self.path("run").exists(), "nothing may be made for a recipe that is wrong")

    def test_keys_and_values(self):
        cases = [
            (("epochs: 2", "epoch: 2"), "bad.yaml:8", "'epoch'", "nearest is 'epochs'"),
            (("student:", "studnet:"), "bad.yaml:5", "'studnet'", "nearest is 'student'"),
            (("epochs: 2", "momentum: 0.9"), "bad.yaml:8", "there is optimizer.momentum"),
            (("epochs: 2", "epochs: 0"), "bad.yaml:8", "train.epochs", '"0"', "from 1 to 100000"),
            (("epochs: 2", "epochs: many"), "bad.yaml:8", '"many"', "whole number"),
            (("epochs: 2", "epochs: [2]"), "bad.yaml:8", "train.epochs", "a list", "single value"),
            (("model: mlp", "model: mpl"), "bad.yaml:6", '"mpl"', 'did you mean "mlp"'),
            (("name: digits", "name: digit"), "bad.yaml:3", 'did you mean "digits"'),
            (("  digits_train: 100", "  digits_train: 100\n  digits_train: 200"), "bad.yaml:5", "digits_train"),
            (("train:\n", "train: [\n"), "bad.yaml:9:1", "not valid YAML", "begins in line 7"),
        ]
        for (old, new), *parts in cases:
            with self.subTest(new):
                self.assertEqual(TEMPLATE.count(old), 1)
                self.recipe_fails(TEMPLATE.replace(old, new), *parts)

    def test_overrides_name_themselves(self):
        for override, part in {"train.epoch=3": "nearest is 'epochs'", "train.epochs=-1": '"-1"',
                               "distill.3.weight=1": "beyond the end", "name.a=1": "single value",
                               "seed=-1": '"-1"', "distill.0={method: kdd}": "nearest is 'kd'",
                               "distill.0={method: kd, wieght: 1}": "nearest is 'weight'",
                               "distill.0={method: kd}": "--set teacher=DIR"}.items():
            with self.subTest(override):
                self.bad(1, ["train", "tiny.yaml", "--out", "run", "--set", override],
                         "--set " + override.split("=", 1)[0], part)

    def test_unknown_tap(self):
        self.good("train", "tiny.yaml", "--out", "teacher", "--quiet")
        self.bad(1, ["train", "tiny.yaml", "--out", "run", "--set", "teacher=teacher", "--set",
                     "distill.0={method: lasnn, taps: featurs}"],
                 "there is no tap 'student.featurs'", "the nearest is 'student.features'")
        self.assertFalse(self.path("run").exists())

    def test_shapes_that_do_not_fit(self):
        cases = {
            "act, linear: {out: 7}": ("1.linear", "[4,50,1,1,7]", "[T,N,1,1,10]"),
            "conv: {out: 4, kernel: 30, padding: 0}, linear": ("0.conv", "30", "28x28"),
            "conv: {out: 4, groups: 3}, linear": ("0.conv", "3 groups", "1 input"),
            "avgpool: {kernel: 40}, linear": ("0.avgpool", "40", "28x28"),
        }
        for layers, parts in cases.items():
            with self.subTest(layers):
                self.recipe_fails(TEMPLATE.replace("model: mlp", f"layers: [{layers}]") + "  batch: 50\n", *parts)

    def test_missing_recipe(self):
        self.bad(1, ["train", "nowhere.yaml"], "nowhere.yaml", "No such file")
        self.bad(1, ["train", "."], ".: cannot read", "directory")
        self.write("binary.yaml", bytes(range(256)))
        self.bad(1, ["train", "binary.yaml"], "binary.yaml")

    def test_batch_larger_than_the_data(self):
        self.bad(1, ["train", "tiny.yaml", "--set", "train.batch=200"], "train.batch is 200", "180 pictures")

    def test_spike_encodings_have_no_teacher(self):
        self.good("train", "tiny.yaml", "--out", "teacher", "--quiet")
        self.bad(1, ["train", "tiny.yaml", "--out", "run", "--set", "teacher=teacher",
                     "--set", "distill.0={method: kd}", "--set", "data.encoding=poisson"], "data.encoding: direct")


def idx(kind, shape, content):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + content


class Data(ProgramTest):
    def setUp(self):
        super().setUp()
        pictures = bytes(range(256)) * 49 * 4
        for part, count in (("train", 60), ("t10k", 20)):
            self.write(f"data/mnist/{part}-images-idx3-ubyte", idx(8, (count, 28, 28), pictures[:count * 784]))
            self.write(f"data/mnist/{part}-labels-idx1-ubyte", idx(8, (count,), bytes(i % 10 for i in range(count))))
        record = bytes([3]) + bytes(3072)
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            self.write(f"data/cifar10/{name}.bin", record * 10)
        self.words = ["train", "tiny.yaml", "--out", "run", "--set", "data.name=mnist", "--set", "data.root=data"]
        self.cifar = ["train", "tiny.yaml", "--out", "run", "--set", "data.name=cifar10", "--set", "data.root=data"]

    def data_fails(self, words, *parts):
        self.bad(1, words, *parts)
        self.assertFalse(self.path("run").exists())

    def test_good_data_are_read(self):
        self.good(*self.words, "--quiet")
        shutil.rmtree(self.path("run"))
        self.good(*self.cifar, "--quiet")
        self.good("data", "info", "mnist", "--root", "data")

    def test_missing(self):
        self.data_fails([*self.words[:-1], "data.root=nowhere"], "nowhere/mnist", "train-images-idx3-ubyte",
                        "spikestill data get mnist --root nowhere")
        self.path("data/mnist/train-labels-idx1-ubyte").unlink()
        self.data_fails(self.words, "train-labels-idx1-ubyte", "data get mnist")
        self.path("data/cifar10/data_batch_3.bin").unlink()
        self.data_fails(self.cifar, "data_batch_3.bin", "data get cifar10")

    def test_the_command_it_names_is_right(self):
        result = self.bad(1, [*self.words[:-1], "data.root=nowhere"])
        command = result.err.strip().split("spikestill data ")[1].split()
        self.assertEqual(self.run_program("data", *command, "--url", "file:///nowhere", "--help").code, 0)

    def test_truncated(self):
        path = self.path("data/mnist/train-images-idx3-ubyte")
        whole = path.read_bytes()
        for length in (0, 3, 10, 16, 1000, len(whole) - 1):
            with self.subTest(length):
                path.write_bytes(whole[:length])
                self.data_fails(self.words, "train-images-idx3-ubyte", "byte",
                                f"at most {length - 16} follow" if length > 16 else "")
        path.unlink()
        packed = gzip.compress(whole)
        self.write("data/mnist/train-images-idx3-ubyte.gz", packed[:len(packed) // 2])
        self.data_fails(self.words, "train-images-idx3-ubyte.gz", "byte")
        batch = self.path("data/cifar10/data_batch_2.bin")
        batch.write_bytes(batch.read_bytes()[:5000])
        self.data_fails(self.cifar, "data_batch_2.bin", "5000")

    def test_corrupted(self):
        path = self.path("data/mnist/train-labels-idx1-ubyte")
        whole = path.read_bytes()
        path.write_bytes(whole[:20] + b"\x63" + whole[21:])
        self.data_fails(self.words, "train-labels-idx1-ubyte", "byte 20", "99")
        path.write_bytes(b"\x01" + whole[1:])
        self.data_fails(self.words, "train-labels-idx1-ubyte", "byte")
        path.write_bytes(whole + b"more")
        self.data_fails(self.words, "train-labels-idx1-ubyte")
        path.write_bytes(idx(8, (59,), whole[8:67]))
        self.data_fails(self.words, "59", "60")
        batch = self.path("data/cifar10/test_batch.bin")
        batch.write_bytes(bytes([77]) + batch.read_bytes()[1:])
        self.data_fails(self.cifar, "test_batch.bin", "byte 0", "77")


class Checkpoints(ProgramTest):
    def setUp(self):
        super().setUp()
        self.good("train", "tiny.yaml", "--out", "old", "--quiet")
        self.whole = self.path("old/checkpoint.safetensors").read_bytes()

    def test_truncated(self):
        for length in (0, 7, 8, 100, len(self.whole) // 2, len(self.whole) - 1):
            with self.subTest(length):
                self.write("cut.safetensors", self.whole[:length])
                self.bad(1, ["eval", "cut.safetensors"], "cut.safetensors", "byte")

    def test_corrupted(self):
        cases = {
            "length": struct.pack("<Q", 1 << 60) + self.whole[8:],
            "header": self.whole[:9] + b"\xff" + self.whole[10:],
            "offsets": self.whole.replace(b'"data_offsets": [0,', b'"data_offsets": [9,', 1),
            "text": b"this is no checkpoint at all, but long enough for the beginning of one",
        }
        for name, content in cases.items():
            with self.subTest(name):
                self.assertTrue(content != self.whole)
                self.write("old/checkpoint.safetensors", content)
                self.bad(1, ["eval", "old"], "old/checkpoint.safetensors")
                self.bad(1, ["inspect", "old"], "old/checkpoint.safetensors")
                self.path("old/result.json").unlink(missing_ok=True)
                self.bad(1, ["train", "--resume", "--out", "old"], "old/checkpoint.safetensors")
                self.bad(1, ["train", "tiny.yaml", "--out", "run", "--set", "teacher=old",
                             "--set", "distill.0={method: kd}"], "teacher: old/checkpoint.safetensors")
                self.assertFalse(self.path("run").exists())

    def test_of_another_network(self):
        words = ["train", "tiny.yaml", "--out", "run", "--set", "student.start=old"]
        self.bad(1, [*words, "--set", "student.hidden=20"], "student.start", "old/checkpoint.safetensors",
                 "0.linear.weight", "[16,1,1,784]", "[20,1,1,784]")
        self.bad(1, [*words[:4], "--set", "student={model: cnn, width: 0.1}", *words[4:]], "another network",
                 "0.conv.weight")
        self.bad(1, ["eval", "old", "--set", "student.neuron.model=plif"], "another network", "is not in it")
        self.bad(1, ["eval", "old", "--data", "cifar10"], "cifar10", "a height of 28", "its samples have 32")
        self.assertFalse(self.path("run").exists())

    def test_teacher_of_another_task(self):
        for count in range(1, 6):
            self.write(f"data/cifar10/data_batch_{count}.bin", (bytes([count]) + bytes(3072)) * 50)
        self.write("data/cifar10/test_batch.bin", (bytes([1]) + bytes(3072)) * 50)
        self.bad(1, ["train", "tiny.yaml", "--out", "run", "--set", "data.name=cifar10", "--set", "data.root=data",
                     "--set", "teacher=old", "--set", "distill.0={method: kd}"], "'old'", "digits", "cifar10")

    def test_teacher_must_be_trained(self):
        for teacher, part in {"tiny.yaml": "is a recipe", "nowhere": "No such file", ".": "no checkpoint"}.items():
            self.bad(1, ["train", "tiny.yaml", "--out", "run", "--set", f"teacher={teacher}",
                         "--set", "distill.0={method: kd}"], "teacher: " + teacher, part)
        self.assertFalse(self.path("run").exists())

    def test_models_that_are_none(self):
        self.bad(1, ["eval", "nowhere"], "nowhere", "No such file")
        self.bad(1, ["eval", "."], "no checkpoint.safetensors")
        self.bad(1, ["eval", "old/result.json"], "old/result.json", "byte 0")

    def test_resume_with_another_recipe(self):
        for complete in (True, False):
            if not complete:
                self.path("old/result.json").unlink()
            self.bad(1, ["train", "tiny.yaml", "--resume", "--out", "old", "--seed", "5"],
                     "old/checkpoint.safetensors", "another recipe", "line 2", "'seed: 1'", "'seed: 5'")
            self.bad(1, ["train", "--resume", "--out", "old", "--set", "train.epochs=9"], "'epochs: 2'", "'epochs: 9'")
        self.bad(1, ["train", "--resume", "--out", "nowhere"], "nowhere", "no run that could be resumed")

    def test_folder_that_holds_a_run(self):
        self.bad(1, ["train", "tiny.yaml", "--out", "old"], "old: holds a run already", "--resume", "--overwrite")

    def test_a_wrong_recipe_does_not_cost_the_old_run(self):
        self.bad(1, ["train", "tiny.yaml", "--out", "old", "--overwrite", "--set", "teacher=nowhere",
                     "--set", "distill.0={method: kd}"], "nowhere")
        self.bad(1, ["train", "tiny.yaml", "--out", "old", "--overwrite", "--set", "data.name=mnist",
                     "--set", "data.root=nowhere"], "nowhere")


class NotFinite(ProgramTest):
    # Far too large steps. A network of rectifiers has nothing that stops them.
    WILD = ["--set", "student={kind: ann, model: mlp, hidden: 16, norm: none}",
            "--set", "optimizer={kind: sgd, learning_rate: 1000, weight_decay: 1000}", "--set", "train.epochs=20"]

    def test_names_the_layer(self):
        result = self.run_program("train", "tiny.yaml", "--out", "run", *self.WILD, "--quiet")
        self.assertEqual(result.code, 1, result.err)
        self.assertRegex(result.err, r"\Aspikestill: the loss is not finite in epoch \d+, batch \d+; "
                                     r"the first value that is not: student\.\d\.\w+\n\Z")
        self.assertFalse(self.path("run/result.json").exists())
        self.assert_no_scraps()
        self.good("eval", "run")  # the state before the trouble is still there, and finite

    def test_clipping_does_not_hide_it(self):
        result = self.run_program("train", "tiny.yaml", "--out", "run", *self.WILD, "--quiet",
                                  "--set", "optimizer.clip_norm=1e9")
        self.assertEqual(result.code, 1, result.err)
        self.assertIn("not finite", result.err)


class Disk(ProgramTest):
    def setUp(self):
        super().setUp()
        self.good("train", "small.yaml", "--out", "whole", "--quiet", "--threads", 1)

    def begun(self, folder):
        """A run that was killed after its first epoch."""
        process = self.start("train", "small.yaml", "--out", folder, "--threads", 1, "--set", "train.epochs=3")
        process.stderr.readline()
        process.kill()
        process.communicate()
        if self.path(folder).joinpath("result.json").exists():
            self.skipTest("the run was over before it could be killed")

    def resume_equals(self, folder):
        self.good("train", "--resume", "--out", folder, "--quiet", "--threads", 1)
        self.assert_same_run(folder, "whole")

    def test_file_that_may_not_grow(self):
        """A limit on the size of files, as a quota: first the checkpoint does not fit, then not even the recipe."""
        for limit in (4096, 64):
            shutil.rmtree(self.path("run"), ignore_errors=True)
            self.begun("run")
            kept = self.path("run/checkpoint.safetensors").read_bytes()
            result = self.run_program("train", "--resume", "--out", "run", "--quiet", preexec_fn=lambda: (
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))  # pylint: disable=cell-var-from-loop
            if "OMP: Error" in result.err:
                self.skipTest("LLVM's OpenMP runtime cannot start under this limit")
            self.assertEqual(result.code, 1, result.err)
            self.assertRegex(result.err, r"\Aspikestill: run/\S+: cannot write: File too large\n\Z")
            self.assertTrue(self.path("run/checkpoint.safetensors").read_bytes() == kept)
            self.assert_no_scraps()
            self.resume_equals("run")

    def test_new_run_on_a_full_disk(self):
        words = ["train", "small.yaml", "--out", "run", "--quiet"]
        self.bad(1, words, "run/checkpoint.safetensors: cannot write: File too large", preexec_fn=lambda: (
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))))
        self.good(*words, "--resume", "--threads", 1)
        self.assert_same_run("run", "whole")

    def test_full_file_system(self):
        disk = self.path("disk")
        disk.mkdir()
        mounted = shutil.which("mount") and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], stderr=subprocess.DEVNULL, check=False)
        if not mounted or mounted.returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        self.begun("disk/run")
        kept = self.path("disk/run/checkpoint.safetensors").read_bytes()
        with open(disk / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                pass  # full
        result = self.run_program("train", "--resume", "--out", "disk/run", "--quiet")
        self.assertEqual(result.code, 1)
        self.assertRegex(result.err, r"\Aspikestill: disk/run/\S+: cannot [^\n]*No space left on device\n\Z")
        self.assertTrue(self.path("disk/run/checkpoint.safetensors").read_bytes() == kept)
        self.assert_no_scraps()
        (disk / "ballast").unlink()
        self.resume_equals("disk/run")

    def test_a_file_where_the_folder_should_be(self):
        self.write("taken", "mine")
        self.bad(1, ["train", "tiny.yaml", "--out", "taken"], "taken")
        self.bad(1, ["train", "tiny.yaml", "--out", "taken/run"], "taken")

    def test_no_permission(self):
        """A folder that may only be read. Root may do everything, so it lets another user try."""
        self.folder.chmod(0o755)
        locked = self.path("locked")
        locked.mkdir(mode=0o555)
        self.path("unreadable.yaml").write_text("data: {}\n")
        self.path("unreadable.yaml").chmod(0)
        who = {}
        if os.geteuid() == 0:
            who = {"user": 65534, "group": 65534, "extra_groups": []}
            try:
                able = self.run_program("version", **who).code == 0
            except OSError:
                able = False
            if not able:
                self.skipTest("root cannot be refused, and another user cannot run the program where it is")
        self.bad(1, ["train", "tiny.yaml", "--out", "locked/run"], "locked/run", "Permission denied", **who)
        self.bad(1, ["train", "tiny.yaml", "--out", "locked"], "locked/", "Permission denied", **who)
        self.assertEqual(list(locked.iterdir()), [])
        self.bad_unreadable(who)

    def bad_unreadable(self, who):
        result = self.run_program("train", "unreadable.yaml", **who)
        self.assertEqual(result.code, 1)
        self.assertEqual(result.err, "spikestill: unreadable.yaml: cannot open: Permission denied\n")

    @unittest.skipIf(SLOW, "a sanitizer needs more address space than there is")
    def test_no_memory(self):
        size = 64 << 20
        result = self.run_program("train", "tiny.yaml", "--out", "run", "--threads", 1, "--quiet",
                                  "--set", "student.hidden=1000000", preexec_fn=lambda: (
                                      resource.setrlimit(resource.RLIMIT_DATA, (size, size))))
        self.assertEqual(result.code, 1, result.err)
        self.assertRegex(result.err, r"\Aspikestill: [^\n]*memory[^\n]*\n\Z")
        self.assertFalse(self.path("run").exists())


if __name__ == "__main__":
    unittest.main()
