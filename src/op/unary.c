// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one value (the list is SSTI_UNARY_LIST in backend.h).
//   input: x [T,N,H,W,C]; output: f(x), same shape
#include <math.h>

#include "op/op.h"

static const char *const words[] = {
#define UNARY_WORD(name, word) #word,
    SSTI_UNARY_LIST(UNARY_WORD)
#undef UNARY_WORD
};
enum { KIND_COUNT = sizeof words / sizeof words[0] };

static const ssti_unary_attributes *attributes_of(const ssti_call *call) { return call->attributes; }

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_unary_attributes *attributes = attributes_of(call);
  const double a = (double)attributes->a, b = (double)attributes->b;
  if ((int)attributes->kind < 0 || (int)attributes->kind >= KIND_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the elementwise function has number %d, expected 0 to %d",
             (int)attributes->kind, KIND_COUNT - 1);
  }
  const char *word = words[attributes->kind];
  if (attributes->kind == SSTI_UNARY_AFFINE && !(isfinite(a) && isfinite(b))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s has the factor %g and the offset %g, expected finite numbers", word, a,
             b);
  }
  if (attributes->kind == SSTI_UNARY_POWER && !(a > 0 && isfinite(a))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s has the exponent %g, expected a finite number above 0", word, a);
  }
  if (attributes->kind == SSTI_UNARY_ROUND && !(a > 0 && isfinite(a))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s has the step %g, expected a finite number above 0", word, a);
  }
  if (attributes->kind == SSTI_UNARY_CLIP && !(a <= b)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "%s has the bounds %g and %g, expected the lower one first", word, a, b);
  }
  call->y[0]->shape = call->x[0]->shape;
  return SST_OK;
}

static void forward(ssti_call *call) {
  const ssti_unary_attributes *attributes = attributes_of(call);
  call->backend->kernels.unary_forward(call->backend, attributes->kind, attributes->a, attributes->b,
                                       sst_shape_count(call->x[0]->shape), call->x[0]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  const ssti_unary_attributes *attributes = attributes_of(call);
  if (call->dx[0] == NULL) { return; }
  call->backend->kernels.unary_backward(call->backend, attributes->kind, attributes->a, attributes->b,
                                        sst_shape_count(call->x[0]->shape), call->x[0]->data, call->y[0]->data,
                                        call->dy[0]->data, call->dx[0]->data, call->accumulate[0]);
}

static bool backward_reads(const ssti_call *call) { return attributes_of(call)->kind != SSTI_UNARY_AFFINE; }

static void cost(const ssti_call *call, sst_cost *out) {
  const int64_t operations = attributes_of(call)->kind == SSTI_UNARY_AFFINE ? 2 : 1;
  *out = (sst_cost){.elementwise = operations * sst_shape_count(call->y[0]->shape)};
}

const ssti_op ssti_op_unary = {
    .name = "unary",
    .attributes_size = sizeof(ssti_unary_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0,
    .backward_reads_outputs = 1u << 0,
    .backward_reads = backward_reads,
};
