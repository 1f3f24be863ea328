# SPDX-License-Identifier: Apache-2.0
"""Every command as a user types it: what it prints, its exit code, its JSON."""
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import unittest

from program import COMMANDS, PROGRAM, SOURCE, ProgramTest, environment


TASKS = ["mlp 784-800-10", "mnist cnn", "mnist cnn, bf16", "vgg9", "vgg9, winograd", "vgg9, bf16", "vgg9, winograd, bf16",
         "vgg9, 4 bits", "vgg9, 4 bits, bf16"]


def has_bf16():
    """Whether this CPU multiplies bf16."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return " avx512_bf16 " in file.read()
    except OSError:
        return False


HAS_BF16 = has_bf16()


class Usage(ProgramTest):
    def test_without_a_command(self):
        result = self.run_program()
        self.assertEqual(result.code, 2)
        for command in COMMANDS:
            self.assertIn(f"  {command} ", result.out)

    def test_help(self):
        for words in (["help"], ["--help"], ["-h"]):
            result = self.good(*words)
            for command in COMMANDS:
                self.assertIn(f"  {command} ", result.out)
        for command in COMMANDS:
            text = self.good("help", command).out
            self.assertTrue(text.startswith(f"usage: spikestill {command}"), text)
            self.assertIn("example:", text)
            self.assertEqual(self.good(command, "--help").out, text)

    def test_every_example_is_a_right_command_line(self):
        for command in COMMANDS:
            example = self.good("help", command).out.split("example:\n  spikestill ")[1].split()
            if command in ("bench", "quickstart") or "get" in example:
                continue  # takes long or needs a network
            self.assertNotEqual(self.run_program(*example).code, 2, example)

    def test_version(self):
        numbers = re.findall(r"#define SST_VERSION_\w+ (\d+)", (SOURCE / "include/spikestill/version.h").read_text())
        for words in (["version"], ["--version"]):
            self.assertIn("spikestill " + ".".join(numbers), self.good(*words).out)
        answer = self.good("version", "--json").json
        self.assertEqual(answer["version"], ".".join(numbers))
        self.assertEqual(answer["devices"][:2], ["cpu", "cpu-ref"])
        self.assertEqual("cuda" in answer["devices"], "compute capability" in answer["cuda"])
        self.assertGreaterEqual(answer["threads"], 1)

    def test_wrong_command_lines(self):
        cases = {
            ("trian",): "did you mean 'train'",
            ("frobnicate",): "'spikestill help' lists them",
            ("help", "evla"): "did you mean 'eval'",
            ("train",): "needs a RECIPE",
            ("train", "--resume"): "--resume with --out",
            ("train", "tiny.yaml", "--resume", "--overwrite"): "exclude each other",
            ("train", "tiny.yaml", "more"): "'more' is one word too many",
            ("train", "tiny.yaml", "--sett", "a=1"): "did you mean '--set'",
            ("train", "tiny.yaml", "--o", "x"): "may be several",
            ("train", "tiny.yaml", "--part", "test"): "train has no option '--part'",
            ("train", "tiny.yaml", "-o", "x"): "option '-o'",
            ("train", "tiny.yaml", "--json=1"): "takes no value",
            ("train", "tiny.yaml", "--out"): "'--out' needs a value",
            ("train", "tiny.yaml", "--out", ""): "--out is ''",
            ("train", "tiny.yaml", "--set", "epochs"): "expected KEY=VALUE",
            ("train", "tiny.yaml", "--set", "=3"): "expected KEY=VALUE",
            ("train", "tiny.yaml", "--threads", "0"): "from 1 to 1024",
            ("train", "tiny.yaml", "--threads", "two"): "--threads is 'two'",
            ("train", "tiny.yaml", "--device", "gpu"): "cpu|cpu-ref|cuda",
            ("train", "tiny.yaml", "--at-least", "1.5"): "from 0 to 1",
            ("eval",): "needs MODEL",
            ("eval", "tiny.yaml", "--part", "tset"): "train|validation|test",
            ("eval", "tiny.yaml", "--at-least", "nan"): "from 0 to 1",
            ("inspect", "tiny.yaml", "--batch", "0"): "from 1 to 65536",
            ("bench", "--repetitions", "0"): "from 1 to 10000",
            ("bench", "--only", "lenet"): "no task of bench has 'lenet' in its name",
            ("bench", "data"): "bench data needs NAME or RECIPE",
            ("bench", "train"): "bench train needs NAME or RECIPE",
            ("bench", "date", "digits"): "expected one of train|data|deploy",
            ("bench", "deploy", "digits"): "bench deploy takes no further word",
            ("data", "info"): "needs info|show|get NAME|RECIPE",
            ("data", "draw", "digits"): "info|show|get",
            ("data", "show", "digits"): "data show needs --out FILE.png",
            ("data", "show", "digits", "--index", "1,x"): "--index is '1,x'",
            ("data", "info", "digitz"): "did you mean 'digits'",
            ("data", "info", "imagenet"): "there are digits, mnist",
            ("completion", "tcsh"): "bash|zsh|fish",
        }
        for words, part in cases.items():
            with self.subTest(words):
                self.bad(2, words, part)

    def test_output_that_cannot_be_written(self):
        for words in (["help"], ["recipe", "tiny.yaml"], ["version", "--json"], ["inspect", "tiny.yaml", "--json"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([PROGRAM, *words], cwd=self.folder, stdout=full, stderr=subprocess.PIPE,
                                      env=environment(), check=False)
            self.assertEqual(done.returncode, 1, words)
            self.assertEqual(done.stderr, b"spikestill: standard output could not be written\n")


class TrainAndEval(ProgramTest):
    def check_result(self, result, recipe_text):
        for key in ("test_accuracy", "validation_accuracy", "best_validation_accuracy",
                    "test_accuracy_best_by_validation"):
            self.assertGreaterEqual(result[key], 0)
            self.assertLessEqual(result[key], 1)
        self.assertTrue(result["firing_rate"])
        for rate in result["firing_rate"].values():
            self.assertGreaterEqual(rate, 0)
            self.assertLessEqual(rate, 1)
        self.assertEqual(result["parameters"], 784 * 16 + 16 + 16 * 10 + 10)
        self.assertGreaterEqual(result["spikes_per_inference"], 0)
        self.assertGreater(result["seconds"], 0)
        self.assertGreater(result["samples_per_second"], 0)
        self.assertEqual(result["recipe"], recipe_text)

    def test_train_prints_and_keeps_the_result(self):
        result = self.good("train", "tiny.yaml", "--seed", 3)
        self.assertRegex(result.out, r"(?m)^test accuracy +\d+\.\d\d % \(last epoch\)$")
        self.assertRegex(result.out, r"(?m)^spikes per inference +\d+\.\d$")
        self.assertRegex(result.out, r"(?m)^run directory +runs/tiny$")
        # No terminal: a line for each epoch and nothing that only a terminal understands.
        self.assertRegex(result.err, r"\Aepoch 1/2  loss [^\r\n\033]*\nepoch 2/2  loss [^\r\n\033]*\n\Z")
        files = self.files("runs/tiny")
        self.assertEqual(set(files), {"recipe.yaml", "environment.json", "history.jsonl", "timing.jsonl",
                                      "checkpoint.safetensors", "best.safetensors", "costs.json", "mistakes.json",
                                      "activity.json", "result.json"})
        record = json.loads(files["result.json"])
        self.check_result(record, files["recipe.yaml"].decode())
        self.assertEqual(record["seed"], 3)
        history = [json.loads(line) for line in files["history.jsonl"].splitlines()]
        self.assertEqual([line["epoch"] for line in history], [1, 2])
        for line in history:
            self.assertEqual(line["parts"]["cross_entropy"], line["train_loss"])
        self.assertEqual(history[-1]["validation_accuracy"], record["validation_accuracy"])
        self.assertIn("version", json.loads(files["environment.json"]))

    def test_json_is_the_record_and_quiet_is_quiet(self):
        result = self.good("train", "tiny.yaml", "--out", "run", "--json", "--quiet")
        self.assertEqual(result.err, "")
        self.assertEqual(result.out, self.path("run/result.json").read_text())
        again = self.good("train", "--resume", "--out", "run", "--json")  # complete: only reported
        self.assertEqual(again.out, result.out)
        self.assertEqual(again.err, "")

    def test_eval_equals_the_result(self):
        record = self.good("train", "small.yaml", "--out", "run", "--json").json
        for device in ("cpu", "cpu-ref"):  # whole numbers: pictures and spikes
            answer = self.good("eval", "run", "--json", "--device", device).json
            self.assertEqual(answer["test_accuracy"], record["test_accuracy"])
            self.assertEqual(answer["count"], 60)
        answer = self.good("eval", "run", "--json").json
        for key in ("spikes_per_inference", "firing_rate", "parameters"):
            self.assertEqual(answer[key], record[key])
        self.assertEqual(answer["loss"], record["test_loss"])
        self.assertEqual(set(answer["layer_spikes"]), set(answer["firing_rate"]))
        validation = self.good("eval", "run", "--part", "validation", "--json").json
        self.assertEqual(validation["validation_accuracy"], record["validation_accuracy"])
        self.assertEqual(validation["count"], 40)
        self.assertEqual(self.good("eval", "run", "--part", "train", "--json").json["count"], 360)
        best = self.good("eval", "run/best.safetensors", "--json").json
        self.assertEqual(best["test_accuracy"], record["test_accuracy_best_by_validation"])
        text = self.good("eval", "run").out
        self.assertIn(f"{100 * record['test_accuracy']:.2f} %", text)
        for layer in record["firing_rate"]:
            self.assertIn(layer, text)

    def test_at_least(self):
        accuracy = self.good("train", "tiny.yaml", "--out", "run", "--json", "--at-least", "0").json["test_accuracy"]
        self.good("eval", "run", "--at-least", accuracy)
        for words in (["eval", "run"], ["train", "--resume", "--out", "run"]):
            result = self.run_program(*words, "--at-least", accuracy + 0.001)
            self.assertEqual(result.code, 3)
            self.assertIn("below", result.err)
            self.assertNotEqual(result.out, "")

    def test_set_and_short_forms(self):
        text = self.good("recipe", "tiny.yaml", "--set", "seed=4", "--set", "train.epochs=1",
                         "--set", "distill.0={method: kd, weight: 0.25}", "--set", "distill.0.weight=0.5",
                         "--set", "teacher=somewhere").out
        for line in ("seed: 4", "  epochs: 1", "teacher: somewhere"):
            self.assertIn(line + "\n", text)
        self.assertIn("weight: 0.5", text)
        self.assertNotIn("weight: 0.25", text)
        self.good("train", "tiny.yaml", "--out", "run", "--seed", "4", "--device", "cpu-ref", "--threads", "1",
                  "--set", "train.epochs=1")
        recipe = self.path("run/recipe.yaml").read_text()
        self.assertIn("seed: 4\n", recipe)
        self.assertIn("device: cpu-ref\n", recipe)
        self.assertEqual(json.loads(self.path("run/environment.json").read_text())["threads"], 1)

    @unittest.skipUnless(HAS_BF16, "this CPU has no AVX512_BF16 instructions")
    def test_bf16(self):
        words = ["train", "tiny.yaml", "--precision", "bf16"]
        result = self.good(*words, "--out", "half", "--json").json
        self.assertIn("precision: bf16\n", self.path("half/recipe.yaml").read_text())
        self.good(*words, "--out", "again")
        self.good("train", "tiny.yaml", "--out", "single")
        history = [self.path(run + "/history.jsonl").read_bytes() for run in ("half", "again", "single")]
        self.assertEqual(history[0], history[1])
        self.assertNotEqual(history[0], history[2])
        # A run's precision is that of its evaluation, unless another one is asked for.
        self.assertEqual(self.good("eval", "half", "--json").json["loss"], result["test_loss"])
        loss = self.good("eval", "half", "--json", "--precision", "f32").json["loss"]
        self.assertNotEqual(loss, result["test_loss"])
        self.assertAlmostEqual(loss, result["test_loss"], delta=0.05 * result["test_loss"])

    def test_bf16_is_refused(self):
        self.bad(1, ["train", "tiny.yaml", "--precision", "bf16", "--device", "cpu-ref", "--out", "run"],
                 "precision bf16 is not to be had on device cpu-ref")
        self.bad(2, ["train", "tiny.yaml", "--precision", "f16"], "f32|bf16|tf32")

    def test_teacher_and_term(self):
        self.good("train", "tiny.yaml", "--out", "teacher", "--set", "student={kind: ann, model: mlp, hidden: 16}")
        words = ["train", "tiny.yaml", "--set", "teacher=teacher", "--set", "distill.0={method: kd}"]
        self.good(*words, "--out", "kd")
        line = json.loads(self.path("kd/history.jsonl").read_text().splitlines()[0])
        self.assertGreater(line["parts"]["kd"], 0)
        # Weight 0 is plain training, bit for bit; the recipe in the checkpoint differs.
        self.good(*words, "--out", "zero", "--set", "distill.0.weight=0")
        self.good("train", "tiny.yaml", "--out", "plain")
        self.assertEqual(self.path("zero/history.jsonl").read_bytes(), self.path("plain/history.jsonl").read_bytes())
        # A checkpoint file may be the teacher as well as its run directory.
        self.good("train", "tiny.yaml", "--out", "file", "--set", "teacher=teacher/checkpoint.safetensors",
                  "--set", "distill.0={method: kd}")
        self.assertEqual(self.path("file/history.jsonl").read_bytes(), self.path("kd/history.jsonl").read_bytes())

    def test_start_from_a_checkpoint(self):
        self.good("train", "tiny.yaml", "--out", "first")
        accuracy = json.loads(self.path("first/result.json").read_text())["test_accuracy"]
        result = self.good("train", "tiny.yaml", "--out", "second", "--json", "--set", "student.start=first",
                           "--set", "optimizer={kind: sgd, learning_rate: 1e-12, momentum: 0, weight_decay: 0}").json
        self.assertEqual(result["test_accuracy"], accuracy)

    def test_overwrite(self):
        self.good("train", "tiny.yaml", "--out", "run")
        self.good("train", "tiny.yaml", "--out", "run", "--overwrite", "--seed", "2")
        self.assertIn("seed: 2\n", self.path("run/recipe.yaml").read_text())

    def test_recipe_round_trip(self):
        for path in (self.path("tiny.yaml"), self.path("small.yaml"), *sorted((SOURCE / "recipes").glob("*.yaml"))):
            with self.subTest(path.name):
                text = self.good("recipe", path).out
                self.write("again.yaml", text)
                self.assertEqual(self.good("recipe", "again.yaml").out, text)

    def test_table_of_keys(self):
        # Paths of the checkout are not in it; the document is this output.
        self.assertEqual(self.good("recipe").out, (SOURCE / "docs/recipes.md").read_text())


class Looking(ProgramTest):
    def test_inspect(self):
        answer = self.good("inspect", "small.yaml", "--json", "--batch", "4").json
        self.assertEqual(answer["parameters"], 4 * 9 + 8 + 4 * 49 * 10 + 10)
        self.assertEqual(answer["batch"], 4)
        convolution = next(layer for layer in answer["layers"] if layer["op"] == "conv2d")
        self.assertEqual(convolution["shape"], [1, 4, 14, 14, 4])
        self.assertEqual(convolution["macs"], 14 * 14 * 4 * 9)
        neuron = next(layer for layer in answer["layers"] if layer["op"] == "neuron")
        self.assertEqual(neuron["neuron_updates"], 2 * 14 * 14 * 4)
        self.assertLessEqual(answer["planned_bytes"], answer["unplanned_bytes"])
        training = answer["training_bytes"]
        parts = ("planned", "parameters", "gradients", "optimizer", "data", "code")
        self.assertEqual(sum(training[part] for part in parts), training["total"])
        self.assertGreater(training["all_kept"], 0)
        self.assertIn("logits", answer["taps"])
        text = self.good("inspect", "small.yaml").out
        for tap in answer["taps"]:
            self.assertIn(f" {tap}", text)
        self.good("train", "small.yaml", "--out", "run", "--set", "train.epochs=1", "--quiet")
        self.assertEqual(self.good("inspect", "run", "--json", "--batch", "4").json["layers"], answer["layers"])

    def test_data_info(self):
        answer = self.good("data", "info", "digits", "--json").json
        self.assertEqual(answer["train"]["shape"], [28, 28, 1])
        self.assertEqual(sum(answer["train"]["per_class"]), answer["train"]["count"])
        self.assertEqual(len(answer["test"]["per_class"]), 10)
        text = self.good("data", "info", "digits").out
        self.assertIn("28x28x1, 10 classes", text)
        self.assertIn(f"mean: [{answer['train']['mean'][0]:.4f}]", text)
        # Of a recipe, with other values.
        answer = self.good("data", "info", "tiny.yaml", "--set", "data.digits_train=70", "--json").json
        self.assertEqual(answer["train"]["count"], 70)

    def test_data_show(self):
        words = ["data", "show", "digits", "--out", "sheet.png"]
        done = self.run_program(*words, "--count", "5", "--json")
        if done.code != 0 and "not built in" in done.err:
            self.skipTest("built without libpng")
        self.assertEqual(len(done.json["labels"]), 5)
        sheet = self.path("sheet.png").read_bytes()
        self.assertEqual(sheet[:8], b"\x89PNG\r\n\x1a\n")
        # Three columns and two rows of cells of 2 * 28 pixels with 2 between.
        self.assertEqual(struct.unpack(">II", sheet[16:24]), (3 * 58 + 2, 2 * 58 + 2))
        self.assertIn("shows 2 samples", self.good(*words, "--index", "7,3").out)
        self.bad(1, [*words, "--index", "2000"], "sample 2000 is asked for, but the data set has 2000, from 0")

    def test_data_get_has_nothing_to_get_for_drawn_digits(self):
        self.bad(1, ["data", "get", "digits"], "nothing to download")

    def test_quickstart(self):
        words = ["quickstart", "--out", "quick", "--set", "train.epochs=1", "--set", "data.digits_train=300",
                 "--set", "data.digits_test=50", "--threads", "2"]
        rows = self.good(*words, "--json", "--quiet").json
        self.assertEqual([row["network"] for row in rows], ["ANN teacher", "plain spiking", "distilled spiking"])
        for row in rows:
            self.assertTrue((self.path(row["run"]) / "result.json").exists())
        self.assertLess(rows[1]["parameters"], rows[0]["parameters"])
        again = self.good(*words, "--resume")  # complete: reported without training
        self.assertEqual(again.err, "")
        self.assertIn("distilled spiking", again.out)
        self.assertIn("quick/distilled", again.out)

    @unittest.skipIf(os.environ.get("SPIKESTILL_SANITIZE"), "takes minutes under a sanitizer")
    def test_bench_data(self):
        words = ["bench", "data", "small.yaml", "--repetitions", "1"]
        answer = self.good(*words, "--json").json
        for key in ("first_samples_per_second", "later_samples_per_second", "train_samples_per_second"):
            self.assertGreater(answer[key], 0)
        self.assertIn("the network is", self.good(*words).out)

    @unittest.skipIf(os.environ.get("SPIKESTILL_SANITIZE"), "takes minutes under a sanitizer")
    def test_bench_deploy(self):
        answer = self.good("bench", "deploy", "--repetitions", "1", "--set", "student.width=0.1", "--json").json
        self.assertEqual([row["network"] for row in answer["networks"]], ["vgg9", "vgg9", "vgg9", "cnn", "cnn"])
        for row in answer["networks"]:
            self.assertGreater(row["pictures_per_second"], 0)
            self.assertGreater(row["share"], 0)
            self.assertLess(row["share"], 5)  # on a busy machine one run may well beat one measurement of the ceiling
            self.assertGreaterEqual(row["least_layer_rate"], 0.09)
            self.assertLessEqual(row["most_layer_rate"], 0.16)
        self.assertGreater(answer["times_float"], 0)

    def test_bench(self):
        answer = self.good("bench", "--repetitions", "1", "--threads", "1", "--json").json
        self.assertGreater(answer["ceiling_f32_gflops"], 0)
        self.assertEqual([task["task"] for task in answer["tasks"]], 
                         [task for task in TASKS if HAS_BF16 or not task.endswith("bf16")])
        self.assertGreater(answer["norm_neuron_bytes"] / answer["norm_neuron_seconds"], 0)
        for task in answer["tasks"]:
            self.assertGreater(task["train_samples_per_second"], 0)
            self.assertGreater(task["train_predicted_bytes"], task["train_bytes"])
        cnn, vgg = (next(task for task in answer["tasks"] if task["task"] == name) for name in ("mnist cnn", "vgg9"))
        for task in (cnn, vgg):
            if not os.environ.get("SPIKESTILL_SANITIZE"):  # whose allocator counts otherwise
                self.assertLess(task["train_measured_bytes"], 1.05 * task["train_predicted_bytes"])
                self.assertGreater(task["train_measured_bytes"], 0.95 * task["train_predicted_bytes"])
        self.assertLess(4 * vgg["train_bytes"], vgg["train_all_kept_bytes"])
        densities = {layer["layer"]: layer["density"] for layer in vgg["layers"]}
        self.assertIsNone(densities["student.0.conv"])  # pictures are no spikes
        self.assertIsNone(densities["student.7.conv"])  # nor are averages of them
        for layer in ("student.3.conv", "student.10.conv", "student.17.conv", "student.24.linear"):
            self.assertTrue(0 < densities[layer] < 1, densities)
        codes = next(task for task in answer["tasks"] if task["task"] == "vgg9, 4 bits")
        in_integers = {layer["layer"]: layer["forward_by_codes"] for layer in codes["layers"]}
        self.assertFalse(in_integers["student.0.conv"])  # in full precision, as the last layer
        self.assertFalse(in_integers["student.24.linear"])
        self.assertFalse(any(layer["forward_by_codes"] for layer in vgg["layers"]))
        if HAS_BF16:  # then the CPU has 8-bit products as well; averages of spikes are never computed from spikes
            self.assertTrue(in_integers["student.7.conv"] and in_integers["student.14.conv"], in_integers)

    def test_bench_of_codes(self):
        answer = self.good("bench", "--only", "8-bit", "--repetitions", "1", "--threads", "1", "--json").json
        self.assertEqual(answer["tasks"], [])
        for name in ("code_product_seconds", "code_product_float_seconds", "ceiling_products_per_s"):
            self.assertGreater(answer[name], 0)
        self.assertEqual(answer["code_products"], 4 * 64 * 32 * 32 * 64 * 64 * 9)
        self.assertIn("8-bit convolution", self.good("bench", "--only", "8-bit", "--repetitions", "1").out)

    def test_bench_on_a_card(self):
        """Never beside ceilings of the CPU: the card's own numbers, or one sentence."""
        words = ["bench", "--device", "cuda", "--repetitions", "1", "--only"]
        self.bad(2, [*words, "mlp"], "no task of bench on a card has 'mlp' in its name")
        if "cuda" in self.good("version", "--json").json["devices"]:
            answer = self.good(*words, "lif", "--json").json
            self.assertGreater(answer["ceiling_copy_gb_per_s"], 0)
            words = ["f32", "bf16"] if answer["ceiling_bf16_gflops"] else ["f32"]
            self.assertEqual([(row["precision"], row["timesteps"]) for row in answer["kernels"]],
                             [(word, steps) for word in words for steps in (4, 8, 16, 32)] * 2)
        else:
            self.bad(1, [*words, "lif"], "device cuda")

    def test_bench_of_one_task(self):
        words = ["bench", "--only", "mlp", "--repetitions", "2", "--threads", "1"]
        answer = self.good(*words, "--json").json
        self.assertEqual([task["task"] for task in answer["tasks"]], ["mlp 784-800-10"])
        self.assertNotIn("norm_neuron_seconds", answer)
        task = answer["tasks"][0]
        ops = [op["op"] for op in task["ops"]]
        self.assertEqual([op for op in ops if op in ("linear", "neuron")], ["linear", "neuron"] * 2)
        self.assertEqual(ops[-1], "reduce")  # the loss
        for op in task["ops"]:
            self.assertGreater(op["forward_seconds"], 0)
            self.assertGreater(op["backward_seconds"], 0)
        self.assertGreater(task["optimizer_seconds"], 0)
        text = self.good(*words, "--ops").out
        self.assertIn("backward, us", text)
        self.assertNotIn("batch norm", text)

    def test_bench_of_a_recipe(self):
        words = ["bench", "train", "small.yaml", "--repetitions", "1", "--threads", "1"]
        answer = self.good(*words, "--json").json
        self.assertEqual([task["task"] for task in answer["tasks"]], ["small"])
        self.assertGreater(answer["tasks"][0]["train_samples_per_second"], 0)
        self.assertNotIn("norm_neuron_seconds", answer)
        self.assertIn("optimizer", self.good(*words, "--ops").out)
        self.bad(2, ["bench", "train", "nowhere"], "nowhere")

    def test_calibrate(self):
        names = ["convolution_forward", "convolution_weights", "linear_forward", "linear_weights"]
        names += ["bf16_" + name for name in names]
        names += ["winograd_convolution_forward", "winograd_convolution_weights", "code_convolution_forward",
                  "code_linear_forward"]
        answer = self.good("bench", "--calibrate", "--threads", "1", "--json").json
        self.assertEqual(list(answer), names)
        section = self.good("bench", "--calibrate", "--threads", "1").out
        with open(os.path.join(self.folder, "calibrated.yaml"), "w", encoding="utf-8") as file:
            file.write("data: {name: digits}\nstudent: {model: cnn}\n" + section)
        resolved = self.good("recipe", "calibrated.yaml").out
        for name in names:
            self.assertIn(name + ": ", resolved)


