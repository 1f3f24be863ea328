#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of fuzz_integer, by docs/integer.md alone. It is small and in the tree; this is how it was made."""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "corpus_integer"


def ternary(codes):
    codes = codes + [0] * (-len(codes) % 5)
    return bytes(sum((codes[i + k] + 1) * 3 ** k for k in range(5)) for i in range(0, len(codes), 5))


def packed(codes, bits):
    row = sum((code & (1 << bits) - 1) << bits * i for i, code in enumerate(codes))
    return row.to_bytes((len(codes) * bits + 7) // 8, "little")


def words(numbers, letter="i"):
    return struct.pack(f"<{len(numbers)}{letter}", *numbers)


def container(network, tensors, version="1", form="spikestill integer network"):
    header = {"__metadata__": {"format": form, "version": version, "network": json.dumps(network)}}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def synapses(name, source, channels, exponent, kernel=1, pad=0, groups=1, bits=2, **more):
    return {"kind": "synapses", "name": name, "input": [source], "channels": channels, "exponent": exponent,
            "kernel_h": kernel, "kernel_w": kernel, "stride_h": 1, "stride_w": 1, "pad_h": pad, "pad_w": pad,
            "dilation_h": 1, "dilation_w": 1, "groups": groups, "weight_bits": bits, **more}


def neurons(name, source, **more):
    return {"kind": "neurons", "name": name, "input": [source], "threshold": 9, "threshold_step": 0, "hard_reset": True,
            "gain": 1, "state_shift": 1, "input_shift": 0, "decay": 1, "decay_shift": 2, "limit": 3, "state_bits": 3,
            "start": 0, "exponent": 2, **more}


def pool(kind, name, source):
    return {"kind": kind, "name": name, "input": [source], "kernel_h": 2, "kernel_w": 2, "stride_h": 2, "stride_w": 2,
            "pad_h": 0, "pad_w": 0}


def readout(source, kind="sum", **more):
    return {"kind": "readout", "name": "readout", "input": [source], "decay": 0, "shift": 0, "readout": kind,
            "scale": 0.25, **more}


def network(nodes, size=4, channels=2, steps=3, each=False, codes=False, **more):
    return {"timesteps": steps, "classes": 2, "input_each_step": each, "pixel_codes": codes,
            "input": {"height": size, "width": size, "channels": channels, "exponent": 3, "low": -9, "high": 9},
            "nodes": nodes, **more}


def constants(name, channels, content):
    return {f"{name}.factor": ("I32", [channels], words([2 - i for i in range(channels)])),
            f"{name}.offset": ("I32", [channels], words(list(range(channels)))),
            f"{name}.codes": ("U8", [len(content)], content)}


def put(name, content):
    HERE.mkdir(exist_ok=True)
    (HERE / name).write_bytes(content)


linear = network([synapses("0.linear", 0, 2, 3, bits=4), readout(1)], size=1)
linear_tensors = constants("0.linear", 2, packed([1, -7, 0, 3], 4))
put("linear", container(linear, linear_tensors))

nodes = [synapses("0.conv", 0, 3, 3, kernel=3, pad=1), neurons("1.act", 1), pool("max_pool", "2.maxpool", 2),
         synapses("3.conv", 3, 3, 3, kernel=3, pad=1, groups=3, bits=3),
         {"kind": "add", "name": "out", "input": [4, 3], "first_shift": 0, "second_shift": 3},
         neurons("4.act", 5, hard_reset=False, threshold_step=9), pool("sum_pool", "5.avgpool", 6),
         {"kind": "flatten", "name": "6.flatten", "input": [7]}, synapses("7.linear", 8, 2, 5), readout(9, "integrator", decay=1, shift=1)]
ones = [i % 3 - 1 for i in range(54)]
tensors = {"pixel_codes": ("I16", [2, 256], words([i % 19 - 9 for i in range(512)], "h")),
           **constants("0.conv", 3, ternary(ones)), **constants("3.conv", 3, packed([i % 7 - 3 for i in range(27)], 3)),
           **constants("7.linear", 2, ternary(ones[:6]))}
everything = network(nodes, codes=True)
whole = container(everything, tensors)
put("everything", whole)
put("each_step", container(network(nodes, codes=True, each=True), tensors))
put("cut", whole[:-7])
put("other_version", container(linear, linear_tensors, version="2"))
put("other_format", container(linear, linear_tensors, form="a checkpoint"))
put("no_json", container(linear, linear_tensors).replace(b'{\\"timesteps', b'[\\"timesteps'))
put("bad_code", container(linear, constants("0.linear", 2, b"\x88\x88")))
put("missing_tensor", container(everything, linear_tensors))
put("extra_tensor", container(linear, {**linear_tensors, "more": ("U8", [1], b"x")}))
put("huge_sizes", container(network([synapses("0.linear", 0, 1 << 20, 3, kernel=1024), readout(1)]), linear_tensors))
put("huge_input", container(network(linear["nodes"], size=1 << 20), linear_tensors))
put("many_steps", container(network(nodes, codes=True, steps=65536), tensors))
put("shift", container(network([*nodes[:1], neurons("1.act", 1, state_shift=31), *nodes[2:]], codes=True), tensors))
put("backward_input", container(network([*nodes[:2], pool("max_pool", "2.maxpool", 9), *nodes[3:]], codes=True), tensors))
put("no_nodes", container(network([], size=1), {}))
put("empty", b"")
