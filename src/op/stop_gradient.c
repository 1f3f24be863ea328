// SPDX-License-Identifier: Apache-2.0
// The value as a constant: the same memory, and no gradient passes.
#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "stop_gradient got %d inputs, expected 1", call->input_count);
  }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

static void forward(ssti_call *call) { (void)call; }

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call;
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_stop_gradient = {
    .name = "stop_gradient",
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .cost = cost,
    .is_view = true,
};
