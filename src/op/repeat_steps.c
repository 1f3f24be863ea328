// SPDX-License-Identifier: Apache-2.0
// One time step, repeated.
//   x [1,N,H,W,C]; y [steps,N,H,W,C]
#include <inttypes.h>

#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_repeat_steps_attributes *a = call->attributes;
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "repeat_steps got %d inputs, expected 1", call->input_count);
  }
  if (a->steps < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a value is repeated over %" PRId64 " time steps, expected at least 1",
             a->steps);
  }
  if (call->x[0]->shape.dim[SST_AXIS_T] != 1) {
    SST_FAIL(context, SST_SHAPE, "the input to repeat has %" PRId64 " time steps, expected 1",
             call->x[0]->shape.dim[SST_AXIS_T]);
  }
  call->y[0]->shape = call->x[0]->shape;
  call->y[0]->shape.dim[SST_AXIS_T] = a->steps;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_repeat_steps_attributes *a = call->attributes;
  int64_t length = sst_shape_count(call->x[0]->shape);
  // A source stride of 0 gives every row of the target the same source.
  call->backend->kernels.copy_rows(call->backend, a->steps, length, call->x[0]->data, 0, call->y[0]->data, length,
                                   false);
}

static void backward(ssti_call *call) {
  const ssti_repeat_steps_attributes *a = call->attributes;
  if (call->dx[0] == NULL) { return; }
  int64_t length = sst_shape_count(call->x[0]->shape);
  for (int64_t t = 0; t < a->steps; t++) {
    call->backend->kernels.copy_rows(call->backend, 1, length, call->dy[0]->data + t * length, length,
                                     call->dx[0]->data, length, t > 0 || call->accumulate[0]);
  }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // moves, does not compute
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_repeat_steps = {
    .name = "repeat_steps",
    .attributes_size = sizeof(ssti_repeat_steps_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
