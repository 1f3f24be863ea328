// SPDX-License-Identifier: Apache-2.0
// y = factor * x + offset per channel: from the sums of a layer with quantised weights to its output, where no norm
// follows.
//   inputs: x [T,N,H,W,C]; factor [1,1,1,1,C], or [1,1,1,1,1] for all channels, a constant to the backward pass (the
//           gradient of a quantiser's scale comes back with its codes: quantize_weights.c); offset [1,1,1,1,C],
//           optional
//   saved:  [2*C]: the factor and offset in effect
// With `bits` both are rounded to fixed point, as those of a batch norm (batch_norm.c): dx = factor' * dy,
// doffset = sum dy, straight through.
#include <inttypes.h>

#include "op/op.h"
#include "quantize/grid.h"

enum { X, FACTOR, OFFSET };

static int bits_of(const ssti_call *call) { return ((const ssti_rescale_attributes *)call->attributes)->bits; }

static sst_status infer(sst_context *context, ssti_call *call) {
  if (call->input_count != 2 && call->input_count != 3) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "got %d inputs, expected x, factor and perhaps offset", call->input_count);
  }
  SST_TRY(ssti_bits_check(context, "it", bits_of(call)));
  const int64_t channels = call->x[X]->shape.dim[SST_AXIS_C];
  for (int i = FACTOR; i < call->input_count; i++) {
    const sst_shape found = call->x[i]->shape;
    const bool one = i == FACTOR && sst_shape_count(found) == 1;
    if (!one && !sst_shape_equal(found, sst_shape_make(1, 1, 1, 1, channels))) {
      char text[SST_SHAPE_TEXT_SIZE];
      SST_FAIL(context, SST_SHAPE, "input has %" PRId64 " channels, %s is %s, expected [1,1,1,1,%" PRId64 "]%s",
               channels, i == FACTOR ? "factor" : "offset", sst_shape_text(found, text, sizeof text), channels,
               i == FACTOR ? " or one number" : "");
    }
  }
  call->y[0]->shape = call->x[X]->shape;
  return SST_OK;
}

static int64_t channels_of(const ssti_call *call) { return call->x[X]->shape.dim[SST_AXIS_C]; }
static int64_t rows_of(const ssti_call *call) { return sst_shape_count(call->x[X]->shape) / channels_of(call); }

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  needs->saved = (size_t)(2 * channels_of(call)) * sizeof(float);
  needs->backward_workspace = (size_t)channels_of(call) * sizeof(float);
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_kernels *kernels = &call->backend->kernels;
  const int64_t channels = channels_of(call), given = sst_shape_count(call->x[FACTOR]->shape);
  float *factor = call->saved, *offset = factor + channels;
  // One factor for all is copied to each channel: rows of length one.
  const int64_t width = given == 1 ? 1 : channels;
  kernels->copy_rows(call->backend, channels / width, width, call->x[FACTOR]->data, 0, factor, width, false);
  if (call->input_count > OFFSET) {
    kernels->copy_rows(call->backend, 1, channels, call->x[OFFSET]->data, channels, offset, channels, false);
  } else {
    kernels->fill(call->backend, channels, 0.0f, offset);
  }
  if (bits_of(call) > 0) { kernels->fixed_point(call->backend, channels, bits_of(call), factor, offset); }
  kernels->channel_affine(call->backend, rows_of(call), channels, call->x[X]->data, factor, offset, call->y[0]->data,
                          false);
}

static void backward(ssti_call *call) {
  const ssti_kernels *kernels = &call->backend->kernels;
  const int64_t channels = channels_of(call);
  const ssti_tensor *dy = call->dy[0];
  if (call->dx[X] != NULL) {
    kernels->channel_affine(call->backend, rows_of(call), channels, dy->data, call->saved, NULL, call->dx[X]->data,
                            call->accumulate[X]);
  }
  if (call->dx[FACTOR] != NULL && !call->accumulate[FACTOR]) {
    kernels->fill(call->backend, sst_shape_count(call->dx[FACTOR]->shape), 0.0f, call->dx[FACTOR]->data);
  }
  if (call->input_count > OFFSET && call->dx[OFFSET] != NULL) {
    float *sums = call->workspace;
    kernels->reduce_forward(call->backend, SSTI_REDUCE_SUM, dy->shape,
                            SST_AXES_T | SST_AXES_N | SST_AXES_H | SST_AXES_W, dy->data, sums);
    kernels->copy_rows(call->backend, 1, channels, sums, channels, call->dx[OFFSET]->data, channels,
                       call->accumulate[OFFSET]);
  }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  *cost = (sst_cost){.elementwise = 2 * sst_shape_count(call->y[0]->shape)};
}

const ssti_op ssti_op_rescale = {
    .name = "rescale",
    .attributes_size = sizeof(ssti_rescale_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bits = bits_of,
};
