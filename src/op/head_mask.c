// SPDX-License-Identifier: Apache-2.0
// The head of each row's distribution: 1 for the classes of the smallest set, taken from the most probable down, whose
// probabilities add up to at least `mass`; 0 for the others. Of equal probabilities the class of lower number comes
// first. A choice, so no gradient passes.
//   input: p [T,N,H,W,C], not negative; output: same shape
#include "op/op.h"

static const ssti_head_mask_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static sst_status infer(sst_context *context, ssti_call *call) {
  const float mass = attributes_of(call)->mass;
  if (!(mass > 0.0f && mass <= 1.0f)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "head_mask has the mass %g, expected above 0 and at most 1", (double)mass);
  }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const sst_shape shape = call->x[0]->shape;
  const int64_t channels = shape.dim[SST_AXIS_C];
  const int64_t rows = channels > 0 ? sst_shape_count(shape) / channels : 0;
  call->backend->kernels.head_mask(call->backend, rows, channels, attributes_of(call)->mass, call->x[0]->data,
                                   call->y[0]->data);
}

// At least a comparison an element.
static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = sst_shape_count(call->x[0]->shape)};
}

const ssti_op ssti_op_head_mask = {
    .name = "head_mask",
    .attributes_size = sizeof(ssti_head_mask_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .cost = cost,
};
