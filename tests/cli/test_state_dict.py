# SPDX-License-Identifier: Apache-2.0
"""State dictionaries: weights of PyTorch imported by the program, and written for it."""
import json
import re
import struct
import unittest

from program import SOURCE, ProgramTest

try:
    import safetensors.numpy as library
except ImportError:
    library = None

STATE = SOURCE / "tests/golden/state"


def read(path):
    """Header without metadata, metadata, data of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return header, header.pop("__metadata__", {}), data[8 + length:]


def write(path, tensors):
    """tensors: name -> (dtype, shape, bytes)."""
    header, at = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def tensors_of(path):
    header, _, data = read(path)
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


class Import(ProgramTest):
    def words(self, name, recipe=None, *more):
        return ["import", STATE / f"{name}.safetensors", "--recipe", STATE / f"{recipe or name}.yaml", *more]

    def test_run_directory(self):
        found = self.good(*self.words("sequential", None, "--out", "run", "--json")).json
        self.assertEqual(found["import"]["format"], "safetensors")
        self.assertTrue(found["import"]["from"].endswith("sequential.safetensors"))
        self.assertEqual(set(self.files("run")), {"recipe.yaml", "environment.json", "checkpoint.safetensors", "result.json"})
        self.good("eval", "run", "--set", "data.digits_test=20")
        self.bad(1, self.words("sequential", None, "--out", "run"), "run")
        self.assertIn("run", self.good(*self.words("sequential", None, "--out", "run", "--overwrite")).out)

    def test_there_and_back(self):
        self.good(*self.words("mixed", None, "--out", "one"))
        for layout in ("torch", "spikestill"):
            self.good("export", "one", "--out", "net.safetensors", "--layout", layout)
            self.good("import", "net.safetensors", "--recipe", STATE / "mixed.yaml", "--out", layout, "--seed", "7")
            self.assertEqual(self.tensors("one/checkpoint.safetensors"), self.tensors(f"{layout}/checkpoint.safetensors"))

    def test_written_as_pytorch_has_it(self):
        """What is written has names, shapes and bytes of the file that PyTorch saved."""
        self.good(*self.words("sequential", None, "--out", "run"))
        answer = self.good("export", "run", "--to", "safetensors", "--out", "net.st", "--json").json
        self.assertEqual((answer["format"], answer["layout"]), ("safetensors", "torch"))
        wanted = {name: t for name, t in tensors_of(STATE / "sequential.safetensors").items() if "num_batches" not in name}
        self.assertEqual(tensors_of(self.path("net.st")), wanted)
        self.assertEqual(read(self.path("net.st"))[1]["format"], "pt")

    @unittest.skipUnless(library, "the Python package safetensors is not there")
    def test_the_library_reads_it(self):
        self.good(*self.words("spikingjelly", None, "--out", "run"))
        self.good("export", "run", "--out", "net.safetensors")
        found, wanted = library.load_file(self.path("net.safetensors")), library.load_file(STATE / "spikingjelly.safetensors")
        self.assertEqual(set(found), {name for name in wanted if "num_batches" not in name})
        for name, values in found.items():
            self.assertEqual(values.shape, wanted[name].shape)
            self.assertTrue((values == wanted[name]).all(), name)

    def test_maps(self):
        told = self.bad(1, self.words("named", None, "--out", "run"), "needs a name map", "'1.norm' may be 'bn_of_hidden'")
        self.assertNotIn("left over", told.err)
        template = self.good(*self.words("named", None, "--print-map")).out
        self.assertRegex(template, r"(?m)^0\.conv: stem +#")
        self.assertEqual(len(re.findall("a guess", template)), 2)
        names = dict(line.split("  #")[0].split(": ") for line in template.splitlines())
        names["1.norm"], names["5.norm"] = names["5.norm"], names["1.norm"]
        self.write("right.map", "".join(f"{ours}: {theirs}\n" for ours, theirs in names.items()))
        self.good(*self.words("named", None, "--out", "one", "--map", "right.map"))
        self.good(*self.words("named", None, "--out", "two", "--map", STATE / "named.map"))
        self.assertEqual(self.tensors("one/checkpoint.safetensors"), self.tensors("two/checkpoint.safetensors"))
        self.good("export", "one", "--out", "net.safetensors", "--map", "right.map")
        wanted = {name for name in tensors_of(STATE / "named.safetensors") if "num_batches" not in name}
        self.assertEqual(set(tensors_of(self.path("net.safetensors"))), wanted)

    def test_bad_maps(self):
        cases = {"[a, b]": ("expected lines 'ours: theirs'",), "1.norm:\n": ("bad.map:1", "'1.norm' has no name beside it"),
                 "1.norm: stem_norm\n7.norm: stem\n": ("bad.map:2", "no parameter or module '7.norm'"),
                 "1.norm: nobody\n": ("bad.map:1", "has no tensor or module 'nobody' for '1.norm'"),
                 "1.norm: stem_norm\n5.norm: stem_norm\n": ("bad.map:2", "'stem_norm' is there for something else already")}
        for text, parts in cases.items():
            self.write("bad.map", text)
            self.bad(1, self.words("named", None, "--out", "run", "--map", "bad.map"), *parts)
        self.write("bad.map", "0.conv: x\n1.norm: x\n")
        self.good(*self.words("sequential", None, "--out", "run"))
        self.bad(1, ["export", "run", "--out", "net.safetensors", "--map", "bad.map"], "'x.weight' is given twice")

    def test_all_that_does_not_fit_at_once(self):
        tensors = tensors_of(STATE / "sequential.safetensors")
        tensors["4.weight"] = ("F32", [6, 1, 3, 3], tensors["4.weight"][2][:216])
        tensors["extra.weight"] = tensors["14.bias"]
        tensors["0.bias"] = ("F32", [4], bytes(16))
        tensors["11.weight"] = ("I32", *tensors["11.weight"][1:])
        del tensors["12.bias"]
        write(self.path("net.safetensors"), tensors)
        self.bad(1, ["import", "net.safetensors", "--recipe", STATE / "sequential.yaml", "--out", "run"],
                 "net.safetensors: does not fit the network:",
                 "'4.conv.weight' has another shape: '4.weight' is [6,1,3,3], expected [6,2,3,3]",
                 "'11.weight' holds no floats, which '11.linear.weight' needs", "'12.norm.beta' [12] is missing in module '12'",
                 "'extra.weight' [10] is left over",
                 "'0.bias' [4] is left over: layer 0.conv has no bias in the recipe (bias: true gives it one)")

    def test_bad_values_and_files(self):
        tensors = tensors_of(STATE / "sequential.safetensors")
        kind, shape, data = tensors["14.bias"]
        tensors["14.bias"] = (kind, shape, data[:8] + struct.pack("<f", float("nan")) + data[12:])
        write(self.path("nan.safetensors"), tensors)
        last = ["--recipe", STATE / "sequential.yaml", "--out", "run"]
        self.bad(1, ["import", "nan.safetensors", *last], "element 2 of '14.bias' is not a finite 32-bit float")
        self.bad(1, ["import", STATE / "sequential.yaml", *last], "not a safetensors file")
        self.bad(1, ["import", "absent.safetensors", *last], "absent.safetensors")
        self.good(*self.words("sequential", None, "--out", "done"))
        self.bad(1, ["import", "done/checkpoint.safetensors", *last], "is a checkpoint of this program")

    def test_neurons_of_other_tools(self):
        result = self.good(*self.words("snntorch", None, "--out", "run", "--set", "student.neuron.decay=0.5"))
        self.assertIn("'lif1.beta' is 0.9 there, but the recipe's student.neuron.decay is 0.5", result.err)
        self.assertNotIn("threshold is", result.err)

    def test_command_lines(self):
        self.bad(2, ["import", "a.safetensors", "--out", "run"], "needs --recipe")
        self.bad(2, ["import", "a.nir", "--out", "run"], "'a.nir' is a whole network and needs no import")
        self.bad(2, ["import", "a.safetensors", "--recipe", "tiny.yaml"], "needs --out")
        self.bad(2, ["export", "tiny.yaml", "--out", "a.safetensors", "--target", "norse"], "--target is not for safetensors")
        self.bad(2, ["export", "tiny.yaml", "--out", "a.nir", "--layout", "torch"], "--layout is not for nir")
        self.bad(2, ["export", "tiny.yaml", "--out", "a", "--to", "onnx"], "nir|safetensors")


if __name__ == "__main__":
    unittest.main()
