#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds exported NIR files against the tools that read them: the same pictures, the same spikes?

Usage: nir_peers.py SPIKESTILL DUMP_SPIKES MODEL [TARGET...]

MODEL is a run directory trained on data with at least 100 test pictures. For each target the network is exported,
read by the tool's own importer and run step by step; every neuron layer's spikes are compared with ours. Prints a line
a target; a target whose packages are missing is skipped with the reason. Exits 1 if a layer differs in more than one
spike of 100,000. Needs torch, numpy, nir, nirtorch and the tool (docs/exchange.md has the versions it was run with).
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

ALLOWED = 1e-5  # share of spikes that rounding may move across the threshold


class Skip(Exception):
    pass


def load(folder):
    arrays = {}
    for line in (folder / "list.txt").read_text().splitlines():
        name, *shape = line.split()
        arrays[name] = np.fromfile(folder / f"{name}.f32", dtype=np.float32).reshape([int(n) for n in shape])
    return arrays


def channels_first(array):
    """[T,N,H,W,C] as [T,N,C,H,W], or [T,N,C] for features."""
    moved = np.moveaxis(array, -1, 2)
    return moved[:, :, :, 0, 0] if moved.shape[3:] == (1, 1) else moved


def record(modules, names):
    """Keeps what each named module gives, step by step."""
    seen = {name: [] for name in names}

    def hook(name):
        def keep(_, __, output):
            spikes = output[0] if isinstance(output, tuple) else output
            seen[name].append(spikes.detach().clone())

        return keep

    for name in names:
        modules[name].register_forward_hook(hook(name))
    return seen


def run_snntorch(graph, x, steps, names):
    from snntorch.import_nir import import_from_nir
    network = import_from_nir(graph)
    seen = record(dict(network.named_modules()), names)
    state = None
    for _ in range(steps):
        out = network(x) if state is None else network(x, state)
        state = out[1] if isinstance(out, tuple) and len(out) > 1 else None
    return {name: torch.stack(seen[name]).numpy() for name in names}


def run_spikingjelly(graph, x, steps, names):
    from spikingjelly.activation_based.nir_exchange.from_nir import import_from_nir
    network = import_from_nir(graph)
    seen = record(dict(network.named_modules()), names)
    state = None
    for _ in range(steps):
        out = network(x) if state is None else network(x, state)
        state = out[1]
    return {name: torch.stack(seen[name]).numpy() for name in names}


def run_norse(graph, x, steps, names):
    import norse.torch
    network = norse.torch.from_nir(graph)
    seen = record(dict(network.named_modules()), names)
    state = None
    for _ in range(steps):
        _, state = network(x) if state is None else network(x, state)
    return {name: torch.stack(seen[name]).numpy() for name in names}


def run_sinabs(graph, x, steps, names):
    import sinabs.layers as sl
    from sinabs.activation import MembraneReset, SingleSpike
    from sinabs.nir import from_nir
    for node in graph.nodes.values():
        if type(node).__name__ == "LIF":
            node.v_leak = node.v_leak.reshape(-1)  # its check of v_leak understands one dimension only
    soft = graph.metadata["reset"] in ("soft", b"soft")
    network = from_nir(graph, num_timesteps=steps)
    for module in network.modules():
        if isinstance(module, sl.LIF):
            module.spike_fn = SingleSpike
            module.min_v_mem = None
            if not soft:
                module.reset_fn = MembraneReset()
    modules = dict(network.named_modules())
    seen = record(modules, names)
    batch = x.shape[0]
    network(x.repeat_interleave(steps, dim=0))  # (pictures * steps, ...), the steps of a picture side by side
    return {name: seen[name][-1].reshape(batch, steps, *seen[name][-1].shape[1:]).transpose(0, 1).numpy()
            for name in names}


TARGETS = {"snntorch": run_snntorch, "spikingjelly": run_spikingjelly, "norse": run_norse, "sinabs": run_sinabs}


def compare(target, program, model, ours, folder):
    import nir
    path = folder / f"{target}.nir"
    done = subprocess.run([program, "export", model, "--to", "nir", "--target", target, "--out", str(path), "--json"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(done.stderr.strip())
    json.loads(done.stdout)
    graph = nir.read(path)
    layers = {name: "layer" + name.replace(".", "_") for name in ours if re.fullmatch(r".*act\d?", name)}
    steps = next(iter(ours[name] for name in layers)).shape[0]
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(ours["input"][0], -1, 1)))
    with torch.no_grad():
        theirs = TARGETS[target](graph, x, steps, list(layers.values()))
    different = total = fired = 0
    for name, node in layers.items():
        mine = channels_first(ours[name])
        found = theirs[node].reshape(mine.shape)
        different += int((mine != found).sum())
        fired += int(mine.sum())
        total += mine.size
    return different, fired, total


def main():
    program, dump, model, *targets = sys.argv[1:]
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([dump, model, name], check=True)
        ours = load(folder)
        for target in targets or TARGETS:
            try:
                different, fired, total = compare(target, program, model, ours, folder)
            except (ImportError, Skip) as reason:
                print(f"{target:14} skipped: {reason}")
                continue
            worst = max(worst, different / total)
            print(f"{target:14} {different} of {total} places differ; {fired} spikes")
    return 1 if worst > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
