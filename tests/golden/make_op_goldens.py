#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes op_goldens.txt and op_goldens.bin: what PyTorch computes for every op, forward and backward.

    python3 make_op_goldens.py        (needs torch and numpy; the tests need neither)

Inputs are f32 numbers; PyTorch computes with them in f64, so that the golden values carry no rounding of its own. All
tensors are stored as [T,N,H,W,C] (the library's layout), in the order of the index, as little-endian f32.

Index, one line each:
    case NAME OP TRAINING COUNT ATTRIBUTE...     attributes in the order of the op's struct
    input T N H W C                              one a input
    output T N H W C                             what forward gives
    dy T N H W C                                 the gradient that arrives; missing where the op has no backward
    gradient I T N H W C                         of input I
    after I T N H W C                            value of input I after forward (running statistics)
    end
"""
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
random = numpy.random.RandomState(20240607)
index, data = [], []


def reals(*shape, low=None, high=None):
    """Random f32 numbers, as an f64 tensor: normal, or uniform between two bounds."""
    values = random.standard_normal(shape) if low is None else random.uniform(low, high, shape)
    return torch.from_numpy(values.astype(numpy.float32).astype(numpy.float64))


def put(line, tensor):
    array = tensor.detach().numpy().astype("<f4")
    assert array.ndim == 5, (line, array.shape)
    assert numpy.isfinite(array).all(), line
    index.append(" ".join([line] + [str(length) for length in array.shape]))
    data.append(numpy.ascontiguousarray(array).tobytes())


def single(value):
    """The number as the library has it, in f32."""
    return float(numpy.float32(value))


def case(name, op, function, inputs, attributes=(), training=True, constant=(), backward=True, after=None):
    """`function` takes the inputs in the library's layout and gives the output in it. `constant`: inputs without
    gradient. `after`: input index -> the value it has after forward, filled in by `function`."""
    words = ["case", name, op, str(int(training)), str(len(attributes))]
    index.append(" ".join(words + [repr(single(a)) for a in attributes]))
    for x in inputs:
        put("input", x)
    leaves = [x.clone().requires_grad_(i not in constant) for i, x in enumerate(inputs)]
    y = function(*leaves)
    put("output", y)
    if backward:
        dy = reals(*y.shape)
        put("dy", dy)
        y.backward(dy)
        for i, leaf in enumerate(leaves):
            if i not in constant:
                put(f"gradient {i}", leaf.grad)
    for i, value in (after or {}).items():
        put(f"after {i}", value)
    index.append("end")


def pictures(x):
    """[T,N,H,W,C] to PyTorch's [T*N,C,H,W]."""
    t, n, h, w, c = x.shape
    return x.reshape(t * n, h, w, c).permute(0, 3, 1, 2)


def back(y, t):
    """The way back."""
    n, c, h, w = y.shape
    return y.permute(0, 2, 3, 1).reshape(t, n // t, h, w, c)


def vector(*values):
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, 1, -1)


def axes_of(mask):
    return [axis for axis in range(5) if mask & (1 << axis)]


def convolutions():
    #        name            x [T,N,H,W,I]      O  Kh Kw  stride  pad     dilation groups bias
    table = [("plain",       (1, 2, 6, 5, 3),   4, 3, 3, (1, 1), (1, 1), (1, 1), 1, True),
             ("valid",       (1, 2, 6, 5, 3),   4, 3, 3, (1, 1), (0, 0), (1, 1), 1, False),
             ("wide",        (1, 1, 7, 6, 8),   16, 3, 3, (1, 1), (1, 1), (1, 1), 1, False),
             ("steps",       (3, 2, 5, 5, 2),   3, 3, 3, (1, 1), (1, 1), (1, 1), 1, True),
             ("stride",      (1, 2, 7, 8, 3),   5, 3, 3, (2, 2), (1, 1), (1, 1), 1, True),
             ("uneven",      (1, 1, 9, 7, 2),   3, 5, 3, (1, 2), (2, 0), (1, 1), 1, True),
             ("pointwise",   (1, 2, 4, 3, 5),   7, 1, 1, (1, 1), (0, 0), (1, 1), 1, True),
             ("strided_pointwise", (1, 2, 5, 6, 4), 6, 1, 1, (2, 2), (0, 0), (1, 1), 1, False),
             ("dilated",     (1, 1, 9, 8, 2),   3, 3, 3, (1, 1), (2, 2), (2, 2), 1, True),
             ("dilated_strided", (1, 1, 11, 9, 2), 2, 3, 2, (2, 1), (1, 2), (3, 2), 1, False),
             ("groups",      (1, 2, 5, 5, 6),   4, 3, 3, (1, 1), (1, 1), (1, 1), 2, True),
             ("groups_strided", (2, 1, 5, 5, 8), 8, 3, 3, (2, 2), (1, 1), (1, 1), 4, False),
             ("depthwise",   (1, 1, 6, 5, 7),   7, 3, 3, (1, 1), (1, 1), (1, 1), 7, True),
             ("depthwise_16", (1, 1, 5, 4, 16), 16, 3, 3, (2, 2), (1, 1), (1, 1), 16, False),
             ("depthwise_multiplied", (1, 1, 5, 4, 3), 6, 3, 3, (1, 1), (1, 1), (1, 1), 3, True),
             ("large_kernel", (1, 1, 6, 6, 1),  2, 7, 7, (1, 1), (3, 3), (1, 1), 1, True)]
    for name, shape, out, kh, kw, stride, pad, dilation, groups, bias in table:
        inputs = [reals(*shape), reals(1, out, kh, kw, shape[4] // groups)] + ([reals(1, 1, 1, 1, out)] if bias else [])

        def function(x, weight, b=None, stride=stride, pad=pad, dilation=dilation, groups=groups):
            y = F.conv2d(pictures(x), weight[0].permute(0, 3, 1, 2), None if b is None else b.reshape(-1), stride, pad,
                         dilation, groups)
            return back(y, x.shape[0])
        case("conv2d_" + name, "conv2d", function, inputs, (*stride, *pad, *dilation, groups))


def linears():
    for name, shape, out, bias in [("plain", (1, 4, 1, 1, 7), 5, True), ("steps", (3, 2, 1, 1, 6), 9, True),
                                   ("no_bias", (2, 3, 1, 1, 33), 10, False), ("one", (1, 1, 1, 1, 1), 1, True)]:
        inputs = [reals(*shape), reals(1, out, 1, 1, shape[4])] + ([reals(1, 1, 1, 1, out)] if bias else [])

        def function(x, weight, b=None):
            return F.linear(x, weight[0, :, 0, 0, :], None if b is None else b.reshape(-1))
        case("linear_" + name, "linear", function, inputs)


def batch_norms():
    for name, shape, epsilon, momentum, scale, training in [
            ("training", (1, 3, 4, 3, 5), 1e-5, 0.1, 1, True), ("steps", (3, 2, 3, 2, 7), 1e-3, 0.25, 1, True),
            ("vector", (1, 6, 1, 1, 16), 1e-5, 0.1, 1, True), ("scaled", (2, 3, 3, 1, 4), 1e-5, 0.1, 0.5, True),
            ("inference", (1, 3, 4, 3, 5), 1e-5, 0.1, 1, False),
            ("scaled_inference", (2, 2, 3, 2, 6), 1e-4, 0.1, 1.5, False)]:
        c = shape[4]
        # A mean away from 0: the variance must not be computed as a difference of large squares.
        inputs = [reals(*shape) * 0.5 + 3, reals(1, 1, 1, 1, c, low=0.5, high=2), reals(1, 1, 1, 1, c),
                  reals(1, 1, 1, 1, c) + 3, reals(1, 1, 1, 1, c, low=0.5, high=2)]
        inputs[0] = inputs[0].float().double()
        inputs[3] = inputs[3].float().double()
        after = {}

        def function(x, gamma, beta, mean, variance):
            mean, variance = mean.detach().clone().reshape(-1), variance.detach().clone().reshape(-1)
            y = F.batch_norm(pictures(x), mean, variance, (gamma * single(scale)).reshape(-1), beta.reshape(-1),
                             training, single(momentum), single(epsilon))
            after.update({3: mean.reshape(1, 1, 1, 1, -1), 4: variance.reshape(1, 1, 1, 1, -1)})
            return back(y, x.shape[0])
        case("batch_norm_" + name, "batch_norm", function, inputs, (epsilon, momentum, scale), training, (3, 4),
             True, after)


def pools():
    #        name         shape             kernel  stride  pad
    table = [("2x2",      (1, 2, 6, 4, 3),  (2, 2), (2, 2), (0, 0)),
             ("odd",      (2, 1, 7, 5, 3),  (2, 2), (2, 2), (0, 0)),
             ("overlap",  (1, 2, 7, 6, 5),  (3, 3), (2, 2), (1, 1)),
             ("dense",    (1, 1, 3, 4, 16), (3, 3), (1, 1), (1, 1)),
             ("uneven",   (1, 2, 7, 8, 2),  (3, 2), (1, 2), (1, 0)),
             ("whole",    (1, 2, 4, 3, 7),  (4, 3), (1, 1), (0, 0))]
    for kind, pool in enumerate([F.avg_pool2d, F.max_pool2d]):
        for name, shape, kernel, stride, pad in table:
            def function(x, pool=pool, kernel=kernel, stride=stride, pad=pad):
                return back(pool(pictures(x), kernel, stride, pad), x.shape[0])
            case(("average_pool_", "max_pool_")[kind] + name, "pool", function, [reals(*shape)],
                 (kind, *kernel, *stride, *pad))
    for name, shape, out in [("halves", (2, 2, 4, 6, 3), (2, 3)), ("shared", (1, 2, 7, 5, 3), (3, 4)),
                             ("one", (1, 1, 5, 3, 2), (1, 1)), ("same", (1, 2, 3, 4, 5), (3, 4)),
                             ("lines", (2, 1, 8, 3, 17), (5, 1))]:
        case("adaptive_pool_" + name, "adaptive_pool",
             lambda x, out=out: back(F.adaptive_avg_pool2d(pictures(x), out), x.shape[0]), [reals(*shape)], out)
    # Equal values: the first of the window in row order.
    ties = torch.from_numpy(random.randint(0, 2, (1, 2, 6, 6, 3)).astype(numpy.float64))
    case("max_pool_ties", "pool", lambda x: back(F.max_pool2d(pictures(x), 3, 2, 1), 1), [ties], (1, 3, 3, 2, 2, 1, 1))


UNARY = ["affine", "relu", "square", "abs", "sqrt", "exp", "log", "sigmoid", "tanh", "power", "clip"]


def unaries():
    signed = reals(2, 3, 2, 1, 5) * 2
    signed = signed.float().double()
    signed[0, 0, 0, 0, 0] = 0.0  # the corner of relu and abs
    # The corners of clip are left out: there the library passes the gradient on (backend.h), while torch 2.15's clamp
    # gives 0. tests/unit/test_unary.c holds the library to its own rule.
    positive = reals(2, 3, 2, 1, 5, low=0.1, high=4)
    for name, function, x, attributes in [
            ("affine", lambda x: -1.5 * x + 0.25, signed, (-1.5, 0.25)), ("relu", F.relu, signed, ()),
            ("square", torch.square, signed, ()), ("abs", torch.abs, signed, ()), ("sqrt", torch.sqrt, positive, ()),
            ("exp", torch.exp, signed, ()), ("log", torch.log, positive, ()), ("sigmoid", torch.sigmoid, signed, ()),
            ("tanh", torch.tanh, signed, ()), ("power", lambda x: x.abs() ** 1.5, signed, (1.5,)),
            ("clip", lambda x: x.clamp(-1, 1.5), signed, (-1, 1.5))]:
        a, b = (*attributes, 0, 0)[:2]
        case("unary_" + name, "unary", function, [x], (UNARY.index(name), a, b))
    case("unary_power_root", "unary", lambda x: x.abs() ** 0.5, [positive], (UNARY.index("power"), 0.5, 0))
    far = torch.linspace(-60, 60, 24).double().reshape(1, 4, 1, 1, 6)
    case("unary_sigmoid_far", "unary", torch.sigmoid, [far], (UNARY.index("sigmoid"), 0, 0))


def binaries():
    full = (2, 3, 2, 2, 3)
    parts = {"same": full, "channels": (1, 1, 1, 1, 3), "scalar": (1, 1, 1, 1, 1), "samples": (2, 3, 1, 1, 1),
             "steps": (1, 3, 2, 2, 3), "places": (1, 1, 2, 2, 1), "rows": (2, 3, 1, 2, 3)}
    for kind, operation in enumerate([torch.add, torch.sub, torch.mul, torch.div]):
        word = ("add", "subtract", "multiply", "divide")[kind]
        for name, part in parts.items():
            if word in ("add", "subtract") and name in ("samples", "steps", "places", "rows"):
                continue  # broadcasting is the same code for all; the sizes of the files are not
            case(f"{word}_{name}", "binary", operation, [reals(*full), reals(*part, low=0.5, high=2)], (kind,))
            if part != full:
                case(f"{word}_{name}_first", "binary", operation, [reals(*part), reals(*full, low=0.5, high=2)],
                     (kind,))
        both = [reals(2, 1, 2, 1, 3), reals(1, 3, 2, 2, 1, low=0.5, high=2)]
        case(f"{word}_both", "binary", operation, both, (kind,))


def reductions():
    for mask in (0b11111, 0b10000, 0b00001, 0b11101, 0b11110, 0b01111, 0b01100, 0b00010, 0b10001, 0b01010):
        axes = axes_of(mask)
        name = "".join("TNHWC"[axis] for axis in axes).lower()
        x = reals(2, 3, 2, 2, 3)
        for kind, (word, function) in enumerate([("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax)]):
            case(f"{word}_{name}", "reduce", lambda x, f=function, axes=axes: f(x, dim=axes, keepdim=True), [x],
                 (kind, mask))
        for word, epsilon in [("", 1e-12), ("_floor", 2.0)]:
            def normalize(x, axes=axes, epsilon=epsilon):
                return x / torch.linalg.vector_norm(x, dim=axes, keepdim=True).clamp_min(single(epsilon))
            case(f"l2_normalize_{name}{word}", "l2_normalize", normalize, [x], (mask, epsilon))
    case("global_average_pool", "reduce",
         lambda x: back(F.adaptive_avg_pool2d(pictures(x), 1), x.shape[0]), [reals(2, 2, 3, 3, 5)], (1, 0b01100))


def softmaxes():
    for shape in [(2, 3, 1, 1, 10), (1, 2, 3, 2, 5), (1, 4, 1, 1, 1), (1, 1, 1, 1, 50)]:
        for temperature in (1, 4, 0.5):
            name = "x".join(map(str, shape)) + "_t" + str(temperature)
            x = (reals(*shape) * 3).float().double()
            case("softmax_" + name, "softmax", lambda x, t=temperature: F.softmax(x / t, -1), [x], (temperature, 0))
            case("log_softmax_" + name, "softmax", lambda x, t=temperature: F.log_softmax(x / t, -1), [x],
                 (temperature, 1))
    large = (reals(1, 3, 1, 1, 7) * 300).float().double()
    case("softmax_large", "softmax", lambda x: F.softmax(x, -1), [large], (1, 0))
    case("log_softmax_large", "softmax", lambda x: F.log_softmax(x, -1), [large], (1, 1))


def losses():
    for t, n, c in [(1, 6, 10), (3, 4, 5)]:
        hard = F.one_hot(torch.from_numpy(random.randint(0, c, n)), c).double().reshape(1, n, 1, 1, c)
        soft = F.softmax(reals(1, n, 1, 1, c), -1).float().double()
        for word, target in [("hard", hard), ("soft", soft)]:
            for smoothing in (0, 0.1):
                def function(logits, target, t=t, n=n, c=c, smoothing=smoothing):
                    repeated = target.expand(t, n, 1, 1, c).reshape(t * n, c)
                    loss = F.cross_entropy(logits.reshape(t * n, c), repeated, reduction="none",
                                           label_smoothing=single(smoothing))
                    return loss.reshape(t, n, 1, 1, 1)
                case(f"cross_entropy_{word}_{smoothing}_t{t}", "cross_entropy", function,
                     [(reals(t, n, 1, 1, c) * 2).float().double(), target], (smoothing,), True, (1,))

    def kl(p, log_q):
        return F.kl_div(log_q, p, reduction="none").sum(-1, keepdim=True)
    for shape in [(2, 3, 1, 1, 10), (1, 2, 3, 2, 5)]:
        p = F.softmax(reals(*shape), -1).float().double()
        log_q = F.log_softmax(reals(*shape), -1).float().double()
        case("kl_" + "x".join(map(str, shape)), "kl_divergence", kl, [p, log_q])
    # Where p = 0 PyTorch's gradient of p is infinite; that of log q is compared.
    p = F.one_hot(torch.from_numpy(random.randint(0, 10, 6)), 10).double().reshape(2, 3, 1, 1, 10)
    case("kl_of_hard_labels", "kl_divergence", kl, [p, F.log_softmax(reals(2, 3, 1, 1, 10), -1).float().double()], (),
         True, (0,))


def structure():
    shape = (2, 3, 2, 2, 3)
    case("flatten", "flatten", lambda x: x.reshape(2, 3, 1, 1, 12), [reals(*shape)])
    case("stop_gradient", "stop_gradient", lambda x: x.detach(), [reals(*shape)], (), True, (), False)
    case("dropout_inference", "dropout", lambda x: F.dropout(x, 0.5, False), [reals(*shape)], (0.5,), False)
    case("noise_inference", "noise", lambda x: x * 1.0, [reals(*shape)], (0.5,), False)
    case("noise_deviation_0", "noise", lambda x: x * 1.0, [reals(*shape)], (0,), True)
    case("dropout_rate_0", "dropout", lambda x: F.dropout(x, 0.0, True), [reals(*shape)], (0,), True)
    for axis in range(5):
        inputs = []
        for length in (2, 1):
            part = list(shape)
            part[axis] = length
            inputs.append(reals(*part))
        case("concat_" + "tnhwc"[axis], "concat", lambda *x, axis=axis: torch.cat(x, axis), inputs, (axis,))
    for first, count in [(0, 1), (1, 3), (4, 1), (0, 5)]:
        case(f"select_steps_{first}_{count}", "select_steps", lambda x, a=first, n=count: x[a:a + n] * 1.0,
             [reals(5, 2, 1, 1, 4)], (first, count))
    case("repeat_steps", "repeat_steps", lambda x: x.repeat(4, 1, 1, 1, 1), [reals(1, 2, 3, 1, 3)], (4,))
    for h, w, c, value in [((0, 1), (2, 0), (1, 3), 0), ((2, 1), (1, 1), (0, 0), -1.5), ((0, 0), (0, 0), (2, 2), 0)]:
        case("pad_" + "".join(map(str, (*h, *w, *c))), "pad",
             lambda x, pads=(*c, *w, *h), v=value: F.pad(x, pads, value=v), [reals(2, 2, 3, 2, 3)], (*h, *w, *c, value))
    for parts in [((0, 3, 2), (1, 2, 1), (0, 3, 1)), ((1, 2, 3), (0, 1, 1), (1, 1, 5)), ((0, 5, 1), (0, 3, 1), (0, 2, 2))]:
        h, w, c = (slice(first, first + (count - 1) * step + 1, step) for first, count, step in parts)
        case("slice_" + "_".join("".join(map(str, part)) for part in parts), "slice",
             lambda x, h=h, w=w, c=c: x[:, :, h, w, c] * 1.0, [reals(2, 2, 5, 3, 3)], sum(parts, ()))


def heads():
    def head(p, mass):
        """By sorting: 1 where what comes before, from the largest down, does not reach the mass."""
        values, order = torch.sort(p, dim=-1, descending=True, stable=True)
        before = torch.cumsum(values, -1) - values
        return torch.zeros_like(p).scatter(-1, order, (before < mass).double())
    for shape in [(2, 5, 1, 1, 10), (1, 3, 1, 1, 100)]:
        p = F.softmax(reals(*shape), -1).float().double()
        for mass in (0.2, 0.5, 0.9):
            case(f"head_mask_{shape[4]}_{mass}", "head_mask", lambda p, m=mass: head(p, single(m)), [p], (mass,), True,
                 (0,), False)
    ties = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0, 0.5, 0, 0.5]], dtype=torch.float64).reshape(1, 2, 1, 1, 4)
    for mass in (0.5, 0.6):
        case(f"head_mask_ties_{mass}", "head_mask", lambda p, m=mass: head(p, single(m)), [ties], (mass,), True, (0,),
             False)


def through(x, value):
    """`value` forward, the identity of x backward."""
    return x + (value - x).detach()


def round_half_up(x):
    return torch.floor(x + 0.5)


def over(x, per_channel):
    """Axes that share a scale."""
    return (0, 2, 3, 4) if per_channel else (0, 1, 2, 3, 4)


def ternary(weight, per_channel, limit):
    """alpha * code, straight through, and alpha (arXiv 1605.04711)."""
    axes, size = over(weight, per_channel), weight.detach().abs()
    code = torch.sign(weight.detach()) * (size > 0.7 * size.mean(axes, keepdim=True))
    count = code.abs().sum(axes, keepdim=True)
    alpha = torch.where(count > 0, (size * code.abs()).sum(axes, keepdim=True) / count.clamp(min=1), 1.0)
    if limit > 0:
        weight = torch.where(size <= limit, weight, weight.detach())
    return through(weight, alpha * code), alpha


def learned_step(weight, step, bits):
    """step * code with the gradients of arXiv 1902.08153, and the step; step is [1,O or 1,1,1,1]."""
    largest = 2 ** (bits - 1) - 1
    step = step + (torch.where(step > 0, step, 2 * weight.abs().mean(
        over(weight, step.numel() > 1), keepdim=True) / largest ** 0.5) - step).detach()
    share = (weight.numel() / step.numel() * largest) ** -0.5
    scaled = through(step * share, step)
    clipped = (weight / scaled).clamp(-largest, largest)
    return through(clipped, round_half_up(clipped)) * scaled, step.detach()


def fixed_step(x, bits):
    """The power of two of a grid of so many bits that holds all of x."""
    return 2.0 ** math.ceil(math.log2(x.abs().max().item() / (2 ** (bits - 1) - 1)))


def to_grid(x, step):
    return through(x, round_half_up(x / step) * step)


def fixed_point(factor, offset_of, bits):
    """Factor and offset on their grids; the offset follows the rounded factor."""
    step = fixed_step(factor.detach(), bits)
    factor = to_grid(factor, step)
    offset = offset_of(factor)
    return factor, to_grid(offset, max(step, fixed_step(offset.detach(), bits)))


def quantisers():
    """Outputs are codes: the quantised weight over the scale, which is a constant there."""
    for name, shape, per_channel, limit in [("layer", (1, 6, 3, 3, 5), False, 0), ("channels", (1, 7, 1, 1, 11), True, 0),
                                            ("limited", (1, 5, 3, 1, 3), False, 0.75)]:
        def function(weight, per_channel=per_channel, limit=limit):
            quantized, alpha = ternary(weight, per_channel, limit)
            return quantized / alpha
        case("ternary_" + name, "quantize_weights", function, [reals(*shape)], (1, 4, per_channel, limit))
    for name, shape, per_channel, bits, steps in [
            ("2_bits", (1, 4, 3, 3, 3), False, 2, (0.6,)), ("4_bits", (1, 6, 3, 2, 5), False, 4, (0.21,)),
            ("channels", (1, 3, 3, 3, 4), True, 3, (0.3, 0.5, 0.9)), ("8_bits", (1, 5, 1, 1, 9), False, 8, (0.01,)),
            ("started", (1, 4, 3, 3, 3), False, 4, (0,)), ("started_channels", (1, 3, 1, 1, 13), True, 4, (0, 0.3, 0))]:
        after = {}
        step = torch.tensor(steps, dtype=torch.float64).float().double().reshape(1, 1, 1, 1, -1)

        def function(weight, step, bits=bits, after=after):
            quantized, scale = learned_step(weight, step.permute(0, 4, 1, 2, 3), bits)
            after[1] = scale.permute(0, 2, 3, 4, 1)
            return quantized / scale
        case("learned_step_" + name, "quantize_weights", function, [reals(*shape), step], (2, bits, per_channel, 0),
             True, (), True, after)
    for name, shape, bits, training in [("8_bits", (2, 3, 3, 2, 5), 8, True), ("3_bits", (1, 4, 3, 3, 6), 3, True),
                                        ("inference", (2, 2, 3, 2, 4), 6, False)]:
        c = shape[4]
        inputs = [(reals(*shape) * 0.5 + 3).float().double(), reals(1, 1, 1, 1, c, low=0.5, high=2),
                  reals(1, 1, 1, 1, c), (reals(1, 1, 1, 1, c) + 3).float().double(),
                  reals(1, 1, 1, 1, c, low=0.5, high=2)]

        def function(x, gamma, beta, mean, variance, bits=bits, training=training):
            if training:
                mean, variance = x.mean((0, 1, 2, 3), keepdim=True), x.var((0, 1, 2, 3), correction=0, keepdim=True)
            factor, offset = fixed_point(gamma / torch.sqrt(variance + single(1e-5)), lambda a: beta - mean * a, bits)
            return factor * x + offset
        case("batch_norm_" + name, "batch_norm", function, inputs, (1e-5, 0.1, 1, bits), training, (3, 4))
    for name, shape, factors, bits in [("plain", (2, 3, 3, 2, 5), 5, 0), ("one", (1, 2, 2, 1, 7), 1, 0),
                                       ("5_bits", (2, 2, 1, 1, 6), 6, 5)]:
        def function(x, factor, offset, bits=bits):
            if bits:
                factor, offset = fixed_point(factor.expand_as(offset), lambda a: offset, bits)
            return factor.detach() * x + offset
        inputs = [reals(*shape), reals(1, 1, 1, 1, factors, low=0.1, high=2), reals(1, 1, 1, 1, shape[4])]
        case("rescale_" + name, "rescale", function, inputs, (bits,), True, (1,))


if __name__ == "__main__":
    index.append(f"made by make_op_goldens.py with torch {torch.__version__}")
    for part in (convolutions, linears, batch_norms, pools, unaries, binaries, reductions, softmaxes, losses,
                 structure, heads, quantisers):
        part()
    (HERE / "op_goldens.txt").write_text("\n".join(index) + "\n")
    (HERE / "op_goldens.bin").write_bytes(b"".join(data))
    print(sum(line.startswith("case ") for line in index), "cases,", sum(map(len, data)), "bytes of numbers")
