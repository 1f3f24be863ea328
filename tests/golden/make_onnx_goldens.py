#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes onnx_goldens/NAME.onnx and onnx_goldens/NAME.bin: small networks, each about one operator, and what onnxruntime
computes for them.

    python3 make_onnx_goldens.py        (needs onnx, onnxruntime and numpy; the tests need none of them)

NAME.bin: int32 batch, height, width, channels, classes; the input as float32 [N,H,W,C]; the output as float32
[N,classes]. The numbers are little-endian.
"""
import pathlib
import shutil

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent / "onnx_goldens"
random = numpy.random.RandomState(5)
BATCH = 3


def reals(*shape, low=None, high=None):
    values = random.standard_normal(shape) if low is None else random.uniform(low, high, shape)
    return values.astype(numpy.float32)


class Net:
    """A list of nodes that grows at its end."""

    def __init__(self, name, shape=(2, 6, 5), opset=13, batch="N"):
        self.name, self.shape, self.opset, self.batch = name, shape, opset, batch
        self.nodes, self.constants, self.last, self.count = [], [], "x", 0

    def constant(self, value, name=None):
        name = name or f"c{len(self.constants)}"
        tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(numpy.asarray(value), name)
        tensor.name = name
        self.constants.append(tensor)
        return name

    def add(self, kind, *inputs, first=None, outputs=1, node=None, **attributes):
        """A node on the last value; further inputs are constants (arrays) or names."""
        self.count += 1
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        output = [f"v{self.count}" + ("" if k == 0 else f"_{k}") for k in range(outputs)]
        first = self.last if first is None else first
        first = [] if isinstance(first, str) and first == "" else [first if isinstance(first, str) else self.constant(first)]
        self.nodes.append(helper.make_node(kind, first + inputs, output, node or f"{kind}_{self.count}", **attributes))
        self.last = output[0]
        return self.last

    def classify(self, features, classes=4):
        """Flatten and Gemm, so that the order of all elements counts."""
        if self.last is not None:
            self.add("Flatten")
            self.add("Gemm", reals(classes, features) / numpy.float32(features ** 0.5), reals(classes), transB=1)
        self.write()

    def write(self, rows=False):
        graph = helper.make_graph(
            self.nodes, self.name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.batch, *self.shape])],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [self.batch, "classes"])],
            self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="goldens")
        model.ir_version = 7
        onnx.checker.check_model(model)
        onnx.save(model, HERE / (self.name + ".onnx"))
        batch = BATCH if self.batch == "N" else self.batch
        x = reals(batch, *self.shape)
        y = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        y = y.reshape(batch, -1)
        assert numpy.isfinite(y).all() and numpy.abs(y).max() > 1e-3, self.name
        if len(self.shape) == 1:
            c, h, w = self.shape[0], 1, 1
            ours = x
        elif self.shape[2] <= 4 < self.shape[0]:
            h, w, c = self.shape
            ours = x
        else:
            c, h, w = self.shape
            ours = x.transpose(0, 2, 3, 1)
        head = numpy.array([batch, h, w, c, y.shape[1]], "<i4")
        (HERE / (self.name + ".bin")).write_bytes(head.tobytes() + numpy.ascontiguousarray(ours, "<f4").tobytes()
                                                  + y.astype("<f4").tobytes())


def convolutions():
    cases = {
        "conv": (dict(pads=[1, 1, 1, 1]), (3, 2, 3, 3), 3 * 30),
        "conv_strided": (dict(strides=[2, 1], pads=[1, 0, 1, 0]), (3, 2, 3, 2), 3 * 3 * 4),
        "conv_asymmetric": (dict(pads=[0, 2, 1, 0]), (3, 2, 3, 3), 3 * 5 * 5),
        "conv_same_upper": (dict(auto_pad="SAME_UPPER", strides=[2, 2]), (3, 2, 3, 3), 3 * 3 * 3),
        "conv_same_lower": (dict(auto_pad="SAME_LOWER", strides=[1, 2]), (3, 2, 2, 4), 3 * 6 * 3),
        "conv_valid": (dict(auto_pad="VALID", kernel_shape=[2, 3]), (3, 2, 2, 3), 3 * 5 * 3),
        "conv_dilated": (dict(dilations=[2, 1], pads=[2, 1, 2, 1]), (3, 2, 3, 3), 3 * 30),
        "conv_groups": (dict(group=2, pads=[1, 1, 1, 1]), (4, 1, 3, 3), 4 * 30),
    }
    for name, (attributes, shape, features) in cases.items():
        net = Net(name)
        net.add("Conv", reals(*shape), *([reals(shape[0])] if name != "conv" else []), **attributes)
        net.classify(features)
    net = Net("conv_half")
    net.add("Conv", helper.make_tensor("w", TensorProto.FLOAT, (3, 2, 1, 1), reals(6)), reals(3))
    net.add("Add", net.add("Cast", first=numpy.float16(random.standard_normal((3, 1, 1))), to=TensorProto.FLOAT), first="v1")
    half = numpy.float16(random.standard_normal(3))
    tensor = helper.make_tensor("h", TensorProto.FLOAT16, (3, 1, 1), half.view(numpy.uint16).tobytes(), raw=True)
    kept = net.last
    cast = net.add("Cast", first=net.constant(tensor, "h"), to=TensorProto.FLOAT)
    net.add("Mul", cast, first=kept)
    kept = net.last
    cast = net.add("Cast", first=random.standard_normal((1, 3, 1, 1)), to=TensorProto.FLOAT)
    net.add("Sub", cast, first=kept)
    net.classify(90)


def matrices():
    net = Net("gemm_transposed", opset=11)
    net.add("Flatten")
    net.add("Gemm", reals(60, 5), reals(1, 5), alpha=0.5, beta=2.0)
    net.write()
    net = Net("rows", (12,))
    net.add("Gemm", reals(12, 7))
    net.add("Relu")
    net.add("MatMul", reals(7, 4))
    net.add("Add", reals(1, 4))
    net.write()
    net = Net("matmul_on_channels")  # a 1x1 convolution in disguise
    net.add("Transpose", perm=[0, 2, 3, 1])
    net.add("MatMul", reals(2, 3))
    net.add("Add", reals(3))
    net.add("Relu")
    net.add("Transpose", perm=[0, 3, 1, 2])
    net.classify(90)
    net = Net("channels_last", (6, 5, 2))
    net.add("Transpose", perm=[0, 3, 1, 2])
    net.add("Conv", reals(3, 2, 3, 3), pads=[1, 1, 1, 1])
    net.add("Transpose", perm=[0, 2, 3, 1])
    net.add("Reshape", numpy.array([-1, 90]))
    net.add("MatMul", reals(90, 4))
    net.write()
    net = Net("cntk_like", opset=8, batch=1)  # as the ONNX zoo's MNIST network
    weights = net.add("Reshape", numpy.array([60, 4]), first=reals(2, 6, 5, 4))
    net.add("Reshape", numpy.array([1, 60]), first="x")
    net.add("MatMul", weights)
    net.add("Add", reals(1, 4))
    net.write()


def norms():
    for name, before in [("norm_folded", True), ("norm_kept", False)]:
        net = Net(name)
        if before:
            net.add("Conv", reals(2, 2, 1, 1))
        else:
            net.add("Relu")
        net.add("BatchNormalization", reals(2), reals(2), reals(2), reals(2, low=0.5, high=2), epsilon=1e-3)
        net.classify(60)


def pools():
    cases = {
        "max_pool": ("MaxPool", dict(kernel_shape=[2, 2], strides=[2, 2]), 2 * 3 * 2),
        "max_pool_padded": ("MaxPool", dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), 2 * 3 * 3),
        "max_pool_asymmetric": ("MaxPool", dict(kernel_shape=[3, 2], pads=[0, 1, 2, 0]), 2 * 6 * 5),
        "max_pool_ceil": ("MaxPool", dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), 2 * 3 * 3),
        "max_pool_same": ("MaxPool", dict(kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"), 2 * 3 * 3),
        "average_pool": ("AveragePool", dict(kernel_shape=[3, 2], strides=[1, 2]), 2 * 4 * 2),
        "average_pool_excluded": ("AveragePool", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 2 * 30),
        "average_pool_included": ("AveragePool", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), 2 * 30),
        "average_pool_ceil": ("AveragePool", dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), 2 * 3 * 3),
        "average_pool_asymmetric": ("AveragePool", dict(kernel_shape=[2, 2], pads=[0, 0, 1, 1]), 2 * 30),
    }
    for name, (kind, attributes, features) in cases.items():
        net = Net(name)
        net.add(kind, **attributes)
        net.classify(features)
    for name, kind in [("global_average_pool", "GlobalAveragePool"), ("global_max_pool", "GlobalMaxPool")]:
        net = Net(name)
        net.add(kind)
        net.classify(2)
    net = Net("mean", opset=17)
    net.add("ReduceMean", axes=[2, -1], keepdims=0)
    net.add("Gemm", reals(4, 2), reals(4), transB=1)
    net.write()
    net = Net("mean_of_height", opset=11)
    net.add("ReduceMean", axes=[2], keepdims=0)
    net.classify(10)


def elementwise():
    net = Net("relu6")
    net.add("Mul", numpy.float32(5))
    net.add("Clip", numpy.float32(0), numpy.float32(6))
    net.classify(60)
    net = Net("clip_old", opset=8)
    net.add("Clip", min=-0.5, max=0.75)
    net.classify(60)
    for kind in ("Sigmoid", "Tanh", "Exp", "Abs"):
        net = Net(kind.lower())
        net.add(kind)
        net.classify(60)
    for kind in ("Sqrt", "Log"):
        net = Net(kind.lower())
        net.add("Abs")
        net.add("Add", numpy.float32(0.5))
        net.add(kind)
        net.classify(60)
    for kind in ("Add", "Sub", "Mul", "Div"):
        net = Net("constant_" + kind.lower())
        net.add(kind, reals(2, 1, 5, low=0.5, high=2))
        net.add(kind, numpy.float32(1.5))
        last = net.last
        net.add("Abs")
        net.add("Add", numpy.float32(1))
        last = net.last
        net.add(kind, last, first=reals(6, 1, low=0.5, high=2))
        last = net.last
        net.add(kind, last, first=numpy.float32(0.75))
        last = net.last
        net.add("Relu")
        other = net.add("Add", numpy.float32(2))
        net.add(kind, other, first=last)
        net.classify(60)
    net = Net("gate")  # squeeze and excitation: [N,C,1,1] times [N,C,H,W]
    net.add("GlobalAveragePool")
    net.add("Conv", reals(2, 2, 1, 1))
    gate = net.add("Sigmoid")
    net.add("Mul", gate, first="x")
    net.classify(60)
    net = Net("softmax")
    net.add("Flatten")
    net.add("Gemm", reals(60, 4))
    net.add("Softmax", axis=-1)
    net.write()
    net = Net("log_softmax_old", opset=11)
    net.add("GlobalAveragePool")
    net.add("Conv", reals(4, 2, 1, 1))
    net.add("LogSoftmax")
    net.add("Flatten")
    net.write()


def moving():
    net = Net("pad")
    net.add("Pad", numpy.array([0, 1, 0, 2, 0, 2, 1, 0]), numpy.float32(0.5))
    net.classify(5 * 7 * 7)
    net = Net("pad_old", opset=8)
    net.add("Pad", pads=[0, 0, 1, 1, 0, 0, 0, 1], value=-1.0)
    net.classify(2 * 7 * 7)
    net = Net("slice")
    net.add("Slice", numpy.array([1, -4]), numpy.array([2 ** 63 - 1, 5]), numpy.array([2, 3]), numpy.array([2, 1]))
    net.classify(2 * 3 * 4)
    net = Net("slice_old", opset=8)
    net.add("Slice", starts=[1, 0], ends=[2, 4], axes=[1, 2])
    net.classify(4 * 5)
    net = Net("option_a", opset=17)  # a shortcut without weights
    half = net.add("Slice", numpy.array([0]), numpy.array([2 ** 63 - 1]), numpy.array([2]), numpy.array([2]))
    half = net.add("Slice", numpy.array([0]), numpy.array([2 ** 63 - 1]), numpy.array([3]), numpy.array([2]))
    zeros = net.add("ConstantOfShape", first=numpy.array([2]), value=helper.make_tensor("z", TensorProto.INT64, [1], [0]))
    pads = net.add("Concat", zeros, first=numpy.array([0, 0, 0, 0, 1, 1]), axis=0)
    pads = net.add("Reshape", numpy.array([-1, 2]), first=pads)
    pads = net.add("Slice", numpy.array([-1]), numpy.array([-2 ** 63 + 1]), numpy.array([0]), numpy.array([-1]), first=pads)
    pads = net.add("Transpose", first=pads, perm=[1, 0])
    pads = net.add("Reshape", numpy.array([-1]), first=pads)
    pads = net.add("Cast", first=pads, to=TensorProto.INT64)
    shortcut = net.add("Pad", pads, first=half)
    net.add("Conv", reals(4, 2, 3, 3), reals(4), first="x", strides=[2, 2], pads=[1, 1, 1, 1])
    net.add("Add", shortcut)
    net.add("Relu")
    net.classify(4 * 3 * 3)
    net = Net("concat")
    net.add("Relu")
    other = net.add("Conv", reals(3, 2, 3, 3), first="x", pads=[1, 1, 1, 1])
    net.add("Concat", "v1", first=other, axis=1)
    kept = net.last
    net.add("Concat", kept, axis=-1)
    net.classify(5 * 6 * 10)
    net = Net("flatten_by_shape")  # what exporters make of x.view(x.size(0), -1)
    shape = net.add("Shape")
    first = net.add("Gather", numpy.array(0), first=shape, axis=0)
    first = net.add("Unsqueeze", numpy.array([0]), first=first)
    target = net.add("Concat", numpy.array([-1]), first=first, axis=0)
    net.add("Reshape", target, first="x")
    net.add("Gemm", reals(60, 4))
    net.write()
    net = Net("flatten_by_product", opset=12)
    shape = net.add("Shape")
    parts = [net.add("Gather", numpy.array(k), first=shape, axis=0) for k in (1, 2, 3)]
    product = net.add("Mul", parts[1], first=parts[0])
    product = net.add("Mul", parts[2], first=product)
    product = net.add("Unsqueeze", first=product, axes=[0])
    target = net.add("Concat", product, first=numpy.array([0]), axis=0)
    net.add("Reshape", target, first="x")
    net.add("Dropout", first=net.last)
    net.add("Identity")
    net.add("Gemm", reals(60, 4))
    net.write()
    net = Net("reshape_apart_and_together")
    net.add("Reshape", numpy.array([0, 2, 30]))
    net.add("Transpose", perm=[0, 2, 1])
    net.add("Unsqueeze", numpy.array([1]))
    net.add("Squeeze", numpy.array([1]))
    net.add("Reshape", numpy.array([0, -1]))
    net.add("Gemm", reals(60, 4))
    net.write()


def spiking():
    """What conversion to a spiking network takes, on drawn digits, and what it refuses."""
    def shortcut(x):  # every second row and column, zeros for the new channels
        half = net.add("Slice", numpy.array([0, 0]), numpy.array([28, 28]), numpy.array([2, 3]), numpy.array([2, 2]), first=x)
        return net.add("Pad", numpy.array([0, 2, 0, 0, 0, 2, 0, 0]), numpy.float32(0), first=half)
    net = Net("spiking_resnet", (1, 28, 28))
    net.add("Conv", reals(4, 1, 3, 3), reals(4), strides=[2, 2], pads=[1, 1, 1, 1])
    kept = net.add("Relu")
    net.add("Conv", reals(8, 4, 3, 3) / 4, strides=[2, 2], pads=[1, 1, 1, 1])
    net.add("BatchNormalization", reals(8, low=0.5, high=1), reals(8) / 2, reals(8), reals(8, low=0.5, high=2))
    net.add("Relu")
    main = net.add("Conv", reals(8, 8, 3, 3) / 6, reals(8) / 2, pads=[1, 1, 1, 1])
    net.add("Add", shortcut(kept), first=main)
    net.add("Clip", numpy.float32(0), numpy.float32(1), node="capped")
    left = net.add("Conv", reals(4, 8, 1, 1) / 2)
    net.add("Conv", reals(2, 1, 4, 4), first="x", strides=[4, 4])  # the same at every step
    net.add("Concat", net.last, first=left, axis=1)
    net.add("Relu")
    net.add("AveragePool", kernel_shape=[7, 7])
    net.add("Flatten")
    net.add("Gemm", reals(10, 6), reals(10) / 4, transB=1)
    net.add("Softmax", axis=-1)
    net.write()
    net = Net("not_spiking", (1, 28, 28))
    net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], node="first_pool")  # of the picture: this one may stay
    net.add("Conv", reals(2, 1, 3, 3))
    net.add("Relu")
    net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], node="pool1")
    left = net.add("Sigmoid", node="gate")
    net.add("Mul", left, first=left, node="square")
    net.add("Flatten")
    net.add("Gemm", reals(10, 72), transB=1)
    net.add("Softmax", axis=-1)
    net.write()


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for part in (convolutions, matrices, norms, pools, elementwise, moving, spiking):
        part()
    files = list(HERE.iterdir())
    print(len(files) // 2, "networks,", sum(file.stat().st_size for file in files), "bytes")
