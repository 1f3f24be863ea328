// SPDX-License-Identifier: Apache-2.0
// Integer networks: what is left of a quantised spiking network when nothing of it needs floating point any more. The
// same spikes, bit for bit, as the simulation that trained it (quantize.h), as a list of nodes over integer values.
//
// Every value is an array of integers [H,W,C] a picture and time step, channels last, with one exponent for all of it:
//
//     real number = integer * 2^-exponent
//
// Spikes are 0 or 1 with exponent 0; a sum of four spikes that stands for their mean has exponent 2. `low` and `high`
// bound what any input can bring about (by the sums of absolute weights), so that an engine knows the widths it needs.
// A value marked `once` is the same in every step of a picture and computed in its first one: all that lies between a
// picture that is shown in every step and the first neurons.
//
// Nodes, in the order in which they run, each with one output. S >> n is an arithmetic shift, floor(S / 2^n).
//
//     synapses  z = sum over the window and the group's input channels of code * x      (x is 0 beyond the border)
//               y = factor[o] * z + offset[o]                                           factor may be negative
//     neurons   h = (v << state_shift) + ((gain * x) << input_shift)
//               s = 1 if h >= threshold, else 0
//               u = s ? 0 : h  (hard reset)    or    h - s * threshold_step  (soft reset)
//               v = clip((decay * u + half) >> decay_shift, -limit, limit)
//               with half = 2^(decay_shift - 1), or 0 for shift 0: half up, as src/quantize/grid.h. Limit 0: not
//               clipped. v is `start` before the first step.
//               y = s
//     sum_pool  y = sum of the window                     (an average pool; the exponent carries the division)
//     max_pool  y = largest of the window                 (of spikes: whether any fired)
//     add       y = (a << shift[0]) + (b << shift[1])
//     flatten   y = x in the order H, W, C
//     readout   logits, once a picture; see sst_integer_readout. The last node, and the only one of its kind.
//
// A window's positions beyond the border (padding) count as 0 in sum_pool and are left out in max_pool. Node i makes
// value i + 1. No integer on the way exceeds 2^31 - 1 in size: neither z, factor * z and y, nor both terms of h, h,
// decay * u + half and v (sst_integer_network_check proves it), so 32 bits hold all but the readout's sums.
#ifndef SPIKESTILL_INTEGER_H
#define SPIKESTILL_INTEGER_H

#include "spikestill/graph.h"
#include "spikestill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word in files and tables", "one line")
#define SST_INTEGER_NODE_LIST(X)                                                                                       \
  X(SYNAPSES, "synapses", "convolution or linear layer on integer codes, with its norm")                               \
  X(NEURONS, "neurons", "neurons with an integer membrane")                                                            \
  X(SUM_POOL, "sum_pool", "average pooling as a sum")                                                                  \
  X(MAX_POOL, "max_pool", "max pooling")                                                                               \
  X(ADD, "add", "sum of two values at a common scale")                                                                 \
  X(FLATTEN, "flatten", "to one row of features")                                                                      \
  X(READOUT, "readout", "logits")
typedef enum sst_integer_node_kind {
#define SST_INTEGER_NODE_ENUM(name, word, text) SST_INTEGER_NODE_##name,
  SST_INTEGER_NODE_LIST(SST_INTEGER_NODE_ENUM)
#undef SST_INTEGER_NODE_ENUM
      SST_INTEGER_NODE_COUNT
} sst_integer_node_kind;

typedef struct sst_integer_value {
  int64_t height, width, channels; // >= 1
  int exponent;                    // 0..62
  int64_t low, high;               // bounds of every integer of it, within +-(2^31 - 1); low <= high
  bool once;                       // the same in every time step
} sst_integer_value;

// A linear layer is a 1x1 convolution of a flattened value.
typedef struct sst_integer_synapses {
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
  int weight_bits;       // 2..8; 2 is ternary: codes -1, 0, 1; b bits: -(2^(b-1)-1) .. 2^(b-1)-1
  const int8_t *codes;   // [out][kernel_h][kernel_w][in / groups]
  const int32_t *factor; // [out]
  const int32_t *offset; // [out]
} sst_integer_synapses;

typedef struct sst_integer_neurons {
  int32_t threshold;      // fires at h >= threshold; >= 1
  int32_t threshold_step; // what a soft reset subtracts; 0 with a hard one
  bool hard_reset;
  int gain;        // 1..256; with an input shift that makes both terms of h integers
  int state_shift; // 0..31
  int input_shift; // 0..31
  int decay;       // 0..256; 1 with shift 0 for neurons without a leak
  int decay_shift; // 0..31
  int32_t limit;   // of the stored state, 2^(bits-1) - 1; 0: none
  int state_bits;  // 2..16; 32 where there is no limit
  int32_t start;   // state before the first step
  int exponent;    // of h, 0..62: for those who want to know the membrane as a real number
} sst_integer_neurons;

typedef struct sst_integer_pool {
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
} sst_integer_pool;

