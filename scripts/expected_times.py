#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of expected times in docs/gpu.md: of the recipes of the published sizes, on CIFAR-10, from the operations
that `spikestill inspect` counts. Nothing of it is measured.

usage: expected_times.py PROGRAM [--rate TFLOPS] [--share SHARE]
"""
import argparse
import json
import re
import subprocess
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
NETWORKS = ("resnet19", "vgg16")
ROWS = ("ann", "plain", "kd", "step_kd", "lasnn", "tna_ternary", "md_snn_4bit", "md_snn_2bit")
TRAINING_PICTURES = 50000  # of CIFAR-10 and of CIFAR-100
RATE, SHARE = 989, 0.35


def answer(program, *words):
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=True).stdout


def entry(text, section, key):
    return float(re.search(rf"^{section}:\n(?:  .*\n)*?  {key}: (\S+)$", text, re.MULTILINE).group(1))


def expected(program, name, rate=RATE, share=SHARE):
    """Operations of a sample, epochs, and minutes of training by them alone."""
    path = RECIPES / f"{name}.yaml"
    text = answer(program, "recipe", path)
    # The teacher need not be trained to be counted.
    teacher = re.search(r"^teacher: runs/(\S+)$", text, re.MULTILINE)
    override = ["--set", f"teacher={RECIPES / teacher.group(1)}.yaml"] if teacher else []
    batch, epochs = entry(text, "train", "batch"), entry(text, "train", "epochs")
    # Of one sample, for a network of whole batches takes gigabytes.
    inspected = json.loads(answer(program, "inspect", path, "--json", "--set", "train.batch=1", *override))
    flops = inspected["training_bytes"]["flops"]
    steps = TRAINING_PICTURES * (1 - entry(text, "data", "validation")) // batch
    return flops, int(epochs), steps * batch * epochs * flops / (rate * share * 1e12) / 60


def table(program, rate=RATE, share=SHARE):
    lines = [f"| | {' | '.join(f'{n}: GFLOP a sample | epochs | computed minutes' for n in NETWORKS)} |",
             "| --- |" + " ---: | ---: | ---: |" * len(NETWORKS)]
    for row in ROWS:
        cells = [expected(program, f"{network}_{row}", rate, share) for network in NETWORKS]
        lines.append(f"| `{row}` | " + " | ".join(f"{f / 1e9:.1f} | {e} | {m:.0f}" for f, e, m in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rate", type=float, default=RATE, help="of the card's products, in TFLOPS; default %(default)s")
    parser.add_argument("--share", type=float, default=SHARE, help="of it that training reaches; default %(default)s")
    given = parser.parse_args()
    print(table(given.program, given.rate, given.share))
