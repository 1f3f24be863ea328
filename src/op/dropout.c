// SPDX-License-Identifier: Apache-2.0
// In training zeroes elements with probability `rate` and scales the rest by 1/(1-rate); otherwise copies.
//   x [T,N,H,W,C]; y the same
// The mask is not kept: it follows from the seed, the node's stream and the step, so backward draws it again.
#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_dropout_attributes *a = call->attributes;
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "dropout got %d inputs, expected 1", call->input_count);
  }
  if (!(a->rate >= 0.0f && a->rate < 1.0f)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the dropout rate is %g, expected 0 <= rate < 1", (double)a->rate);
  }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

// The same function of x in forward and of dy in backward.
static void apply(const ssti_call *call, const float *from, float *to, bool accumulate) {
  const ssti_dropout_attributes *a = call->attributes;
  int64_t count = sst_shape_count(call->x[0]->shape);
  if (call->run->training && !call->frozen && a->rate > 0.0f) {
    call->backend->kernels.dropout(call->backend, count, a->rate, call->run->seed, call->stream, call->run->step, from,
                                   to, accumulate);
  } else {
    call->backend->kernels.copy_rows(call->backend, 1, count, from, count, to, count, accumulate);
  }
}

static void forward(ssti_call *call) { apply(call, call->x[0]->data, call->y[0]->data, false); }

static void backward(ssti_call *call) {
  if (call->dx[0] != NULL) { apply(call, call->dy[0]->data, call->dx[0]->data, call->accumulate[0]); }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // costs are those of inference, where dropout does nothing
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_dropout = {
    .name = "dropout",
    .attributes_size = sizeof(ssti_dropout_attributes),
    .is_by_sample = ssti_op_by_sample_if_frozen,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
