// SPDX-License-Identifier: Apache-2.0
// A convolution or linear layer and the batch norm behind it as one product, where the norm takes its running
// statistics and no parameter changes: the norm is folded into weights and bias (base/fold_norm.h), once, at the first
// forward pass.
//   inputs: x; weight, optional bias; gamma, beta, running mean, running variance [1,1,1,1,O]
//   state:  whether the rest is there; folded weights and bias
// What comes out differs from the two alone by rounding: in f32 by about 1e-6 of the outputs' deviation, in bf16, where
// the folded weights are rounded, by as much as the product's own rounding.
#include "op/folded_norm.h"

#include "base/fold_norm.h"

enum { ALIGNMENT = 64, NORM_INPUTS = 4 };

static const ssti_folded_norm_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static const ssti_op *product_of(const ssti_call *call) {
  return attributes_of(call)->linear ? &ssti_op_linear : &ssti_op_conv2d;
}

// The product's own call, on folded weights.
typedef struct product_call {
  ssti_call call;
  ssti_tensor weight, bias;
  ssti_tensor *x[3];
} product_call;

static size_t weight_bytes(const ssti_call *call) {
  const size_t bytes = (size_t)sst_shape_count(call->x[1]->shape) * sizeof(float);
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int64_t outputs_of(const ssti_call *call) { return call->x[1]->shape.dim[SST_AXIS_N]; }

static void begin_product(const ssti_call *call, product_call *p) {
  p->call = *call;
  p->call.attributes = &attributes_of(call)->conv;
  p->weight = *call->x[1];
  p->bias = (ssti_tensor){.shape = sst_shape_make(1, 1, 1, 1, outputs_of(call))};
  if (call->state != NULL) {
    char *folded = (char *)call->state + ALIGNMENT;
    p->weight.data = (float *)(void *)folded;
    p->bias.data = (float *)(void *)(folded + weight_bytes(call));
  }
  p->x[0] = call->x[0];
  p->x[1] = &p->weight;
  p->x[2] = &p->bias;
  p->call.x = p->x;
  p->call.input_count = 3;
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  product_call p;
  begin_product(call, &p);
  SST_TRY(product_of(call)->prepare(&p.call, needs));
  call->plan = p.call.plan;
  needs->state = ALIGNMENT + weight_bytes(call) + (size_t)outputs_of(call) * sizeof(float);
  return SST_OK;
}

static void fold(const ssti_call *call, const product_call *p) {
  const ssti_batch_norm_attributes *a = &attributes_of(call)->norm;
  ssti_tensor **norm = call->x + call->input_count - NORM_INPUTS;
  const int64_t outputs = outputs_of(call), weights = sst_shape_count(p->weight.shape);
  const ssti_norm_values values = {.gamma = norm[0]->data,
                                   .beta = norm[1]->data,
                                   .mean = norm[2]->data,
                                   .variance = norm[3]->data,
                                   .epsilon = a->epsilon,
                                   .scale = a->scale};
  memcpy(p->weight.data, call->x[1]->data, (size_t)weights * sizeof(float));
  if (call->input_count - NORM_INPUTS == 3) {
    memcpy(p->bias.data, call->x[2]->data, (size_t)outputs * sizeof(float));
  } else {
    memset(p->bias.data, 0, (size_t)outputs * sizeof(float));
  }
  ssti_fold_norm(&values, outputs, weights / outputs, p->weight.data, p->bias.data);
}

static void forward(ssti_call *call) {
  product_call p;
  bool *folded = call->state;
  begin_product(call, &p);
  if (!*folded) { fold(call, &p); }
  *folded = true;
  product_of(call)->forward(&p.call);
}

const ssti_op ssti_op_folded_norm = {
    .name = "folded_norm",
    .attributes_size = sizeof(ssti_folded_norm_attributes),
    .is_by_sample = ssti_op_by_sample,
    .prepare = prepare,
    .forward = forward,
    .bf16_inputs = 1u << 0,
    .bf16_outputs = 1u << 0,
};
