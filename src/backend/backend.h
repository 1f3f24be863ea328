// SPDX-License-Identifier: Apache-2.0
// The kernel table. The reference backend (plain C, src/backend/reference) fills every slot but the fused ones; a
// faster backend starts from a copy of the reference table and overrides the slots it has something better for. Kernels
// trust their arguments: they assert, they do not report. All tensors are row-major, channels last, 64-byte aligned at
// their start, and f32, but where a shape's `..._type` says that they are bf16: then the pointer to float is one to
// ssti_bf16, and so is that to the tensor's gradient.
//
// `rows` is always the product of the axes before C. `accumulate` says whether a gradient is added to what is there
// or overwrites it. Weight layouts: convolution [O,Kh,Kw,I/groups], linear [O,I].
#ifndef SPIKESTILL_BACKEND_H
#define SPIKESTILL_BACKEND_H

#include <string.h>

#include "base/everywhere.h"
#include "base/fail.h"
#include "base/memory.h"
#include "picture/picture_plan.h"
#include "spikestill/device.h"
#include "spikestill/neuron.h"
#include "spikestill/precision.h"
#include "spikestill/quantize.h"
#include "spikestill/tensor.h"

typedef struct ssti_backend ssti_backend;

// How the elements of a tensor are stored.
typedef enum ssti_type { SSTI_F32, SSTI_BF16 } ssti_type;
typedef uint16_t ssti_bf16; // the upper half of an f32; rounded to nearest, halves to even

