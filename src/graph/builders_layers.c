// SPDX-License-Identifier: Apache-2.0
// The functions of ops.h that make layers: convolution, linear, norm, pooling, neurons, and those that move data.
#include "graph/graph_internal.h"
#include "spikestill/ops.h"

sst_conv2d_options sst_conv2d_default(void) {
  return (sst_conv2d_options){.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = 1};
}

sst_value sst_conv2d(sst_graph *g, sst_value x, sst_value weight, sst_value bias, const sst_conv2d_options *options) {
  ssti_conv2d_attributes attributes = {options->stride_h,   options->stride_w,   options->pad_h, options->pad_w,
                                       options->dilation_h, options->dilation_w, options->groups};
  return ssti_graph_add(g, &ssti_op_conv2d, &attributes, (sst_value[]){x, weight, bias}, 3, 1, NULL);
}

sst_value sst_linear(sst_graph *g, sst_value x, sst_value weight, sst_value bias) {
  return ssti_graph_add(g, &ssti_op_linear, NULL, (sst_value[]){x, weight, bias}, 3, 1, NULL);
}

sst_value sst_quantize_weights(sst_graph *g, sst_value weight, sst_value step, const sst_weight_quantizer *quantizer,
                               sst_value *scale) {
  ssti_quantize_weights_attributes attributes = {*quantizer};
  sst_value outputs[2];
  sst_value codes =
      ssti_graph_add(g, &ssti_op_quantize_weights, &attributes, (sst_value[]){weight, step}, 2, 2, outputs);
  *scale = outputs[1];
  return codes;
}

sst_value sst_rescale(sst_graph *g, sst_value x, sst_value factor, sst_value offset, int bits) {
  ssti_rescale_attributes attributes = {bits};
  return ssti_graph_add(g, &ssti_op_rescale, &attributes, (sst_value[]){x, factor, offset}, 3, 1, NULL);
}

sst_batch_norm_options sst_batch_norm_default(void) { return (sst_batch_norm_options){1e-5f, 0.1f, 1.0f, 0}; }

sst_value sst_batch_norm(sst_graph *g, sst_value x, sst_value gamma, sst_value beta, sst_value running_mean,
                         sst_value running_variance, const sst_batch_norm_options *options) {
  ssti_batch_norm_attributes attributes = {options->epsilon, options->momentum, options->scale, options->bits};
  return ssti_graph_add(g, &ssti_op_batch_norm, &attributes,
                        (sst_value[]){x, gamma, beta, running_mean, running_variance}, 5, 1, NULL);
}

static sst_value add_pool(sst_graph *g, ssti_pool_kind kind, sst_value x, const sst_pool_options *o) {
  ssti_pool_attributes attributes = {kind, o->kernel_h, o->kernel_w, o->stride_h, o->stride_w, o->pad_h, o->pad_w};
  return ssti_graph_add(g, &ssti_op_pool, &attributes, &x, 1, 1, NULL);
}

sst_value sst_average_pool(sst_graph *g, sst_value x, const sst_pool_options *options) {
  return add_pool(g, SSTI_POOL_AVERAGE, x, options);
}

sst_value sst_max_pool(sst_graph *g, sst_value x, const sst_pool_options *options) {
  return add_pool(g, SSTI_POOL_MAX, x, options);
}

sst_value sst_adaptive_average_pool(sst_graph *g, sst_value x, int64_t height, int64_t width) {
  ssti_adaptive_pool_attributes attributes = {height, width};
  return ssti_graph_add(g, &ssti_op_adaptive_pool, &attributes, &x, 1, 1, NULL);
}

sst_value sst_flatten(sst_graph *g, sst_value x) { return ssti_graph_add(g, &ssti_op_flatten, NULL, &x, 1, 1, NULL); }

sst_value sst_stop_gradient(sst_graph *g, sst_value x) {
  return ssti_graph_add(g, &ssti_op_stop_gradient, NULL, &x, 1, 1, NULL);
}

sst_value sst_dropout(sst_graph *g, sst_value x, float rate) {
  ssti_dropout_attributes attributes = {rate};
  return ssti_graph_add(g, &ssti_op_dropout, &attributes, &x, 1, 1, NULL);
}

sst_value sst_noise(sst_graph *g, sst_value x, float deviation) {
  ssti_noise_attributes attributes = {deviation};
  return ssti_graph_add(g, &ssti_op_noise, &attributes, &x, 1, 1, NULL);
}

sst_value sst_concat(sst_graph *g, const sst_value *values, int count, sst_axis axis) {
  ssti_concat_attributes attributes = {axis};
  return ssti_graph_add(g, &ssti_op_concat, &attributes, values, count, 1, NULL);
}

sst_value sst_select_steps(sst_graph *g, sst_value x, int64_t first, int64_t count) {
  ssti_select_steps_attributes attributes = {first, count};
  return ssti_graph_add(g, &ssti_op_select_steps, &attributes, &x, 1, 1, NULL);
}

sst_value sst_repeat_steps(sst_graph *g, sst_value x, int64_t steps) {
  ssti_repeat_steps_attributes attributes = {steps};
  return ssti_graph_add(g, &ssti_op_repeat_steps, &attributes, &x, 1, 1, NULL);
}

sst_value sst_pad(sst_graph *g, sst_value x, const sst_pad_options *options) {
  ssti_pad_attributes attributes = {.value = options->value};
  memcpy(attributes.before, options->before, sizeof attributes.before);
  memcpy(attributes.after, options->after, sizeof attributes.after);
  return ssti_graph_add(g, &ssti_op_pad, &attributes, &x, 1, 1, NULL);
}

sst_value sst_slice(sst_graph *g, sst_value x, const sst_slice_options *options) {
  ssti_slice_attributes attributes;
  memcpy(attributes.first, options->first, sizeof attributes.first);
  memcpy(attributes.count, options->count, sizeof attributes.count);
  memcpy(attributes.step, options->step, sizeof attributes.step);
  return ssti_graph_add(g, &ssti_op_slice, &attributes, &x, 1, 1, NULL);
}

sst_value sst_neuron_layer(sst_graph *g, sst_value x, int64_t steps, const sst_neuron *neuron,
                           sst_value decay_parameter, sst_value *membrane) {
  ssti_neuron_attributes attributes = {*neuron, steps};
  sst_value outputs[2];
  sst_value spikes = ssti_graph_add(g, &ssti_op_neuron, &attributes, (sst_value[]){x, decay_parameter}, 2, 2, outputs);
  if (membrane) { *membrane = outputs[1]; }
  return spikes;
}
