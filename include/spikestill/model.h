// SPDX-License-Identifier: Apache-2.0
// Networks from a list of layers. The same list makes an ANN (activation: relu) or an SNN (activation: neurons).
#ifndef SPIKESTILL_MODEL_H
#define SPIKESTILL_MODEL_H

#include "spikestill/graph.h"
#include "spikestill/neuron.h"
#include "spikestill/quantize.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line")
#define SST_LAYER_LIST(X)                                                                                              \
  X(CONV, "conv", "convolution: out, kernel, stride, padding, dilation, groups, bias")                                 \
  X(LINEAR, "linear", "fully connected: out, bias; flattens its input")                                                \
  X(NORM, "norm", "batch norm")                                                                                        \
  X(ACTIVATION, "act", "relu in an ANN, neurons in an SNN")                                                            \
  X(AVERAGE_POOL, "avgpool", "average pooling: kernel, stride, padding")                                               \
  X(MAX_POOL, "maxpool", "max pooling: kernel, stride, padding")                                                       \
  X(GLOBAL_POOL, "globalpool", "mean over height and width")                                                           \
  X(FLATTEN, "flatten", "to one row of features")                                                                      \
  X(DROPOUT, "dropout", "dropout: rate")                                                                               \
  X(BLOCK, "block", "residual block of two 3x3 convolutions: out, stride, form")
typedef enum sst_layer_kind {
#define SST_LAYER_ENUM(name, word, text) SST_LAYER_##name,
  SST_LAYER_LIST(SST_LAYER_ENUM)
#undef SST_LAYER_ENUM
      SST_LAYER_COUNT
} sst_layer_kind;

// X(NAME, "word", "one line")
#define SST_BLOCK_FORM_LIST(X)                                                                                         \
  X(BASIC, "basic", "conv-norm-act-conv-norm, add, act (He et al. 2016)")                                              \
  X(SEW, "sew", "conv-norm-act-conv-norm-act, add spikes (Fang et al. 2021)")                                          \
  X(MS, "ms", "act-conv-norm-act-conv-norm, add membrane currents (Hu et al. 2021)")
typedef enum sst_block_form {
#define SST_BLOCK_FORM_ENUM(name, word, text) SST_BLOCK_FORM_##name,
  SST_BLOCK_FORM_LIST(SST_BLOCK_FORM_ENUM)
#undef SST_BLOCK_FORM_ENUM
      SST_BLOCK_FORM_COUNT
} sst_block_form;

// X(NAME, "word", "one line")
#define SST_READOUT_LIST(X)                                                                                            \
  X(CURRENT, "current", "mean over T of the last layer's output current")                                              \
  X(MEMBRANE, "membrane", "mean over T of the membrane of a leaky integrator on that current")                         \
  X(SPIKE_COUNT, "spike_count", "mean over T of the spikes of a last neuron layer")                                    \
  X(LAST_STEP, "last_step", "output current of the last step")
typedef enum sst_readout {
#define SST_READOUT_ENUM(name, word, text) SST_READOUT_##name,
  SST_READOUT_LIST(SST_READOUT_ENUM)
#undef SST_READOUT_ENUM
      SST_READOUT_COUNT
} sst_readout;

// X(NAME, "word", "one line")
#define SST_NORM_LIST(X)                                                                                               \
  X(BATCH, "batch", "batch norm")                                                                                      \
  X(THRESHOLD, "threshold", "batch norm scaled by the neuron's threshold (tdBN, Zheng et al. 2021)")                   \
  X(NONE, "none", "no normalisation; convolutions and linear layers get a bias")
typedef enum sst_norm_kind {
#define SST_NORM_ENUM(name, word, text) SST_NORM_##name,
  SST_NORM_LIST(SST_NORM_ENUM)
#undef SST_NORM_ENUM
      SST_NORM_COUNT
} sst_norm_kind;

// X(NAME, "word", "one line"): what an activation layer of an ANN computes (src/model/activation.c has the formulas).
#define SST_ACTIVATION_LIST(X)                                                                                         \
  X(RELU, "relu", "what is above 0")                                                                                   \
  X(CLIP, "clip", "relu up to a learned threshold of the layer")                                                       \
  X(QCFS, "qcfs", "clip in steps: quantisation clip-floor-shift, for conversion (Bu et al. 2022)")
typedef enum sst_activation {
#define SST_ACTIVATION_ENUM(name, word, text) SST_ACTIVATION_##name,
  SST_ACTIVATION_LIST(SST_ACTIVATION_ENUM)
#undef SST_ACTIVATION_ENUM
      SST_ACTIVATION_COUNT
} sst_activation;

