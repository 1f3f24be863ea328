#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes state/NAME.safetensors, state/NAME.bin, state/NAME.yaml: networks of PyTorch, SpikingJelly and snnTorch, saved
by the safetensors library, their logits, and recipes of the same networks; state/named.map: a name map.

    python3 make_state_goldens.py     (needs torch, safetensors, spikingjelly, snntorch; the tests need none of them)

NAME.bin: int32 pictures, height, width, channels, classes; the pictures as float32 [N,H,W,C]; the logits as float32
[N,classes]. The numbers are little-endian.
"""
import pathlib

import numpy
import snntorch
import torch
from safetensors.torch import save_file
from spikingjelly.activation_based import neuron
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent / "state"
PICTURES, SIZE, CLASSES = 3, 28, 10

RECIPE = """\
data: {{name: digits}}
student:
{kind}
  layers: [conv: {{out: 4, stride: 2{bias}}}, norm, act, avgpool, conv: {{out: 6, groups: 2{bias}}}, norm, act, maxpool, dropout, flatten,
           norm, linear: {{out: 12}}, norm, act, linear]
"""
ANN = "  kind: ann"
SNN = "  timesteps: 4\n  neuron: {neuron}"


def layers(act, bias=False):
    """The recipe's layers, one for one."""
    return [nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=bias), nn.BatchNorm2d(4), act(), nn.AvgPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=bias), nn.BatchNorm2d(6), act(), nn.MaxPool2d(2), nn.Dropout(),
            nn.Flatten(), nn.BatchNorm1d(54), nn.Linear(54, 12, bias=False), nn.BatchNorm1d(12), act(), nn.Linear(12, CLASSES)]


def randomise(net):
    """Nothing stays where it would make an error invisible: no norm at 0 and 1, no two channels alike."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, 0.7, 1.5)
            nn.init.normal_(module.bias, 0.3, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.3, 1.2)
        elif isinstance(module, neuron.ParametricLIFNode):
            nn.init.normal_(module.w, 0.2, 0.3)
    return net.eval()


def write(name, net, logits, recipe, tensors=None):
    pictures = torch.rand(PICTURES, 1, SIZE, SIZE)
    with torch.no_grad():
        expected = logits(net, pictures)
    save_file(tensors or net.state_dict(), HERE / f"{name}.safetensors")
    (HERE / f"{name}.yaml").write_text(recipe)
    with open(HERE / f"{name}.bin", "wb") as file:
        file.write(numpy.array([PICTURES, SIZE, SIZE, 1, CLASSES], "<i4").tobytes())
        file.write(pictures.permute(0, 2, 3, 1).contiguous().numpy().astype("<f4").tobytes())
        file.write(expected.numpy().astype("<f4").tobytes())


def ann(name, bias=False, types=None):
    net = randomise(nn.Sequential(*layers(nn.ReLU, bias)))
    tensors = net.state_dict()
    for i, key in enumerate(tensors):
        if types and tensors[key].is_floating_point():
            tensors[key] = tensors[key].to(types[i % len(types)])
    net.load_state_dict(tensors)  # what the narrow types can hold
    write(name, net, lambda net, x: net(x), RECIPE.format(kind=ANN, bias=", bias: true" if bias else ""), tensors)


class Named(nn.Module):
    """As people write networks: names that do not sort as the layers run, two layers of one shape among them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(4)
        self.hidden = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn_of_hidden = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4 * 7 * 7, CLASSES)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.relu(self.stem_norm(self.stem(x))), 2)
        x = nn.functional.max_pool2d(torch.relu(self.bn_of_hidden(self.hidden(x))), 2)
        return self.classifier(x.flatten(1))


def named():
    recipe = ("data: {name: digits}\nstudent:\n  kind: ann\n"
              "  layers: [conv: {out: 4}, norm, act, avgpool, conv: {out: 4}, norm, act, maxpool, flatten, linear]\n")
    write("named", randomise(Named()), lambda net, x: net(x), recipe)
    (HERE / "named.map").write_text("1.norm: stem_norm\n5.norm.gamma: bn_of_hidden.weight\n")


def spikingjelly():
    def logits(net, x):
        return sum(net(x) for _ in range(4)) / 4

    net = nn.Sequential(*layers(lambda: neuron.ParametricLIFNode(decay_input=False, detach_reset=True)))
    write("spikingjelly", randomise(net), logits,
          RECIPE.format(kind=SNN.replace("{neuron}", "{model: plif}"), bias=""))


class SnnTorch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.lif1 = snntorch.Leaky(beta=0.9, reset_mechanism="zero")
        self.fc1 = nn.Linear(4 * 7 * 7, 20)
        self.lif2 = snntorch.Leaky(beta=0.9, reset_mechanism="zero")
        self.fc2 = nn.Linear(20, CLASSES)

    def forward(self, x):
        one, two, total = self.lif1.init_leaky(), self.lif2.init_leaky(), 0
        for _ in range(4):
            spikes, one = self.lif1(self.conv1(x) * 1.0, one)
            spikes, two = self.lif2(self.fc1(nn.functional.avg_pool2d(spikes, 2).flatten(1)), two)
            total = total + self.fc2(spikes)
        return total / 4


def snn_torch():
    recipe = ("data: {name: digits}\nstudent:\n  timesteps: 4\n  neuron: {model: lif, decay: 0.9}\n  norm: none\n"
              "  layers: [conv: {out: 4, stride: 2}, act, avgpool, flatten, linear: {out: 20}, act, linear]\n")
    net = SnnTorch()
    with torch.no_grad():
        for p in (net.conv1.weight, net.fc1.weight):
            p *= 3
    write("snntorch", net.eval(), lambda net, x: net(x), recipe)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    torch.manual_seed(3)
    ann("sequential")
    ann("mixed", bias=True, types=[torch.float16, torch.bfloat16, torch.float64, torch.float32])
    named()
    spikingjelly()
    snn_torch()
