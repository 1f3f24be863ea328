// SPDX-License-Identifier: Apache-2.0
// What an op is: shape rule, preparation, forward, backward and cost record, all in one file each (src/op/<name>.c).
// An op sees only its own call: its tensors, its attributes, its scratch. It knows no graph.
#ifndef SPIKESTILL_OP_H
#define SPIKESTILL_OP_H

#include "backend/backend.h"

// One tensor of a call. Its data pointer is fixed once the graph is compiled, or rebound by the graph for inputs.
typedef struct ssti_tensor {
  sst_shape shape;
  ssti_type type; // ssti_bf16 lies at `data` where it says so, which only ops see that take it: see bf16_inputs
  int code_bits;  // whole numbers, as symmetric codes of so many bits (quantize.h); 0: nothing is known. Set by `infer`
  float *data;
} ssti_tensor;

// What differs from one run of a graph to the next.
typedef struct ssti_run {
  bool training; // batch statistics, dropout
  bool smooth;   // neurons fire on the surrogate's primitive
  uint64_t seed;
  uint64_t step; // dropout draws differ by step
  bool resumes;  // neurons go on from where the last run ended
  bool again;    // a forward call inside the backward pass: makes the same output again and changes nothing else
} ssti_run;

// Work of one call, counted densely, for the whole batch and all steps. 64-bit counts; per inference divide by N.
typedef struct sst_cost {
  int64_t macs;           // multiply-accumulates of convolutions and linear layers
  int64_t elementwise;    // other arithmetic on elements, one an output element and operation
  int64_t neuron_updates; // membrane updates
} sst_cost;

typedef struct ssti_call {
  ssti_backend *backend;
  const void *attributes; // the op's own struct
  const ssti_run *run;
  int input_count, output_count;
  ssti_tensor **x;  // [input_count]
  ssti_tensor **y;  // [output_count]; y[i]->data is NULL when nobody reads output i (i > 0)
  ssti_tensor **dx; // [input_count]; NULL entry: this gradient is not wanted
  ssti_tensor **dy; // [output_count]; NULL entry: no gradient arrives there (zero)
  bool *accumulate; // [input_count]: add to dx[i] instead of overwriting it
  ssti_plan *plan;  // the backend's, or NULL
  void *saved;      // lives from forward to backward; NULL in graphs without backward if the op says so
  void *workspace;  // valid during one forward or backward
  uint64_t stream;  // this node's random stream
  sst_precision precision;
  bool frozen;   // built in a frozen scope: runs as in inference, learns nothing
  bool settled;  // a sample's output must be the same bits whatever other samples are in the batch
  bool training; // this graph was compiled with a backward pass
  bool streams;  // the graph carries states from one run to the next
  void *state;   // lives as long as the graph; NULL unless it streams
} ssti_call;

// Bytes that a call wants besides its tensors; filled by `prepare`.
typedef struct ssti_needs {
  size_t saved;
  size_t forward_workspace;
  size_t backward_workspace;
  size_t state; // only asked for where call->streams
} ssti_needs;

enum { SSTI_ALL_INPUTS = 0x7fffffff };

typedef struct ssti_op {
  const char *name;
  size_t attributes_size; // copied by the graph; attributes hold no pointers

  // Shape rule: checks call->x[i]->shape and attributes, sets call->y[i]->shape. The sentence of a failure says what
  // was found and what was expected; the graph puts the layer's name before it. Errors: SHAPE, INVALID_ARGUMENT.
  sst_status (*infer)(sst_context *context, ssti_call *call);

  // Optional. Makes call->plan and says what memory the call wants. Shapes are final, data pointers are not there yet.
  sst_status (*prepare)(ssti_call *call, ssti_needs *needs);

  void (*forward)(ssti_call *call);
  void (*backward)(ssti_call *call); // NULL: no gradient passes (stop-gradient)
  void (*cost)(const ssti_call *call, sst_cost *cost);
  int (*bits)(const ssti_call *call); // of what it makes or keeps; 0, or NULL here: full precision

  // Which tensors' *values* backward reads, as bit masks over inputs and outputs; the memory plan keeps those alive.
  unsigned backward_reads_inputs;
  unsigned backward_reads_outputs;
  // Optional: false for a call whose backward reads no values after all (the gradient of a sum is dy). Then their
  // pointers must not be followed.
  bool (*backward_reads)(const ssti_call *call);

  // Forward is cheap arithmetic on inputs that backward reads anyway: rather than keep a large output 0 for its
  // readers' backward calls, the graph may have it made again (ssti_run.again).
  bool is_cheap;
  // dx[0] may be the memory of dy[0] where both have the same length and dx[0] is not added to.
  bool backward_in_place;
  // dx[0] is written last: it may lie where lay x[0], which nothing reads from then on, if it is not added to.
  bool backward_writes_first_last;

  // Which tensors may be bf16 where precision is BF16, values and gradients; as bit masks over inputs and outputs.
  unsigned bf16_inputs, bf16_outputs;
  // Optional; false for a call whose kernels take no bf16 after all.
  bool (*takes_bf16)(const ssti_call *call);
  // What it makes is bf16 only where all it reads is: what came in f32 was made so for a reason (integer networks).
  bool keeps_type;

  // Optional; true for a call whose output for a sample (a place on axis N, which weights do not have) depends on the
  // inputs of the same sample alone and on no random number, if as many samples come out as go in.
  bool (*is_by_sample)(const ssti_call *call);

  // Output 0 is input 0's memory under another shape (flatten, stop-gradient): forward copies nothing.
  bool is_view;
} ssti_op;

