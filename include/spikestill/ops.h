// SPDX-License-Identifier: Apache-2.0
// The ops, as functions that add a node to a graph and return its value. Shapes are [T,N,H,W,C] (tensor.h).
// Wrong shapes are kept in the graph as its failure (graph.h) with the layer's name, what was found and expected.
// Gradients flow to every input unless said otherwise.
#ifndef SPIKESTILL_OPS_H
#define SPIKESTILL_OPS_H

#include "spikestill/graph.h"
#include "spikestill/neuron.h"
#include "spikestill/quantize.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_conv2d_options {
  int64_t stride_h, stride_w;     // >= 1
  int64_t pad_h, pad_w;           // zeros on both sides, >= 0
  int64_t dilation_h, dilation_w; // >= 1; 1 is dense
  int64_t groups;                 // divides both channel counts; = I for depthwise
} sst_conv2d_options;

// Stride 1, no padding, dilation 1, one group.
SST_API sst_conv2d_options sst_conv2d_default(void);

// Cross-correlation: x [T,N,H,W,I], weight [1,O,Kh,Kw,I/groups], bias [1,1,1,1,O] or SST_NONE.
// Output [T,N,H',W',O], H' = floor((H + 2*pad - dilation*(K-1) - 1)/stride) + 1.
SST_API sst_value sst_conv2d(sst_graph *g, sst_value x, sst_value weight, sst_value bias,
                             const sst_conv2d_options *options);

// y = W x + b over C: x [T,N,1,1,I], weight [1,O,1,1,I], bias [1,1,1,1,O] or SST_NONE.
SST_API sst_value sst_linear(sst_graph *g, sst_value x, sst_value weight, sst_value bias);

// Integer codes of a weight [1,O,Kh,Kw,I] for sst_conv2d or sst_linear (formulas: src/op/quantize_weights.c). *scale
// receives what makes weights of them, [1,1,1,1,O] with `per_channel`, else [1,1,1,1,1]: a batch norm behind the layer
// absorbs it, where none follows sst_rescale multiplies with it. `step` is learned_step's parameter, of the scale's
// shape and kind SST_PARAMETER_STEP, SST_NONE for ternary; a step that is not above 0 starts from the weights.
SST_API sst_value sst_quantize_weights(sst_graph *g, sst_value weight, sst_value step,
                                       const sst_weight_quantizer *quantizer, sst_value *scale);

// factor * x + offset per channel: factor [1,1,1,1,C] or [1,1,1,1,1], without gradient; offset [1,1,1,1,C] or SST_NONE.
// `bits`: both in fixed point, as in sst_batch_norm_options; 0: full precision.
SST_API sst_value sst_rescale(sst_graph *g, sst_value x, sst_value factor, sst_value offset, int bits);

typedef struct sst_batch_norm_options {
  float epsilon;  // > 0
  float momentum; // weight of the newest batch in the running statistics, 0..1
  float scale;    // multiplies gamma: alpha * threshold in threshold-dependent batch norm (Zheng et al. 2021), else 1
  int bits;       // of the effective factor and offset, 2..16, as multiples of powers of two; 0: full precision
} sst_batch_norm_options;
SST_API sst_batch_norm_options sst_batch_norm_default(void); // 1e-5, 0.1, 1, 0

// Per channel over T, N, H, W: scale * gamma * (x - mean) / sqrt(variance + epsilon) + beta. All vectors [1,1,1,1,C].
SST_API sst_value sst_batch_norm(sst_graph *g, sst_value x, sst_value gamma, sst_value beta, sst_value running_mean,
                                 sst_value running_variance, const sst_batch_norm_options *options);

typedef struct sst_pool_options {
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w; // padding at most half the kernel
} sst_pool_options;
// x [T,N,H,W,C], H' as in sst_conv2d without dilation. The average divides by the whole window, padding counted; the
// maximum ignores padding.
SST_API sst_value sst_average_pool(sst_graph *g, sst_value x, const sst_pool_options *options);
SST_API sst_value sst_max_pool(sst_graph *g, sst_value x, const sst_pool_options *options);
// To height x width, 1..H and 1..W: means over windows that are equal where the lengths divide each other, and share
// lines where they do not (output line i: input lines floor(i*H/height) to ceil((i+1)*H/height) - 1).
SST_API sst_value sst_adaptive_average_pool(sst_graph *g, sst_value x, int64_t height, int64_t width);
SST_API sst_value sst_global_average_pool(sst_graph *g, sst_value x); // mean over H and W

// [T,N,H,W,C] to [T,N,1,1,H*W*C], in memory order; no copy.
SST_API sst_value sst_flatten(sst_graph *g, sst_value x);

// Elementwise with broadcasting: an axis of length 1 is repeated.
SST_API sst_value sst_add(sst_graph *g, sst_value a, sst_value b);
SST_API sst_value sst_subtract(sst_graph *g, sst_value a, sst_value b);
SST_API sst_value sst_multiply(sst_graph *g, sst_value a, sst_value b);
SST_API sst_value sst_divide(sst_graph *g, sst_value a, sst_value b);

