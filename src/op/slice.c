// SPDX-License-Identifier: Apache-2.0
// Every step-th row, column and channel of the pictures, from a first one on.
//   x [T,N,H,W,C]; y [T,N,count_h,count_w,count_c], y_ijk = x at (first_h + i*step_h, first_w + j*step_w, ...)
#include <inttypes.h>

#include "op/op.h"

enum { FIRST_AXIS = SST_AXIS_H, AXES = 3 };

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_slice_attributes *a = call->attributes;
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "slice got %d inputs, expected 1", call->input_count);
  }
  sst_shape y = call->x[0]->shape;
  for (int i = 0; i < AXES; i++) {
    const int64_t length = y.dim[FIRST_AXIS + i];
    const bool fits = a->first[i] >= 0 && a->first[i] < length && a->step[i] >= 1 && a->count[i] >= 1 &&
                      a->count[i] - 1 <= (length - 1 - a->first[i]) / a->step[i];
    if (!fits) {
      SST_FAIL(context, SST_INVALID_ARGUMENT,
               "%" PRId64 " positions in %c from %" PRId64 " on in steps of %" PRId64 ", expected at least 1 inside the"
               " input's %" PRId64,
               a->count[i], "HWC"[i], a -> first[i], a -> step[i], length);
    }
    y.dim[FIRST_AXIS + i] = a->count[i];
  }
  call->y[0]->shape = y;
  return SST_OK;
}

// The chosen places inside the input, for copies to the output.
static void chosen(const ssti_call *call, ssti_box *box, int64_t *offset) {
  const ssti_slice_attributes *a = call->attributes;
  const int64_t *x = &call->x[0]->shape.dim[FIRST_AXIS];
  *box = ssti_box_of(call->y[0]->shape);
  box->from_stride[0] = x[0] * x[1] * x[2];
  box->from_stride[1] = a->step[0] * x[1] * x[2];
  box->from_stride[2] = a->step[1] * x[2];
  box->from_stride[3] = a->step[2];
  *offset = (a->first[0] * x[1] + a->first[1]) * x[2] + a->first[2];
}

static void forward(ssti_call *call) {
  ssti_box box;
  int64_t offset = 0;
  chosen(call, &box, &offset);
  call->backend->kernels.copy_box(call->backend, &box, call->x[0]->data + offset, call->y[0]->data, false);
}

static void backward(ssti_call *call) {
  if (call->dx[0] == NULL) { return; }
  ssti_box box;
  int64_t offset = 0;
  chosen(call, &box, &offset);
  const ssti_box back = ssti_box_turned(&box);
  float *dx = call->dx[0]->data;
  if (!call->accumulate[0]) {
    call->backend->kernels.fill(call->backend, sst_shape_count(call->x[0]->shape), 0.0f, dx);
  }
  call->backend->kernels.copy_box(call->backend, &back, call->dy[0]->data, dx + offset, true);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // moves, does not compute
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_slice = {
    .name = "slice",
    .attributes_size = sizeof(ssti_slice_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
