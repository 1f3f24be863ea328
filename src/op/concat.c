// SPDX-License-Identifier: Apache-2.0
// Joins values along one axis; all other axes agree.
#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_concat_attributes *a = call->attributes;
  if (call->input_count < 1) { SST_FAIL(context, SST_INVALID_ARGUMENT, "concat got no inputs, expected at least 1"); }
  if ((int)a->axis < 0 || a->axis >= SST_AXIS_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "concat along axis %d, expected 0..%d", (int)a->axis, SST_AXIS_COUNT - 1);
  }
  sst_shape y = call->x[0]->shape;
  for (int i = 1; i < call->input_count; i++) {
    sst_shape expected = call->x[0]->shape, found = call->x[i]->shape;
    expected.dim[a->axis] = found.dim[a->axis];
    if (!sst_shape_equal(found, expected)) {
      char found_text[SST_SHAPE_TEXT_SIZE], first_text[SST_SHAPE_TEXT_SIZE];
      SST_FAIL(context, SST_SHAPE, "input %d is %s, input 0 is %s: expected them to agree outside axis %c", i,
               sst_shape_text(found, found_text, sizeof found_text),
               sst_shape_text(call->x[0]->shape, first_text, sizeof first_text), "TNHWC"[a->axis]);
    }
    y.dim[a->axis] += found.dim[a->axis];
  }
  call->y[0]->shape = y;
  return SST_OK;
}

// Elements of one index of the axes before `axis`: all from `axis` on.
static int64_t run_length(sst_shape shape, sst_axis axis) {
  int64_t length = 1;
  for (int i = (int)axis; i < SST_AXIS_COUNT; i++) { length *= shape.dim[i]; }
  return length;
}

static void forward(ssti_call *call) {
  const ssti_concat_attributes *a = call->attributes;
  sst_shape y = call->y[0]->shape;
  int64_t stride = run_length(y, a->axis), outer = sst_shape_count(y) / stride, offset = 0;
  for (int i = 0; i < call->input_count; i++) {
    int64_t width = run_length(call->x[i]->shape, a->axis);
    call->backend->kernels.copy_rows(call->backend, outer, width, call->x[i]->data, width, call->y[0]->data + offset,
                                     stride, false);
    offset += width;
  }
}

static void backward(ssti_call *call) {
  const ssti_concat_attributes *a = call->attributes;
  sst_shape y = call->y[0]->shape;
  int64_t stride = run_length(y, a->axis), outer = sst_shape_count(y) / stride, offset = 0;
  for (int i = 0; i < call->input_count; i++) {
    int64_t width = run_length(call->x[i]->shape, a->axis);
    if (call->dx[i] != NULL) {
      call->backend->kernels.copy_rows(call->backend, outer, width, call->dy[0]->data + offset, stride,
                                       call->dx[i]->data, width, call->accumulate[i]);
    }
    offset += width;
  }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // moves, does not compute
  *cost = (sst_cost){0};
}

static bool is_by_sample(const ssti_call *call) {
  return ((const ssti_concat_attributes *)call->attributes)->axis != SST_AXIS_N;
}

const ssti_op ssti_op_concat = {
    .name = "concat",
    .attributes_size = sizeof(ssti_concat_attributes),
    .is_by_sample = is_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
