// SPDX-License-Identifier: Apache-2.0
// Elementwise arithmetic with broadcasting (the list is SSTI_BINARY_LIST in backend.h).
//   inputs: a, b, whose axes have the same length or length 1, which is repeated; output: the longer of each axis
#include "op/op.h"

static const char *const words[] = {
#define BINARY_WORD(name, word) #word,
    SSTI_BINARY_LIST(BINARY_WORD)
#undef BINARY_WORD
};
enum { KIND_COUNT = sizeof words / sizeof words[0] };

static ssti_binary_kind kind_of(const ssti_call *call) {
  const ssti_binary_attributes *attributes = call->attributes;
  return attributes->kind;
}

static sst_status infer(sst_context *context, ssti_call *call) {
  const int kind = (int)kind_of(call);
  if (kind < 0 || kind >= KIND_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the elementwise operation has number %d, expected 0 to %d", kind,
             KIND_COUNT - 1);
  }
  const sst_shape a = call->x[0]->shape, b = call->x[1]->shape;
  sst_shape y = a;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (a.dim[i] != b.dim[i] && a.dim[i] != 1 && b.dim[i] != 1) {
      char text_a[SST_SHAPE_TEXT_SIZE], text_b[SST_SHAPE_TEXT_SIZE];
      SST_FAIL(context, SST_SHAPE, "%s has the shapes %s and %s, expected equal lengths, or 1, on axis %c", words[kind],
               sst_shape_text(a, text_a, sizeof text_a), sst_shape_text(b, text_b, sizeof text_b), "TNHWC"[i]);
    }
    if (a.dim[i] == 1) { y.dim[i] = b.dim[i]; }
  }
  call->y[0]->shape = y;
  return SST_OK;
}

static ssti_binary kernel_shape(const ssti_call *call) {
  return (ssti_binary){.kind = kind_of(call),
                       .a = call->x[0]->shape,
                       .b = call->x[1]->shape,
                       .a_type = call->x[0]->type,
                       .b_type = call->x[1]->type,
                       .out_type = call->y[0]->type};
}

static void forward(ssti_call *call) {
  const ssti_binary shape = kernel_shape(call);
  call->backend->kernels.binary_forward(call->backend, &shape, call->x[0]->data, call->x[1]->data, call->y[0]->data);
}

static void backward(ssti_call *call) {
  const ssti_binary shape = kernel_shape(call);
  const ssti_tensor *da = call->dx[0], *db = call->dx[1];
  if (da == NULL && db == NULL) { return; }
  call->backend->kernels.binary_backward(call->backend, &shape, call->x[0]->data, call->x[1]->data, call->dy[0]->data,
                                         da ? da->data : NULL, call->accumulate[0], db ? db->data : NULL,
                                         call->accumulate[1]);
}

static bool takes_bf16(const ssti_call *call) {
  return kind_of(call) == SSTI_BINARY_ADD && sst_shape_equal(call->x[0]->shape, call->x[1]->shape);
}

static bool backward_reads(const ssti_call *call) {
  return kind_of(call) == SSTI_BINARY_MULTIPLY || kind_of(call) == SSTI_BINARY_DIVIDE;
}

static void cost(const ssti_call *call, sst_cost *out) {
  *out = (sst_cost){.elementwise = sst_shape_count(call->y[0]->shape)};
}

const ssti_op ssti_op_binary = {
    .name = "binary",
    .attributes_size = sizeof(ssti_binary_attributes),
    .is_by_sample = ssti_op_by_sample,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .backward_reads_inputs = 1u << 0 | 1u << 1,
    .backward_reads = backward_reads,
    .bf16_inputs = 1u << 0 | 1u << 1,
    .bf16_outputs = 1u << 0,
    .takes_bf16 = takes_bf16,
    .keeps_type = true,
};
