# SPDX-License-Identifier: Apache-2.0
"""Writes activation_goldens.txt beside this file: values and gradients of the learned activations clip and qcfs.

Needs torch. Run: python make_activation_goldens.py

The quantiser is an autograd function of its own, whose backward pass hands the gradient on: a straight-through floor.
Everything else is torch's own clamp, division and product, in double.
"""
import os

import torch

COUNT = 24


class Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.floor()

    @staticmethod
    def backward(ctx, dy):
        return dy


def activation(x, threshold, levels):
    share = (x / threshold).clamp(0, 1)
    if levels:
        share = Floor.apply(share * levels + 0.5) / levels
    return share * threshold


def main():
    random = torch.Generator().manual_seed(4)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "activation_goldens.txt")
    with open(path, "w") as file:
        for threshold in (0.5, 2.0):
            for levels in (0, 1, 4, 8):
                # In f32 first: both sides compute from the same numbers, none of which lies on a step's edge.
                x = ((torch.rand(COUNT, generator=random) * 2 - 0.5) * threshold).double().requires_grad_()
                dy = (torch.rand(COUNT, generator=random) * 2 - 1).double()
                edge = (x / threshold * max(levels, 1) + 0.5) % 1
                assert (torch.minimum(edge, 1 - edge) > 1e-4).all()
                scale = torch.tensor(threshold, dtype=torch.float64, requires_grad=True)
                y = activation(x, scale, levels)
                y.backward(dy)
                file.write(f"case levels={levels} threshold={threshold} dthreshold={scale.grad.item():.9g}\n")
                for name, values in (("x", x), ("dy", dy), ("y", y), ("dx", x.grad)):
                    file.write(name + "".join(f" {value:.9g}" for value in values.tolist()) + "\n")


if __name__ == "__main__":
    main()
