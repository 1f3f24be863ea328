// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one value. One table gives each kind's formula and derivative; every loop derives from it.
#include <math.h>

#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"
#include "quantize/grid.h"

typedef struct unary_job {
  ssti_unary_kind kind;
  float a, b;
  const float *x, *y, *dy;
  float *out;
  bool accumulate;
} unary_job;

static inline float sigmoid(float x) {
  // exp of what is not positive only, so that nothing overflows.
  const float e = expf(-fabsf(x));
  return x >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
}

static inline float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f; }

// 0 at 0, also for a < 1, where the derivative has no limit there.
static inline float power_derivative(float x, float a) {
  return x == 0.0f ? 0.0f : a * powf(fabsf(x), a - 1.0f) * sign(x);
}

// X(NAME, value, derivative) in terms of x, y, a, b. Comparisons are written so that NaN passes through.
#define UNARY_FORMULAS(X)                                                                                              \
  X(AFFINE, a *x + b, a)                                                                                               \
  X(RELU, x<0.0f ? 0.0f : x, x> 0.0f ? 1.0f : 0.0f)                                                                    \
  X(SQUARE, x *x, 2.0f * x)                                                                                            \
  X(ABS, fabsf(x), sign(x))                                                                                            \
  X(SQRT, sqrtf(x), 0.5f / y)                                                                                          \
  X(EXP, expf(x), y)                                                                                                   \
  X(LOG, logf(x), 1.0f / x)                                                                                            \
  X(SIGMOID, sigmoid(x), y *(1.0f - y))                                                                                \
  X(TANH, tanhf(x), 1.0f - y * y)                                                                                      \
  X(POWER, powf(fabsf(x), a), power_derivative(x, a))                                                                  \
  X(CLIP, x<a ? a : x> b ? b : x, x >= a && x <= b ? 1.0f : 0.0f)                                                      \
  X(FLOOR, floorf(x), 1.0f)                                                                                            \
  X(ROUND, ssti_round_half_up(x / a) * a, 1.0f)

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
    UNARY_FORMULAS(UNARY_CASE)
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
    UNARY_FORMULAS(UNARY_CASE)
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
  unary_job job = {
    .kind = kind, .a = a, .b = b, .x = x, .y = y, .dy = dy, .out = dx, .accumulate = accumulate};
  ssti_parallel_for(backend->context, count, SSTI_REFERENCE_GRAIN, backward_range, &job);
}