// X(NAME, "word", "one line"): x[t] is the readout's input [1,1,classes] in step t. All sums stay below 2^62.
#define SST_INTEGER_READOUT_LIST(X)                                                                                    \
  X(SUM, "sum", "sum over the steps of x[t]; the mean is that over T")                                                 \
  X(LAST, "last", "x of the last step")                                                                                \
  X(INTEGRATOR, "integrator",                                                                                          \
    "sum over the steps of m[t] << (shift * (T-1-t)), with m[t] = decay * m[t-1] + (x[t] << (shift * t))")
typedef enum sst_integer_readout_kind {
#define SST_INTEGER_READOUT_ENUM(name, word, text) SST_INTEGER_READOUT_##name,
  SST_INTEGER_READOUT_LIST(SST_INTEGER_READOUT_ENUM)
#undef SST_INTEGER_READOUT_ENUM
      SST_INTEGER_READOUT_COUNT
} sst_integer_readout_kind;

// logit = integer * scale. The class is the first of the largest integers.
typedef struct sst_integer_readout {
  sst_integer_readout_kind kind;
  int decay, shift; // integrator: a decay of decay / 2^shift a step
  double scale;     // > 0
} sst_integer_readout;

typedef struct sst_integer_node {
  sst_integer_node_kind kind;
  char name[48]; // of the layer that it was, such as "3.conv", "5.conv2", "readout"; unique; A-Z a-z 0-9 . _ -
  int input[2];  // values made before it; input[1] is that of an addition, else -1
  int output;    // value: its own number + 1; -1 for the readout
  int shift[2];  // add: 0..31, so that both have the exponent of the sum
  sst_integer_synapses synapses;
  sst_integer_neurons neurons;
  sst_integer_pool pool;
  sst_integer_readout readout;
} sst_integer_node;

// Value 0 is the input. Samples of 8 bits (pictures, frames of events) become integers by `pixel_codes`:
// x = pixel_codes[channel * 256 + byte]; NULL where they are integers already (counts of events, spikes).
typedef struct sst_integer_network {
  sst_context *context;
  int64_t timesteps, classes; // 1..65536, 1..2^20
  bool input_each_step;       // input has T steps of its own; otherwise one picture is shown in every step (`once`)
  const int16_t *pixel_codes; // [channels][256] or NULL
  sst_integer_value *values;
  int value_count;
  sst_integer_node *nodes;
  int node_count;
  const char *recipe; // YAML: whose data it is for and what trained it; NULL where that is not known
  void *storage;      // what the arrays lie in; the network's own
} sst_integer_network;

// The word used in files, and back; false for an unknown word.
SST_API const char *sst_integer_node_word(sst_integer_node_kind kind);
SST_API bool sst_integer_node_parse(const char *word, sst_integer_node_kind *out);
SST_API const char *sst_integer_readout_word(sst_integer_readout_kind kind);
SST_API bool sst_integer_readout_parse(const char *word, sst_integer_readout_kind *out);

// Whether a network is sound: shapes that follow from one another, indices in order, codes and shifts in range, bounds
// that hold (they are computed again). Every engine, exporter and reader relies on it and checks nothing twice.
// Errors: INVALID_ARGUMENT or SHAPE, with the node's name.
SST_MUST_CHECK SST_API sst_status sst_integer_network_check(const sst_integer_network *network);

// Gives the network a copy of the text as its recipe. Errors: OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_integer_network_set_recipe(sst_integer_network *network, const char *text);

// Frees the network and all its arrays; NULL is allowed.
SST_API void sst_integer_network_free(sst_integer_network *network);

// Called by sst_integer_simulate after each node in each step (nodes whose output is `once`: in step 0 only) with its
// output [H,W,C], and for neurons the membranes h before firing, else NULL.
typedef void sst_integer_observer(void *state, int64_t picture, int64_t step, int node, const int32_t *output,
                                  const int32_t *membrane);

// The network by the formulas above, in plain loops: what every engine must give bit for bit. `input` [pictures][1, or
// T] [H,W,C] as value 0; `logits` [pictures][classes]; observer may be NULL. Slow. Errors: OUT_OF_MEMORY;
// INVALID_ARGUMENT if an input is outside the bounds of value 0, with picture and position.
SST_MUST_CHECK SST_API sst_status sst_integer_simulate(const sst_integer_network *network, int64_t pictures,
                                                       const int16_t *input, int64_t *logits,
                                                       sst_integer_observer *observer, void *state);

// Container: a safetensors file (docs/integer.md). Weights are packed: ternary five codes a byte, other widths in their
// own number of bits. save replaces the file as a whole or leaves the old one. load maps the file and checks all of it;
// the network uses it until it is freed (sst_safetensors_map says what must not happen to it meanwhile).
// Errors: IO, FORMAT (with the file's name and where), OUT_OF_MEMORY, and those of sst_integer_network_check.
SST_MUST_CHECK SST_API sst_status sst_integer_network_save(const sst_integer_network *network, const char *path);
SST_MUST_CHECK SST_API sst_status sst_integer_network_load(sst_context *context, const char *path,
                                                           sst_integer_network **out);

