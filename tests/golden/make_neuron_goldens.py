# SPDX-License-Identifier: Apache-2.0
"""Writes neuron_goldens.txt beside this file: spikes, membranes and gradients of SpikingJelly's neurons.

Needs torch and spikingjelly; the versions used are in the first lines of the data. Run: python make_neuron_goldens.py

SpikingJelly's nodes are stepped one by one with explicit states. They report the membrane after the reset; the membrane
before firing, which Spikestill calls H, comes from a twin of the node with a threshold that is never reached, started
from the same state: what the twin keeps is H, with autograd's gradient through it.

Correspondence: decay = 1 - 1/tau, v_reset None = soft reset, both fire at H >= threshold.
"""
import itertools
import os

import torch
from importlib.metadata import version
from spikingjelly.activation_based import neuron, surrogate

STEPS, COUNT = 6, 7
THRESHOLD = 0.8
TAU = {"if": None, "lif": 2.5, "plif": 1.7, "li": 3.0}
SURROGATES = {
    "arctan": (surrogate.ATan, 2.0),
    "sigmoid": (surrogate.Sigmoid, 4.0),
    "fast_sigmoid": (surrogate.SoftSign, 2.0),
    "triangle": (surrogate.PiecewiseQuadratic, 1.0),
    "rectangle": (surrogate.Rect, 1.0),
    "erf": (surrogate.Erf, 2.0),
}
# The nearest that any membrane may come to the threshold: rounding must not decide about a spike.
MARGIN = 1e-3


def make_node(kind, threshold, v_reset, decay_input, detach, surrogate_function):
    common = dict(
        v_threshold=threshold, v_reset=v_reset, surrogate_function=surrogate_function, detach_reset=detach
    )
    if kind == "if":
        return neuron.IFNode(**common)
    if kind == "lif":
        return neuron.LIFNode(tau=TAU[kind], decay_input=decay_input, **common)
    return neuron.ParametricLIFNode(init_tau=TAU[kind], decay_input=decay_input, **common)


def run_firing(kind, v_reset, decay_input, detach, make_surrogate, x):
    node = make_node(kind, THRESHOLD, v_reset, decay_input, detach, make_surrogate)
    twin = make_node(kind, 1e9, v_reset, decay_input, True, make_surrogate)
    if kind == "plif":
        twin.w = node.w
    v = torch.full((COUNT,), 0.0 if v_reset is None else v_reset)
    spikes, membranes = [], []
    for t in range(STEPS):
        _, (h,) = twin.single_step_functional_forward((x[t],), (v,))
        (s,), (v,) = node.single_step_functional_forward((x[t],), (v,))
        spikes.append(s)
        membranes.append(h)
    spikes, membranes = torch.stack(spikes), torch.stack(membranes)
    # The module as people use it gives the same spikes.
    node.step_mode = "m"
    assert torch.equal(node(x.detach()), spikes)
    return spikes, membranes, getattr(node, "w", None)


def run_leaky_integrator(x):
    node = neuron.NonSpikingLIFNode(tau=TAU["li"])
    node.v = torch.zeros(COUNT)
    membranes = []
    for t in range(STEPS):
        node.neuronal_charge(x[t])
        membranes.append(node.v)
    membranes = torch.stack(membranes)
    return membranes, membranes, None


def uniform(generator, low, high):
    """Multiples of 1/64: short in the file and exact in f32."""
    return torch.round(64 * (low + (high - low) * torch.rand(STEPS, COUNT, generator=generator))) / 64


def numbers(name, tensor):
    return name + " " + " ".join("%.9g" % v for v in tensor.detach().double().flatten().tolist())


def far_from_threshold(spikes, membranes):
    return (membranes - THRESHOLD).abs().min().item() > MARGIN and 0.15 < spikes.mean().item() < 0.85


def case_lines(kind, word, v_reset, decay_input, detach, number):
    make, alpha = SURROGATES[word]
    for seed in itertools.count(1000 * number):
        generator = torch.Generator().manual_seed(seed)
        x = uniform(generator, -0.3, 1.9 if decay_input else 0.9).requires_grad_()
        dspikes = uniform(generator, -1, 1)
        dmembranes = uniform(generator, -1, 1)
        if kind == "li":
            spikes, membranes, w = run_leaky_integrator(x)
            break
        spikes, membranes, w = run_firing(kind, v_reset, decay_input, detach, make(alpha=alpha), x)
        if far_from_threshold(spikes, membranes):
            break
    loss = (spikes * dspikes).sum() + (membranes * dmembranes).sum()
    loss.backward()
    decay = 1.0 if kind == "if" else 1.0 - 1.0 / TAU[kind]
    yield "case %s %s hard=%d v_reset=%g decay_input=%d detach=%d decay=%.9g alpha=%g w=%.9g dw=%.9g" % (
        kind, word, v_reset is not None, v_reset or 0.0, decay_input, detach, decay, alpha,
        0.0 if w is None else w.item(), 0.0 if w is None else w.grad.item(),
    )
    yield numbers("x", x)
    yield numbers("dspikes", dspikes)
    yield numbers("dmembrane", dmembranes)
    yield numbers("spikes", spikes)
    yield numbers("membrane", membranes)
    yield numbers("dx", x.grad)


def all_cases():
    resets = [None, 0.0, -0.3]
    for kind in ["if", "lif", "plif"]:
        for word in ["arctan", "sigmoid"]:
            for v_reset, decay_input, detach in itertools.product(resets, [False, True], [False, True]):
                if kind != "if" or not decay_input:
                    yield kind, word, v_reset, decay_input, detach
    for word in ["fast_sigmoid", "triangle", "rectangle", "erf"]:
        yield "lif", word, None, False, False
        yield "plif", word, -0.3, True, False
    yield "li", "arctan", None, True, True


def main():
    torch.set_num_threads(1)
    cases = list(all_cases())
    lines = [
        "# made by make_neuron_goldens.py with spikingjelly %s, torch %s"
        % (version("spikingjelly"), version("torch").split("+")[0]),
        "neurons cases=%d steps=%d count=%d threshold=%g" % (len(cases), STEPS, COUNT, THRESHOLD),
    ]
    for number, case in enumerate(cases):
        lines.extend(case_lines(*case, number))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "neuron_goldens.txt")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
