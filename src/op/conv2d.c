// SPDX-License-Identifier: Apache-2.0
// Convolution (cross-correlation) over H and W, all steps and pictures in one call.
//   x [T,N,H,W,I], weight [1,O,Kh,Kw,I/groups], bias [1,1,1,1,O] or absent; y [T,N,H',W',O]
//   H' = floor((H + 2*pad - dilation*(Kh-1) - 1) / stride) + 1, W' likewise
#include <inttypes.h>

#include "op/op.h"

// More than any picture has; products of a few such numbers stay inside 64 bits.
enum { LARGEST_SETTING = 1 << 20 };

static sst_status check_setting(sst_context *context, const char *name, int64_t value, int64_t lowest) {
  if (value < lowest || value > LARGEST_SETTING) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s is %" PRId64 ", expected %" PRId64 "..%d", name, value, lowest,
             LARGEST_SETTING);
  }
  return SST_OK;
}

static sst_status check_settings(sst_context *context, const ssti_conv2d_attributes *a) {
  SST_TRY(check_setting(context, "the stride in H", a->stride_h, 1));
  SST_TRY(check_setting(context, "the stride in W", a->stride_w, 1));
  SST_TRY(check_setting(context, "the padding in H", a->pad_h, 0));
  SST_TRY(check_setting(context, "the padding in W", a->pad_w, 0));
  SST_TRY(check_setting(context, "the dilation in H", a->dilation_h, 1));
  SST_TRY(check_setting(context, "the dilation in W", a->dilation_w, 1));
  return check_setting(context, "the number of groups", a->groups, 1);
}

static sst_status check_channels(sst_context *context, const ssti_call *call, int64_t groups) {
  int64_t in = call->x[0]->shape.dim[SST_AXIS_C];
  sst_shape weight = call->x[1]->shape;
  int64_t out = weight.dim[SST_AXIS_N];
  char text[SST_SHAPE_TEXT_SIZE];
  if (weight.dim[SST_AXIS_T] != 1) {
    SST_FAIL(context, SST_SHAPE, "weight is %s, expected [1,O,Kh,Kw,I/groups]",
             sst_shape_text(weight, text, sizeof text));
  }
  if (in % groups != 0) {
    SST_FAIL(context, SST_SHAPE, "input has %" PRId64 " channels, expected a multiple of the %" PRId64 " groups", in,
             groups);
  }
  if (out % groups != 0) {
    SST_FAIL(context, SST_SHAPE,
             "weight has %" PRId64 " output channels, expected a multiple of the %" PRId64 " groups", out, groups);
  }
  if (weight.dim[SST_AXIS_C] * groups != in) {
    SST_FAIL(context, SST_SHAPE, "input has %" PRId64 " channels, weight expects %" PRId64, in,
             weight.dim[SST_AXIS_C] * groups);
  }
  if (call->input_count == 3 && !sst_shape_equal(call->x[2]->shape, sst_shape_make(1, 1, 1, 1, out))) {
    SST_FAIL(context, SST_SHAPE, "bias is %s, expected [1,1,1,1,%" PRId64 "]",
             sst_shape_text(call->x[2]->shape, text, sizeof text), out);
  }
  return SST_OK;
}

// One axis of the picture: output length, or a failure if the kernel does not fit.
static sst_status output_length(sst_context *context, char axis, int64_t in, int64_t kernel, int64_t stride,
                                int64_t pad, int64_t dilation, int64_t *out) {
  int64_t padded = in + 2 * pad, reach = dilation * (kernel - 1) + 1;
  if (reach > padded) {
    SST_FAIL(context, SST_SHAPE, "the kernel covers %" PRId64 " positions in %c, the padded input has %" PRId64, reach,
             axis, padded);
  }
  *out = (padded - reach) / stride + 1;
  return SST_OK;
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_conv2d_attributes *a = call->attributes;
  if (call->input_count != 2 && call->input_count != 3) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a convolution got %d inputs, expected x, weight and perhaps bias",
             call->input_count);
  }
  SST_TRY(check_settings(context, a));
  SST_TRY(check_channels(context, call, a->groups));
  sst_shape x = call->x[0]->shape, weight = call->x[1]->shape, y = x;
  SST_TRY(output_length(context, 'H', x.dim[SST_AXIS_H], weight.dim[SST_AXIS_H], a->stride_h, a->pad_h, a->dilation_h,
                        &y.dim[SST_AXIS_H]));
  SST_TRY(output_length(context, 'W', x.dim[SST_AXIS_W], weight.dim[SST_AXIS_W], a->stride_w, a->pad_w, a->dilation_w,
                        &y.dim[SST_AXIS_W]));
  y.dim[SST_AXIS_C] = weight.dim[SST_AXIS_N];
  call->y[0]->shape = y;
  return SST_OK;
}

