# SPDX-License-Identifier: Apache-2.0
"""Files with the structure of the samples that NIR's own repository publishes (its folder paper/), in nir/ beside this
script: nodes, names, types, shapes and edges as the scripts there make them, with small drawn weights, and what they do in
12 steps (.bin: inputs, then outputs), simulated in 64 bits by the equations of NIR (make_nir_goldens.py).

    sample_two_lif     01_lif/debug_spike_representation: nodes `in` and `out`, 64-bit floats, no v_reset, a leak above threshold
    sample_rockpool    01_lif: Rockpool's names, one neuron
    sample_scnn        02_cnn: Sinabs' network for N-MNIST: nodes by number, a batch of 1 in all shapes, Flatten from 1
    sample_braille     03_rnn: snnTorch's recurrent network: dotted names, an input of two dimensions, an edge twice
    sample_flattened   03_rnn: the same with names without dots and one dimension
    sample_subgraph    03_rnn: the recurrent layer as a graph in the graph, no bias

Usage: python make_nir_samples.py   (needs numpy, h5py, torch, nir 1.0.8)
"""
import h5py
import make_nir_goldens as goldens
import nir
import numpy as np
from make_nir_goldens import FOLDER, full, normal, save


def connect(nodes, more=()):
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:])) + list(more), type_check=False)


def two_lif():
    def lif(leak, threshold):
        return nir.LIF(tau=np.array([4e-4]), r=np.array([1.0]), v_leak=np.array([leak]), v_threshold=np.array([threshold]))

    return connect({"in": nir.Input(np.array([1])), "linear1": nir.Linear(np.array([[1.0]])), "lif1": lif(1.2, 1.0),
                    "linear2": nir.Linear(np.array([[9.0]])), "lif2": lif(0.0, 2.0), "out": nir.Output(np.array([1]))})


def rockpool():
    neuron = nir.LIF(tau=full((1,), 1 / 400), r=full((1,), 25), v_leak=full((1,), 0), v_threshold=full((1,), 0.1),
                     v_reset=full((1,), 0))
    return connect({"input": nir.Input(np.array([1])), "0_LinearTorch": nir.Linear(full((1, 1), 0.4)),
                    "1_LIFNeuronTorch": neuron, "output": nir.Output(np.array([1]))})


def scnn():
    def fire(*shape):
        return nir.IF(r=full(shape, 1), v_threshold=full(shape, 1), v_reset=full(shape, 0))

    def conv(seed, side, out, channels, kernel, stride):
        weight = normal(seed, out, channels, kernel, kernel, scale=1.5 / kernel)
        return nir.Conv2d((side, side), weight, stride, 1, 1, 1, np.zeros(out, dtype=np.float32))

    def pool():
        return nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))

    layers = [conv(1, 18, 4, 2, 5, 2), fire(1, 4, 8, 8), conv(2, 8, 4, 4, 3, 1), fire(1, 4, 8, 8), pool(), conv(3, 4, 2, 4, 3, 1),
              fire(1, 2, 4, 4), pool(), nir.Flatten({"input": np.array([1, 2, 2, 2])}, 1, -1), nir.Linear(normal(4, 16, 8)),
              fire(1, 16), nir.Linear(normal(5, 10, 16)), fire(1, 10)]
    return connect({"input": nir.Input(np.array([1, 2, 18, 18])), **{str(i): layer for i, layer in enumerate(layers)},
                    "output": nir.Output(np.array([1, 10]))})


def braille_layers(bias=1.0):
    def cuba(n):
        return nir.CubaLIF(tau_syn=full((n,), 2.2e-4), tau_mem=full((n,), 2.9e-4), r=full((n,), 2.9), v_leak=full((n,), 0),
                           v_threshold=full((n,), 1), w_in=full((n,), 2.2), v_reset=full((n,), 0))

    fc1 = nir.Affine(normal(1, 38, 12, scale=0.3), bias * normal(2, 38, scale=0.3))
    w_rec = nir.Affine(normal(3, 38, 38, scale=0.15), bias * normal(4, 38, scale=0.1))
    fc2 = nir.Affine(normal(5, 7, 38, scale=0.3), bias * normal(6, 7, scale=0.3))
    return fc1, cuba(38), w_rec, fc2, cuba(7)


def braille(lif="lif1.lif", recurrent="lif1.w_rec", shape=(1, 12), edges=()):
    fc1, cuba, w_rec, fc2, last = braille_layers()
    nodes = {"fc1": fc1, "fc2": fc2, "input": nir.Input(np.array(shape)), lif: cuba, recurrent: w_rec, "lif2": last,
             "output": nir.Output(np.array([7]))}
    chain = ["input", "fc1", lif, "fc2", "lif2", "output"]
    return nir.NIRGraph(nodes, list(zip(chain, chain[1:])) + [(lif, recurrent), (recurrent, lif), *edges], type_check=False)


def subgraph():
    fc1, cuba, w_rec, fc2, last = braille_layers(0.0)
    inner = nir.NIRGraph({"input": nir.Input(np.array([38])), "lif": cuba, "w_rec": w_rec, "output": nir.Output(np.array([38]))},
                         [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")])
    return connect({"input": nir.Input(np.array([12])), "fc1": fc1, "lif1": inner, "fc2": fc2, "lif2": last,
                    "output": nir.Output(np.array([7]))})


def without(name, node, field):
    """Older versions of the package did not write it."""
    with h5py.File(FOLDER / f"{name}.nir", "a") as file:
        del file[f"/node/nodes/{node}/{field}"]


def main():
    goldens.DT = 1e-4
    save("sample_two_lif", two_lif(), ["in", "linear1", "lif1", "linear2", "lif2", "out"], 1)
    without("sample_two_lif", "lif1", "v_reset")
    without("sample_two_lif", "lif2", "v_reset")
    save("sample_rockpool", rockpool(), ["input", "0_LinearTorch", "1_LIFNeuronTorch", "output"], 1)
    flat = ["input", "fc1", "lif1", "w_rec", "fc2", "lif2", "output"]
    dotted = ["input", "fc1", "lif1.lif", "lif1.w_rec", "fc2", "lif2", "output"]
    save("sample_braille", braille(edges=[("lif1.lif", "fc2")]), dotted, 1)
    save("sample_flattened", braille("lif1", "w_rec", (12,)), flat, 1)
    # The nested graph does what its nodes do in one list.
    fc1, cuba, w_rec, fc2, last = braille_layers(0.0)
    one = braille("lif1", "w_rec", (12,))
    one.nodes.update({"fc1": fc1, "w_rec": w_rec, "fc2": fc2})
    save("sample_subgraph", one, flat, 1)
    nir.write(FOLDER / "sample_subgraph.nir", subgraph())
    goldens.DT = 1.0  # Sinabs' steps
    save("sample_scnn", scnn(), ["input", *map(str, range(13)), "output"], 1)


if __name__ == "__main__":
    main()
