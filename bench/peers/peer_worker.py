# SPDX-License-Identifier: Apache-2.0
"""One peer, one way to run it: builds a task's network, then runs as many training or inference steps as each line of its
standard input asks for ("training 3"), and answers with the seconds of each step as a line of JSON. Ends with its input.

usage: peer_worker.py TASK FRAMEWORK [channels_last] [bf16] [folded] [stem_once]
"""
import contextlib
import json
import sys
import time

import torch
from torch import nn

STEPS, BATCH, CLASSES, DECAY = 4, 64, 10, 0.5
# conv: output channels; pool; linear: outputs and whether a norm follows. Neurons follow each conv and linear layer.
TASKS = {
    "mlp": {"shape": (784,), "layers": [("linear", 800, False), ("linear", CLASSES, False)], "optimizer": "adam"},
    "cnn": {"shape": (1, 28, 28), "optimizer": "adam",
            "layers": [("conv", 32), ("pool",), ("conv", 64), ("pool",), ("flatten",), ("linear", 256, False),
                       ("linear", CLASSES, False)]},
    "vgg9": {"shape": (3, 32, 32), "optimizer": "sgd",
             "layers": [("conv", 64), ("conv", 64), ("pool",), ("conv", 128), ("conv", 128), ("pool",), ("conv", 256),
                        ("conv", 256), ("pool",), ("flatten",), ("linear", 1024, True), ("linear", CLASSES, False)]},
}


def plain_layers(task, layer, neuron):
    """The task's layers; `layer` has the classes (torch.nn or SpikingJelly's), neuron() makes a layer of neurons."""
    channels, layers = task["shape"][0], []
    side = task["shape"][-1]
    for kind, *settings in task["layers"]:
        if kind == "conv":
            layers += [layer.Conv2d(channels, settings[0], 3, padding=1, bias=False), layer.BatchNorm2d(settings[0]),
                       neuron()]
            channels = settings[0]
        elif kind == "pool":
            layers += [layer.AvgPool2d(2)]
            side //= 2
        elif kind == "flatten":
            layers += [layer.Flatten()]
            channels *= side * side
        else:
            outputs, norm = settings
            layers += [layer.Linear(channels, outputs, bias=not norm)]
            layers += [layer.BatchNorm1d(outputs)] if norm else []
            layers += [neuron()]
            channels = outputs
    return layers


def fold_norms(layers):
    """For inference: batch norm folded into the layer before it."""
    from torch.nn.utils import fusion
    folded = []
    for one in layers:
        if isinstance(one, nn.BatchNorm2d):
            folded[-1] = fusion.fuse_conv_bn_eval(folded[-1], one)
        elif isinstance(one, nn.BatchNorm1d):
            folded[-1] = fusion.fuse_linear_bn_eval(folded[-1], one)
        else:
            folded.append(one)
    return folded


class SpikingJelly:
    def __init__(self, task, multi_step):
        from spikingjelly.activation_based import functional, layer, neuron
        self.functional, self.multi_step = functional, multi_step
        self.net = nn.Sequential(*plain_layers(task, layer, lambda: neuron.LIFNode(tau=2.0, detach_reset=True)))
        functional.set_step_mode(self.net, "m" if multi_step else "s")

    def fold(self):
        mode = "m" if self.multi_step else "s"
        self.net = nn.Sequential(*fold_norms(self.net.eval()))
        self.functional.set_step_mode(self.net, mode)

    def run(self, x):
        self.functional.reset_net(self.net)
        if self.multi_step:
            return self.net(x.unsqueeze(0).repeat(STEPS, *[1] * x.dim())).mean(0)
        return sum(self.net(x) for _ in range(STEPS)) / STEPS


class SnnTorch:
    def __init__(self, task):
        import snntorch
        from snntorch import surrogate, utils
        self.utils = utils
        self.net = nn.Sequential(*plain_layers(
            task, nn, lambda: snntorch.Leaky(beta=DECAY, spike_grad=surrogate.atan(), init_hidden=True)))

    def fold(self):
        self.net = nn.Sequential(*fold_norms(self.net.eval()))

    def run(self, x):
        self.utils.reset(self.net)
        return sum(self.net(x) for _ in range(STEPS)) / STEPS


class Peer:
    def __init__(self, task_name, framework, settings):
        task = TASKS[task_name]
        torch.manual_seed(1)
        self.model = SnnTorch(task) if framework == "snntorch" else SpikingJelly(task, framework == "sj-multi")
        self.bf16, self.folded = "bf16" in settings, "folded" in settings
        self.x = torch.randn(BATCH, *task["shape"])
        self.target = torch.arange(BATCH) % CLASSES
        if "channels_last" in settings and self.x.dim() == 4:
            self.x = self.x.to(memory_format=torch.channels_last)
            self.model.net = self.model.net.to(memory_format=torch.channels_last)
        parameters = self.model.net.parameters()
        self.optimizer = (torch.optim.Adam(parameters, lr=1e-5) if task["optimizer"] == "adam"
                          else torch.optim.SGD(parameters, lr=1e-5, momentum=0.9))
        self.phase = None

    def precision(self):
        return torch.autocast("cpu", dtype=torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    def training(self):
        self.optimizer.zero_grad()
        with self.precision():
            rates = self.model.run(self.x)
        nn.functional.cross_entropy(rates.float(), self.target).backward()
        self.optimizer.step()

    def inference(self):
        with torch.inference_mode(), self.precision():
            self.model.run(self.x)

    def enter(self, phase):
        if phase == self.phase:
            return
        self.phase = phase
        self.model.net.train(phase == "training")
        if phase == "inference" and self.folded: # training does not come back
            self.model.fold()

    def step(self, phase):
        self.enter(phase)
        start = time.perf_counter()
        getattr(self, phase)()
        return time.perf_counter() - start


def main():
    task, framework, *settings = sys.argv[1:]
    peer = Peer(task, framework, settings)
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        phase, count = line.split()
        print(json.dumps([peer.step(phase) for _ in range(int(count))]), flush=True)


if __name__ == "__main__":
    main()