static ssti_conv2d kernel_shape(const ssti_call *call) {
  const ssti_conv2d_attributes *a = call->attributes;
  sst_shape x = call->x[0]->shape, weight = call->x[1]->shape, y = call->y[0]->shape;
  return (ssti_conv2d){.images = x.dim[SST_AXIS_T] * x.dim[SST_AXIS_N],
                       .in_h = x.dim[SST_AXIS_H],
                       .in_w = x.dim[SST_AXIS_W],
                       .in_c = x.dim[SST_AXIS_C],
                       .out_h = y.dim[SST_AXIS_H],
                       .out_w = y.dim[SST_AXIS_W],
                       .out_c = y.dim[SST_AXIS_C],
                       .kernel_h = weight.dim[SST_AXIS_H],
                       .kernel_w = weight.dim[SST_AXIS_W],
                       .stride_h = a->stride_h,
                       .stride_w = a->stride_w,
                       .pad_h = a->pad_h,
                       .pad_w = a->pad_w,
                       .dilation_h = a->dilation_h,
                       .dilation_w = a->dilation_w,
                       .groups = a->groups,
                       .precision = call->precision,
                       .in_type = call->x[0]->type,
                       .out_type = call->y[0]->type,
                       .settled = call->settled,
                       .code_bits = call->x[1]->code_bits};
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  ssti_conv2d shape = kernel_shape(call);
  SST_TRY(call->backend->kernels.conv2d_plan(call->backend, &shape, call->training, &call->plan));
  if (call->plan != NULL) {
    needs->forward_workspace = call->plan->forward_workspace;
    needs->backward_workspace = call->plan->backward_workspace;
    needs->saved = call->plan->saved;
  }
  return SST_OK;
}

static void forward(ssti_call *call) {
  ssti_conv2d shape = kernel_shape(call);
  const float *bias = call->input_count == 3 ? call->x[2]->data : NULL;
  call->backend->kernels.conv2d_forward(call->backend, &shape, call->plan, call->x[0]->data, call->x[1]->data, bias,
                                        call->y[0]->data, call->saved, call->workspace);
}

static void backward(ssti_call *call) {
  const ssti_kernels *kernels = &call->backend->kernels;
  ssti_conv2d shape = kernel_shape(call);
  const float *x = call->x[0]->data, *weight = call->x[1]->data, *dy = call->dy[0]->data;
  float *dweight = call->dx[1] != NULL ? call->dx[1]->data : NULL;
  float *dbias = call->input_count == 3 && call->dx[2] != NULL ? call->dx[2]->data : NULL;
  // The weights first: dx may lie where x lies.
  if (dweight != NULL || dbias != NULL) {
    kernels->conv2d_backward_weights(call->backend, &shape, call->plan, x, dy, dweight, call->accumulate[1], dbias,
                                     dbias != NULL && call->accumulate[2], call->saved, call->workspace);
  }
  if (call->dx[0] != NULL) {
    kernels->conv2d_backward_data(call->backend, &shape, call->plan, dy, weight, call->dx[0]->data, call->accumulate[0],
                                  call->workspace);
  }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  ssti_conv2d s = kernel_shape(call);
  int64_t outputs = s.images * s.out_h * s.out_w * s.out_c;
  *cost = (sst_cost){.macs = outputs * s.kernel_h * s.kernel_w * (s.in_c / s.groups),
                     .elementwise = call->input_count == 3 ? outputs : 0};
}

const ssti_op ssti_op_conv2d = {
    .name = "conv2d",
    .attributes_size = sizeof(ssti_conv2d_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0 | 1u << 1,
    .backward_writes_first_last = true,
    .bf16_inputs = 1u << 0,
    .bf16_outputs = 1u << 0,
};
