# SPDX-License-Identifier: Apache-2.0
"""NIR files at the command line: export, evaluate and inspect what was exported, files of others, bad ones."""
import unittest

from program import SOURCE, ProgramTest

GOLDENS = SOURCE / "tests/golden/nir"
RECIPE = """
data: {name: digits, digits_train: 400, digits_test: 200}
student:
  kind: snn
  timesteps: 3
  layers: [conv: {out: 8}, norm, act, avgpool, flatten, linear]
train: {epochs: 1, batch: 50}
"""


class Exchange(ProgramTest):
    def need_writing(self):
        if "not built in" in self.run_program("export", GOLDENS / "chain.nir", "--to", "nir", "--out", "try.nir").err:
            self.skipTest("writing NIR is not built in")

    def test_export_and_back(self):
        self.need_writing()
        self.write("recipe.yaml", RECIPE)
        self.good("train", "recipe.yaml", "--out", "run", "--quiet")
        ours = self.good("eval", "run", "--json").json
        for target in "generic", "norse":
            made = self.good("export", "run", "--target", target, "--out", "net.nir", "--json").json
            self.assertEqual(made["target"], target)
            self.assertTrue(made["notes"])
            data = ["--set", "data.digits_train=400", "--set", "data.digits_test=200"]
            theirs = self.good("eval", "net.nir", *data, "--json").json
            self.assertEqual(theirs["test_accuracy"], ours["test_accuracy"])
            self.assertEqual(list(theirs["layer_spikes"].values()), list(ours["layer_spikes"].values()))
            self.assertAlmostEqual(theirs["loss"], ours["loss"], delta=1e-5)
        again = self.good("inspect", "net.nir", "--timesteps", "5", "--json").json
        self.assertEqual((again["timesteps"], again["spiking"]), (5, True))

    def test_recurrent(self):
        found = self.run_program("inspect", GOLDENS / "nested.nir", "--timesteps", "6", "--json")
        self.assertIn("note: the file does not say for which tool it is written: read as for generic", found.err)
        taps = self.good("inspect", GOLDENS / "nested.nir", "--json").json["taps"]
        self.assertIn("rnn.lif", taps)
        self.bad(1, ["eval", GOLDENS / "nested.nir", "--target", "generic"], "takes 1x1x2 and tells 3 classes apart", "--data NAME")

    def test_bad_input(self):
        self.bad(1, ["inspect", GOLDENS / "chain.nir", "--dt", "0.01"], "chain.nir", "cannot be imported",
                 "leaky (LIF): a time constant of it is negative or below dt")
        self.bad(1, ["inspect", GOLDENS / "dangling.nir"], "dangling.nir", "nowhere")
        self.bad(2, ["eval", GOLDENS / "chain.nir", "--reset", "sometimes"], "--reset", "hard|soft")
        self.bad(1, ["eval", GOLDENS / "chain.nir", "--target", "generic", "--timesteps", "1,2"], "timesteps")
        self.bad(1, ["convert", GOLDENS / "chain.nir", "--out", "run"], "NIR")


if __name__ == "__main__":
    unittest.main()
