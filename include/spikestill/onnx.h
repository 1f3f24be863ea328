// SPDX-License-Identifier: Apache-2.0
// Trained ANNs from ONNX files (opset 8 to 17), as layers of our graph: teachers, and the start of conversion.
//
// A file is read whole and turned at once into a list of layers in our layout [T,N,H,W,C]: constants are folded,
// weights are reordered, Transpose, Flatten and Reshape vanish into how the next layer reads. What is not supported is
// reported all at once, by operator and node. Nothing of the file is trusted: sizes are checked before memory is taken.
//
// One input: a batch of pictures [N,C,H,W] (or [N,H,W,C] where only the last axis looks like channels: 1 to 4) or of
// rows [N,F]; sizes fixed but for N. One output: [N,classes].
//
// Operators: Conv, Gemm, MatMul, Add, Sub, Mul, Div, Relu, Clip, Sigmoid, Tanh, Exp, Log, Sqrt, Abs,
// BatchNormalization, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, ReduceMean, Softmax, LogSoftmax, Pad,
// Slice, Concat, Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity, Dropout; on constants also Constant,
// ConstantOfShape, Shape, Gather and Cast.
#ifndef SPIKESTILL_ONNX_H
#define SPIKESTILL_ONNX_H

#include "spikestill/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_onnx sst_onnx;

typedef struct sst_onnx_options {
  bool keep_batch_norm; // as layers with parameters of their own; else folded into the layer before, where there is one
} sst_onnx_options;

// What a file holds. Texts are borrowed from the file.
typedef struct sst_onnx_info {
  int64_t height, width, channels; // of a picture; rows of F numbers are 1 x 1 x F
  int64_t classes;
  int64_t opset;
  bool rows;            // the input is [N,F]
  int layers;           // that the graph will have
  const char *producer; // "pytorch", or ""
} sst_onnx_info;

// Reads and checks a file. `options` may be NULL. *out is owned by the caller: sst_onnx_close; NULL on failure. Errors:
// NOT_FOUND, IO, FORMAT (damaged; says byte or node), UNSUPPORTED (all that is not supported, by operator and node; or
// this library was built without ONNX), OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_onnx_open(sst_context *context, const char *path, const sst_onnx_options *options,
                                                sst_onnx **out);
// The same from memory, which is only borrowed during the call; `name` stands for the file in messages.
SST_MUST_CHECK SST_API sst_status sst_onnx_read(sst_context *context, const char *name, const void *data, size_t size,
                                                const sst_onnx_options *options, sst_onnx **out);
SST_API void sst_onnx_close(sst_onnx *onnx);
SST_API sst_onnx_info sst_onnx_describe(const sst_onnx *onnx);

// Called where the network has an activation min(max(x, 0), ceiling) (ceiling INFINITY: plain ReLU), to put something
// else there, such as neurons. `name` is the layer's; the graph is in the layer's scope. Returns the layer's output.
typedef sst_value sst_onnx_activation(void *user, sst_graph *graph, const char *name, float ceiling, sst_value x);

// Builds the network in the graph's current scope on x [T,N,H,W,C] (rows: [T,N,1,1,F], or pictures of one channel with
// F pixels); any N. `activation` may be NULL: ReLU and clip. Returns the output [T,N,1,1,classes] and in *logits, as
// [1,N,1,1,classes], the mean over the steps of what a Softmax or LogSoftmax at the end gets, else of the output;
// SST_NO_VALUE in both places, with the failure kept in the graph, if something does not fit. With neurons as
// activations T of the output is that of their spikes.
//
// Taps made, with the scope in front: each layer's output by its node's name (by its output's name if that is empty or
// taken; characters outside printable ASCII become '_'); "stage<k>", the last activation before each reduction of
// height and width, k from 1; "features", the last activation before the last linear layer; "step_logits", of each
// step, and "logits". Parameters: "<node>.weight", ".bias", ".gamma", ".beta", ".running_mean", ".running_variance",
// ".constant".
SST_API sst_value sst_onnx_build(const sst_onnx *onnx, sst_graph *graph, sst_value x, sst_onnx_activation *activation,
                                 void *user, sst_value *logits);

// Whether spikes may take the place of the activations: the mean over time of what sums, scales and moves spikes
// follows from their rates, that of everything else does not. Errors: UNSUPPORTED, with all layers that stand in the
// way by operator and node, or if the network has no activation.
SST_MUST_CHECK SST_API sst_status sst_onnx_check_spiking(const sst_onnx *onnx);

// Copies the file's numbers into a sealed store over which the network was built. Errors: MISMATCH (a parameter is
// missing or has another size).
SST_MUST_CHECK SST_API sst_status sst_onnx_load(const sst_onnx *onnx, sst_parameters *parameters);

#ifdef __cplusplus
}
#endif
#endif