static inline bool ssti_op_by_sample(const ssti_call *call) {
  (void)call;
  return true;
}
// Of ops that draw random numbers, or take the batch's statistics, in training only.
static inline bool ssti_op_by_sample_if_frozen(const ssti_call *call) { return call->frozen; }

// The one list of ops; src/op/<name>.c defines ssti_op_<name>.
#define SSTI_OP_LIST(X)                                                                                                \
  X(conv2d)                                                                                                            \
  X(linear)                                                                                                            \
  X(quantize_weights)                                                                                                  \
  X(batch_norm)                                                                                                        \
  X(rescale)                                                                                                           \
  X(pool)                                                                                                              \
  X(adaptive_pool)                                                                                                     \
  X(flatten)                                                                                                           \
  X(unary)                                                                                                             \
  X(binary)                                                                                                            \
  X(reduce)                                                                                                            \
  X(l2_normalize)                                                                                                      \
  X(softmax)                                                                                                           \
  X(cross_entropy)                                                                                                     \
  X(kl_divergence)                                                                                                     \
  X(head_mask)                                                                                                         \
  X(stop_gradient)                                                                                                     \
  X(dropout)                                                                                                           \
  X(noise)                                                                                                             \
  X(concat)                                                                                                            \
  X(select_steps)                                                                                                      \
  X(repeat_steps)                                                                                                      \
  X(pad)                                                                                                               \
  X(slice)                                                                                                             \
  X(neuron)

#define SSTI_OP_DECLARE(name) extern const ssti_op ssti_op_##name;
SSTI_OP_LIST(SSTI_OP_DECLARE)
#undef SSTI_OP_DECLARE

// Ops that nobody builds: compiling puts them in the place of several nodes (graph/fuse.c).
extern const ssti_op ssti_op_norm_neuron;

// Attributes, one struct an op that has any.
typedef struct ssti_conv2d_attributes {
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
} ssti_conv2d_attributes; // inputs: x [T,N,H,W,I], weight [1,O,Kh,Kw,I/groups], optional bias [1,1,1,1,O]

// linear: no attributes; inputs: x [T,N,1,1,I], weight [1,O,1,1,I], optional bias [1,1,1,1,O]

typedef struct ssti_batch_norm_attributes {
  float epsilon, momentum, scale;
  int bits;                   // of factor and offset; 0: full precision
} ssti_batch_norm_attributes; // inputs: x, gamma, beta, running mean, running variance (the last two are updated)

typedef struct ssti_quantize_weights_attributes {
  sst_weight_quantizer quantizer;
} ssti_quantize_weights_attributes; // inputs: weight [1,O,Kh,Kw,I], for learned_step the step; outputs: codes, scale

typedef struct ssti_rescale_attributes {
  int bits;                // of factor and offset; 0: full precision
} ssti_rescale_attributes; // inputs: x, factor [1,1,1,1,C or 1] (no gradient), optional offset [1,1,1,1,C]

typedef struct ssti_pool_attributes {
  ssti_pool_kind kind;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
} ssti_pool_attributes;

typedef struct ssti_adaptive_pool_attributes {
  int64_t height, width; // of the output
} ssti_adaptive_pool_attributes;

typedef struct ssti_unary_attributes {
  ssti_unary_kind kind;
  float a, b;
} ssti_unary_attributes;

typedef struct ssti_binary_attributes {
  ssti_binary_kind kind;
} ssti_binary_attributes;

typedef struct ssti_reduce_attributes {
  ssti_reduce_kind kind;
  int axes;
} ssti_reduce_attributes;

typedef struct ssti_l2_normalize_attributes {
  int axes;
  float epsilon;
} ssti_l2_normalize_attributes;

typedef struct ssti_softmax_attributes {
  float temperature;
  bool log;
} ssti_softmax_attributes;

typedef struct ssti_cross_entropy_attributes {
  float smoothing;
} ssti_cross_entropy_attributes; // inputs: logits [T,N,1,1,C], target [1,N,1,1,C] (no gradient); output [T,N,1,1,1]

// kl_divergence: no attributes; inputs: p, log_q, same shape; output has C = 1

typedef struct ssti_head_mask_attributes {
  float mass;
} ssti_head_mask_attributes;

typedef struct ssti_dropout_attributes {
  float rate;
} ssti_dropout_attributes;

typedef struct ssti_noise_attributes {
  float deviation;
} ssti_noise_attributes;

typedef struct ssti_concat_attributes {
  sst_axis axis;
} ssti_concat_attributes;

typedef struct ssti_select_steps_attributes {
  int64_t first, count; // steps first .. first+count-1
} ssti_select_steps_attributes;

typedef struct ssti_repeat_steps_attributes {
  int64_t steps; // x has T = 1
} ssti_repeat_steps_attributes;

// Of height, width and channels, in this order.
typedef struct ssti_pad_attributes {
  int64_t before[3], after[3];
  float value;
} ssti_pad_attributes;

typedef struct ssti_slice_attributes {
  int64_t first[3], count[3], step[3];
} ssti_slice_attributes;

typedef struct ssti_neuron_attributes {
  sst_neuron neuron;
  int64_t steps;
} ssti_neuron_attributes; // inputs: x [steps or 1,...], for PLIF also w [1,1,1,1,1]; outputs: spikes, membrane

typedef struct ssti_norm_neuron_attributes {
  ssti_batch_norm_attributes norm; // bits 0
  ssti_neuron_attributes neuron;
} ssti_norm_neuron_attributes; // inputs: those of batch norm, for PLIF also w; outputs: spikes, membrane

#endif
