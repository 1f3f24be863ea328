# SPDX-License-Identifier: Apache-2.0
"""Small NIR files as the Python packages nir and h5py write them, in nir/ beside this script:

    chain.nir     nir's own writer: Input, Conv2d, IF, SumPool2d, Flatten, Affine, LIF, Output; metadata
    packed.nir    the same network with chunks, gzip, shuffle and checksums, 64-bit floats, fixed-length ASCII text
    modern.nir    the same network in the newest version of the format, groups remembering the order of their entries
    nested.nir    a CubaLIF with a recurrent connection inside a NIRGraph node
    residual.nir  two edges into one node
    recurrent.nir, picture.nir, signal.nir   with what they do in 12 steps (.bin: inputs, then outputs, 32-bit floats),
                  simulated here in 64 bits by the equations of NIR, forward Euler with dt 1e-4
    lzf.nir, dangling.nir, unknown_type.nir, missing_field.nir, virtual.nir   what must be refused

Usage: python make_nir_goldens.py   (needs numpy, h5py, nir 1.0.8)
"""
from pathlib import Path

import h5py
import nir
import numpy as np

FOLDER = Path(__file__).parent / "nir"


def full(shape, value):
    return np.full(shape, value, dtype=np.float32)


def ramp(*shape):
    count = int(np.prod(shape))
    return ((np.arange(count) * 7 % 11 - 5) / 8).astype(np.float32).reshape(shape)


def lif(shape, tau=2e-4, threshold=1.0):
    return nir.LIF(tau=full(shape, tau), r=full(shape, tau / 1e-4), v_leak=full(shape, 0), v_threshold=full(shape, threshold),
                   v_reset=full(shape, 0))


def chain():
    nodes = {
        "input": nir.Input({"input": np.array([1, 6, 6])}),
        "conv": nir.Conv2d((6, 6), ramp(2, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1, np.array([0.25, -0.125], np.float32)),
        "fire": nir.IF(r=full((2, 6, 6), 1e4), v_threshold=full((2, 6, 6), 0.5), v_reset=full((2, 6, 6), 0)),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([2, 3, 3])}, 0, -1),
        "dense": nir.Affine(ramp(4, 18), np.array([0, 0.5, -0.5, 0.25], np.float32)),
        "leaky": lif((4,)),
        "output": nir.Output({"output": np.array([4])}),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(zip(names, names[1:])))
    graph.metadata["maker"] = "make_nir_goldens"
    graph.nodes["dense"].metadata["bits"] = np.array([4])
    return graph


