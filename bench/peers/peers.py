#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Spikestill beside SpikingJelly and snnTorch: training and float inference of the tasks of `spikestill bench`, all in one
run. First a step or two of every way to run the peers; then, in turn so that all meet the same machine, the peers as they
come out of the box, the fastest of the tuned ways in f32 and in bf16, and spikestill. Medians of steps; lines of JSON to
--out and a table to standard output.

The Python that has the peers' packages (requirements.txt) is --python, $PYTHON or the one that runs this.
"""
import argparse
import ctypes.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCH = 64
BENCH_NAMES = {"mlp": "mlp", "cnn": "cnn", "vgg9": "vgg9"}
INSTALLED = [("sj-multi", ()), ("sj-single", ()), ("snntorch", ())]
NAMES = {"sj-multi": "SpikingJelly, multi-step", "sj-single": "SpikingJelly, single-step", "snntorch": "snnTorch"}
TUNED = [(framework, layout + precision + ("folded",)) for framework in NAMES
         for layout in ((), ("channels_last",)) for precision in ((), ("bf16",))]


def find_allocator():
    for name in ("jemalloc", "tcmalloc_minimal", "tcmalloc"):
        library = ctypes.util.find_library(name)
        if library:
            return library
    return ""


def tuned_environment(allocator):
    """Memory that is kept, on huge pages; a thread a core, whose barriers do not spin for long, as spikestill's do not."""
    settings = {"OMP_NUM_THREADS": str(os.cpu_count()), "GOMP_SPINCOUNT": "1000", "THP_MEM_ALLOC_ENABLE": "1"}
    if allocator:
        settings["LD_PRELOAD"] = allocator
        if "jemalloc" in allocator:
            settings["MALLOC_CONF"] = "background_thread:false,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"
    else:
        settings["GLIBC_TUNABLES"] = ("glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296:"
                                      "glibc.malloc.hugetlb=1")
    return settings


class Contestant:
    """A worker process that waits, without work, for its turn."""

    def __init__(self, python, task, way, environment):
        self.framework, self.settings = way
        self.tuned = environment is not None
        self.seconds = {"training": [], "inference": []}
        self.process = subprocess.Popen([python, str(HERE / "peer_worker.py"), task, self.framework, *self.settings],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env={**os.environ, **(environment or {})})

    def name(self):
        return ", ".join([NAMES[self.framework]] + [s.replace("_", " ") for s in self.settings if s != "folded"])

    def is_bf16(self):
        return "bf16" in self.settings

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name()}: ended with status {self.process.wait()}")
        return json.loads(line)

    def run(self, phase, count, keep=True):
        self.process.stdin.write(f"{phase} {count}\n")
        self.process.stdin.flush()
        seconds = self.answer()
        if keep:
            self.seconds[phase] += seconds
        return min(seconds)

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


class Ours:
    """A row of `spikestill bench`: a task in f32, in bf16, with Winograd's convolutions."""

    def __init__(self, label):
        self.label, self.seconds = label, {"training": [], "inference": []}

    def name(self):
        return self.label


