// SPDX-License-Identifier: Apache-2.0
// Time steps first .. first+count-1.
//   x [T,N,H,W,C]; y [count,N,H,W,C]
#include <inttypes.h>

#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_select_steps_attributes *a = call->attributes;
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "select_steps got %d inputs, expected 1", call->input_count);
  }
  int64_t steps = call->x[0]->shape.dim[SST_AXIS_T];
  if (a->count < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%" PRId64 " time steps are selected, expected at least 1", a->count);
  }
  if (a->first < 0 || a->first >= steps || a->count > steps - a->first) {
    SST_FAIL(context, SST_SHAPE, "%" PRId64 " time steps from step %" PRId64 " on are selected, the input has %" PRId64,
             a->count, a->first, steps);
  }
  call->y[0]->shape = call->x[0]->shape;
  call->y[0]->shape.dim[SST_AXIS_T] = a->count;
  return SST_OK;
}

static int64_t step_length(const ssti_call *call) {
  return sst_shape_count(call->y[0]->shape) / call->y[0]->shape.dim[SST_AXIS_T];
}

static void forward(ssti_call *call) {
  const ssti_select_steps_attributes *a = call->attributes;
  int64_t length = step_length(call);
  call->backend->kernels.copy_rows(call->backend, a->count, length, call->x[0]->data + a->first * length, length,
                                   call->y[0]->data, length, false);
}

static void backward(ssti_call *call) {
  const ssti_select_steps_attributes *a = call->attributes;
  if (call->dx[0] == NULL) { return; }
  int64_t length = step_length(call), after = a->first + a->count;
  float *dx = call->dx[0]->data;
  if (!call->accumulate[0]) {
    call->backend->kernels.fill(call->backend, a->first * length, 0.0f, dx);
    call->backend->kernels.fill(call->backend, (call->x[0]->shape.dim[SST_AXIS_T] - after) * length, 0.0f,
                                dx + after * length);
  }
  call->backend->kernels.copy_rows(call->backend, a->count, length, call->dy[0]->data, length, dx + a->first * length,
                                   length, call->accumulate[0]);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // moves, does not compute
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_select_steps = {
    .name = "select_steps",
    .attributes_size = sizeof(ssti_select_steps_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
