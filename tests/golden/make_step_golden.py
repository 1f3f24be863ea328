#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes step_golden.txt and step_golden.bin: whole training steps of two small spiking networks in PyTorch.

    python3 make_step_golden.py        (needs torch and numpy; the tests need neither)

PyTorch computes in f64 from f32 numbers, so that the golden values carry no rounding of its own. The neurons are written
here, with autograd through time and a surrogate in place of the step's derivative. No membrane comes nearer to its
threshold than MARGIN: rounding must not decide about a spike. Tensors have the library's layout, [T,N,H,W,C] and weights
[1,O,Kh,Kw,I], and are stored in the order of the index, as little-endian f32.

Index, one line each:
    case NAME
    initial PARAMETER T N H W C     value before the first step
    step FACTOR                     a training step; FACTOR multiplies the learning rate
    input|target|teacher T N H W C  what the step is given
    run                             forward and backward
    loss|logits T N H W C           what forward gives
    gradient PARAMETER T N H W C
    update                          the optimiser's step
    after PARAMETER T N H W C       value then; of running statistics, after forward
    end
"""
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 3
FACTORS = [1.0, 0.5, 0.25]
MARGIN = 2e-4


def single(value):
    """The number as the library has it, in f32."""
    return float(numpy.float32(value))


# ---- neurons ----


class Arctan(torch.autograd.Function):
    """1 where v >= 0, with the derivative a/2 / (1 + (pi/2 a v)^2), a = 2."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v >= 0).to(v)

    @staticmethod
    def backward(ctx, gradient):
        (v,) = ctx.saved_tensors
        return gradient / (1 + (math.pi * v) ** 2)


