// SPDX-License-Identifier: Apache-2.0
// The functions of ops.h that compute: elementwise arithmetic, reductions, softmax and losses.
#include "graph/graph_internal.h"
#include "spikestill/ops.h"

static sst_value add_binary(sst_graph *g, ssti_binary_kind kind, sst_value a, sst_value b) {
  ssti_binary_attributes attributes = {kind};
  return ssti_graph_add(g, &ssti_op_binary, &attributes, (sst_value[]){a, b}, 2, 1, NULL);
}

sst_value sst_add(sst_graph *g, sst_value a, sst_value b) { return add_binary(g, SSTI_BINARY_ADD, a, b); }
sst_value sst_subtract(sst_graph *g, sst_value a, sst_value b) { return add_binary(g, SSTI_BINARY_SUBTRACT, a, b); }
sst_value sst_multiply(sst_graph *g, sst_value a, sst_value b) { return add_binary(g, SSTI_BINARY_MULTIPLY, a, b); }
sst_value sst_divide(sst_graph *g, sst_value a, sst_value b) { return add_binary(g, SSTI_BINARY_DIVIDE, a, b); }

static sst_value add_unary(sst_graph *g, ssti_unary_kind kind, sst_value x, float a, float b) {
  ssti_unary_attributes attributes = {kind, a, b};
  return ssti_graph_add(g, &ssti_op_unary, &attributes, &x, 1, 1, NULL);
}

sst_value sst_affine(sst_graph *g, sst_value x, float factor, float offset) {
  return add_unary(g, SSTI_UNARY_AFFINE, x, factor, offset);
}
sst_value sst_relu(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_RELU, x, 0, 0); }
sst_value sst_square(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_SQUARE, x, 0, 0); }
sst_value sst_abs(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_ABS, x, 0, 0); }
sst_value sst_sqrt(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_SQRT, x, 0, 0); }
sst_value sst_exp(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_EXP, x, 0, 0); }
sst_value sst_log(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_LOG, x, 0, 0); }
sst_value sst_sigmoid(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_SIGMOID, x, 0, 0); }
sst_value sst_tanh(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_TANH, x, 0, 0); }
sst_value sst_power(sst_graph *g, sst_value x, float exponent) {
  return add_unary(g, SSTI_UNARY_POWER, x, exponent, 0);
}
sst_value sst_clip(sst_graph *g, sst_value x, float low, float high) {
  return add_unary(g, SSTI_UNARY_CLIP, x, low, high);
}
sst_value sst_floor(sst_graph *g, sst_value x) { return add_unary(g, SSTI_UNARY_FLOOR, x, 0, 0); }
sst_value sst_round(sst_graph *g, sst_value x, float step) { return add_unary(g, SSTI_UNARY_ROUND, x, step, 0); }

static sst_value add_reduce(sst_graph *g, ssti_reduce_kind kind, sst_value x, int axes) {
  ssti_reduce_attributes attributes = {kind, axes};
  return ssti_graph_add(g, &ssti_op_reduce, &attributes, &x, 1, 1, NULL);
}

sst_value sst_sum(sst_graph *g, sst_value x, int axes) { return add_reduce(g, SSTI_REDUCE_SUM, x, axes); }
sst_value sst_mean(sst_graph *g, sst_value x, int axes) { return add_reduce(g, SSTI_REDUCE_MEAN, x, axes); }
sst_value sst_max(sst_graph *g, sst_value x, int axes) { return add_reduce(g, SSTI_REDUCE_MAX, x, axes); }
sst_value sst_global_average_pool(sst_graph *g, sst_value x) { return sst_mean(g, x, SST_AXES_H | SST_AXES_W); }

sst_value sst_l2_normalize(sst_graph *g, sst_value x, int axes, float epsilon) {
  ssti_l2_normalize_attributes attributes = {axes, epsilon};
  return ssti_graph_add(g, &ssti_op_l2_normalize, &attributes, &x, 1, 1, NULL);
}

static sst_value add_softmax(sst_graph *g, sst_value x, float temperature, bool log) {
  ssti_softmax_attributes attributes = {temperature, log};
  return ssti_graph_add(g, &ssti_op_softmax, &attributes, &x, 1, 1, NULL);
}

sst_value sst_softmax(sst_graph *g, sst_value x, float temperature) { return add_softmax(g, x, temperature, false); }
sst_value sst_log_softmax(sst_graph *g, sst_value x, float temperature) { return add_softmax(g, x, temperature, true); }

sst_value sst_head_mask(sst_graph *g, sst_value p, float mass) {
  ssti_head_mask_attributes attributes = {mass};
  return ssti_graph_add(g, &ssti_op_head_mask, &attributes, &p, 1, 1, NULL);
}

sst_value sst_cross_entropy(sst_graph *g, sst_value logits, sst_value target, float smoothing) {
  ssti_cross_entropy_attributes attributes = {smoothing};
  return ssti_graph_add(g, &ssti_op_cross_entropy, &attributes, (sst_value[]){logits, target}, 2, 1, NULL);
}

sst_value sst_kl_divergence(sst_graph *g, sst_value p, sst_value log_q) {
  return ssti_graph_add(g, &ssti_op_kl_divergence, NULL, (sst_value[]){p, log_q}, 2, 1, NULL);
}

sst_value sst_mse(sst_graph *g, sst_value a, sst_value b) {
  return sst_mean(g, sst_square(g, sst_subtract(g, a, b)), SST_AXES_ALL);
}
