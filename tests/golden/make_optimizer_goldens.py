#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Writes optimizer.json: a few steps of torch.optim.SGD and torch.optim.AdamW, with clipping and changing rates, for
# tests/unit/test_optimizer.c. Everything is computed in double from numbers that are exact in f32 (options included),
# so what is left of a difference is the rounding of the code under test.
# Usage: python3 make_optimizer_goldens.py > optimizer.json        (made with PyTorch; the file names the version)
import json

import numpy
import torch

STEPS = 4
SHAPES = {"first": 12, "bias": 3, "second": 5}  # two weights and a bias


def f32(value):
    return float(numpy.float32(value))


generator = numpy.random.default_rng(7)


def numbers(count, scale):
    return [f32(v) for v in generator.normal(0.0, scale, count)]


start = {name: numbers(count, 1.0) for name, count in SHAPES.items()}
gradients = [{name: numbers(count, 0.5) for name, count in SHAPES.items()} for _ in range(STEPS)]

CASES = [
    dict(name="sgd_plain", kind="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0),
    dict(name="sgd_momentum_decay", kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.01),
    dict(name="sgd_nesterov", kind="sgd", learning_rate=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    dict(name="sgd_clip", kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.01, clip_norm=1.0),
    dict(name="sgd_clip_out_of_reach", kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.0, clip_norm=100.0),
    dict(name="sgd_rates", kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.01,
         factors=[0.25, 1.0, 0.5, 0.125]),
    dict(name="sgd_decay_all", kind="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.1, decay_all=True),
    dict(name="adamw", kind="adamw", learning_rate=0.01, weight_decay=0.05, beta1=0.9, beta2=0.999, epsilon=1e-8),
    dict(name="adamw_large_epsilon", kind="adamw", learning_rate=0.01, weight_decay=0.0, beta1=0.8, beta2=0.95,
         epsilon=0.1),
    dict(name="adamw_clip_rates", kind="adamw", learning_rate=0.01, weight_decay=0.05, beta1=0.9, beta2=0.999,
         epsilon=1e-8, clip_norm=0.5, factors=[0.25, 1.0, 0.5, 0.125], decay_all=True),
]
KEYS = ["learning_rate", "momentum", "weight_decay", "clip_norm", "beta1", "beta2", "epsilon"]


def run(case):
    case = {key: f32(value) if key in KEYS else value for key, value in case.items()}
    tensors = {name: torch.tensor(values, dtype=torch.float64, requires_grad=True) for name, values in start.items()}
    decay = case["weight_decay"]
    groups = [
        {"params": [tensors["first"], tensors["second"]], "weight_decay": decay},
        {"params": [tensors["bias"]], "weight_decay": decay if case.get("decay_all") else 0.0},
    ]
    if case["kind"] == "sgd":
        optimizer = torch.optim.SGD(groups, lr=case["learning_rate"], momentum=case["momentum"],
                                    nesterov=case.get("nesterov", False))
    else:
        optimizer = torch.optim.AdamW(groups, lr=case["learning_rate"], betas=(case["beta1"], case["beta2"]),
                                      eps=case["epsilon"])
    case["norms"], case["values"] = [], []
    for step in range(STEPS):
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradients[step][name], dtype=torch.float64)
        if "clip_norm" in case:
            norm = torch.nn.utils.clip_grad_norm_(tensors.values(), case["clip_norm"])
            case["norms"].append(norm.item())
        for group in optimizer.param_groups:
            group["lr"] = case["learning_rate"] * case.get("factors", [1.0] * STEPS)[step]
        optimizer.step()
        case["values"].append({name: tensor.tolist() for name, tensor in tensors.items()})
    return case


golden = {"made_with": "torch " + torch.__version__, "start": start, "gradients": gradients,
          "cases": [run(case) for case in CASES]}
print(json.dumps(golden, indent=None).replace('{"name"', '\n{"name"'))