// Words and back, for each list above; *_parse returns false for an unknown word.
SST_API const char *sst_layer_word(sst_layer_kind kind);
SST_API bool sst_layer_parse(const char *word, sst_layer_kind *out);
SST_API const char *sst_block_form_word(sst_block_form form);
SST_API bool sst_block_form_parse(const char *word, sst_block_form *out);
SST_API const char *sst_readout_word(sst_readout readout);
SST_API bool sst_readout_parse(const char *word, sst_readout *out);
SST_API const char *sst_norm_word(sst_norm_kind kind);
SST_API bool sst_norm_parse(const char *word, sst_norm_kind *out);
SST_API const char *sst_activation_word(sst_activation activation);
SST_API bool sst_activation_parse(const char *word, sst_activation *out);

typedef struct sst_layer {
  sst_layer_kind kind;
  int64_t out;      // conv, linear, block: output channels; 0 in a last linear layer: the number of classes
  int64_t kernel;   // conv, pools (square)
  int64_t stride;   // conv, pools, block
  int64_t padding;  // conv, pools
  int64_t dilation; // conv
  int64_t groups;   // conv; 0: depthwise (as many as input channels)
  int bias;         // conv, linear: 0 no, 1 yes, -1 yes unless a norm layer follows
  float rate;       // dropout
  sst_block_form form;
} sst_layer;
SST_API sst_layer sst_layer_default(sst_layer_kind kind); // kernel 3 (pools 2), stride 1 (pools 2), padding 1 (pools 0)

enum { SST_MAX_QCFS_LEVELS = 65536 };

// What of a network is quantised; membranes are the neuron's own affair (neuron.h). The first layer is every
// convolution or linear layer that no activation comes before, the last one the last of the list.
typedef struct sst_quantization {
  sst_weight_quantizer weights;
  bool first_last; // also the first and the last layer, with their norms; otherwise those stay in full precision
  int norm_bits;   // of factors and offsets of norms, and of scale and bias where none follows; 0: full precision
  int input_bits;  // of the network's input, 2..12; 0: full precision
  float input_low, input_high; // what the input may be; with input_bits
} sst_quantization;

typedef struct sst_model_options {
  bool spiking;      // SNN, else ANN
  int64_t timesteps; // T; 1 for an ANN
  int64_t classes;
  int64_t height, width, channels; // of the input picture
  sst_neuron neuron;
  bool layer_thresholds;     // SNN: each neuron layer learns a threshold of its own, and its spikes have that size
  sst_activation activation; // ANN
  int64_t qcfs_levels;       // ANN, qcfs: steps from 0 to the threshold, 1..65536; default 8
  sst_norm_kind norm;
  float norm_momentum, norm_epsilon; // 0.1, 1e-5
  sst_readout readout;               // of an SNN
  float readout_decay;               // of the membrane readout's integrator, 0..1; default 0.5
  sst_quantization quantization;
  const sst_layer *layers; // [layer_count]; borrowed
  int layer_count;
} sst_model_options;
// SNN, T = 4, default neuron, batch norm, current readout, relu, nothing quantised, no layers.
SST_API sst_model_options sst_model_default(void);

// Nothing quantised: neither input nor weights nor norms nor membranes.
SST_API void sst_model_full_precision(sst_model_options *options);

// X(NAME, "word", "one line"): named layer lists.
#define SST_BUILDER_LIST(X)                                                                                            \
  X(MLP, "mlp", "784-800-10 and the like: linear(hidden)-norm-act, linear")                                            \
  X(CNN, "cnn", "32C3-norm-act-P2-64C3-norm-act-P2-FC256-act-FC, for 28x28 pictures")                                  \
  X(VGG9, "vgg9", "64-64-P-128-128-P-256-256-P-FC1024-FC")                                                             \
  X(VGG11, "vgg11", "VGG-11 (A) with batch norm, one linear layer")                                                    \
  X(VGG16, "vgg16", "VGG-16 (D) with batch norm, one linear layer")                                                    \
  X(RESNET8, "resnet8", "16-32-64, one block each")                                                                    \
  X(RESNET18, "resnet18", "64-128-256-512, two blocks each, 3x3 stem")                                                 \
  X(RESNET19, "resnet19", "128-256-512, three, three and two blocks, FC256")                                           \
  X(RESNET20, "resnet20", "16-32-64, three blocks each")                                                               \
  X(RESNET34, "resnet34", "64-128-256-512, three, four, six and three blocks, 3x3 stem")