SSTI_EVERYWHERE float ssti_bf16_value(ssti_bf16 x) {
  const uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Numbers that are none stay none: without the middle case rounding might carry into the sign.
SSTI_EVERYWHERE ssti_bf16 ssti_bf16_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = bits + (0x7fffu + (bits >> 16 & 1));
  return (ssti_bf16)(((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : rounded) >> 16);
}

static inline size_t ssti_type_bytes(ssti_type type) { return type == SSTI_BF16 ? sizeof(ssti_bf16) : sizeof(float); }

// What a kernel prepared for one shape: descriptors, chosen algorithm, workspace. Backends embed it as first member.
typedef struct ssti_plan {
  size_t forward_workspace;  // bytes of scratch that forward wants, 64-byte aligned
  size_t backward_workspace; // the larger of what the backward kernels want
  size_t saved;              // bytes that forward leaves for the gradient of the weights
  // What the last run found and chose, for reports.
  double density; // share of spikes in the input; negative: the input is not spikes, or nobody looked
  bool forward_by_events, weights_by_events;
  bool forward_by_codes; // in 8-bit integers
} ssti_plan;

typedef struct ssti_conv2d {
  int64_t images; // T*N
  int64_t in_h, in_w, in_c, out_h, out_w, out_c;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
  sst_precision precision;     // of the products
  ssti_type in_type, out_type; // of x and y; bf16 only with precision BF16
  bool settled;  // an image's result must not depend on the other images: no choice by the batch's density
  int code_bits; // weights are symmetric codes of so many bits; 0: any numbers
} ssti_conv2d;

// 3x3 over square pictures that keep their size, in f32.
ssti_conv2d ssti_conv2d_3x3(int64_t images, int64_t size, int64_t in_c, int64_t out_c);

typedef struct ssti_linear {
  int64_t rows, in, out;
  sst_precision precision;
  ssti_type in_type, out_type;
  bool settled; // as ssti_conv2d's
  int code_bits;
} ssti_linear;

// What copy_box copies: a box of four axes, with a stride in elements for each on either side.
typedef struct ssti_box {
  int64_t count[4], from_stride[4], to_stride[4];
} ssti_box;

// The box of a whole tensor: T*N, H, W, C, dense on both sides.
static inline ssti_box ssti_box_of(sst_shape shape) {
  const int64_t *d = shape.dim;
  ssti_box box;
  int64_t stride = 1;
  for (int i = 3; i >= 0; i--) {
    box.count[i] = i > 0 ? d[SST_AXIS_H + i - 1] : d[SST_AXIS_T] * d[SST_AXIS_N];
    box.from_stride[i] = box.to_stride[i] = stride;
    stride *= box.count[i];
  }
  return box;
}

// The way back.
static inline ssti_box ssti_box_turned(const ssti_box *box) {
  ssti_box back = *box;
  for (int i = 0; i < 4; i++) {
    back.from_stride[i] = box->to_stride[i];
    back.to_stride[i] = box->from_stride[i];
  }
  return back;
}

typedef enum ssti_pool_kind { SSTI_POOL_AVERAGE, SSTI_POOL_MAX } ssti_pool_kind;

// Average pooling divides by the whole window, padding counted (PyTorch's default). Max pooling ignores padding and, on
// equal values, takes the first in row order.
typedef struct ssti_pool {
  ssti_pool_kind kind;
  int64_t images, in_h, in_w, channels, out_h, out_w;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
  ssti_type in_type, out_type;
} ssti_pool;

typedef struct ssti_adaptive_pool {
  int64_t images, in_h, in_w, channels, out_h, out_w;
} ssti_adaptive_pool;

typedef struct ssti_batch_norm {
  int64_t rows, channels;
  int64_t steps; // T of the rows, outermost: the order of sums in backward may depend on it
  float epsilon;
  float momentum;              // running = (1 - momentum) * running + momentum * batch (variance unbiased, as PyTorch)
  float scale;                 // multiplies gamma: alpha * threshold of threshold-dependent batch norm; 1 otherwise
  ssti_type in_type, out_type; // of x and y; a norm in fixed point has f32
} ssti_batch_norm;

// What changes from one optimiser step to the next.
typedef struct ssti_update {
  float learning_rate, gradient_scale; // the scale multiplies the gradient first (clipping)
  double correction1, correction2;     // AdamW: 1 - beta1^n and 1 - beta2^n of step n = 1, 2, ...
  double norm;                         // of the gradient, where somebody asked for it
} ssti_update;

// Weights as a matrix: a row is an output channel. The scales are [rows] with `quantizer.per_channel`, else [1].
typedef struct ssti_weight_shape {
  sst_weight_quantizer quantizer; // not NONE
  int64_t rows, columns;
} ssti_weight_shape;

// X(NAME, name): y = f(x), with parameters a and b where named.
#define SSTI_UNARY_LIST(X)                                                                                             \
  X(AFFINE, affine) /* a*x + b */                                                                                      \
  X(RELU, relu)     /* max(0, x); derivative 0 at 0 */                                                                 \
  X(SQUARE, square)                                                                                                    \
  X(ABS, abs) /* derivative 0 at 0 */                                                                                  \
  X(SQRT, sqrt)                                                                                                        \
  X(EXP, exp)                                                                                                          \
  X(LOG, log)                                                                                                          \
  X(SIGMOID, sigmoid)                                                                                                  \
  X(TANH, tanh)                                                                                                        \
  X(POWER, power) /* |x|^a, a > 0 */                                                                                   \
  X(CLIP, clip)   /* to [a, b]; derivative 1 inside and on the border */                                               \
  X(FLOOR, floor) /* straight-through: derivative 1 */                                                                 \
  X(ROUND, round) /* to multiples of a, halves up; straight-through; |x/a| < 2^22 */
typedef enum ssti_unary_kind {
#define SSTI_UNARY_ENUM(name, word) SSTI_UNARY_##name,
  SSTI_UNARY_LIST(SSTI_UNARY_ENUM)
#undef SSTI_UNARY_ENUM
} ssti_unary_kind;

// Both sides broadcast: an axis of length 1 is repeated.
#define SSTI_BINARY_LIST(X) X(ADD, add) X(SUBTRACT, subtract) X(MULTIPLY, multiply) X(DIVIDE, divide)
typedef enum ssti_binary_kind {
#define SSTI_BINARY_ENUM(name, word) SSTI_BINARY_##name,
  SSTI_BINARY_LIST(SSTI_BINARY_ENUM)
#undef SSTI_BINARY_ENUM
} ssti_binary_kind;

// Two tensors that are combined element by element.
typedef struct ssti_binary {
  ssti_binary_kind kind;
  sst_shape a, b;
  ssti_type a_type, b_type, out_type; // bf16 only in sums of two equal shapes
} ssti_binary;

static inline bool ssti_binary_is_f32(const ssti_binary *s) {
  return s->a_type == SSTI_F32 && s->b_type == SSTI_F32 && s->out_type == SSTI_F32;
}

#define SSTI_REDUCE_LIST(X) X(SUM, sum) X(MEAN, mean) X(MAX, max) /* max: gradient to the first largest */
typedef enum ssti_reduce_kind {
#define SSTI_REDUCE_ENUM(name, word) SSTI_REDUCE_##name,
  SSTI_REDUCE_LIST(SSTI_REDUCE_ENUM)
#undef SSTI_REDUCE_ENUM
} ssti_reduce_kind;

// A neuron layer over T steps. `x` is [T,n] or, with input_steps 1, [1,n] used at every step.
typedef struct ssti_neuron_shape {
  sst_neuron neuron;
  int64_t steps;       // T of the output
  int64_t input_steps; // T of x: `steps` or 1
  int64_t count;       // neurons: N*H*W*C
  bool smooth;         // forward on the surrogate's primitive instead of the step, for gradient tests
  // Of x and of the spikes; x is the norm's where it is fused with one. bf16 only where neuron_takes_bf16.
  ssti_type in_type, out_type;
  // Forward only: [ssti_neuron_state_rows, n], what the neurons carry over the last step; NULL: nobody wants it. With
  // `resumes` they go on from what is there, otherwise they start fresh.
  float *state;
  bool resumes;
} ssti_neuron_shape;

// Batch norm whose output goes into neurons and nowhere else. norm.rows * norm.channels = input_steps * count.
typedef struct ssti_norm_neuron {
  ssti_batch_norm norm;
  ssti_neuron_shape neuron;
} ssti_norm_neuron;

// Where its gradients go; each pointer may be NULL.
typedef struct ssti_norm_neuron_gradients {
  float *dx, *dgamma, *dbeta, *ddecay;
  bool accumulate_dx, accumulate_dgamma, accumulate_dbeta, accumulate_ddecay;
} ssti_norm_neuron_gradients;

// What the norm used, [3, channels]: mean, 1 / sqrt(variance + epsilon), scale * gamma / sqrt(variance + epsilon).
enum { SSTI_NORM_NEURON_SAVED = 3 };

typedef struct ssti_kernels {
  const char *name;

  // Plans: made once per node when a graph is compiled; *out is NULL where the kernel needs none. `training` says
  // whether backward will be called.
  sst_status (*conv2d_plan)(ssti_backend *backend, const ssti_conv2d *shape, bool training, ssti_plan **out);
  sst_status (*linear_plan)(ssti_backend *backend, const ssti_linear *shape, bool training, ssti_plan **out);
  sst_status (*pool_plan)(ssti_backend *backend, const ssti_pool *shape, bool training, ssti_plan **out);
  void (*plan_destroy)(ssti_backend *backend, ssti_plan *plan); // NULL plan allowed

  // bias and dbias may be NULL. `saved` holds plan->saved bytes, which forward fills and the gradient of the weights
  // reads.
  void (*conv2d_forward)(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *x,
                         const float *weight, const float *bias, float *y, void *saved, void *workspace);
  void (*conv2d_backward_data)(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *dy,
                               const float *weight, float *dx, bool accumulate, void *workspace);
  void (*conv2d_backward_weights)(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *x,
                                  const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                                  bool accumulate_bias, const void *saved, void *workspace);

  void (*linear_forward)(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *x,
                         const float *weight, const float *bias, float *y, void *saved, void *workspace);
  void (*linear_backward_data)(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *dy,
                               const float *weight, float *dx, bool accumulate, void *workspace);
  void (*linear_backward_weights)(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *x,
                                  const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                                  bool accumulate_bias, const void *saved, void *workspace);

  // Max pooling keeps what backward needs in `saved`: one byte an output element (the position in the window; windows
  // of at most 255 positions). For average pooling `saved` is NULL.
  void (*pool_forward)(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *x, float *y,
                       uint8_t *saved, void *workspace);
  void (*pool_backward)(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *dy,
                        const uint8_t *saved, float *dx, bool accumulate, void *workspace);

  // Output line i is the mean of input lines i*in/out .. ceil((i+1)*in/out) - 1, columns likewise; out <= in.
  void (*adaptive_pool_forward)(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *x, float *y);
  void (*adaptive_pool_backward)(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *dy, float *dx,
                                 bool accumulate);

  // Training: normalises with the batch's statistics, updates the running ones, keeps [2*channels]: mean,
  // 1/sqrt(var+eps). y may be NULL: then only the statistics are made.
  void (*batch_norm_forward_training)(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                      const float *gamma, const float *beta, float *running_mean,
                                      float *running_variance, float *y, float *saved);
  void (*batch_norm_forward_inference)(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                       const float *gamma, const float *beta, const float *running_mean,
                                       const float *running_variance, float *y);
  // dx, dgamma, dbeta may each be NULL. `batch_statistics` false: the statistics in `saved` were constants. `workspace`
  // holds batch_norm_workspace() bytes.
  void (*batch_norm_backward)(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *dy,
                              const float *gamma, const float *saved, bool batch_statistics, float *dx,
                              bool accumulate_dx, float *dgamma, bool accumulate_dgamma, float *dbeta,
                              bool accumulate_dbeta, void *workspace);
  size_t (*batch_norm_workspace)(ssti_backend *backend, const ssti_batch_norm *shape);
  // What a norm with constant statistics uses, [2,channels]: mean, 1 / sqrt(variance + epsilon); with `gamma` not NULL
  // [3,channels]: then scale * gamma / sqrt(variance + epsilon).
  void (*norm_constants)(ssti_backend *backend, const ssti_batch_norm *shape, const float *gamma, const float *mean,
                         const float *variance, float *saved);
  // Fixed point of batch norm (op/batch_norm.c has the formulas): from mean and inverse in `saved` [5,channels] the
  // rows 2 to 4: factor, offset, and by how much rounding moved the factor.
  void (*norm_fixed_point)(ssti_backend *backend, const ssti_batch_norm *shape, int bits, const float *gamma,
                           const float *beta, float *saved);

  // Integer codes and the scales that make weights of them (op/quantize_weights.c has the formulas). `step` is NULL for
  // ternary; of learned steps those that are not above 0 start from the weights. The workspace, aligned for doubles,
  // holds quantize_workspace() bytes.
  void (*quantize_weights_forward)(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight,
                                   const float *step, float *codes, float *scale, void *workspace);
  // `scale` as forward gave it. dweight and dstep may each be NULL.
  void (*quantize_weights_backward)(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight,
                                    const float *scale, const float *dcodes, float *dweight, bool accumulate_weight,
                                    float *dstep, bool accumulate_step, void *workspace);
  size_t (*quantize_workspace)(const ssti_weight_shape *shape);

  // In place: factors become multiples of a power of two in codes of `bits` bits; offsets multiples of a power of two
  // that is at least that of the factors, so that all of factor * integer + offset is a multiple of the latter.
  void (*fixed_point)(ssti_backend *backend, int64_t channels, int bits, float *factor, float *offset);
  // y = x * factor + offset; offset may be NULL.
  void (*channel_affine)(ssti_backend *backend, int64_t rows, int64_t channels, const float *x, const float *factor,
                         const float *offset, float *y, bool accumulate);

  void (*unary_forward)(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count, const float *x,
                        float *y);
  void (*unary_backward)(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count, const float *x,
                         const float *y, const float *dy, float *dx, bool accumulate);
  void (*binary_forward)(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b, float *y);
  // da and db may each be NULL; a gradient of a broadcast side is summed over the repeated axes.
  void (*binary_backward)(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b,
                          const float *dy, float *da, bool accumulate_a, float *db, bool accumulate_b);

  // `axes` is a set of SST_AXES_*; the result has length 1 there.
  void (*reduce_forward)(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes, const float *x,
                         float *y);
  void (*reduce_backward)(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes, const float *x,
                          const float *y, const float *dy, float *dx, bool accumulate);

  // y = x / max(norm, epsilon), norm over `axes`.
  void (*l2_normalize_forward)(ssti_backend *backend, sst_shape shape, int axes, float epsilon, const float *x,
                               float *y);
  void (*l2_normalize_backward)(ssti_backend *backend, sst_shape shape, int axes, float epsilon, const float *x,
                                const float *dy, float *dx, bool accumulate);

  // Over C, of x / temperature; log: log-softmax. Backward from y.
  void (*softmax_forward)(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log,
                          const float *x, float *y);
  void (*softmax_backward)(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log,
                           const float *y, const float *dy, float *dx, bool accumulate);

  // mask[row][c] = 1 for the fewest largest p of the row that add up to at least mass (of equal ones the first), else
  // 0.
  void (*head_mask)(ssti_backend *backend, int64_t rows, int64_t channels, float mass, const float *p, float *mask);

  // loss[row] = -sum_c t_c * log_softmax(logits)_c with t = (1 - smoothing) * target + smoothing / channels.
  // The logits have `rows` = T*N rows, the targets N rows, repeated over T.
  void (*cross_entropy_forward)(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels,
                                float smoothing, const float *logits, const float *target, float *loss);
  void (*cross_entropy_backward)(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels,
                                 float smoothing, const float *logits, const float *target, const float *dloss,
                                 float *dlogits, bool accumulate);

  // loss[row] = sum_c p_c * (log p_c - log_q_c), 0 where p_c = 0. dp, dlog_q may each be NULL.
  void (*kl_forward)(ssti_backend *backend, int64_t rows, int64_t channels, const float *p, const float *log_q,
                     float *loss);
  void (*kl_backward)(ssti_backend *backend, int64_t rows, int64_t channels, const float *p, const float *log_q,
                      const float *dloss, float *dp, bool accumulate_p, float *dlog_q, bool accumulate_q);

  // Called where a graph's run begins, with what the draws of dropout and noise depend on. NULL where these slots take
  // them from their arguments.
  void (*begin_run)(ssti_backend *backend, uint64_t seed, uint64_t step);

  // y = x * mask / (1 - rate); the mask of element i is that of random number (seed, stream with step, i).
  // Backward is the same function of dy, with `accumulate`.
  void (*dropout)(ssti_backend *backend, int64_t count, float rate, uint64_t seed, uint64_t stream, uint64_t step,
                  const float *x, float *y, bool accumulate);

  // y = x + deviation * n, n of element i the normal random number (seed, stream with step, i).
  void (*noise)(ssti_backend *backend, int64_t count, float deviation, uint64_t seed, uint64_t stream, uint64_t step,
                const float *x, float *y);

  // Copies [outer, width] between two arrays of given row strides (in elements), adding if `accumulate`: concat,
  // select, repeat.
  void (*copy_rows)(ssti_backend *backend, int64_t outer, int64_t width, const float *from, int64_t from_stride,
                    float *to, int64_t to_stride, bool accumulate);

  // Copies a box, adding if `accumulate`: pad, slice. Places of the target are disjoint.
  void (*copy_box)(ssti_backend *backend, const ssti_box *box, const float *from, float *to, bool accumulate);
  void (*fill)(ssti_backend *backend, int64_t count, float value, float *y);

  // A batch `out` [T,N,H,W,C] of pictures of a set [.,H,W,C], of at most SSTI_PICTURE_MOST_BYTES each, made as `plans`
  // [N] say; `values` [C,256] is what bytes become. All in the device's memory; the same bits as the loader's.
  void (*make_batch)(ssti_backend *backend, const ssti_picture_form *form, const uint8_t *set, const float *values,
                     const ssti_picture_plan *plans, float *out);

  // spikes [T,n] (for LI: the membrane); membrane [T,n] before firing, or NULL when nobody asked for it.
  // `decay_parameter` is PLIF's w (one float), else NULL. `workspace`, here and below, holds neuron_workspace() bytes.
  void (*neuron_forward)(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                         const float *decay_parameter, float *spikes, float *membrane, void *workspace);
  // dspikes and dmembrane may each be NULL (zero). dx [input_steps,n]; ddecay (one float) for PLIF; each may be NULL.
  // Recomputes the forward pass from x.
  void (*neuron_backward)(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                          const float *decay_parameter, const float *dspikes, const float *dmembrane, float *dx,
                          bool accumulate_dx, float *ddecay, bool accumulate_ddecay, void *workspace);
  size_t (*neuron_workspace)(ssti_backend *backend, const ssti_neuron_shape *shape, bool backward);
  // Whether x and the spikes of this kind may be bf16; NULL where none may.
  bool (*neuron_takes_bf16)(sst_neuron_kind kind);

  // Batch norm and neurons in one, without the tensor between them. These slots are empty in backends that do not fuse
  // (the reference: its own two kernels are the judge), and for kinds of neurons that norm_neuron_fuses denies.
  bool (*norm_neuron_fuses)(const ssti_norm_neuron *shape);
  // Statistics of the batch into `saved`; updates the running ones.
  void (*norm_neuron_statistics)(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                 const float *gamma, float *running_mean, float *running_variance, float *saved);
  // From `saved`, whoever filled it.
  void (*norm_neuron_forward)(ssti_backend *backend, const ssti_norm_neuron *shape, const float *x, const float *beta,
                              const float *saved, const float *decay_parameter, float *spikes, float *membrane,
                              void *workspace);
  // Gradients as of batch_norm_backward and neuron_backward; recomputes everything from x and `saved`.
  void (*norm_neuron_backward)(ssti_backend *backend, const ssti_norm_neuron *shape, const float *x, const float *gamma,
                               const float *beta, const float *saved, bool batch_statistics,
                               const float *decay_parameter, const float *dspikes, const float *dmembrane,
                               const ssti_norm_neuron_gradients *out, void *workspace);
  size_t (*norm_neuron_workspace)(ssti_backend *backend, const ssti_norm_neuron *shape, bool backward);

  // Called where an optimiser's step begins. NULL where the slots below take the update from their arguments.
  void (*begin_update)(ssti_backend *backend, const ssti_update *update);
  // Sets the update's norm to that of the gradient and its gradient_scale to min(1, clip_norm / (norm + 1e-6)). Where
  // begin_update keeps the numbers, they are set there and not in *update.
  void (*clip_gradient)(ssti_backend *backend, int64_t count, const float *gradient, float clip_norm,
                        ssti_update *update);
  // Optimiser steps over one flat block, in place.
  void (*sgd_step)(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *velocity,
                   const ssti_update *update, float momentum, bool nesterov, float weight_decay);
  void (*adamw_step)(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *first,
                     float *second, const ssti_update *update, float beta1, float beta2, float epsilon,
                     float weight_decay);
  // Sum of squares in double, in a fixed order.
  double (*sum_of_squares)(ssti_backend *backend, int64_t count, const float *x);
} ssti_kernels;

// Places in the host's memory through which host and device hand each other numbers without waiting for each other.
typedef struct ssti_passage ssti_passage;

// A sequence of kernel calls that was written down, to be given to the device as one.
typedef struct ssti_recording ssti_recording;

// What a device offers that works beside the host: slots of the kernel table return before their work is done, and work
// is done in the order it was given. Failures are kept, the first one of all, until somebody asks.
typedef struct ssti_beside {
  // Waits until all work is done; then the host may read and write tensors. The kept failure, with its sentence.
  sst_status (*wait)(ssti_backend *backend);
  sst_status (*failure)(ssti_backend *backend); // the same without waiting

  // `slots` places of `bytes` each. Errors: OUT_OF_MEMORY.
  sst_status (*passage_open)(ssti_backend *backend, size_t bytes, int slots, ssti_passage **out);
  void (*passage_close)(ssti_backend *backend, ssti_passage *passage); // NULL allowed
  // A place for the host to read or fill, after waiting until the device is done with it.
  void *(*passage_place)(ssti_backend *backend, ssti_passage *passage, int slot);
  // Copies `bytes` at `offset` of a place to a tensor, or a tensor there, as the device's next piece of work.
  void (*passage_send)(ssti_backend *backend, ssti_passage *passage, int slot, size_t offset, size_t bytes, void *to);
  void (*passage_fetch)(ssti_backend *backend, ssti_passage *passage, int slot, size_t offset, size_t bytes,
                        const void *from);

  // Between begin and end work is written down and not done; false: this cannot be had now. *out is NULL where some of
  // the work cannot be written down: nothing was done then, and the caller gives it once more. Errors: OUT_OF_MEMORY.
  bool (*record_begin)(ssti_backend *backend);
  sst_status (*record_end)(ssti_backend *backend, ssti_recording **out);
  void (*record_play)(ssti_backend *backend, ssti_recording *recording);
  void (*record_drop)(ssti_backend *backend, ssti_recording *recording); // NULL allowed
} ssti_beside;

struct ssti_backend {
  sst_context *context;
  sst_device device;
  const char *without[SST_PRECISION_COUNT]; // why it lacks a precision, as the end of a sentence; NULL: it has it
  ssti_kernels kernels;                     // a copy, so that tests can replace single slots
  const ssti_memory_space *space;           // where tensors lie; NULL: in the host's memory
  const ssti_beside *beside;                // NULL: the work of a slot is done when it returns
  void *state;                              // the backend's own
};

// Makes the backend of a device. Errors: UNSUPPORTED (not built in, CPU too old), OUT_OF_MEMORY.
sst_status ssti_backend_create(sst_context *context, sst_device device, ssti_backend **out);
void ssti_backend_destroy(ssti_backend *backend);

// As sst_precision_check.
sst_status ssti_backend_check_precision(const ssti_backend *backend, sst_precision precision);

// Fills every slot.
void ssti_reference_fill(ssti_kernels *kernels);

// Overrides the slots of an NVIDIA card's backend. Errors: UNSUPPORTED, OUT_OF_MEMORY. ssti_cuda_end frees its state.
sst_status ssti_cuda_begin(ssti_backend *backend);
void ssti_cuda_end(ssti_backend *backend);
sst_status ssti_cuda_describe(sst_context *context, sst_device_info *out);

// Waits for a device that works beside the host; OK at once for others.
static inline sst_status ssti_backend_wait(ssti_backend *backend) {
  return backend->beside != NULL ? backend->beside->wait(backend) : SST_OK;
}

// Overrides the slots of the fast CPU backend and makes its state. ssti_fast_end frees the state.
sst_status ssti_fast_begin(ssti_backend *backend);
void ssti_fast_end(ssti_backend *backend);

#endif
