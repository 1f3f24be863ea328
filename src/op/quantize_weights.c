// SPDX-License-Identifier: Apache-2.0
// Weight quantisers: integer codes, as f32, of full-precision shadow weights W, and the scale s that makes weights
// s * code of them: one for the layer, or one for each output channel.
//   inputs:  weight [1,O,Kh,Kw,I]; learned_step: step [1,1,1,1,1 or O]
//   outputs: codes, as weight; scale [1,1,1,1,1 or O], a constant to the backward pass
//   saved:   the scale
//
//   ternary       Delta = 0.7 mean|W|, code = sign(W) [|W| > Delta], s = mean(|W| : |W| > Delta), 1 where that is empty
//   learned_step  code = round(clip(W / s, -Q, Q)), Q = 2^(bits-1) - 1, s = step
//
// A step that is not above 0 (as each is at first, or where training drove it there) is 2 mean|W| / sqrt(Q); a training
// run writes it down.
//
// Sources: Li et al. 2016 (arXiv 1605.04711); Esser et al. 2020 (arXiv 1902.08153): start and gradient of the step.
// With 2 bits Q is 1: ternary with a learned step. With 1 bit Q would be 0; it is refused.
//
// What the layer computes is its sum z = conv(x, code), and behind it either s * z (+ bias), or a batch norm. A batch
// norm takes any scale out again, so norm(z) = norm(s * z) with epsilon / s^2 for epsilon: the scale is absorbed, and
// z, for spikes x, is a sum of integers, exact in f32 up to 2^24.
//
// Backward, straight through, is that of the weights V = s * code. Whatever follows, the loss is a function of s * z,
// hence dL/dz = s dL/d(s z), and the gradient that arrives here is dcode = conv'(x, dL/dz) = s dV. So
//
//   dV = dcode / s
//   ternary       dW = dV, but 0 where |W| > gradient_limit, if there is a limit
//   learned_step  dW = dV where |W/s| <= Q, else 0
//                 dstep = 1/sqrt(N Q) * sum dV (code - W/s where |W/s| <= Q, else code),  N weights share the step
//
// which includes what reaches the step through a multiplication by s: therefore the output `scale` takes no gradient.
#include <inttypes.h>

#include "op/op.h"
#include "quantize/grid.h"

static const sst_weight_quantizer *quantizer_of(const ssti_call *call) {
  return &((const ssti_quantize_weights_attributes *)call->attributes)->quantizer;
}

static bool has_step(const ssti_call *call) { return quantizer_of(call)->kind == SST_WEIGHT_QUANTIZER_LEARNED_STEP; }

static sst_status infer(sst_context *context, ssti_call *call) {
  const sst_weight_quantizer *quantizer = quantizer_of(call);
  SST_TRY(ssti_weight_quantizer_check(context, quantizer));
  if (quantizer->kind == SST_WEIGHT_QUANTIZER_NONE) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the quantiser is none, which makes no codes");
  }
  const int expected = has_step(call) ? 2 : 1;
  if (call->input_count != expected) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s got %d inputs, expected %d: the weight%s",
             sst_weight_quantizer_word(quantizer->kind), call->input_count, expected,
             expected == 2 ? " and the step" : "");
  }
  const sst_shape weight = call->x[0]->shape;
  char text[SST_SHAPE_TEXT_SIZE];
  if (weight.dim[SST_AXIS_T] != 1) {
    SST_FAIL(context, SST_SHAPE, "weight is %s, expected [1,O,Kh,Kw,I]", sst_shape_text(weight, text, sizeof text));
  }
  const int64_t groups = quantizer->per_channel ? weight.dim[SST_AXIS_N] : 1;
  const sst_shape scale = sst_shape_make(1, 1, 1, 1, groups);
  if (expected == 2 && !sst_shape_equal(call->x[1]->shape, scale)) {
    SST_FAIL(context, SST_SHAPE, "the step is %s, expected [1,1,1,1,%" PRId64 "]",
             sst_shape_text(call->x[1]->shape, text, sizeof text), groups);
  }
  call->y[0]->shape = weight;
  call->y[0]->code_bits = sst_weight_quantizer_bits(quantizer);
  call->y[1]->shape = scale;
  return SST_OK;
}

static ssti_weight_shape kernel_shape(const ssti_call *call) {
  const sst_shape weight = call->x[0]->shape;
  const int64_t rows = weight.dim[SST_AXIS_N];
  return (ssti_weight_shape){.quantizer = *quantizer_of(call), .rows = rows, .columns = sst_shape_count(weight) / rows};
}

static int64_t scale_count(const ssti_call *call) { return sst_shape_count(call->y[1]->shape); }

static void copy_scale(const ssti_call *call, float *to) {
  const int64_t count = scale_count(call);
  call->backend->kernels.copy_rows(call->backend, 1, count, call->saved, count, to, count, false);
}

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  const ssti_weight_shape shape = kernel_shape(call);
  needs->saved = (size_t)scale_count(call) * sizeof(float);
  needs->forward_workspace = needs->backward_workspace = call->backend->kernels.quantize_workspace(&shape);
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_weight_shape shape = kernel_shape(call);
  float *step = has_step(call) ? call->x[1]->data : NULL;
  call->backend->kernels.quantize_weights_forward(call->backend, &shape, call->x[0]->data, step, call->y[0]->data,
                                                  call->saved, call->workspace);
  if (call->y[1]->data != NULL) { copy_scale(call, call->y[1]->data); }
  // Before the first step of the optimiser, which would otherwise move away from 0.
  if (step != NULL && call->run->training && !call->frozen) { copy_scale(call, step); }
}

static void backward(ssti_call *call) {
  const ssti_weight_shape shape = kernel_shape(call);
  float *dweight = call->dx[0] != NULL ? call->dx[0]->data : NULL;
  float *dstep = has_step(call) && call->dx[1] != NULL ? call->dx[1]->data : NULL;
  if (dweight == NULL && dstep == NULL) { return; }
  if (call->dy[0] == NULL) { // somebody reads the scale but not the codes
    float *const gradients[] = {dweight, dstep};
    for (int i = 0; i < 2; i++) {
      if (gradients[i] != NULL && !call->accumulate[i]) {
        call->backend->kernels.fill(call->backend, sst_shape_count(call->dx[i]->shape), 0.0f, gradients[i]);
      }
    }
    return;
  }
  call->backend->kernels.quantize_weights_backward(call->backend, &shape, call->x[0]->data, call->saved,
                                                   call->dy[0]->data, dweight, call->accumulate[0], dstep,
                                                   dstep != NULL && call->accumulate[1], call->workspace);
}

static void cost(const ssti_call *call, sst_cost *cost) {
  (void)call; // codes are stored, not made, at inference
  *cost = (sst_cost){0};
}

static int bits(const ssti_call *call) { return sst_weight_quantizer_bits(quantizer_of(call)); }

const ssti_op ssti_op_quantize_weights = {
    .name = "quantize_weights",
    .attributes_size = sizeof(ssti_quantize_weights_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bits = bits,
    .backward_reads_inputs = 1u << 0,
};
