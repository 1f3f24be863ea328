// SPDX-License-Identifier: Apache-2.0
// Average pooling to a given height and width, whatever the ratio: output line i is the mean over the input lines
// floor(i*H/H') .. ceil((i+1)*H/H') - 1, columns likewise. Where H' divides H these are equal windows; otherwise
// neighbouring windows share a line.
//   x [T,N,H,W,C]; y [T,N,H',W',C], 1 <= H' <= H, 1 <= W' <= W
#include <inttypes.h>

#include "op/op.h"

static const ssti_adaptive_pool_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static sst_status check_length(sst_context *context, char axis, int64_t in, int64_t out) {
  if (out >= 1 && out <= in) { return SST_OK; }
  SST_FAIL(context, SST_SHAPE, "the length in %c is to be %" PRId64 ", expected 1..%" PRId64 ", that of the input",
           axis, out, in);
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_adaptive_pool_attributes *a = attributes_of(call);
  const sst_shape x = call->x[0]->shape;
  SST_TRY(check_length(context, 'H', x.dim[SST_AXIS_H], a->height));
  SST_TRY(check_length(context, 'W', x.dim[SST_AXIS_W], a->width));
  call->y[0]->shape = sst_shape_make(x.dim[SST_AXIS_T], x.dim[SST_AXIS_N], a->height, a->width, x.dim[SST_AXIS_C]);
  return SST_OK;
}

static ssti_adaptive_pool kernel_shape(const ssti_call *call) {
  const sst_shape x = call->x[0]->shape;
  return (ssti_adaptive_pool){.images = x.dim[SST_AXIS_T] * x.dim[SST_AXIS_N],
                              .in_h = x.dim[SST_AXIS_H],
                              .in_w = x.dim[SST_AXIS_W],
                              .out_h = attributes_of(call)->height,
                              .out_w = attributes_of(call)->width,
                              .channels = x.dim[SST_AXIS_C]};
}

static void forward(ssti_call *call) {
  const ssti_adaptive_pool shape = kernel_shape(call);
  call->backend->kernels.adaptive_pool_forward(call->backend, &shape, call->x[0]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  if (call->dx[0] == NULL) { return; }
  const ssti_adaptive_pool shape = kernel_shape(call);
  call->backend->kernels.adaptive_pool_backward(call->backend, &shape, call->dy[0]->data, call->dx[0]->data,
                                                call->accumulate[0]);
}

// Every input is added once, those that two windows share twice.
static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = sst_shape_count(call->x[0]->shape)};
}

const ssti_op ssti_op_adaptive_pool = {
    .name = "adaptive_pool",
    .attributes_size = sizeof(ssti_adaptive_pool_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
