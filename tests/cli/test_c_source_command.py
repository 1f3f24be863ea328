# SPDX-License-Identifier: Apache-2.0
"""`spikestill export --to c` as a user types it: the folder, its sizes, its golden samples, what is refused. The
integer network is written here, by its file format (docs/integer.md)."""
import json
import random
import struct
import subprocess
import unittest

from program import ProgramTest, environment


def container(path, pixel_codes=True, recipe=None):
    """28 x 28 bytes -> 16 neurons -> 10 classes, weights of 8 bits, 2 steps."""
    draw = random.Random(1)
    tensors = {}

    def synapses(name, value, inputs, outputs):
        tensors[name + ".factor"] = ("I32", [outputs], struct.pack(f"<{outputs}i", *[1] * outputs))
        tensors[name + ".offset"] = ("I32", [outputs], struct.pack(f"<{outputs}i", *range(outputs)))
        codes = struct.pack(f"<{inputs * outputs}b", *(draw.randint(-9, 9) for _ in range(inputs * outputs)))
        tensors[name + ".codes"] = ("U8", [inputs * outputs], codes)
        sizes = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "groups")
        window = dict.fromkeys(sizes, 1)
        return {"kind": "synapses", "name": name, "input": [value], "channels": outputs, "exponent": 0, **window,
                "pad_h": 0, "pad_w": 0, "weight_bits": 8}

    network = {
        "timesteps": 2, "classes": 10, "input_each_step": False, "pixel_codes": pixel_codes,
        "input": {"height": 28, "width": 28, "channels": 1, "exponent": 0, "low": 0, "high": 255},
        "nodes": [
            {"kind": "flatten", "name": "0.flatten", "input": [0]},
            synapses("1.linear", 1, 784, 16),
            {"kind": "neurons", "name": "2.act", "input": [2], "threshold": 500, "threshold_step": 0,
             "hard_reset": True, "gain": 1, "state_shift": 2, "input_shift": 0, "decay": 1, "decay_shift": 3,
             "limit": 127, "state_bits": 8, "start": 0, "exponent": 0},
            synapses("3.linear", 3, 16, 10),
            {"kind": "readout", "name": "readout", "input": [4], "decay": 0, "shift": 0, "readout": "sum",
             "scale": 0.5}]}
    if pixel_codes:
        tensors["pixel_codes"] = ("I16", [1, 256], struct.pack("<256h", *range(256)))
    header = {"__metadata__": {"format": "spikestill integer network", "version": "1", "network": json.dumps(network)}}
    if recipe:
        header["__metadata__"]["recipe"] = recipe
    data = b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class ExportC(ProgramTest):
    def setUp(self):
        super().setUp()
        container(self.path("my-net.safetensors"))

    def build_and_run(self, folder, name):
        compiler = ["cc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-D{name.upper()}_TRACE"]
        for words in ([*compiler, "main.c", "golden.c", f"{name}.c", "-o", "example"], ["./example"]):
            done = subprocess.run(words, cwd=self.path(folder), env=environment(), capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_random_samples(self):
        out = self.good("export", "my-net.safetensors", "--to", "c", "--out", "net").out
        # 16 words of 2 bytes a pixel code, weights of 784 * 16 bytes and 8 planes of a word for 10 classes, offsets.
        tables = 512 + 784 * 16 + 8 * 4 * 10 + 16 + 10
        self.assertIn(f"flash {tables} bytes of constants", out)
        self.assertIn("RAM 8 bytes", out)
        self.assertIn("4 of 4 samples agree in every logit and spike", self.build_and_run("net", "my_net"))
        self.assertIn(f"#define MY_NET_TABLE_BYTES {tables}\n", self.path("net/my_net.h").read_text())

    def test_samples_of_a_data_set(self):
        made = self.good("export", "my-net.safetensors", "--to", "c", "--out", "net", "--name", "digit",
                         "--data", "digits", "--count", 3, "--json").json
        self.assertEqual((made["name"], made["format"], made["layers"], made["ram_bytes"]), ("digit", "c", 2, 8))
        out = self.build_and_run("net", "digit")
        self.assertRegex(out, r"sample 2: class \d \(right: \d\), \d+ spikes\n3 of 3 samples agree")
        pixels = self.path("net/golden.c").read_text().split("{\n  {")[1].split("}")[0]
        self.assertEqual(len(pixels.split(",")), 784)
        # A drawn digit: not empty, and no noise, in which one byte in 256 is 0.
        self.assertGreater(sum(map(int, pixels.split(","))), 2000)
        self.assertGreater(pixels.split(", ").count("0"), 100)

    def test_samples_of_the_networks_own_data(self):
        container(self.path("own.safetensors"), recipe="data: {name: digits}\nstudent: {model: mlp}\n")
        self.assertEqual(self.good("export", "own.safetensors", "--to", "c", "--out", "net").err, "")
        self.assertIn("(right: ", self.build_and_run("net", "own"))
        container(self.path("own.safetensors"), recipe="data: {name: mnist, root: nowhere}\nstudent: {model: mlp}\n")
        note = self.good("export", "own.safetensors", "--to", "c", "--out", "net").err
        self.assertIn("note: random samples, since there are none of mnist: nowhere/mnist: there is no file", note)
        self.assertNotIn("(right: ", self.build_and_run("net", "own"))

    def test_a_wrong_spike_is_noticed(self):
        self.good("export", "my-net.safetensors", "--to", "c", "--out", "net")
        source = self.path("net/my_net.c")
        source.write_text(source.read_text().replace("h >= 500", "h < 500"))
        with self.assertRaisesRegex(AssertionError, r"layer 2.act, step 0: \d+ spikes, expected \d+"):
            self.build_and_run("net", "my_net")

    def test_refusals(self):
        container(self.path("spikes.safetensors"), pixel_codes=False)
        self.good("train", "tiny.yaml", "--out", "run", "--set", "train.epochs=1")
        self.write("theirs/main.c", "int x;\n")
        export = ("export", "my-net.safetensors", "--to", "c", "--out")
        self.bad(2, ("export", "run", "--to", "c", "--out", "out"), "run: is no integer network", "spikestill quantize")
        self.bad(2, ("export", "nowhere", "--to", "c", "--out", "out"), "nowhere: is no integer network")
        self.bad(2, export[:-1], "needs --out DIR")
        self.bad(2, (*export, "out", "--target", "norse"), "--target is not for c")
        self.bad(2, ("export", "run", "--out", "a.nir", "--name", "x"), "--name is not for nir")
        self.bad(2, (*export, "out", "--data", "mnits"), "did you mean 'mnist'")
        self.bad(2, ("export", "spikes.safetensors", "--to", "c", "--out", "out", "--data", "digits"),
                 "--data digits: the network does not take a data set's bytes")
        self.bad(2, (*export, "out", "--data", "moving-digits"), "moving-digits: its samples have another size")
        self.bad(1, (*export, "out", "--name", "9"), "'9' is no identifier of C")
        self.bad(1, (*export, "out", "--name", "main"), "'main' is taken by C")
        self.bad(2, (*export, "out", "--count", "70000"), "expected a whole number from 1 to 65536")
        self.bad(1, (*export, "theirs"), "theirs/main.c: is not from an earlier export")
        self.bad(1, (*export, "tiny.yaml"), "tiny.yaml")
        self.assertFalse(self.path("out").exists())
        self.good(*export, "theirs", "--overwrite")


if __name__ == "__main__":
    unittest.main()