def nested():
    n = 3
    cuba = nir.CubaLIF(tau_syn=full((n,), 2e-4), tau_mem=full((n,), 4e-4), r=full((n,), 4), v_leak=full((n,), 0),
                       v_threshold=full((n,), 1), w_in=full((n,), 2), v_reset=full((n,), 0))
    inner = nir.NIRGraph(
        {"input": nir.Input({"input": np.array([n])}), "lif": cuba, "w_rec": nir.Linear(ramp(n, n)),
         "output": nir.Output({"output": np.array([n])})},
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")])
    nodes = {"input": nir.Input({"input": np.array([2])}), "fc": nir.Affine(2 * ramp(n, 2), full((n,), 0.75)),
             "rnn": inner, "output": nir.Output({"output": np.array([n])})}
    return nir.NIRGraph(nodes, [("input", "fc"), ("fc", "rnn"), ("rnn", "output")])


def residual():
    nodes = {"input": nir.Input({"input": np.array([4])}), "a": nir.Affine(ramp(4, 4), full((4,), 0.5)), "b": lif((4,)),
             "c": lif((4,)), "output": nir.Output({"output": np.array([4])})}
    return nir.NIRGraph(nodes, [("input", "a"), ("a", "b"), ("b", "c"), ("a", "c"), ("c", "output")])


DT, STEPS = 1e-4, 12


class Simulation:
    """One step after another; `order` says who comes first, and who reads a later one gets its value of the last step."""

    def __init__(self, graph, order):
        self.nodes, self.order = graph.nodes, order
        self.sources = {name: [a for a, b in dict.fromkeys(graph.edges) if b == name] for name in order}
        self.state = {name: {} for name in order}
        self.history = {name: [] for name in order}
        self.last = {}
        quiet = (nir.CubaLIF, nir.CubaLI, nir.LIF, nir.LI, nir.I, nir.IF, nir.Delay, nir.Threshold)
        for name in order:  # before the first step inputs and neurons are silent
            node = self.nodes[name]
            if isinstance(node, quiet):
                field = next(f for f in ("r", "delay", "threshold") if hasattr(node, f))
                self.last[name] = np.zeros(getattr(node, field).shape)
            elif any(source in self.last for source in self.sources[name]):
                self.last[name] = self.run(name, sum(self.last[s] for s in self.sources[name] if s in self.last))

    def run(self, name, x):
        n, s = self.nodes[name], self.state[name]
        if isinstance(n, (nir.Affine, nir.Linear)):
            return n.weight.astype(float) @ x.reshape(-1) + getattr(n, "bias", 0)
        if isinstance(n, (nir.Conv1d, nir.Conv2d)):
            import torch
            conv = torch.nn.functional.conv2d if isinstance(n, nir.Conv2d) else torch.nn.functional.conv1d
            padding = n.padding if isinstance(n.padding, str) else tuple(np.atleast_1d(n.padding).tolist())
            one = [tuple(np.atleast_1d(v).tolist()) for v in (n.stride, n.dilation)]
            x = x[0] if x.ndim == len(n.weight.shape) else x
            return conv(torch.tensor(x)[None], torch.tensor(n.weight).double(), torch.tensor(n.bias).double(), one[0],
                        padding, one[1], n.groups)[0].numpy()
        if isinstance(n, nir.SumPool2d):
            x = x[0] if x.ndim == 4 else x
            k = n.kernel_size[0]
            return x[:, :x.shape[1] // k * k, :x.shape[2] // k * k].reshape(x.shape[0], x.shape[1] // k, k, -1, k).sum((2, 4))
        if isinstance(n, nir.Flatten):
            return x.reshape(-1)
        x = x.reshape(n.r.shape) if hasattr(n, "r") and n.r.size == x.size else x
        if isinstance(n, nir.Scale):
            return n.scale * x
        if isinstance(n, nir.Threshold):
            return (x > n.threshold).astype(float)
        if isinstance(n, nir.Delay):
            s.setdefault("past", []).append(x)
            k = round(float(n.delay.flat[0]) / DT)
            # On a cycle the delay itself is what closes it: x is then that of the last step already.
            k -= any(self.order.index(source) > self.order.index(name) for source in self.sources[name])
            return s["past"][-1 - k] if len(s["past"]) > k else np.zeros_like(x)
        if isinstance(n, (nir.Input, nir.Output)):
            return x
        start = getattr(n, "v_reset", 0)
        v, r = s.get("v", start + np.zeros(x.shape)), n.r.astype(float)
        if isinstance(n, (nir.CubaLIF, nir.CubaLI)):
            s["i"] = s.get("i", 0) + DT / n.tau_syn * (n.w_in * x - s.get("i", 0))
            v = v + DT / n.tau_mem * (n.v_leak - v + r * s["i"])
        elif isinstance(n, (nir.LIF, nir.LI)):
            v = v + DT / n.tau * (n.v_leak - v + r * x)
        else:
            v = v + DT * r * x
        if not hasattr(n, "v_threshold"):
            s["v"] = v
            return v
        fired = v > n.v_threshold
        s["v"] = np.where(fired, n.v_reset, v)
        return fired.astype(float)

    def step(self, x):
        now = {}
        for name in self.order:
            seen = [now.get(source, self.last.get(source)) for source in self.sources[name]]
            now[name] = self.run(name, sum(seen) if seen else x)
        self.last = now
        return now[self.order[-1]].reshape(-1)


def save(name, graph, order, scale):
    random = np.random.default_rng(7)
    shape = list(graph.nodes[order[0]].input_type.values())[0]
    shape = shape[1:] if shape[0] == 1 and len(shape) > 1 else shape  # a batch of one
    x = (scale * random.standard_normal((STEPS, *shape))).astype(np.float32)
    simulation = Simulation(graph, order)
    y = np.stack([simulation.step(one.astype(float)) for one in x]).astype(np.float32)
    print(name, "outputs", y.shape, "mean", y.mean(), "not zero", np.count_nonzero(y))
    nir.write(FOLDER / f"{name}.nir", graph)
    (FOLDER / f"{name}.bin").write_bytes(x.tobytes() + y.tobytes())


def normal(seed, *shape, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def recurrent():
    n = 6
    cuba = nir.CubaLIF(tau_syn=full((n,), 2.5e-4), tau_mem=full((n,), 4e-4), r=full((n,), 4), v_leak=full((n,), 0),
                       v_threshold=full((n,), 1), w_in=full((n,), 2.5), v_reset=full((n,), 0))
    mixed = nir.LIF(tau=np.linspace(2e-4, 9e-4, n).astype(np.float32), r=full((n,), 6), v_leak=normal(1, n, scale=0.1),
                    v_threshold=np.linspace(0.3, 1, n).astype(np.float32), v_reset=full((n,), -0.25))
    nodes = {"input": nir.Input({"input": np.array([4])}), "fc": nir.Affine(normal(2, n, 4), normal(3, n)), "cuba": cuba,
             "w_rec": nir.Affine(normal(4, n, n, scale=0.7), normal(5, n, scale=0.7)), "mid": nir.Linear(normal(6, n, n)),
             "mixed": mixed, "back": nir.Linear(normal(8, n, n, scale=0.5)), "late": nir.Delay(full((n,), 2e-4)),
             "output": nir.Output({"output": np.array([n])})}
    edges = [("input", "fc"), ("fc", "cuba"), ("cuba", "w_rec"), ("w_rec", "cuba"), ("cuba", "mid"), ("mid", "mixed"),
             ("mixed", "back"), ("back", "cuba"), ("mixed", "late"), ("late", "mixed"), ("mixed", "output")]
    return nir.NIRGraph(nodes, edges)


def picture():
    def per(shape, low, high):
        return np.linspace(low, high, int(np.prod(shape))).astype(np.float32).reshape(shape)

    cuba = nir.CubaLI(tau_syn=full((5,), 3e-4), tau_mem=full((5,), 5e-4), r=full((5,), 3), v_leak=full((5,), 0.25),
                      w_in=full((5,), 2))
    a, b = (4, 7, 6), (4, 2, 2)
    nodes = {
        "input": nir.Input({"input": np.array([2, 7, 6])}),
        "conv": nir.Conv2d((7, 6), normal(1, 4, 1, 3, 2), (1, 1), "same", (1, 1), 2, normal(2, 4)),
        "fire": nir.LIF(tau=per(a, 2e-4, 6e-4), r=full(a, 4), v_leak=full(a, 0), v_threshold=per(a, 0.4, 1.2),
                        v_reset=full(a, 0)),
        "pool": nir.SumPool2d(np.array([3, 3]), np.array([3, 3]), np.array([0, 0])),
        "scale": nir.Scale(per(b, -0.5, 1)),
        "late": nir.Delay(full(b, 3e-4)),
        "flat": nir.Flatten({"input": np.array(b)}, 0, -1),
        "leaky": nir.LIF(tau=full((16,), 3e-4), r=full((16,), 2), v_leak=full((16,), 0.3), v_threshold=per((16,), 0.4, 0.9),
                         v_reset=full((16,), 0)),
        "dense": nir.Linear(normal(3, 5, 16)),
        "read": cuba,
        "output": nir.Output({"output": np.array([5])}),
    }
    edges = [("input", "conv"), ("conv", "fire"), ("fire", "pool"), ("pool", "scale"), ("scale", "late"), ("pool", "flat"),
             ("late", "flat"), ("flat", "leaky"), ("leaky", "dense"), ("dense", "read"), ("read", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)  # its check does not know groups


def signal():
    nodes = {
        "input": nir.Input({"input": np.array([2, 9])}),
        "conv": nir.Conv1d(9, normal(1, 3, 2, 3), 2, 1, 1, 1, normal(2, 3)),
        "sum": nir.I(r=full((3, 5), 8e3)),
        "above": nir.Threshold(np.linspace(-0.5, 2, 15).astype(np.float32).reshape(3, 5)),
        "flat": nir.Flatten({"input": np.array([3, 5])}, 0, -1),
        "dense": nir.Affine(normal(3, 4, 15), normal(4, 4)),
        "fire": nir.IF(r=full((4,), 5e3), v_threshold=full((4,), 1), v_reset=full((4,), 0)),
        "output": nir.Output({"output": np.array([4])}),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(zip(names, names[1:])))


def repack(source, target, change, **how):
    """Copies a file; change(path, dataset) gives options for h5py and new data, or None to leave the dataset out."""

    def visit(old, new, path):
        for name, item in old.items():
            here = f"{path}/{name}"
            if isinstance(item, h5py.Group):
                visit(item, new.create_group(name, track_order=how.get("track_order")), here)
                continue
            made = change(here, item)
            if made is not None:
                new.create_dataset(name, **made)

    with h5py.File(source) as old, h5py.File(target, "w", **how) as new:
        visit(old, new, "")


def plain(item):
    dtype = item.dtype if item.dtype.kind != "O" else h5py.string_dtype()
    return {"data": item[()], "dtype": dtype}


def packed(_, item):
    if item.dtype.kind == "O":
        data = item[()]
        return {"data": np.char.encode(np.array(data, dtype=str)) if isinstance(data, np.ndarray) else
                np.bytes_(data)}
    data = item[()]
    if item.dtype.kind != "f" or item.ndim == 0:
        return {"data": data}
    return {"data": data.astype(np.float64), "chunks": tuple(max(1, n // 2) for n in data.shape), "compression": "gzip",
            "shuffle": True, "fletcher32": True}


def main():
    FOLDER.mkdir(exist_ok=True)
    nir.write(FOLDER / "chain.nir", chain())
    nir.write(FOLDER / "nested.nir", nested())
    nir.write(FOLDER / "residual.nir", residual())
    save("recurrent", recurrent(), ["input", "fc", "late", "cuba", "w_rec", "mid", "mixed", "back", "output"], 1.5)
    save("picture", picture(), ["input", "conv", "fire", "pool", "scale", "late", "flat", "leaky", "dense", "read", "output"], 1)
    save("signal", signal(), ["input", "conv", "sum", "above", "flat", "dense", "fire", "output"], 1)
    source = FOLDER / "residual.nir"
    repack(FOLDER / "chain.nir", FOLDER / "packed.nir", packed)
    modern = {"libver": ("v110", "v110"), "track_order": True}
    repack(FOLDER / "chain.nir", FOLDER / "modern.nir", packed, **modern)
    weight = "/node/nodes/a/weight"
    repack(source, FOLDER / "lzf.nir", lambda p, i: {"data": i[()], "compression": "lzf"} if p == weight else plain(i))
    repack(source, FOLDER / "missing_field.nir", lambda p, i: None if p == weight else plain(i))

    def dangling(path, item):
        made = plain(item)
        if path == "/node/edges":
            made["data"] = np.array([["input", "nowhere"]], dtype=object)
        return made

    def unknown(path, item):
        return {"data": "Izhikevich", "dtype": h5py.string_dtype()} if path == "/node/nodes/b/type" else plain(item)

    repack(source, FOLDER / "dangling.nir", dangling)
    repack(source, FOLDER / "unknown_type.nir", unknown)
    repack(source, FOLDER / "virtual.nir", lambda p, i: None if p == weight else plain(i))
    with h5py.File(FOLDER / "virtual.nir", "a") as file:
        layout = h5py.VirtualLayout(shape=(4, 4), dtype="f4")
        layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(4, 4))
        file["/node/nodes/a"].create_virtual_dataset("weight", layout)


if __name__ == "__main__":
    main()
