// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one value. Every loop derives from the table of formulas.
#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"
#include "backend/unary_formulas.h"

typedef struct unary_job {
  ssti_unary_kind kind;
  float a, b;
  const float *x, *y, *dy;
  float *out;
  bool accumulate;
} unary_job;

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const unary_job *job = arg;
  const float a = job->a, b = job->b;
  const float *restrict source = job->x;
  float *restrict out = job->out;
  (void)a, (void)b;
  switch (job->kind) {
#define UNARY_CASE(name, value, derivative)                                                                            \
  case SSTI_UNARY_##name:                                                                                              \
    for (int64_t i = begin; i < end; i++) {                                                                            \
      const float x = source[i];                                                                                       \
      out[i] = (value);                                                                                                \
    }                                                                                                                  \
    break;
    SSTI_UNARY_FORMULAS(UNARY_CASE)
#undef UNARY_CASE
  }
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const unary_job *job = arg;
  const float a = job->a, b = job->b;
  const float *restrict source = job->x, *restrict result = job->y, *restrict dy = job->dy;
  float *restrict dx = job->out;
  (void)a, (void)b;
  switch (job->kind) {
#define UNARY_CASE(name, value, derivative)                                                                            \
  case SSTI_UNARY_##name:                                                                                              \
    for (int64_t i = begin; i < end; i++) {                                                                            \
      const float x = source[i], y = result[i];                                                                        \
      (void)x, (void)y;                                                                                                \
      const float d = dy[i] * (derivative);                                                                            \
      dx[i] = job->accumulate ? dx[i] + d : d;                                                                         \
    }                                                                                                                  \
    break;
    SSTI_UNARY_FORMULAS(UNARY_CASE)
#undef UNARY_CASE
  }
}

void ssti_reference_unary_forward(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count,
                                  const float *x, float *y) {
  unary_job job = {.kind = kind, .a = a, .b = b, .x = x, .out = y};
  ssti_parallel_for(backend->context, count, SSTI_REFERENCE_GRAIN, forward_range, &job);
}

void ssti_reference_unary_backward(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count,
                                   const float *x, const float *y, const float *dy, float *dx, bool accumulate) {
  unary_job job = {.kind = kind, .a = a, .b = b, .x = x, .y = y, .dy = dy, .out = dx, .accumulate = accumulate};
  ssti_parallel_for(backend->context, count, SSTI_REFERENCE_GRAIN, backward_range, &job);
}
