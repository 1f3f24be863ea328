// SPDX-License-Identifier: Apache-2.0
// y = W x + b over C.
//   x [T,N,1,1,I], weight [1,O,1,1,I], bias [1,1,1,1,O] or absent; y [T,N,1,1,O]
#include <inttypes.h>

#include "op/op.h"

static sst_status infer(sst_context *context, ssti_call *call) {
  if (call->input_count != 2 && call->input_count != 3) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a linear layer got %d inputs, expected x, weight and perhaps bias",
             call->input_count);
  }
  sst_shape x = call->x[0]->shape, weight = call->x[1]->shape;
  int64_t in = x.dim[SST_AXIS_C], out = weight.dim[SST_AXIS_N];
  char text[SST_SHAPE_TEXT_SIZE];
  if (x.dim[SST_AXIS_H] != 1 || x.dim[SST_AXIS_W] != 1) {
    SST_FAIL(context, SST_SHAPE, "input is %s, expected [T,N,1,1,I]; flatten it first",
             sst_shape_text(x, text, sizeof text));
  }
  if (weight.dim[SST_AXIS_T] != 1 || weight.dim[SST_AXIS_H] != 1 || weight.dim[SST_AXIS_W] != 1) {
    SST_FAIL(context, SST_SHAPE, "weight is %s, expected [1,O,1,1,I]", sst_shape_text(weight, text, sizeof text));
  }
  if (weight.dim[SST_AXIS_C] != in) {
    SST_FAIL(context, SST_SHAPE, "input has %" PRId64 " channels, weight expects %" PRId64, in, weight.dim[SST_AXIS_C]);
  }
  if (call->input_count == 3 && !sst_shape_equal(call->x[2]->shape, sst_shape_make(1, 1, 1, 1, out))) {
    SST_FAIL(context, SST_SHAPE, "bias is %s, expected [1,1,1,1,%" PRId64 "]",
             sst_shape_text(call->x[2]->shape, text, sizeof text), out);
  }
  call->y[0]->shape = x;
  call->y[0]->shape.dim[SST_AXIS_C] = out;
  return SST_OK;
}

static ssti_linear kernel_shape(const ssti_call *call) {
  sst_shape x = call->x[0]->shape;
  return (ssti_linear){.rows = x.dim[SST_AXIS_T] * x.dim[SST_AXIS_N],
                       .in = x.dim[SST_AXIS_C],
                       .out = call->x[1]->shape.dim[SST_AXIS_N],
                       .precision = call->precision,
                       .in_type = call->x[0]->type,
                       .out_type = call->y[0]->type,
                       .settled = call->settled,
                       .code_bits = call->x[1]->code_bits};
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  ssti_linear shape = kernel_shape(call);
  SST_TRY(call->backend->kernels.linear_plan(call->backend, &shape, call->training, &call->plan));
  if (call->plan != NULL) {
    needs->forward_workspace = call->plan->forward_workspace;
    needs->backward_workspace = call->plan->backward_workspace;
    needs->saved = call->plan->saved;
  }
  return SST_OK;
}

static void forward(ssti_call *call) {
  ssti_linear shape = kernel_shape(call);
  const float *bias = call->input_count == 3 ? call->x[2]->data : NULL;
  call->backend->kernels.linear_forward(call->backend, &shape, call->plan, call->x[0]->data, call->x[1]->data, bias,
                                        call->y[0]->data, call->saved, call->workspace);
}

static void backward(ssti_call *call) {
  const ssti_kernels *kernels = &call->backend->kernels;
  ssti_linear shape = kernel_shape(call);
  const float *x = call->x[0]->data, *weight = call->x[1]->data, *dy = call->dy[0]->data;
  float *dweight = call->dx[1] != NULL ? call->dx[1]->data : NULL;
  float *dbias = call->input_count == 3 && call->dx[2] != NULL ? call->dx[2]->data : NULL;
  // The weights first: dx may lie where x lies.
  if (dweight != NULL || dbias != NULL) {
    kernels->linear_backward_weights(call->backend, &shape, call->plan, x, dy, dweight, call->accumulate[1], dbias,
                                     dbias != NULL && call->accumulate[2], call->saved, call->workspace);
  }
  if (call->dx[0] != NULL) {
    kernels->linear_backward_data(call->backend, &shape, call->plan, dy, weight, call->dx[0]->data, call->accumulate[0],
                                  call->workspace);
  }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  ssti_linear s = kernel_shape(call);
  *cost = (sst_cost){.macs = s.rows * s.in * s.out, .elementwise = call->input_count == 3 ? s.rows * s.out : 0};
}

const ssti_op ssti_op_linear = {
    .name = "linear",
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
