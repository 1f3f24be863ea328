# SPDX-License-Identifier: Apache-2.0
"""`spikestill energy`: shapes alone, a measured network, its opponents, constants that are replaced."""
import csv
import io
import unittest

from program import SOURCE, ProgramTest

VGG9 = """timesteps: 5
layers:
  - {in_channels: 3, out_channels: 64, in_size: 32, out_size: 32, kernel: 3}
  - {in_channels: 64, out_channels: 64, in_size: 32, out_size: 16, kernel: 3}
  - {in_channels: 64, out_channels: 128, in_size: 16, out_size: 16, kernel: 3}
  - {in_channels: 128, out_channels: 128, in_size: 16, out_size: 8, kernel: 3}
  - {in_channels: 128, out_channels: 256, in_size: 8, out_size: 8, kernel: 3}
  - {in_channels: 256, out_channels: 256, in_size: 8, out_size: 8, kernel: 3}
  - {in_channels: 256, out_channels: 256, in_size: 8, out_size: 4, kernel: 3}
"""
SPIKESIM = ("--model", "spikesim-compat", "--set", "crossbar=64", "--set", "pe_per_tile=8", "--set", "clock_mhz=250",
            "--set", "device=rram")


class Shapes(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("vgg9.yaml", VGG9)

    def test_released_tool(self):
        value = self.good("energy", "--shapes", "vgg9.yaml", *SPIKESIM, "--json").json
        self.assertEqual(value["tiles"], 6)
        for key, expected in (("energy_pj", 15906934.02624), ("area_um2", 8425528.755834), ("latency_ns", 62832640),
                              ("edap_j_s_mm2", 8.42110248e-6), ("tops_per_watt", 66.3726),
                              ("tops_per_mm2", 1.994312e-3)):
            self.assertAlmostEqual(value[key] / expected, 1, places=5, msg=key)
        sram = self.good("energy", "--shapes", "vgg9.yaml", *SPIKESIM[:-1], "device=sram", "--json").json
        self.assertAlmostEqual(sram["energy_pj"] / 941181496.07424, 1, places=9)

    def test_all_models_as_text_and_csv(self):
        text = self.good("energy", "--shapes", "vgg9.yaml", "--model", "all").out
        for model in ("operations", "spikesim-compat", "spikesim-aware", "sata", "lemaire"):
            self.assertIn(f"\n{model}: ", text)
        self.assertIn("ANN of the same shape, int8", text)
        self.assertIn("rates are assumed", text)
        rows = list(csv.DictReader(io.StringIO(self.good("energy", "--shapes", "vgg9.yaml", "--csv").out)))
        own = [row for row in rows if row["network"] == "vgg9.yaml"]
        self.assertEqual(len(own), 8)
        total = next(row for row in own if row["layer"] == "total")
        self.assertAlmostEqual(sum(float(row["energy_pj"]) for row in own if row is not total),
                               float(total["energy_pj"]), places=3)

    def test_constants(self):
        self.assertEqual(self.good("energy", "--print-technology").out,
                         (SOURCE / "technology" / "default.yaml").read_text(encoding="utf-8"))
        self.write("mine.yaml", "fp32_add_pj: 1.8\n")
        one = self.good("energy", "--shapes", "vgg9.yaml", "--json").json["estimates"][0]
        two = self.good("energy", "--shapes", "vgg9.yaml", "--technology", "mine.yaml", "--json").json["estimates"][0]
        self.assertAlmostEqual(two["layers"][1]["energy_pj"] / one["layers"][1]["energy_pj"], 2, places=9)

    def test_bad_input(self):
        self.bad(2, ["energy"], "energy needs a MODEL or --shapes FILE")
        self.bad(2, ["energy", "--shapes", "vgg9.yaml", "--model", "horowitz"], "--model is 'horowitz'")
        self.bad(1, ["energy", "--shapes", "none.yaml"], "none.yaml")
        self.bad(1, ["energy", "--shapes", "vgg9.yaml", "--set", "crosbar=64"], "unknown constant 'crosbar'", "'crossbar'")
        self.write("bad.yaml", VGG9.replace("kernel: 3}\n  - {in_channels: 256", "kernel: 5}\n  - {in_channels: 256", 1))
        self.bad(1, ["energy", "--shapes", "bad.yaml", *SPIKESIM], "5x5", "use spikesim-aware")


class Networks(ProgramTest):
    def test_measured(self):
        self.good("train", "small.yaml", "--set", "train.epochs=1", "--out", "r")
        value = self.good("energy", "r", "--against", "r", "--json", "--samples", 20).json
        self.assertEqual(value["samples"], 20)
        self.assertEqual([e["network"] for e in value["estimates"]],
                         ["r", "r", "ANN of the same shape, float", "ANN of the same shape, int8",
                          "ANN of the same shape, 2 bits"])
        self.assertEqual(value["estimates"][0]["energy_pj"], value["estimates"][1]["energy_pj"])
        whole = self.good("energy", "r", "--json").json
        evaluated = self.good("eval", "r", "--json").json
        self.assertEqual(whole["samples"], 60)
        self.assertAlmostEqual(whole["accuracy"], evaluated["test_accuracy"])

    def test_a_run_carries_its_estimate(self):
        result = self.good("train", "small.yaml", "--set", "train.epochs=1", "--out", "r", "--json").json
        judged = self.good("energy", "r", "--json").json["estimates"][0]
        self.assertAlmostEqual(result["energy_pj"], judged["energy_pj"], places=3)
        self.assertIn("costs.json", self.files("r"))

    def test_a_picture_that_cannot_be_read_is_no_measurement(self):
        picture = (SOURCE / "tests" / "golden" / "pictures" / "colour.png").read_bytes()
        for part in ("train", "test"):
            for name in ("a/1", "a/2", "b/1", "b/2"):
                self.write(f"sets/{part}/{name}.png", picture)
        self.write("folder.yaml", "data: {name: folder, root: sets, height: 8, width: 8, validation: 0, memory: 0}\n"
                                  "student: {kind: ann, model: mlp, hidden: 4}\ntrain: {epochs: 1, batch: 2}\n")
        self.good("train", "folder.yaml", "--out", "r")
        self.good("energy", "r")
        self.write("sets/test/b/1.png", picture[:len(picture) // 2])
        self.bad(1, ["energy", "r"], "sets/test/b/1.png")
        self.bad(1, ["convert", "r", "--out", "c", "--timesteps", "2", "--quiet"], "sets/test/b/1.png")
        self.write("sets/train/b/1.png", picture[:len(picture) // 2])
        self.bad(1, ["convert", "r", "--out", "c", "--timesteps", "2", "--quiet"], "sets/train/b/1.png")


if __name__ == "__main__":
    unittest.main()
