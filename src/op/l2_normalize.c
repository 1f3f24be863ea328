// SPDX-License-Identifier: Apache-2.0
// x / max(norm of x over a set of axes, epsilon).
//   input: x [T,N,H,W,C]; output: same shape
#include <math.h>

#include "op/op.h"

static const ssti_l2_normalize_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_l2_normalize_attributes *attributes = attributes_of(call);
  if (attributes->axes < 1 || attributes->axes > SST_AXES_ALL) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the norm has the set of axes %d, expected 1 to %d", attributes->axes,
             (int)SST_AXES_ALL);
  }
  if (!(attributes->epsilon > 0.0f && isfinite(attributes->epsilon))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the norm's smallest value is %g, expected a finite number above 0",
             (double)attributes->epsilon);
  }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_l2_normalize_attributes *attributes = attributes_of(call);
  call->backend->kernels.l2_normalize_forward(call->backend, call->x[0]->shape, attributes->axes, attributes->epsilon,
                                              call->x[0]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  const ssti_l2_normalize_attributes *attributes = attributes_of(call);
  if (call->dx[0] == NULL) { return; }
  call->backend->kernels.l2_normalize_backward(call->backend, call->x[0]->shape, attributes->axes, attributes->epsilon,
                                               call->x[0]->data, call->dy[0]->data, call->dx[0]->data,
                                               call->accumulate[0]);
}

// Square, sum, divide.
static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = 3 * sst_shape_count(call->x[0]->shape)};
}

static bool is_by_sample(const ssti_call *call) { return (attributes_of(call)->axes & SST_AXES_N) == 0; }

const ssti_op ssti_op_l2_normalize = {
    .name = "l2_normalize",
    .attributes_size = sizeof(ssti_l2_normalize_attributes),
    .is_by_sample = is_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0,
};
