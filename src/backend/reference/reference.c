// SPDX-License-Identifier: Apache-2.0
// The reference table.
#include "backend/reference/reference.h"

#include "base/memory.h"

sst_status ssti_reference_conv2d_plan(ssti_backend *backend, const ssti_conv2d *shape, bool training, ssti_plan **out) {
  (void)backend, (void)shape, (void)training;
  *out = NULL;
  return SST_OK;
}

sst_status ssti_reference_linear_plan(ssti_backend *backend, const ssti_linear *shape, bool training, ssti_plan **out) {
  (void)backend, (void)shape, (void)training;
  *out = NULL;
  return SST_OK;
}

sst_status ssti_reference_pool_plan(ssti_backend *backend, const ssti_pool *shape, bool training, ssti_plan **out) {
  (void)backend, (void)shape, (void)training;
  *out = NULL;
  return SST_OK;
}

void ssti_reference_plan_destroy(ssti_backend *backend, ssti_plan *plan) { ssti_free(backend->context, plan); }

void ssti_reference_fill(ssti_kernels *kernels) {
  *kernels = (ssti_kernels){
      .name = "cpu-ref",
      .conv2d_plan = ssti_reference_conv2d_plan,
      .linear_plan = ssti_reference_linear_plan,
      .pool_plan = ssti_reference_pool_plan,
      .plan_destroy = ssti_reference_plan_destroy,
      .conv2d_forward = ssti_reference_conv2d_forward,
      .conv2d_backward_data = ssti_reference_conv2d_backward_data,
      .conv2d_backward_weights = ssti_reference_conv2d_backward_weights,
      .linear_forward = ssti_reference_linear_forward,
      .linear_backward_data = ssti_reference_linear_backward_data,
      .linear_backward_weights = ssti_reference_linear_backward_weights,
      .pool_forward = ssti_reference_pool_forward,
      .pool_backward = ssti_reference_pool_backward,
      .adaptive_pool_forward = ssti_reference_adaptive_pool_forward,
      .adaptive_pool_backward = ssti_reference_adaptive_pool_backward,
      .batch_norm_forward_training = ssti_reference_batch_norm_forward_training,
      .batch_norm_forward_inference = ssti_reference_batch_norm_forward_inference,
      .batch_norm_backward = ssti_reference_batch_norm_backward,
      .batch_norm_workspace = ssti_reference_batch_norm_workspace,
      .quantize_weights_forward = ssti_reference_quantize_weights_forward,
      .quantize_weights_backward = ssti_reference_quantize_weights_backward,
      .quantize_workspace = ssti_reference_quantize_workspace,
      .norm_constants = ssti_reference_norm_constants,
      .norm_fixed_point = ssti_reference_norm_fixed_point,
      .fixed_point = ssti_reference_fixed_point,
      .channel_affine = ssti_reference_channel_affine,
      .unary_forward = ssti_reference_unary_forward,
      .unary_backward = ssti_reference_unary_backward,
      .binary_forward = ssti_reference_binary_forward,
      .binary_backward = ssti_reference_binary_backward,
      .reduce_forward = ssti_reference_reduce_forward,
      .reduce_backward = ssti_reference_reduce_backward,
      .l2_normalize_forward = ssti_reference_l2_normalize_forward,
      .l2_normalize_backward = ssti_reference_l2_normalize_backward,
      .softmax_forward = ssti_reference_softmax_forward,
      .softmax_backward = ssti_reference_softmax_backward,
      .head_mask = ssti_reference_head_mask,
      .cross_entropy_forward = ssti_reference_cross_entropy_forward,
      .cross_entropy_backward = ssti_reference_cross_entropy_backward,
      .kl_forward = ssti_reference_kl_forward,
      .kl_backward = ssti_reference_kl_backward,
      .dropout = ssti_reference_dropout,
      .noise = ssti_reference_noise,
      .copy_rows = ssti_reference_copy_rows,
      .copy_box = ssti_reference_copy_box,
      .fill = ssti_reference_fill_value,
      .make_batch = ssti_reference_make_batch,
      .neuron_forward = ssti_reference_neuron_forward,
      .neuron_backward = ssti_reference_neuron_backward,
      .neuron_workspace = ssti_reference_neuron_workspace,
      .clip_gradient = ssti_reference_clip_gradient,
      .sgd_step = ssti_reference_sgd_step,
      .adamw_step = ssti_reference_adamw_step,
      .sum_of_squares = ssti_reference_sum_of_squares,
  };
}