class Sigmoid(torch.autograd.Function):
    """1 where v >= 0, with the derivative a s (1 - s), s = 1 / (1 + exp(-a v)), a = 4."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v >= 0).to(v)

    @staticmethod
    def backward(ctx, gradient):
        (v,) = ctx.saved_tensors
        s = torch.sigmoid(4 * v)
        return gradient * 4 * s * (1 - s)


class Network:
    """What both cases share: parameters by name, and layers that note how near membranes come to the threshold."""

    steps, batch, classes = 3, 5, 4
    threshold = 1.0

    def __init__(self, random):
        self.random = random
        self.value = {}
        self.nearest = math.inf
        self.rates = []

    def reals(self, *shape, low=None, high=None):
        values = self.random.standard_normal(shape) if low is None else self.random.uniform(low, high, shape)
        return torch.from_numpy(values.astype(numpy.float32).astype(numpy.float64))

    def weight(self, name, out, kernel, inputs, gain):
        deviation = gain / math.sqrt(kernel * kernel * inputs)
        values = self.reals(1, out, kernel, kernel, inputs) * deviation
        self.value[name] = values.to(torch.float32).to(torch.float64).requires_grad_()

    def vector(self, name, channels, low, high):
        self.value[name] = self.reals(1, 1, 1, 1, channels, low=low, high=high).requires_grad_()

    def norm_parameters(self, name, channels, size=1.0):
        self.vector(name + ".gamma", channels, 0.6 * size, 1.4 * size)
        self.vector(name + ".beta", channels, 0.0, 0.6)
        self.vector(name + ".running_mean", channels, -0.2, 0.2)
        self.vector(name + ".running_variance", channels, 0.8, 1.2)
        for part in (".running_mean", ".running_variance"):
            self.value[name + part].requires_grad_(False)

    def trainable(self):
        return {name: value for name, value in self.value.items() if value.requires_grad}

    def conv(self, name, x, stride=1, padding=1):
        weight = self.value[name + ".weight"][0].permute(0, 3, 1, 2)
        y = F.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, stride=stride, padding=padding)
        return y.permute(0, 2, 3, 1).unflatten(0, x.shape[:2])

    def linear(self, name, x):
        weight = self.value[name + ".weight"].reshape(self.value[name + ".weight"].shape[1], -1)
        return F.linear(x.flatten(2), weight, self.value[name + ".bias"].flatten()).reshape(*x.shape[:2], 1, 1, -1)

    def norm(self, name, x, scale=1.0):
        part = {p: self.value[f"{name}.{p}"].view(-1) for p in ("gamma", "beta", "running_mean", "running_variance")}
        y = F.batch_norm(x.flatten(0, 3), part["running_mean"], part["running_variance"], part["gamma"] * single(scale),
                         part["beta"], training=True, momentum=single(0.1), eps=single(1e-5))
        return y.view_as(x)

    def spiking(self, x, decay, gain, surrogate, hard_to=None, detach=True):
        """x has T steps or one, which is then the same at each. `hard_to` None: soft reset."""
        rest = 0.0 if hard_to is None else hard_to
        u, spikes = torch.full_like(x[0], rest), []
        for t in range(self.steps):
            h = rest + decay * (u - rest) + gain * x[t if len(x) > 1 else 0]
            self.nearest = min(self.nearest, (h.detach() - self.threshold).abs().min().item())
            s = surrogate.apply(h - self.threshold)
            reset = s.detach() if detach else s
            u = h - self.threshold * reset if hard_to is None else h * (1 - reset) + rest * reset
            spikes.append(s)
        spikes = torch.stack(spikes)
        self.rates.append(spikes.detach().mean().item())
        return spikes


def smoothed_cross_entropy(logits, target, smoothing):
    target = (1 - smoothing) * target + smoothing / target.shape[-1]
    return -(target * F.log_softmax(logits, -1)).sum(-1).mean()


class Cnn(Network):
    """Two convolutions, a hidden spiking layer without norm; LIF with hard, detached reset, arctan; mean current.
    Label smoothing and soft labels of a given teacher. SGD with Nesterov momentum, decay of weights only."""

    name = "cnn"

    def __init__(self, random):
        super().__init__(random)
        self.weight("0.conv.weight", 4, 3, 2, 1.0)
        self.norm_parameters("1.norm", 4)
        self.weight("4.conv.weight", 6, 3, 4, 1.0)
        self.norm_parameters("5.norm", 6)
        self.weight("8.linear.weight", 10, 1, 96, 3.0)
        self.vector("8.linear.bias", 10, -0.2, 0.4)
        self.weight("10.linear.weight", 4, 1, 10, 2.0)
        self.vector("10.linear.bias", 4, -0.2, 0.2)
        self.input_steps = 1

    def optimiser(self):
        weights = [v for n, v in self.trainable().items() if n.endswith(".weight")]
        others = [v for n, v in self.trainable().items() if not n.endswith(".weight")]
        self.rate = single(0.05)
        groups = [{"params": weights, "weight_decay": single(0.02)}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=self.rate, momentum=single(0.9), nesterov=True)

    def clip(self):
        pass

    def given(self):
        target = torch.zeros(1, self.batch, 1, 1, self.classes, dtype=torch.float64)
        for n in range(self.batch):
            target[0, n, 0, 0, self.random.randint(self.classes)] = 1
        return {
            "input": self.reals(1, self.batch, 8, 8, 2),
            "target": target,
            "teacher": 2 * self.reals(1, self.batch, 1, 1, self.classes),
        }

    def forward(self, given):
        neurons = dict(decay=0.5, gain=1.0, surrogate=Arctan, hard_to=single(-0.1))
        x = self.spiking(self.norm("1.norm", self.conv("0.conv", given["input"])), **neurons)
        x = x.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5))
        x = self.spiking(self.norm("5.norm", self.conv("4.conv", x)), **neurons)
        x = self.spiking(self.linear("8.linear", x), **neurons)
        logits = self.linear("10.linear", x).mean(0, keepdim=True)
        loss = smoothed_cross_entropy(logits, given["target"], single(0.1))
        p, log_q = F.softmax(given["teacher"] / 3, -1), F.log_softmax(logits / 2, -1)
        divergence = (p * (p.log() - log_q)).sum(-1).mean()
        return logits, loss + single(0.7) * (3 * 2 * divergence)


class Block(Network):
    """A residual block with shortcut convolution; PLIF that weighs its input, soft reset that is followed, sigmoid;
    threshold-dependent batch norm; membrane readout, every step classified. AdamW with a clipped gradient."""

    name = "block"
    threshold = single(0.8)

    def __init__(self, random):
        super().__init__(random)
        self.weight("0.conv.weight", 4, 3, 2, 1.0)
        self.norm_parameters("1.norm", 4, 2.5)
        self.weight("3.conv1.weight", 6, 3, 4, 1.0)
        self.norm_parameters("3.norm1", 6, 2.5)
        self.weight("3.conv2.weight", 6, 3, 6, 1.0)
        self.norm_parameters("3.norm2", 6, 2.5)
        self.weight("3.shortcut_conv.weight", 6, 1, 4, 1.0)
        self.norm_parameters("3.shortcut_norm", 6, 2.5)
        for name, start in (("2.decay", -0.4), ("3.decay1", 0.0), ("3.decay2", 0.3)):
            self.vector(name, 1, start, start + 0.1)
        self.weight("5.linear.weight", 4, 1, 6, 2.0)
        self.vector("5.linear.bias", 4, -0.2, 0.2)
        self.input_steps = self.steps

    def optimiser(self):
        weights = [v for n, v in self.trainable().items() if n.endswith(".weight")]
        others = [v for n, v in self.trainable().items() if not n.endswith(".weight")]
        self.rate = single(0.002)
        groups = [{"params": weights, "weight_decay": single(0.05)}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.rate, betas=(single(0.9), single(0.999)), eps=single(1e-8))

    def clip(self):
        norm = torch.nn.utils.clip_grad_norm_(self.trainable().values(), single(0.05))
        assert norm > 0.05, norm  # the clipping is there to be tested

    def given(self):
        target = self.reals(1, self.batch, 1, 1, self.classes, low=0.1, high=1.0)
        target = (target / target.sum(-1, keepdim=True)).to(torch.float32).to(torch.float64)
        return {"input": self.reals(self.steps, self.batch, 6, 6, 2), "target": target}

    def plif(self, name, x):
        leak = torch.sigmoid(self.value[name].flatten())
        return self.spiking(x, decay=1 - leak, gain=leak, surrogate=Sigmoid, detach=False)

    def forward(self, given):
        # Before the sum in front of a neuron.
        share = float(numpy.float32(math.sqrt(0.5)) * numpy.float32(self.threshold))
        x = self.plif("2.decay", self.norm("1.norm", self.conv("0.conv", given["input"]), self.threshold))
        y = self.plif("3.decay1", self.norm("3.norm1", self.conv("3.conv1", x, stride=2), self.threshold))
        y = self.norm("3.norm2", self.conv("3.conv2", y), share)
        z = self.norm("3.shortcut_norm", self.conv("3.shortcut_conv", x, stride=2, padding=0), share)
        x = self.plif("3.decay2", y + z).mean((2, 3), keepdim=True)
        x = self.linear("5.linear", x)
        decay, u, membranes = single(0.6), 0.0, []
        for t in range(self.steps):
            u = decay * u + (1 - decay) * x[t]
            membranes.append(u)
        steps = torch.stack(membranes)
        loss = smoothed_cross_entropy(steps, given["target"].expand_as(steps), 0.0)
        return steps.mean(0, keepdim=True), loss


# ---- the files ----


class Record:
    def __init__(self):
        self.index, self.data = [], []

    def line(self, text):
        self.index.append(text)

    def put(self, text, tensor):
        array = tensor.detach().numpy().astype("<f4")
        array = array.reshape((1,) * (5 - array.ndim) + array.shape)
        assert array.ndim == 5 and numpy.isfinite(array).all(), text
        self.index.append(" ".join([text] + [str(length) for length in array.shape]))
        self.data.append(numpy.ascontiguousarray(array).tobytes())


def record_case(kind, seed):
    """The case from this seed, or None if a membrane comes too near to the threshold."""
    network, record = kind(numpy.random.RandomState(seed)), Record()
    record.line(f"case {kind.name}")
    for name, value in network.value.items():
        record.put(f"initial {name}", value)
    optimiser = network.optimiser()
    for step in range(STEPS):
        record.line(f"step {FACTORS[step]!r}")
        given = network.given()
        for name, value in given.items():
            record.put(name, value)
        record.line("run")
        optimiser.zero_grad()
        logits, loss = network.forward(given)
        loss.backward()
        if network.nearest < MARGIN:
            return None
        record.put("loss", loss)
        record.put("logits", logits)
        for name, value in network.trainable().items():
            record.put(f"gradient {name}", value.grad)
        record.line("update")
        network.clip()
        for group in optimiser.param_groups:
            group["lr"] = network.rate * FACTORS[step]
        optimiser.step()
        for name, value in network.value.items():
            record.put(f"after {name}", value)
    record.line("end")
    rates = ", ".join(f"{rate:.2f}" for rate in network.rates)
    print(f"{kind.name}: seed {seed}, nearest membrane {network.nearest:.2g}, firing rates {rates}")
    assert 0.03 < min(network.rates) and max(network.rates) < 0.7
    return record


def main():
    index, data = [f"torch {torch.__version__}, numpy {numpy.__version__}; made by make_step_golden.py"], []
    for kind in (Cnn, Block):
        record = next(r for r in (record_case(kind, seed) for seed in range(200)) if r is not None)
        index += record.index
        data += record.data
    (HERE / "step_golden.txt").write_text("\n".join(index) + "\n")
    (HERE / "step_golden.bin").write_bytes(b"".join(data))


main()
