// SPDX-License-Identifier: Apache-2.0
// Sum, mean or maximum over a set of axes, which have length 1 in the result.
//   input: x [T,N,H,W,C]
#include "op/op.h"

enum {
#define REDUCE_ONE(name, word) +1
  KIND_COUNT = SSTI_REDUCE_LIST(REDUCE_ONE)
#undef REDUCE_ONE
};

static const ssti_reduce_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_reduce_attributes *attributes = attributes_of(call);
  if ((int)attributes->kind < 0 || (int)attributes->kind >= KIND_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the reduction has number %d, expected 0 to %d", (int)attributes->kind,
             KIND_COUNT - 1);
  }
  if (attributes->axes < 1 || attributes->axes > SST_AXES_ALL) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the reduction has the set of axes %d, expected 1 to %d", attributes->axes,
             (int)SST_AXES_ALL);
  }
  sst_shape shape = call->x[0]->shape;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (attributes->axes & (1 << i)) { shape.dim[i] = 1; }
  }
  call->y[0]->shape = shape;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_reduce_attributes *attributes = attributes_of(call);
  call->backend->kernels.reduce_forward(call->backend, attributes->kind, call->x[0]->shape, attributes->axes,
                                        call->x[0]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  const ssti_reduce_attributes *attributes = attributes_of(call);
  if (call->dx[0] == NULL) { return; }
  call->backend->kernels.reduce_backward(call->backend, attributes->kind, call->x[0]->shape, attributes->axes,
                                         call->x[0]->data, call->y[0]->data, call->dy[0]->data, call->dx[0]->data,
                                         call->accumulate[0]);
}

static bool backward_reads(const ssti_call *call) { return attributes_of(call)->kind == SSTI_REDUCE_MAX; }

// One operation an element that goes in, and the mean's division.
static void cost(const ssti_call *call, sst_cost *out) {
  const bool mean = attributes_of(call)->kind == SSTI_REDUCE_MEAN;
  const int64_t in = sst_shape_count(call->x[0]->shape), results = sst_shape_count(call->y[0]->shape);
  *out = (sst_cost){.elementwise = in + (mean ? results : 0)};
}

const ssti_op ssti_op_reduce = {
    .name = "reduce",
    .attributes_size = sizeof(ssti_reduce_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0,
    .backward_reads_outputs = 1u << 0,
    .backward_reads = backward_reads,
};
