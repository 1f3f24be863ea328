// SPDX-License-Identifier: Apache-2.0
// Softmax or log-softmax over C of x / temperature.
//   input: x [T,N,H,W,C]; output: same shape
#include <math.h>

#include "op/op.h"

static const ssti_softmax_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static int64_t channels_of(const ssti_call *call) { return call->x[0]->shape.dim[SST_AXIS_C]; }

static int64_t rows_of(const ssti_call *call) {
  sst_shape shape = call->x[0]->shape;
  shape.dim[SST_AXIS_C] = 1;
  return sst_shape_count(shape);
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const float temperature = attributes_of(call)->temperature;
  if (!(temperature > 0.0f && isfinite(temperature))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "softmax has the temperature %g, expected a finite number above 0",
             (double)temperature);
  }
  if (channels_of(call) < 1) { SST_FAIL(context, SST_SHAPE, "softmax has 0 channels, expected at least 1"); }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_softmax_attributes *attributes = attributes_of(call);
  call->backend->kernels.softmax_forward(call->backend, rows_of(call), channels_of(call), attributes->temperature,
                                         attributes->log, call->x[0]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  const ssti_softmax_attributes *attributes = attributes_of(call);
  if (call->dx[0] == NULL) { return; }
  call->backend->kernels.softmax_backward(call->backend, rows_of(call), channels_of(call), attributes->temperature,
                                          attributes->log, call->y[0]->data, call->dy[0]->data, call->dx[0]->data,
                                          call->accumulate[0]);
}

// Subtract the largest, divide by the temperature, exponential, sum, divide by the sum (log: subtract its logarithm).
static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = 5 * sst_shape_count(call->x[0]->shape)};
}

const ssti_op ssti_op_softmax = {
    .name = "softmax",
    .attributes_size = sizeof(ssti_softmax_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_outputs = 1u << 0,
};