typedef enum sst_builder_kind {
#define SST_BUILDER_ENUM(name, word, text) SST_BUILDER_##name,
  SST_BUILDER_LIST(SST_BUILDER_ENUM)
#undef SST_BUILDER_ENUM
      SST_BUILDER_COUNT
} sst_builder_kind;
// The word used in recipes, and back; false for an unknown word.
SST_API const char *sst_builder_word(sst_builder_kind kind);
SST_API bool sst_builder_parse(const char *word, sst_builder_kind *out);

typedef struct sst_builder_options {
  double width;        // multiplies every hidden width, rounded to at least 1; > 0
  int64_t hidden;      // mlp: hidden units; 0: 800
  sst_block_form form; // resnets
  bool max_pool;       // max instead of average pooling
  float dropout;       // before the last linear layer; 0: none
} sst_builder_options;
SST_API sst_builder_options sst_builder_default(void); // width 1, basic form, average pooling, no dropout

// Writes the builder's layers. *layers is owned by the caller: sst_layers_free.
SST_MUST_CHECK SST_API sst_status sst_builder_layers(sst_context *context, sst_builder_kind kind,
                                                     const sst_builder_options *options, sst_layer **layers,
                                                     int *count);
SST_API void sst_layers_free(sst_context *context, sst_layer *layers);

// Builds the network in the graph's current scope on x [1 or T,N,H,W,C] (an ANN: T = 1); returns each step's logits
// [T,N,1,1,classes] before averaging (for the membrane readout: the membranes; spike count: spikes) and, in *logits,
// their readout [1,N,1,1,classes]; SST_NO_VALUE in both places, with the failure kept in the graph, if something does
// not fit. With T = 1 input everything before the first neuron is computed once, not once a step.
//
// Taps made, with the scope in front:
//   "<layer>.conv|linear|norm|act|..." the output of each layer, "<layer>" its place in the list from 0 ("3.act"); a
//     norm layer that `norm: none` leaves out still counts, so names do not depend on the options;
//   blocks "<layer>.conv1", ".norm1", ".act1", ".conv2", ..., ".out", and where the shortcut is not the identity
//     ".shortcut_conv", ".shortcut_norm" (in the SEW form also ".shortcut_act");
//   "<layer>.membrane" (".membrane1", ..., ".shortcut_membrane") of every neuron layer before firing; the readout's
//     "readout.membrane", and "readout.act" for the spike count;
//   "stage<k>" the last activation before each reduction of height and width by pooling or stride, k from 1, and
//     "features" the last activation before the last linear layer, neither where no activation comes before (a SEW
//     block's activation is its sum of spikes); of neurons also "stage<k>.membrane" and "features.membrane", the
//     membrane before firing behind it (a SEW block's: that of its residual branch);
//   "head.weight" the weight [1,classes,1,1,I] of the last linear layer, before quantisation;
//   "step_logits" and "logits";
//   those of sst_activation_build where layers have thresholds;
//   "input.rounded", where the input has bits;
//   of a quantised layer "<layer>.conv.codes" and "<layer>.conv.sums", what the convolution makes of the codes
//     (".linear.codes", ".conv1.sums" and so on).
//
// Parameters: "<layer>.conv.weight", ".linear.bias", ".norm.gamma|beta|running_mean|running_variance", in blocks
// ".conv1.weight", ".shortcut_norm.gamma" and so on; ".decay" (".decay1", ...) for PLIF, ".threshold" where
// layers have thresholds, ".conv.step" (".linear.step", ...) for learned steps. ANN and SNN of the same list, quantised
// or not, have the same names and shapes but for those.
// Errors: INVALID_ARGUMENT, SHAPE and MISMATCH (parameters of another network), with the layer's number and kind.
SST_API sst_value sst_model_build(sst_graph *graph, const sst_model_options *options, sst_value x, sst_value *logits);

// One activation layer on x in the current scope, as the options say: `spiking`, `timesteps`, `neuron`,
// `layer_thresholds`, `activation` and `qcfs_levels` count. For builders of networks that are no layer list; `prefix`
// and `suffix` stand around its names. Makes the tap "act", and of neurons "membrane". Where it has a threshold of its
// own: the parameter "threshold" [1,1,1,1,1], which starts at neuron.threshold and divides all that the neurons see,
// the tap "current" of x and, of neurons, "spikes" of zeros and ones; "act" is then threshold * spikes. Conversion
// finds layers by these names. `membrane`, if not NULL, receives that tap's value, of an ANN SST_NONE.
SST_API sst_value sst_activation_build(sst_graph *graph, const sst_model_options *options, const char *prefix,
                                       const char *suffix, sst_value x, sst_value *membrane);

#ifdef __cplusplus
}
#endif
#endif