// Elementwise functions of one value.
SST_API sst_value sst_affine(sst_graph *g, sst_value x, float factor, float offset); // factor * x + offset
SST_API sst_value sst_relu(sst_graph *g, sst_value x);
SST_API sst_value sst_square(sst_graph *g, sst_value x);
SST_API sst_value sst_abs(sst_graph *g, sst_value x);
SST_API sst_value sst_sqrt(sst_graph *g, sst_value x);
SST_API sst_value sst_exp(sst_graph *g, sst_value x);
SST_API sst_value sst_log(sst_graph *g, sst_value x);
SST_API sst_value sst_sigmoid(sst_graph *g, sst_value x);
SST_API sst_value sst_tanh(sst_graph *g, sst_value x);
SST_API sst_value sst_power(sst_graph *g, sst_value x, float exponent); // |x|^exponent, exponent > 0
SST_API sst_value sst_clip(sst_graph *g, sst_value x, float low, float high);

// The next whole number below; straight-through: the gradient passes as if it were the identity.
SST_API sst_value sst_floor(sst_graph *g, sst_value x);

// To the nearest multiple of `step` > 0, halves up (quantize.h); straight-through as well. |x / step| must stay below
// 2^22.
SST_API sst_value sst_round(sst_graph *g, sst_value x, float step);

// Over the axes of a set (SST_AXES_T | ...); those axes have length 1 in the result.
SST_API sst_value sst_sum(sst_graph *g, sst_value x, int axes);
SST_API sst_value sst_mean(sst_graph *g, sst_value x, int axes);
SST_API sst_value sst_max(sst_graph *g, sst_value x, int axes);

// x / max(||x||_2, epsilon), norm over the axes.
SST_API sst_value sst_l2_normalize(sst_graph *g, sst_value x, int axes, float epsilon);

// Over C, of x / temperature (> 0).
SST_API sst_value sst_softmax(sst_graph *g, sst_value x, float temperature);
SST_API sst_value sst_log_softmax(sst_graph *g, sst_value x, float temperature);

// 1 for the head of each row's distribution over C, else 0: the fewest classes, from the largest p down (of equal ones
// the lower number first), whose p adds up to at least `mass`, 0 < mass <= 1. p is not negative. No gradient.
SST_API sst_value sst_head_mask(sst_graph *g, sst_value p, float mass);

// Losses.
// Cross-entropy of softmax(logits) [T,N,1,1,C] against target distributions [1,N,1,1,C] (one-hot or mixed; no
// gradient), label smoothing 0..1. Output [T,N,1,1,1].
SST_API sst_value sst_cross_entropy(sst_graph *g, sst_value logits, sst_value target, float smoothing);
// KL(p || q) over C, from p and log q of the same shape. Output [T,N,H,W,1].
SST_API sst_value sst_kl_divergence(sst_graph *g, sst_value p, sst_value log_q);
// mean over all elements of (a - b)^2; scalar.
SST_API sst_value sst_mse(sst_graph *g, sst_value a, sst_value b);

// The value, as a constant to the backward pass.
SST_API sst_value sst_stop_gradient(sst_graph *g, sst_value x);

// In training zeroes elements with probability `rate` (0 <= rate < 1) and scales the rest by 1/(1-rate).
SST_API sst_value sst_dropout(sst_graph *g, sst_value x, float rate);

// In training adds normal noise of mean 0 and the given deviation (>= 0), drawn anew in each step.
SST_API sst_value sst_noise(sst_graph *g, sst_value x, float deviation);

// Joins `count` values along an axis; all other axes agree.
SST_API sst_value sst_concat(sst_graph *g, const sst_value *values, int count, sst_axis axis);

// Steps first .. first+count-1 of T; and T = 1 repeated. The mean over T is sst_mean(g, x, SST_AXES_T).
SST_API sst_value sst_select_steps(sst_graph *g, sst_value x, int64_t first, int64_t count);
SST_API sst_value sst_repeat_steps(sst_graph *g, sst_value x, int64_t steps);

// Elements of `value` around the pictures; lengths >= 0, in the order height, width, channels.
typedef struct sst_pad_options {
  int64_t before[3], after[3];
  float value;
} sst_pad_options;
// [T,N,H,W,C] to [T,N,before+H+after,...], `value` around x.
SST_API sst_value sst_pad(sst_graph *g, sst_value x, const sst_pad_options *options);

// count[i] positions of height, width and channels, from first[i] on in steps of step[i] >= 1.
typedef struct sst_slice_options {
  int64_t first[3], count[3], step[3];
} sst_slice_options;
// [T,N,H,W,C] to [T,N,count[0],count[1],count[2]].
SST_API sst_value sst_slice(sst_graph *g, sst_value x, const sst_slice_options *options);

// A layer of neurons (neuron.h) over `steps` time steps. x is [steps,N,H,W,C], or [1,N,H,W,C], which is then used at
// every step, so that all before the first neuron is computed once. Returns the spikes (for LI the membrane).
// `membrane`, if not NULL, receives the membrane before firing, with gradient.
// `decay_parameter` is PLIF's w [1,1,1,1,1]; SST_NONE for other kinds.
SST_API sst_value sst_neuron_layer(sst_graph *g, sst_value x, int64_t steps, const sst_neuron *neuron,
                                   sst_value decay_parameter, sst_value *membrane);

#ifdef __cplusplus
}
#endif
#endif
