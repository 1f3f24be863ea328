// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of softmax(logits) against target distributions, with label smoothing.
//   inputs: logits [T,N,1,1,C]; target [1,N,1,1,C], used at every step, which gets no gradient
//   output: [T,N,1,1,1]

#include "op/op.h"

static const ssti_cross_entropy_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static sst_status infer(sst_context *context, ssti_call *call) {
  const float smoothing = attributes_of(call)->smoothing;
  if (!(smoothing >= 0.0f && smoothing <= 1.0f)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the label smoothing is %g, expected 0 to 1", (double)smoothing);
  }
  const sst_shape logits = call->x[0]->shape, target = call->x[1]->shape;
  char text[SST_SHAPE_TEXT_SIZE], expected_text[SST_SHAPE_TEXT_SIZE];
  if (logits.dim[SST_AXIS_H] != 1 || logits.dim[SST_AXIS_W] != 1 || logits.dim[SST_AXIS_C] < 1) {
    SST_FAIL(context, SST_SHAPE, "the logits have the shape %s, expected [T,N,1,1,C]",
             sst_shape_text(logits, text, sizeof text));
  }
  sst_shape expected = logits;
  expected.dim[SST_AXIS_T] = 1;
  if (!sst_shape_equal(target, expected)) {
    SST_FAIL(context, SST_SHAPE, "the target has the shape %s, expected %s for these logits",
             sst_shape_text(target, text, sizeof text), sst_shape_text(expected, expected_text, sizeof expected_text));
  }
  call->y[0]->shape = logits;
  call->y[0]->shape.dim[SST_AXIS_C] = 1;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const sst_shape logits = call->x[0]->shape;
  call->backend->kernels.cross_entropy_forward(
      call->backend, logits.dim[SST_AXIS_T] * logits.dim[SST_AXIS_N], logits.dim[SST_AXIS_N], logits.dim[SST_AXIS_C],
      attributes_of(call)->smoothing, call->x[0]->data, call->x[1]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  const sst_shape logits = call->x[0]->shape;
  if (call->dx[0] != NULL) {
    call->backend->kernels.cross_entropy_backward(call->backend, logits.dim[SST_AXIS_T] * logits.dim[SST_AXIS_N],
                                                  logits.dim[SST_AXIS_N], logits.dim[SST_AXIS_C],
                                                  attributes_of(call)->smoothing, call->x[0]->data, call->x[1]->data,
                                                  call->dy[0]->data, call->dx[0]->data, call->accumulate[0]);
  }
  // The target is a constant. Where it was computed from something, that something hears of no gradient.
  if (call->dx[1] != NULL && !call->accumulate[1]) {
    call->backend->kernels.fill(call->backend, sst_shape_count(call->dx[1]->shape), 0.0f, call->dx[1]->data);
  }
}

// Subtract the largest, exponential, sum; difference to the logarithm, product with the target, sum.
static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = 6 * sst_shape_count(call->x[0]->shape)};
}

const ssti_op ssti_op_cross_entropy = {
    .name = "cross_entropy",
    .attributes_size = sizeof(ssti_cross_entropy_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0 | 1u << 1,
};