// Whether the file says of itself that it is such a container; false for anything that cannot be read.
SST_API bool sst_integer_network_recognize(const char *path);

// What one node takes. All 0 for nodes without weights and states.
typedef struct sst_integer_sizes {
  int64_t weights;        // codes of synapses
  int64_t weight_bytes;   // of the packed codes
  int64_t constant_bytes; // of factors and offsets
  int64_t float_bytes;    // of the same layer in 32-bit floats: weights, and a bias that holds the norm
  int64_t neurons;
  int64_t state_bytes; // of their states in state_bits
} sst_integer_sizes;
// Of the node at `index`, 0..node_count - 1.
SST_API sst_integer_sizes sst_integer_node_sizes(const sst_integer_network *network, int index);

// What the samples of a graph's input are.
typedef struct sst_integer_input {
  const float *bytes_as; // [channels][256]: what the graph's input is for each byte of a sample; or NULL,
  int64_t low, high;     // and samples are integers in these bounds (spikes: 0 and 1)
} sst_integer_input;

// Lowers the part of a compiled graph that lies between `input` (batch of 1) and `logits` [1,1,1,1,classes], as trained
// with all of it on dyadic grids (docs/decisions/0027): the same spikes, bit for bit, as the graph gives in inference.
// Errors: UNSUPPORTED with the layer, what of it no integer network has, and what would make it possible; those of
// sst_integer_network_check.
SST_MUST_CHECK SST_API sst_status sst_integer_from_graph(sst_graph *graph, sst_value input, sst_value logits,
                                                         const sst_integer_input *samples, sst_integer_network **out);

// ---- approximation, on request

// X(NAME, "word in records", "one line"): what is rounded where a graph is not on dyadic grids. Half up, all of it.
#define SST_APPROXIMATION_LIST(X)                                                                                      \
  X(INPUT, "input", "values of bytes, to a grid of input_bits whose end is a power of two")                            \
  X(WEIGHTS, "weights", "to codes of weight_bits, with the step of least squared error of each output channel")        \
  X(FACTORS, "factors",                                                                                                \
    "of channels or of a whole value, to fixed point: norm_bits for the largest, fewer where "                         \
    "32 bits could not hold what comes of it")                                                                         \
  X(OFFSETS, "offsets", "of channels, to the units of their layer's output")                                           \
  X(THRESHOLD, "threshold", "that a soft reset subtracts, to the units of the membrane")                               \
  X(LEAK, "leak", "a step's decay, to a multiple of 1/256; 1 - decay, where it multiplies the input, with it")         \
  X(STATE, "state", "stored membranes, to membrane_bits over -4..4 thresholds; or the one before the first step")      \
  X(READOUT, "readout", "decay of the readout, to a multiple of 1/256, or coarser for the sums of many steps")
typedef enum sst_approximation_kind {
#define SST_APPROXIMATION_ENUM(name, word, text) SST_APPROXIMATION_##name,
  SST_APPROXIMATION_LIST(SST_APPROXIMATION_ENUM)
#undef SST_APPROXIMATION_ENUM
      SST_APPROXIMATION_COUNT
} sst_approximation_kind;
// The word used in records.
SST_API const char *sst_approximation_word(sst_approximation_kind kind);

typedef struct sst_approximation {
  sst_approximation_kind kind;
  char layer[48]; // as nodes are called
  // How far from exact: the root of the squared error over that of what was rounded. Of stored membranes: half a step,
  // in thresholds.
  double size;
} sst_approximation;
typedef struct sst_approximations {
  sst_approximation *items; // in the order of the layers
  int count;
  size_t capacity;
} sst_approximations;
// Frees the list and empties it.
SST_API void sst_approximations_free(sst_context *context, sst_approximations *approximations);

// Bits for what has none; 0: of the default below.
typedef struct sst_approximation_options {
  int weight_bits;   // 2..8; 8
  int norm_bits;     // 2..16; 16
  int membrane_bits; // 2..16; 0: 16 for neurons with a leak, and all that is needed without one
  int input_bits;    // 2..12; 8
} sst_approximation_options;

// As sst_integer_from_graph, but what is not on dyadic grids is rounded, and told in *made (freed by the caller, also
// on failure): full-precision weights and norms, leaks, learned thresholds of layers. Numbers of different scales meet
// at one of them. What is exact stays so. Errors: UNSUPPORTED with the layer, for what has no integer form at all.
SST_MUST_CHECK SST_API sst_status sst_integer_approximate(sst_graph *graph, sst_value input, sst_value logits,
                                                          const sst_integer_input *samples,
                                                          const sst_approximation_options *options,
                                                          sst_approximations *made, sst_integer_network **out);

#ifdef __cplusplus
}
#endif
#endif
