# SPDX-License-Identifier: Apache-2.0
"""Small NIR files as the Python packages nir and h5py write them, in nir/ beside this script:

    chain.nir     nir's own writer: Input, Conv2d, IF, SumPool2d, Flatten, Affine, LIF, Output; metadata
    packed.nir    the same network with chunks, gzip, shuffle and checksums, 64-bit floats, fixed-length ASCII text
    nested.nir    a CubaLIF with a recurrent connection inside a NIRGraph node
    residual.nir  two edges into one node
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


def repack(source, target, change):
    """Copies a file; change(path, dataset) gives options for h5py and new data, or None to leave the dataset out."""

    def visit(old, new, path):
        for name, item in old.items():
            here = f"{path}/{name}"
            if isinstance(item, h5py.Group):
                visit(item, new.create_group(name), here)
                continue
            made = change(here, item)
            if made is not None:
                new.create_dataset(name, **made)

    with h5py.File(source) as old, h5py.File(target, "w") as new:
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
    source = FOLDER / "residual.nir"
    repack(FOLDER / "chain.nir", FOLDER / "packed.nir", packed)
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
