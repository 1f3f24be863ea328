// SPDX-License-Identifier: Apache-2.0
// Average and max pooling over windows of H and W.
//   x [T,N,H,W,C]; y [T,N,H',W',C], H' = floor((H + 2*pad - kernel) / stride) + 1, W' likewise
//   saved: for max one byte an output element, the position of the largest in its window
#include <inttypes.h>

#include "op/op.h"

enum { LARGEST_SETTING = 1 << 20, LARGEST_MAX_WINDOW = 255 };

static sst_status output_length(sst_context *context, char axis, int64_t in, int64_t kernel, int64_t stride,
                                int64_t pad, int64_t *out) {
  if (kernel < 1 || kernel > LARGEST_SETTING) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the window's length in %c is %" PRId64 ", expected 1..%d", axis, kernel,
             LARGEST_SETTING);
  }
  if (stride < 1 || stride > LARGEST_SETTING) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the stride in %c is %" PRId64 ", expected 1..%d", axis, stride,
             LARGEST_SETTING);
  }
  // More padding would make windows that hold nothing of the input.
  if (pad < 0 || pad > kernel / 2) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "the padding in %c is %" PRId64 ", expected 0..%" PRId64 ", half the window", axis, pad, kernel / 2);
  }
  if (kernel > in + 2 * pad) {
    SST_FAIL(context, SST_SHAPE, "the window covers %" PRId64 " positions in %c, the padded input has %" PRId64, kernel,
             axis, in + 2 * pad);
  }
  *out = (in + 2 * pad - kernel) / stride + 1;
  return SST_OK;
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_pool_attributes *a = call->attributes;
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "pooling got %d inputs, expected 1", call->input_count);
  }
  sst_shape x = call->x[0]->shape, y = x;
  SST_TRY(output_length(context, 'H', x.dim[SST_AXIS_H], a->kernel_h, a->stride_h, a->pad_h, &y.dim[SST_AXIS_H]));
  SST_TRY(output_length(context, 'W', x.dim[SST_AXIS_W], a->kernel_w, a->stride_w, a->pad_w, &y.dim[SST_AXIS_W]));
  if (a->kind == SSTI_POOL_MAX && a->kernel_h * a->kernel_w > LARGEST_MAX_WINDOW) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the window has %" PRId64 " positions, max pooling takes at most %d",
             a->kernel_h * a->kernel_w, LARGEST_MAX_WINDOW);
  }
  call->y[0]->shape = y;
  return SST_OK;
}

static ssti_pool kernel_shape(const ssti_call *call) {
  const ssti_pool_attributes *a = call->attributes;
  sst_shape x = call->x[0]->shape, y = call->y[0]->shape;
  return (ssti_pool){.kind = a->kind,
                     .images = x.dim[SST_AXIS_T] * x.dim[SST_AXIS_N],
                     .in_h = x.dim[SST_AXIS_H],
                     .in_w = x.dim[SST_AXIS_W],
                     .channels = x.dim[SST_AXIS_C],
                     .out_h = y.dim[SST_AXIS_H],
                     .out_w = y.dim[SST_AXIS_W],
                     .kernel_h = a->kernel_h,
                     .kernel_w = a->kernel_w,
                     .stride_h = a->stride_h,
                     .stride_w = a->stride_w,
                     .pad_h = a->pad_h,
                     .pad_w = a->pad_w,
                     .in_type = call->x[0]->type,
                     .out_type = call->y[0]->type};
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  ssti_pool shape = kernel_shape(call);
  SST_TRY(call->backend->kernels.pool_plan(call->backend, &shape, call->training, &call->plan));
  if (call->plan != NULL) {
    needs->forward_workspace = call->plan->forward_workspace;
    needs->backward_workspace = call->plan->backward_workspace;
  }
  // Also without a backward pass: kernels may then write positions without asking.
  if (shape.kind == SSTI_POOL_MAX) { needs->saved = (size_t)sst_shape_count(call->y[0]->shape); }
  return SST_OK;
}

static void forward(ssti_call *call) {
  ssti_pool shape = kernel_shape(call);
  uint8_t *saved = shape.kind == SSTI_POOL_MAX ? call->saved : NULL;
  call->backend->kernels.pool_forward(call->backend, &shape, call->plan, call->x[0]->data, call->y[0]->data, saved,
                                      call->workspace);
}

static void backward(ssti_call *call) {
  if (call->dx[0] == NULL) { return; }
  ssti_pool shape = kernel_shape(call);
  const uint8_t *saved = shape.kind == SSTI_POOL_MAX ? call->saved : NULL;
  call->backend->kernels.pool_backward(call->backend, &shape, call->plan, call->dy[0]->data, saved, call->dx[0]->data,
                                       call->accumulate[0], call->workspace);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  const ssti_pool_attributes *a = call->attributes;
  // One addition or comparison for each element of each window.
  *cost = (sst_cost){.elementwise = sst_shape_count(call->y[0]->shape) * a->kernel_h * a->kernel_w};
}

const ssti_op ssti_op_pool = {
    .name = "pool",
    .attributes_size = sizeof(ssti_pool_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bf16_inputs = 1u << 0,
    .bf16_outputs = 1u << 0,
};
