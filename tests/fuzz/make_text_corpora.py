#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpora of fuzz_safetensors and fuzz_recipe. They are small and in the tree; this is how they were made."""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def put(corpus, name, data):
    (HERE / corpus).mkdir(exist_ok=True)
    (HERE / corpus / name).write_bytes(data)


def container(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


NAME = "corpus_safetensors"
TWO = {"a.weight": tensor("F32", [2, 2], 0, 16), "b": tensor("I64", [1], 16, 24)}
put(NAME, "two", container({"__metadata__": {"recipe": "data: {name: digits}\n", "epoch": "3"}, **TWO}, bytes(range(24))))
put(NAME, "padded", container(json.dumps(TWO).encode() + b"   ", bytes(24)))
put(NAME, "empty", container({}))
put(NAME, "scalar_and_nothing", container({"s": tensor("BF16", [], 0, 2), "n": tensor("F16", [0, 5], 2, 2)}, b"ab"))
put(NAME, "overlap", container({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, bytes(6)))
put(NAME, "hole", container({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 4, 6)}, bytes(6)))
put(NAME, "duplicate", container(b'{"a":%b,"a":%b}' % ((json.dumps(tensor("U8", [2], 0, 2)).encode(),) * 2), bytes(2)))
put(NAME, "huge_shape", container({"a": tensor("F64", [2**62, 2**62], 0, 8)}, bytes(8)))
put(NAME, "huge_header", container({}, length=2**63))
put(NAME, "escaped_name", container(b'{"\\u00e9\\"":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', b"\1"))

NAME = "corpus_recipe"
SMALL = b"data: {name: mnist}\nstudent: {model: cnn}\n"
put(NAME, "small", SMALL)
put(NAME, "full", b"""seed: 7
device: cpu-ref
data: {name: cifar10, mean: [0.1, 0.2, 0.3], deviation: 2, augment: {flip: true, mixup: 0.2}}
student:
  kind: snn
  layers: [{conv: {out: 3, bias: true}}, norm, act, {maxpool: {padding: 1}}, {dropout: {rate: 0.1}}, linear]
  neuron: {model: plif, decay: 0.25, reset: soft, surrogate: erf}
teacher: "runs/a b"
distill:
  - {method: kd, weight: 0.5}
schedule: {kind: step, milestones: [1, 2.5]}
train: {epochs: 2}
""")
put(NAME, "override", SMALL + b"\0train.epochs=3")
put(NAME, "override_list", SMALL + b"\0student={layers: [norm, {block: {out: 4, form: sew}}]}")
put(NAME, "override_bad", SMALL + b"\0distill.0.method=kd")
put(NAME, "unknown_key", SMALL + b"trian: {epochs: 3}\n")
put(NAME, "extends_nothing", b"extends: other.yaml\n" + SMALL)
put(NAME, "extends_list", b"extends: [a.yaml]\n" + SMALL)
put(NAME, "extends_empty", b"extends:\n" + SMALL)
put(NAME, "quotes", b'name: "a\\x85\\u2028\\uFEFF\\n"\n' + SMALL)
put(NAME, "anchor", b"a: &x [1]\nb: *x\n")
put(NAME, "tag", b"a: !!int 3\n")
put(NAME, "deep", b"[" * 40)
put(NAME, "documents", b"a: 1\n---\nb: 2\n")
put(NAME, "block_text", b"name: |\n  two\n  lines\n" + SMALL)
