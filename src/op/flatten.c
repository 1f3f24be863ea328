// SPDX-License-Identifier: Apache-2.0
// [T,N,H,W,C] as [T,N,1,1,H*W*C], in memory order: the same memory under another shape.
#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "flatten got %d inputs, expected 1", call->input_count);
  }
  sst_shape x = call->x[0]->shape;
  call->y[0]->shape = sst_shape_make(x.dim[SST_AXIS_T], x.dim[SST_AXIS_N], 1, 1,
                                     x.dim[SST_AXIS_H] * x.dim[SST_AXIS_W] * x.dim[SST_AXIS_C]);
  return SST_OK;
}

static void forward(ssti_call *call) { (void)call; }

static void backward(ssti_call *call) {
  if (call->dx[0] == NULL) { return; }
  int64_t count = sst_shape_count(call->x[0]->shape);
  assert(call->dx[0]->data != call->dy[0]->data);
  call->backend->kernels.copy_rows(call->backend, 1, count, call->dy[0]->data, count, call->dx[0]->data, count,
                                   call->accumulate[0]);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call;
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_flatten = {
    .name = "flatten",
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .is_view = true,
};
