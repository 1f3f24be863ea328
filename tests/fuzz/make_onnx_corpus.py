#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes corpus_onnx: damaged and hostile ONNX files (needs onnx and numpy), and the smallest of tests/golden/onnx_goldens."""
import pathlib
import shutil

import numpy
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
GOLDENS = HERE.parent / "golden/onnx_goldens"
CORPUS = HERE / "corpus_onnx"
WHOLE = ["conv", "conv_asymmetric", "norm_kept", "average_pool_ceil", "option_a", "concat", "flatten_by_product",
         "reshape_apart_and_together", "gate", "channels_last", "constant_sub", "softmax", "clip_old"]


def put(name, data):
    (CORPUS / name).write_bytes(data)


def model(nodes, constants=(), shape=(1, 4), inputs=None, outputs=("y",), opset=13, change=None):
    x = inputs if inputs is not None else [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])]
    graph = helper.make_graph(nodes, "g", x, [helper.make_tensor_value_info(y, TensorProto.FLOAT, ["N", 2]) for y in outputs],
                              list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    if change:
        change(made)
    return made.SerializeToString()


def weight(name="w", shape=(4, 2)):
    return numpy_helper.from_array(numpy.ones(shape, numpy.float32), name)


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs, outputs, "n_" + outputs[0], **attributes)


def hostile(tensor_change):
    tensor = weight()
    tensor_change(tensor)
    return model([node("MatMul", ["x", "w"], ["y"])], [tensor], (4,))


def huge_dims(t):
    del t.dims[:]
    t.dims.extend([1 << 40, 1 << 40])


def short_data(t):
    t.raw_data = t.raw_data[:-3]


def external(t):
    t.data_location = TensorProto.EXTERNAL
    entry = t.external_data.add()
    entry.key, entry.value = "location", "../../secret"


def wrapped(field, data):
    size, length = len(data), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([field << 3 | 2]) + length + bytes([size]) + data


def deep():
    data = b""
    for _ in range(400):
        for field in (6, 5, 1):  # attribute.g, node.attribute, graph.node
            data = wrapped(field, data)
    return wrapped(7, data)  # model.graph


if __name__ == "__main__":
    shutil.rmtree(CORPUS, ignore_errors=True)
    CORPUS.mkdir()
    for name in WHOLE:
        shutil.copy(GOLDENS / (name + ".onnx"), CORPUS / name)
    matmul = node("MatMul", ["x", "w"], ["y"])
    put("empty", b"")
    put("matmul", model([matmul], [weight()], (4,)))
    put("huge_dims", hostile(huge_dims))
    put("short_data", hostile(short_data))
    put("external", hostile(external))
    put("circle", model([node("Add", ["x", "b"], ["a"]), node("Add", ["a", "x"], ["b"]), matmul], [weight()], (4,)))
    put("unsorted", model([node("Relu", ["a"], ["y"]), node("MatMul", ["x", "w"], ["a"])], [weight()], (4,)))
    put("missing_input", model([node("MatMul", ["x", "nothing"], ["y"])], [weight()], (4,)))
    put("duplicate_output", model([matmul, node("Relu", ["x"], ["y"])], [weight()], (4,)))
    put("two_unknown", model([node("LSTM", ["x"], ["a"]), node("Einsum", ["a"], ["b"]), node("MatMul", ["b", "w"], ["y"])],
                             [weight()], (4,)))
    put("opset_18", model([matmul], [weight()], (4,), opset=18))
    put("no_output", model([matmul], [weight()], (4,), outputs=()))
    put("huge_constant", model([node("ConstantOfShape", ["s"], ["c"]), node("MatMul", ["x", "c"], ["y"])],
                               [numpy_helper.from_array(numpy.array([1 << 31, 1 << 31]), "s")], (4,)))
    put("huge_pad", model([node("Pad", ["x", "s"], ["a"]), node("GlobalAveragePool", ["a"], ["y"])],
                          [numpy_helper.from_array(numpy.array([0, 0, 1 << 20, 1 << 20, 0, 0, 1 << 20, 1 << 20]), "s")], (2, 4, 4)))
    doubling = [node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(60)]
    put("doubling", model([*doubling, node("MatMul", ["x", "c60"], ["y"])], [weight("c0", (4,))], (4,)))
    put("deep", deep())
    print(len(list(CORPUS.iterdir())), "files")
