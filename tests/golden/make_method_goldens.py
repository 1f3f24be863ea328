#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes method_goldens.txt and method_goldens.bin: value and gradients of every distillation term, from PyTorch.

    python3 make_method_goldens.py        (needs torch and numpy; the tests need neither)

Inputs are f32 numbers; PyTorch computes with them in f64. Tensors are [T,N,H,W,C], in the order of the index, as
little-endian f32. Each formula is written from the method's page with PyTorch's own functions, not from the library's ops.

A new method: a function in METHODS, named as the method, that calls `case` for its settings.

Index, one line each:
    case NAME METHOD
    option KEY VALUE
    threshold X                     of the student's neurons
    tap SCOPE NAME T N H W C        SCOPE: student, spikes (of a student's neurons), twin: these learn; teacher, longer
    own NAME T N H W C              value of a parameter of the term's own
    target T N H W C
    value X                         of the term
    gradient SCOPE NAME T N H W C   at a tap, or of a parameter with the scope own
    end
"""
import pathlib

import numpy
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
random = numpy.random.RandomState(20260607)
index, data = [], []


def reals(*shape, scale=1.0):
    return torch.from_numpy((random.standard_normal(shape) * scale).astype(numpy.float32).astype(numpy.float64))


def spikes(*shape, rate=0.3):
    return torch.from_numpy((random.uniform(size=shape) < rate).astype(numpy.float64))


def labels(n, c):
    return F.one_hot(torch.from_numpy(random.randint(0, c, n)), c).double().reshape(1, n, 1, 1, c)


def single(value):
    """The number as the library has it, in f32."""
    return float(numpy.float32(value))


def put(line, tensor):
    array = tensor.detach().numpy().astype("<f4")
    assert array.ndim == 5 and numpy.isfinite(array).all(), line
    index.append(" ".join([line] + [str(length) for length in array.shape]))
    data.append(numpy.ascontiguousarray(array).tobytes())


LEARNS = ("student", "spikes", "twin", "own")


def case(name, method, formula, options=None, target=None, threshold=1.0, **scopes):
    """`scopes`: student={tap: tensor}, teacher=..., spikes=..., twin=..., longer=..., own={parameter: tensor}. `formula`
    gets one argument for each scope, in that order, and the target last if there is one."""
    index.append(f"case {method}_{name} {method}")
    for key, value in (options or {}).items():
        index.append(f"option {key} {str(value).lower() if isinstance(value, bool) else value}")
    index.append(f"threshold {threshold!r}")
    leaves = {}
    for scope, taps in scopes.items():
        leaves[scope] = {}
        for tap, tensor in taps.items():
            put(f"own {tap}" if scope == "own" else f"tap {scope} {tap}", tensor)
            leaves[scope][tap] = tensor.clone().requires_grad_(scope in LEARNS)
    if target is not None:
        put("target", target)
    value = formula(*leaves.values(), *([] if target is None else [target]))
    assert value.ndim == 0 and value.dtype == torch.float64 and abs(value) > 1e-4, (method, name, value)
    index.append(f"value {value.item()!r}")
    value.backward()
    for scope in (scope for scope in leaves if scope in LEARNS):
        for tap, leaf in leaves[scope].items():
            if leaf.grad is None:  # a tap whose shape alone counts
                continue
            assert leaf.grad.abs().max() > 0, (method, name, tap)
            put(f"gradient {scope} {tap}", leaf.grad)
    index.append("end")


def rows(x):
    """[T,N,1,1,C] to [T,N,C]."""
    return x.reshape(x.shape[0], x.shape[1], x.shape[4])


def divergence(teacher, student, tau, tau_student=None):
    """KL of softened logits over the last axis, one for each row."""
    p, log_q = F.softmax(teacher / tau, -1), F.log_softmax(student / (tau_student or tau), -1)
    return F.kl_div(log_q, p.expand_as(log_q), reduction="none").sum(-1)


def kd():
    for name, tau_t, tau_s, scale, factor in [("equal", 4, 4, "product", 16), ("cold", 4, 1.5, "none", 1),
                                              ("product", 2, 3, "product", 6), ("student", 2, 3, "student_squared", 9),
                                              ("teacher", 2, 3, "teacher_squared", 4)]:
        case(name, "kd", lambda s, t: factor * divergence(rows(t["logits"]), rows(s["logits"]), tau_t, tau_s).mean(),
             {"teacher_temperature": tau_t, "student_temperature": tau_s, "scale": scale},
             student={"logits": reals(1, 5, 1, 1, 10, scale=3)}, teacher={"logits": reals(1, 5, 1, 1, 10, scale=3)})


def pictures(x):
    """The mean over T, as [N,C,H,W]."""
    return x.mean(0).permute(0, 3, 1, 2)


def kernel(name, channels, out, size=1):
    """Parameters of a convolution."""
    return {f"{name}.weight": reals(1, out, size, size, channels), f"{name}.bias": reals(1, 1, 1, 1, out)}


def convolve(x, own, name):
    """[N,C,H,W] with these, at the same size."""
    return F.conv2d(x, own[f"{name}.weight"][0].permute(0, 3, 1, 2), own[f"{name}.bias"].flatten(), padding="same")


def lasnn():
    def attention(s, t, power):
        total = 0
        for a, b in zip(s.values(), t.values()):
            a, b = pictures(a), pictures(b)
            size = [min(a.shape[i], b.shape[i]) for i in (2, 3)]
            maps = [F.adaptive_avg_pool2d(x, size).abs().pow(power).sum(1).flatten(1) for x in (a, b)]
            total = total + (F.normalize(maps[0], dim=1) - F.normalize(maps[1], dim=1)).pow(2).sum(1).mean()
        return total

    def features(s, t):
        return sum((pictures(a) - pictures(b)).pow(2).flatten(1).sum(1).mean() for a, b in zip(s.values(), t.values()))

    def aligned(s, t, own):
        moved = convolve(pictures(s["stage1"]), own, "align1")
        return (moved - pictures(t["stage1"])).pow(2).flatten(1).sum(1).mean()
    for power in (2, 3):
        case(f"attention{power}", "lasnn", lambda s, t: attention(s, t, power), {"power": power},
             student={"stage1": spikes(3, 2, 4, 6, 5) * 1.0, "stage2": reals(3, 2, 2, 2, 3)},
             teacher={"stage1": reals(1, 2, 4, 6, 7), "stage2": reals(2, 2, 4, 2, 3)})
    case("feature", "lasnn", features, {"map": "feature", "taps": "a:b,c"},
         student={"a": reals(3, 2, 4, 3, 5), "c": reals(3, 2, 1, 1, 6)},
         teacher={"b": reals(1, 2, 4, 3, 5), "c": reals(2, 2, 1, 1, 6)})
    case("aligned", "lasnn", aligned, {"map": "feature"}, student={"stage1": reals(2, 2, 3, 3, 4)},
         teacher={"stage1": reals(1, 2, 3, 3, 6)},
         own=kernel("align1", 4, 6))


def step_kd():
    def formula(s, t, y, tau, teacher_weight, correct_weight, factor):
        z, teacher, target = rows(s["step_logits"]), rows(t["logits"]), rows(y).argmax(-1)
        correct = (z.argmax(-1) == target).double().unsqueeze(-1)
        right = ((z * correct).sum(0) / correct.sum(0).clamp(min=1)).detach()
        some = (correct.sum(0).squeeze(-1) > 0).double()
        return factor * (teacher_weight * divergence(teacher, z, tau).mean()
                         + correct_weight * (divergence(right, z, tau) * some).mean())
    for name, tau, a, b, scale in [("default", 3, 0.2, 0.5, "squared"), ("plain", 2, 1, 0.25, "none"),
                                   ("teacher", 3, 0.2, 0, "squared"), ("correct", 3, 0, 0.5, "squared")]:
        target, z = labels(6, 4), reals(4, 6, 1, 1, 4, scale=2)
        options = {"temperature": tau, "teacher_weight": a, "correct_weight": b, "scale": scale}
        case(name, "step_kd", lambda s, t, y: formula(s, t, y, tau, single(a), single(b),
                                                      tau * tau if scale == "squared" else 1),
             options, target, student={"step_logits": z}, teacher={"logits": reals(1, 6, 1, 1, 4, scale=2)})


def tet():
    def formula(s, y, share, constant):
        z, target = rows(s["step_logits"]), rows(y).argmax(-1)
        cross = torch.stack([F.cross_entropy(step, target[0]) for step in z]).mean()
        return (1 - share) * cross + share * F.mse_loss(z, torch.full_like(z, constant))
    for name, share, constant in [("default", 0.001, 1), ("half", 0.5, -0.5)]:
        case(name, "tet", lambda s, y: formula(s, y, single(share), constant), {"lambda": share, "constant": constant},
             labels(5, 7), student={"step_logits": reals(3, 5, 1, 1, 7)})


def tser():
    def formula(s, tau):
        z = rows(s["step_logits"])
        return (numpy.log(z.shape[-1]) - torch.distributions.Categorical(logits=z / tau).entropy()).mean()
    for tau in (1, 2.5):
        case(f"t{tau}", "tser", lambda s: formula(s, tau), {"temperature": tau},
             student={"step_logits": reals(3, 4, 1, 1, 6, scale=2)})


def logit_regularization():
    for over, tap in [("readout", "logits"), ("steps", "step_logits")]:
        case(over, "logit_regularization", lambda s: torch.linalg.vector_norm(s[tap]) ** 2 / s[tap].numel(),
             {"over": over}, student={tap: reals(1 if tap == "logits" else 3, 5, 1, 1, 10)})


def spike_rate():
    def formula(s, over, target):
        layers = list(s.values())
        if over == "neurons":
            per_picture = [layer[0, 0].numel() for layer in layers]
            fired = sum(layer.sum() / layer.shape[0] / layer.shape[1] for layer in layers)
            rates = [fired / sum(per_picture)]
        else:
            rates = [layer.mean() for layer in layers]
        return sum(rate if target is None else (rate - target) ** 2 for rate in rates) / len(rates)
    for over in ("neurons", "layers"):
        for target in (None, 0.05):
            options = {"over": over, **({} if target is None else {"mode": "target", "target": target})}
            case(f"{over}_{'penalty' if target is None else 'target'}", "spike_rate",
                 lambda s: formula(s, over, None if target is None else single(target)), options,
                 spikes={"a": spikes(3, 2, 4, 4, 2, rate=0.4), "b": spikes(3, 2, 1, 1, 7, rate=0.2)})


def strong_weak():
    def formula(s, y, direction, confidence, tau, factor):
        z = rows(s["step_logits"])
        p = F.softmax(z, -1).detach()
        sure = (p * rows(y)).sum(-1) if confidence == "label" else p.amax(-1)
        pick = torch.arange(z.shape[1])
        strong, weak = z[sure.argmax(0), pick], z[sure.argmin(0), pick]
        down, up = divergence(strong.detach(), weak, tau).mean(), divergence(weak.detach(), strong, tau).mean()
        return factor * {"strong_to_weak": down, "weak_to_strong": up, "both": down + up}[direction]
    for direction in ("strong_to_weak", "weak_to_strong", "both"):
        for confidence, tau, scale in [("largest", 2, "squared"), ("label", 3, "none")]:
            case(f"{direction}_{confidence}", "strong_weak",
                 lambda s, y: formula(s, y, direction, confidence, tau, tau * tau if scale == "squared" else 1),
                 {"direction": direction, "confidence": confidence, "temperature": tau, "scale": scale}, labels(5, 6),
                 student={"step_logits": reals(4, 5, 1, 1, 6, scale=2)})


def feature_kd():
    def formula(s, t):
        return sum(F.mse_loss(a.mean(0), b.mean(0)) for a, b in zip(s.values(), t.values()))

    def pooled(s, t, own):
        small = F.adaptive_avg_pool2d(pictures(s["a"]), (2, 3))
        moved = convolve(small, own, "align1")
        return F.mse_loss(moved, pictures(t["a"]))
    case("features", "feature_kd", formula, student={"features": spikes(4, 3, 1, 1, 9)},
         teacher={"features": reals(1, 3, 1, 1, 9).abs()})
    case("stages", "feature_kd", formula, {"taps": "auto"},
         student={"stage1": reals(2, 2, 4, 3, 5), "stage2": reals(2, 2, 2, 2, 6)},
         teacher={"stage1": reals(3, 2, 4, 3, 5), "stage2": reals(1, 2, 2, 2, 6)})
    case("aligned", "feature_kd", pooled, {"taps": "a", "align": "conv1x1"}, student={"a": reals(2, 2, 4, 6, 3)},
         teacher={"a": reals(1, 2, 2, 3, 5)},
         own=kernel("align1", 3, 5))


def bkdsnn():
    def formula(s, t, own, y, feature_weight, label_weight, tau):
        total = 0
        if feature_weight:
            x = pictures(s["maps"])
            if "align1.weight" in own:
                x = convolve(x, own, "align1")
            made = convolve(F.relu(convolve(x, own, "generate1_1")), own, "generate1_2")
            total = feature_weight * (made - pictures(t["maps"])).flatten(1).norm(dim=1).pow(2).mean()
        if label_weight:
            z, teacher, target = rows(s["logits"])[0], rows(t["logits"])[0], rows(y)[0].argmax(-1)
            mine, theirs = (F.cross_entropy(x, target, reduction="none") for x in (z, teacher))
            weight = (1 - torch.exp(-mine / (theirs + 1e-7))).detach()
            soft = F.cross_entropy(z / tau, F.softmax(teacher / tau, -1), reduction="none")
            total = total + label_weight * tau * tau * (weight * soft).mean()
        return total
    for name, a, b, tau, channels in [("both", 0.25, 1, 2, 3), ("labels", 0, 2, 4, 0), ("features", 0.5, 0, 2, 5)]:
        student, teacher, own = {}, {}, {}
        if a:
            student["maps"], teacher["maps"] = reals(3, 2, 4, 3, channels), reals(1, 2, 4, 3, 5)
            own = {**(kernel("align1", channels, 5) if channels != 5 else {}), **kernel("generate1_1", 5, 5, 3),
                   **kernel("generate1_2", 5, 5, 3)}
        if b:
            student["logits"], teacher["logits"] = reals(1, 2, 1, 1, 6), reals(1, 2, 1, 1, 6)
        case(name, "bkdsnn", lambda s, t, own, y: formula(s, t, own, y, single(a), single(b), tau),
             {"feature_weight": a, "label_weight": b, "temperature": tau, "taps": "maps"}, labels(2, 6), student=student,
             teacher=teacher, own=own)


def sakd():
    def formula(s, t, own):
        return sum(F.mse_loss(convolve(pictures(s[name]), own, f"transform{i}"), pictures(t[name]))
                   for i, name in enumerate(s, 1))
    case("stages", "sakd", formula, student={"stage1": reals(3, 2, 4, 3, 3), "stage2": reals(3, 2, 2, 2, 4)},
         teacher={"stage1": reals(1, 2, 4, 3, 5), "stage2": reals(2, 2, 2, 2, 4)},
         own={**kernel("transform1", 3, 5), **kernel("transform2", 4, 4)})


def sastc():
    def alike(x):
        f = F.normalize(x.flatten(1), dim=1)
        return F.normalize(f @ f.T, dim=1)

    def formula(s, t, own, tau):
        parts = []
        for i, student in enumerate(s.values(), 1):
            for step in student.permute(0, 1, 4, 2, 3):
                close, error = [], []
                for j, teacher in enumerate(map(pictures, t.values()), 1):
                    close.append(F.cosine_similarity(alike(step.detach().permute(0, 2, 3, 1)),
                                                     alike(teacher.permute(0, 2, 3, 1))))
                    size = [min(step.shape[k], teacher.shape[k]) for k in (2, 3)]
                    a, b = F.adaptive_avg_pool2d(step, size), F.adaptive_avg_pool2d(teacher, size)
                    error.append((convolve(a, own, f"project{i}_{j}") - b).pow(2).flatten(1).mean(1))
                parts.append(F.softmax(torch.stack(close) / tau, 0) * torch.stack(error))
        return torch.stack(parts).mean()
    for tau in (1, 0.1):
        case(f"t{tau}", "sastc", lambda s, t, own: formula(s, t, own, single(tau)), {"temperature": tau},
             student={"stage1": reals(2, 4, 4, 4, 3), "stage2": reals(2, 4, 2, 2, 4)},
             teacher={"stage1": reals(1, 4, 4, 4, 2), "stage2": reals(3, 4, 2, 2, 5)},
             own={key: value for i, c in ((1, 3), (2, 4)) for j, out in ((1, 2), (2, 5))
                  for key, value in kernel(f"project{i}_{j}", c, out).items()})


def ckdsnn():
    def formula(s, t, y, chosen, tau_t, tau_s):
        head = t["head.weight"].reshape(6, 5)
        label = rows(y if chosen == "label" else t["logits"])[0].argmax(-1)
        map_t = torch.einsum("nchw,nc->nhw", pictures(t["features"]), head[label])
        map_s = s["features"].sum((0, 4))
        size = [min(a, b) for a, b in zip(map_t.shape[1:], map_s.shape[1:])]
        flat_t, flat_s = (F.adaptive_avg_pool2d(x, size).flatten(1) for x in (map_t, map_s))
        return divergence(flat_t, flat_s, tau_t, tau_s).mean()
    for name, chosen, tau_t, tau_s, side in [("label", "label", 1, 4, (4, 3)), ("predicted", "predicted", 2, 8, (2, 3)),
                                             ("pooled", "label", 0.5, 4, (4, 6))]:
        case(name, "ckdsnn", lambda s, t, y: formula(s, t, y, chosen, single(tau_t), tau_s),
             {"class": chosen, "teacher_temperature": tau_t, "student_temperature": tau_s}, labels(3, 6),
             student={"features": reals(3, 3, 4, 3, 4)},
             teacher={"features": reals(1, 3, *side, 5), "head.weight": reals(1, 6, 1, 1, 5),
                      "logits": reals(1, 3, 1, 1, 6)})


def sliding_window():
    def formula(s, t, window, stride, compare, tau):
        a, b = (rows(x["step_logits"]).unfold(0, window, stride).mean(-1) for x in (s, t))
        return F.mse_loss(a, b) if compare == "mse" else tau * tau * divergence(b, a, tau).mean()
    for window, stride, compare in [(2, 1, "mse"), (3, 2, "mse"), (1, 1, "kl"), (5, 1, "kl")]:
        case(f"{compare}_{window}_{stride}", "sliding_window",
             lambda s, t: formula(s, t, window, stride, compare, 4),
             {"window": window, "stride": stride, "compare": compare},
             student={"step_logits": reals(5, 3, 1, 1, 6, scale=2)}, teacher={"step_logits": reals(5, 3, 1, 1, 6, scale=2)})


def twin():
    for reduction in ("sum", "mean"):
        case(reduction, "twin",
             lambda s, t: F.mse_loss(s["logits"], t["logits"], reduction="sum")
             / (s["logits"].shape[1] if reduction == "sum" else s["logits"].numel()), {"reduction": reduction},
             student={"logits": reals(1, 6, 1, 1, 10)}, twin={"logits": reals(1, 6, 1, 1, 10)})


def md_snn():
    def formula(s, t, norm, match, weights, threshold):
        total = 0
        for weight, a, b in zip(weights, s.values(), t.values()):
            if match == "mean":
                a, b = a.mean(0), b.mean(0)
            b = b[:len(a)]
            divisor = threshold if norm == "threshold" else torch.std(b, correction=0)
            total = total + weight * (((a - b) / divisor) ** 2).mean()
        return total
    for norm in ("threshold", "teacher_deviation"):
        for match, steps in [("equal", 3), ("first", 5), ("mean", 2)]:
            weights = (1, 1) if match == "equal" else (0.25, 2)
            options = {"norm": norm, "step_match": match}
            if match != "equal":
                options["layer_weights"] = "0.25,2"
            case(f"{norm}_{match}", "md_snn", lambda s, t: formula(s, t, norm, match, weights, 0.75), options,
                 threshold=0.75,
                 student={"stage1.membrane": reals(3, 2, 4, 3, 5), "stage2.membrane": reals(3, 2, 2, 1, 6)},
                 teacher={"stage1.membrane": reals(steps, 2, 4, 3, 5) * 0.5,
                          "stage2.membrane": reals(steps, 2, 2, 1, 6)})


def hta_kl():
    def formula(s, t, tau, head, tail_weight, factor):
        total, count = 0, 0
        for step in rows(next(iter(s.values()))):
            for z, teacher in zip(step, rows(t["logits"])[0]):
                p, q = F.softmax(teacher / tau, 0), F.softmax(z / tau, 0)
                order, mass, count = torch.argsort(p, descending=True), 0.0, count + 1
                for c in order:
                    # The generalised divergence of two numbers, forward in the head, reverse in the tail.
                    a, b, weight = (p[c], q[c], 1) if mass < head else (q[c], p[c], tail_weight)
                    total = total + weight * (a * (a / b).log() - a + b)
                    mass += p[c].item()
        return factor * total / count
    for name, tau, head, tail, scale, step in [("default", 4, 0.5, 1, "squared", False),
                                               ("wide", 1, 0.9, 0.5, "none", False),
                                               ("steps", 2, 0.7, 2, "squared", True)]:
        case(name, "hta_kl", lambda s, t: formula(s, t, tau, single(head), tail, tau * tau if scale == "squared" else 1),
             {"temperature": tau, "head": head, "tail_weight": tail, "scale": scale, "per_step": step},
             student={"step_logits" if step else "logits": reals(3 if step else 1, 5, 1, 1, 8, scale=2)},
             teacher={"logits": reals(1, 5, 1, 1, 8, scale=2)})


def self_distillation():
    for name, tau, scale, step in [("default", 4, "squared", False), ("steps", 2, "none", True)]:
        z = reals(3, 5, 1, 1, 8, scale=2)
        student = {"step_logits": z} if step else {"step_logits": z, "logits": reals(1, 5, 1, 1, 8, scale=2)}
        factor = tau * tau if scale == "squared" else 1
        case(name, "self_distillation",
             lambda s, long: factor * divergence(rows(long["logits"]),
                                                 rows(s["step_logits" if step else "logits"]), tau).mean(),
             {"temperature": tau, "scale": scale, "per_step": step}, student=student,
             longer={"logits": reals(1, 5, 1, 1, 8, scale=2)})


METHODS = (kd, lasnn, step_kd, tet, tser, logit_regularization, spike_rate, strong_weak, feature_kd, sliding_window, twin,
           md_snn, hta_kl, bkdsnn, sakd, sastc, self_distillation, ckdsnn)

if __name__ == "__main__":
    index.append(f"made by make_method_goldens.py with torch {torch.__version__}")
    for method in METHODS:
        random.seed(sum(map(ord, method.__name__)))  # a new method changes no other's numbers
        method()
    (HERE / "method_goldens.txt").write_text("\n".join(index) + "\n")
    (HERE / "method_goldens.bin").write_bytes(b"".join(data))
    print(sum(line.startswith("case ") for line in index), "cases,", sum(map(len, data)), "bytes of numbers")
