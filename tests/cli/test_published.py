#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The recipes of the published sizes: every network, data set and method is there, variants differ in nothing else, all can
be built, and the expected times in docs/gpu.md are what scripts/expected_times.py computes."""
import sys
import unittest

from program import PROGRAM, SOURCE, ProgramTest

sys.path.insert(0, str(SOURCE / "scripts"))
import expected_times  # noqa: E402

RECIPES = SOURCE / "recipes"


class Published(ProgramTest):
    def resolved(self, name):
        return self.good("recipe", RECIPES / f"{name}.yaml").out

    def test_variants_differ_in_network_and_data_alone(self):
        for row in expected_times.ROWS:
            for network in expected_times.NETWORKS:
                for data in ("cifar10", "cifar100"):
                    with self.subTest(network, data=data, row=row):
                        prefix = network + ("_cifar100" if data == "cifar100" else "")
                        expected = self.good("recipe", RECIPES / f"resnet19_{row}.yaml", "--set", f"student.model={network}",
                                             "--set", f"data.name={data}").out.replace("resnet19_", f"{prefix}_")
                        self.assertEqual(self.resolved(f"{prefix}_{row}"), expected)

    def test_rows_are_what_they_are_called(self):
        for row in expected_times.ROWS:
            text = self.resolved(f"resnet19_{row}")
            self.assertIn(f"kind: {'ann' if row == 'ann' else 'snn'}\n", text)
            self.assertIn("  epochs: %d\n" % (150 if "bit" in row else 300), text)
        self.assertIn("timesteps: 4\n", self.resolved("vgg16_cifar100_plain"))
        self.assertIn("weight_bits: 2\n", self.resolved("vgg16_cifar100_md_snn_2bit"))
        self.assertIn("teacher: runs/vgg16_cifar100_ann\n", self.resolved("vgg16_cifar100_lasnn"))
        self.assertIn("start: runs/resnet19_cifar100_plain\n", self.resolved("resnet19_cifar100_md_snn_4bit"))

    # Building each loss graph, teacher included, is what the table takes.
    def test_expected_times(self):
        documented = (SOURCE / "docs/gpu.md").read_text()
        self.assertIn(expected_times.table(PROGRAM), documented)
        self.assertIn(f"{expected_times.SHARE:.0%} of {expected_times.RATE} TFLOPS".replace("%", " %"), documented)


if __name__ == "__main__":
    unittest.main()
