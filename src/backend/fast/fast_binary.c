// SPDX-License-Identifier: Apache-2.0
// Sums of two tensors of one shape of which some are bf16; everything else stays with the reference, whose loops are
// bound by memory.
#include "backend/fast/fast.h"
#include "base/parallel.h"

enum { GRAIN = 65536 }; // elements that are worth a thread

typedef struct sum_work {
  const ssti_simd *simd;
  const float *a, *b; // b may be NULL: nothing is added to a
  float *y;
  ssti_type a_type, b_type, out;
} sum_work;

static const void *element(const float *tensor, ssti_type type, int64_t at) {
  return tensor == NULL ? NULL : (const char *)tensor + (size_t)at * ssti_type_bytes(type);
}

static void sum_range(void *arg, int64_t begin, int64_t end) {
  const sum_work *w = arg;
  w->simd->sum_bf16(end - begin, element(w->a, w->a_type, begin), w->a_type, element(w->b, w->b_type, begin), w->b_type,
                    (char *)w->y + (size_t)begin * ssti_type_bytes(w->out), w->out);
}

static void forward(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b, float *y) {
  const ssti_fast_state *state = ssti_fast_state_of(backend);
  if (ssti_binary_is_f32(shape)) {
    state->reference.binary_forward(backend, shape, a, b, y);
    return;
  }
  assert(shape->kind == SSTI_BINARY_ADD && sst_shape_equal(shape->a, shape->b));
  sum_work work = {.simd = &state->simd,
                   .a = a,
                   .b = b,
                   .y = y,
                   .a_type = shape->a_type,
                   .b_type = shape->b_type,
                   .out = shape->out_type};
  ssti_parallel_for(backend->context, sst_shape_count(shape->a), GRAIN, sum_range, &work);
}

// What arrives at the sum arrives at each side.
static void hand_on(ssti_backend *backend, const ssti_binary *shape, const float *dy, float *dx, ssti_type type,
                    bool accumulate) {
  if (dx == NULL) { return; }
  sum_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                   .a = dy,
                   .b = accumulate ? dx : NULL,
                   .y = dx,
                   .a_type = shape->out_type,
                   .b_type = type,
                   .out = type};
  ssti_parallel_for(backend->context, sst_shape_count(shape->a), GRAIN, sum_range, &work);
}

static void backward(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b, const float *dy,
                     float *da, bool accumulate_a, float *db, bool accumulate_b) {
  if (ssti_binary_is_f32(shape)) {
    ssti_fast_state_of(backend)->reference.binary_backward(backend, shape, a, b, dy, da, accumulate_a, db,
                                                           accumulate_b);
    return;
  }
  hand_on(backend, shape, dy, da, shape->a_type, accumulate_a);
  hand_on(backend, shape, dy, db, shape->b_type, accumulate_b);
}

void ssti_fast_fill_binary(ssti_kernels *kernels) {
  kernels->binary_forward = forward;
  kernels->binary_backward = backward;
}
