// SPDX-License-Identifier: Apache-2.0
// Puts elements of one value around the pictures, in height, width and channels.
//   x [T,N,H,W,C]; y [T,N,before_h+H+after_h,before_w+W+after_w,before_c+C+after_c]
//   y = x inside, `value` around it
#include <inttypes.h>

#include "op/op.h"

enum { FIRST_AXIS = SST_AXIS_H, AXES = 3, LARGEST_PADDING = 1 << 20 };

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_pad_attributes *a = call->attributes;
  if (call->input_count != 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "pad got %d inputs, expected 1", call->input_count);
  }
  sst_shape y = call->x[0]->shape;
  for (int i = 0; i < AXES; i++) {
    if (a->before[i] < 0 || a->before[i] > LARGEST_PADDING || a->after[i] < 0 || a->after[i] > LARGEST_PADDING) {
      SST_FAIL(context, SST_INVALID_ARGUMENT,
               "the padding in %c is %" PRId64 " before and %" PRId64 " after, expected 0..%d", "HWC"[i],
               a -> before[i], a -> after[i], LARGEST_PADDING);
    }
    y.dim[FIRST_AXIS + i] += a->before[i] + a->after[i];
  }
  call->y[0]->shape = y;
  return SST_OK;
}

// The input's place inside the output, for copies between the two.
static void inside(const ssti_call *call, ssti_box *box, int64_t *offset) {
  const ssti_pad_attributes *a = call->attributes;
  const int64_t *y = &call->y[0]->shape.dim[FIRST_AXIS];
  *box = ssti_box_of(call->x[0]->shape);
  box->to_stride[0] = y[0] * y[1] * y[2];
  box->to_stride[1] = y[1] * y[2];
  box->to_stride[2] = y[2];
  box->to_stride[3] = 1;
  *offset = (a->before[0] * y[1] + a->before[1]) * y[2] + a->before[2];
}

static void forward(ssti_call *call) {
  const ssti_pad_attributes *a = call->attributes;
  ssti_box box;
  int64_t offset = 0;
  inside(call, &box, &offset);
  call->backend->kernels.fill(call->backend, sst_shape_count(call->y[0]->shape), a->value, call->y[0]->data);
  call->backend->kernels.copy_box(call->backend, &box, call->x[0]->data, call->y[0]->data + offset, false);
}

static void backward(ssti_call *call) {
  if (call->dx[0] == NULL) { return; }
  ssti_box box;
  int64_t offset = 0;
  inside(call, &box, &offset);
  const ssti_box back = ssti_box_turned(&box);
  call->backend->kernels.copy_box(call->backend, &back, call->dy[0]->data + offset, call->dx[0]->data,
                                  call->accumulate[0]);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // moves, does not compute
  *cost = (sst_cost){0};
}

const ssti_op ssti_op_pad = {
    .name = "pad",
    .attributes_size = sizeof(ssti_pad_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