def run_ours(options, task, ours, ceilings):
    """All rows of the task, in a process of their own."""
    command = [options.program, "bench", "--only", BENCH_NAMES[task], "--json", "--repetitions", str(options.repetitions)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for row in result["tasks"]:
        one = ours.setdefault(row["task"], Ours("spikestill, " + row["task"]))
        one.seconds["training"].append(row["train_seconds"])
        one.seconds["inference"].append(row["inference_seconds"])
    ceilings.append(result["ceiling_f32_gflops"])


def steps_for(seconds, budget):
    return max(1, min(20, int(budget / max(seconds, 1e-4))))


def try_all(options, task, phase, environment):
    """A few steps of every way to run the peers; those that are measured: as installed, and the fastest tuned ones."""
    tuned = [way for way in TUNED if task != "mlp" or "channels_last" not in way[1]]
    everyone = [Contestant(options.python, task, way, None) for way in INSTALLED]
    everyone += [Contestant(options.python, task, way, environment) for way in tuned]
    quick = {}
    try:
        for one in everyone:
            one.answer()
        for one in everyone:
            quick[one] = one.run(phase, 1, keep=False)
            if quick[one] < 0.5: # else the first step's own costs are a small part
                quick[one] = min(quick[one], one.run(phase, steps_for(quick[one], 0.3), keep=False))
    finally:
        for one in everyone:
            one.end()
    groups = [[one for one in everyone if not one.tuned and one.framework != "snntorch"],
              [one for one in everyone if not one.tuned and one.framework == "snntorch"]]
    groups += [[one for one in everyone if one.tuned and one.is_bf16() == bf16] for bf16 in (False, True)]
    best = [min(group, key=quick.get) for group in groups]
    return [[one.framework, list(one.settings), one.tuned] for one in best]


def choose(options, task, phase, environment):
    """What try_all found, now or, with --choice, in an earlier run."""
    known, key = {}, f"{task} {phase}"
    if options.choice and os.path.exists(options.choice):
        known = json.loads(Path(options.choice).read_text(encoding="utf-8"))
    if key not in known:
        known[key] = try_all(options, task, phase, environment)
        if options.choice:
            Path(options.choice).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known[key]


def rate(one, phase):
    return BATCH / statistics.median(one.seconds[phase])


def compare(options, task, out):
    environment = tuned_environment(options.allocator)
    choices = {phase: choose(options, task, phase, environment) for phase in options.phases}
    if options.choose_only:
        return
    chosen = {phase: [Contestant(options.python, task, (framework, settings), environment if tuned else None)
                      for framework, settings, tuned in ways] for phase, ways in choices.items()}
    kept = [one for ones in chosen.values() for one in ones]
    ours, ceilings = {}, []
    try:
        for phase, contestants in chosen.items():
            for one in contestants:
                one.answer()
                one.run(phase, 1, keep=False)
        for _ in range(options.rounds):
            for phase, contestants in chosen.items():
                for one in contestants:
                    one.run(phase, steps_for(one.run(phase, 1), options.seconds))
            run_ours(options, task, ours, ceilings)
    finally:
        for one in kept:
            one.end()
    rows = []
    for phase, (sj, snn, tuned, tuned_bf16) in chosen.items():
        best = max(rate(sj, phase), rate(snn, phase))
        fastest = max(rate(tuned, phase), rate(tuned_bf16, phase))
        for one, kind in [(sj, "as installed"), (snn, "as installed"), (tuned, "tuned, f32"),
                          (tuned_bf16, "tuned, bf16")] + [(one, "spikestill") for one in ours.values()]:
            row = {"task": task, "phase": phase, "kind": kind, "name": one.name(), "batch": BATCH,
                   "steps": len(one.seconds[phase]), "samples_per_second": rate(one, phase),
                   "ratio_installed": rate(one, phase) / best, "ratio_tuned": rate(one, phase) / fastest,
                   "seconds": one.seconds[phase]}
            rows.append(row)
            out.write(json.dumps(row) + "\n")
    ceiling = statistics.median(ceilings)
    out.write(json.dumps({"task": task, "ceiling_f32_gflops": ceiling, "environment": environment,
                          "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}) + "\n")
    out.flush()
    print(f"\n{task}, batch {BATCH}, T = 4; ceiling {ceiling:.0f} GFLOP/s f32 multiply-add")
    print(f"{'':10} {'':14} {'':48} {'samples/s':>10} {'x installed':>12} {'x tuned':>8}")
    for row in rows:
        print(f"{row['phase']:10} {row['kind']:14} {row['name']:48} {row['samples_per_second']:10,.0f} "
              f"{row['ratio_installed']:12.2f} {row['ratio_tuned']:8.2f}", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/spikestill", help="default: %(default)s")
    parser.add_argument("--python", default=os.environ.get("PYTHON", sys.executable), help="with the peers' packages")
    parser.add_argument("--task", choices=sorted(BENCH_NAMES), action="append", help="may be repeated; default: all")
    parser.add_argument("--phase", choices=["training", "inference"], action="append", help="default: both")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a peer's turn; default: %(default)s")
    parser.add_argument("--repetitions", type=int, default=5, help="steps of spikestill in a turn, of which the median "
                        "counts; default: %(default)s")
    parser.add_argument("--allocator", default=find_allocator(), help="library for tuned peers; default: %(default)s")
    parser.add_argument("--choice", metavar="FILE", help="keeps which ways are the fastest, so that the next run need not "
                        "try all")
    parser.add_argument("--choose-only", action="store_true", help="try all ways, write --choice, measure nothing")
    parser.add_argument("--out", default=os.devnull, help="lines of JSON, appended")
    options = parser.parse_args()
    options.phases = options.phase or ["training", "inference"]
    return options


def main():
    options = parse()
    with open(options.out, "a", encoding="utf-8") as out:
        for task in options.task or ["mlp", "cnn", "vgg9"]:
            compare(options, task, out)


if __name__ == "__main__":
    main()