class Terminal(ProgramTest):
    def test_progress_bar(self):
        """On a terminal one line is drawn anew, no wider than the terminal; then the epochs' lines."""
        main, side = pty.openpty()
        process = subprocess.Popen([PROGRAM, "train", "small.yaml", "--out", "run"], cwd=self.folder, stdin=side,
                                   stdout=subprocess.DEVNULL, stderr=side, env=environment())
        os.close(side)
        output = b""
        while True:
            ready, _, _ = select.select([main], [], [], 120)
            try:
                block = os.read(main, 65536) if ready else b""
            except OSError:  # the other side is closed
                block = b""
            if not block:
                break
            output += block
        os.close(main)
        self.assertEqual(process.wait(), 0)
        drawn = output.decode().split("\r\033[K")
        self.assertGreater(len(drawn), 3)
        self.assertTrue(any("samples/s" in line and "left" in line for line in drawn))
        for line in drawn:
            self.assertLess(len(line.split("\r\n")[0]), 80, line)
        self.assertEqual(len(re.findall(r"\033\[Kepoch \d/3  loss .*validation .* s\r\n", output.decode())), 3)


class Documents(ProgramTest):
    def test_completions(self):
        folder = SOURCE / "programs/spikestill/completions"
        for shell, file in (("bash", "spikestill.bash"), ("zsh", "_spikestill"), ("fish", "spikestill.fish")):
            text = self.good("completion", shell).out
            self.assertEqual((folder / file).read_text(), text,
                             f"make it anew: spikestill completion {shell} > programs/spikestill/completions/{file}")
            for command in COMMANDS:
                self.assertIn(command, text)
            if shutil.which(shell):
                check = ["--no-execute"] if shell == "fish" else ["-n"]
                subprocess.run([shell, *check, folder / file], check=True)

    def complete(self, *words):
        script = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spikestill
                    printf '%s\\n' "${COMPREPLY[@]}" """
        done = subprocess.run(["bash", "-c", script, "bash", SOURCE / "programs/spikestill/completions/spikestill.bash",
                               "spikestill", *words], cwd=self.folder, stdout=subprocess.PIPE, check=True, text=True)
        return done.stdout.split()

    def test_bash_completes(self):
        self.assertEqual(self.complete("tr"), ["train"])
        self.assertEqual(set(self.complete("eval", "tiny.yaml", "--p")), {"--part", "--precision"})
        self.assertEqual(self.complete("eval", "tiny.yaml", "--part", "v"), ["validation"])
        self.assertEqual(self.complete("train", "ti"), ["tiny.yaml"])
        self.assertEqual(self.complete("data", "g"), ["get"])
        self.assertEqual(self.complete("data", "get", "mn"), ["mnist"])
        self.assertEqual(self.complete("help", "insp"), ["inspect"])

    def test_manual_names_everything(self):
        manual = (SOURCE / "docs/man/spikestill.1").read_text().replace("\\-", "-")
        for command in COMMANDS:
            self.assertRegex(manual, rf"(?m)^\.BR? spikestill.*\b{command}\b|^\.SS {command}\b")
            for option in re.findall(r"(?m)^  (--[a-z-]+)", self.good("help", command).out):
                section = manual.split(f"\n.SS {command}\n")[1].split("\n.S")[0]
                self.assertIn(option, section, f"spikestill {command} {option}")
        for code in ("0", "1", "2", "3"):
            self.assertRegex(manual, rf"(?m)^\.B {code}$")
        if shutil.which("man"):
            done = subprocess.run(["man", "--warnings", "-l", SOURCE / "docs/man/spikestill.1"], check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(MANWIDTH="100"))
            self.assertEqual(done.stderr, b"")


if __name__ == "__main__":
    unittest.main()
