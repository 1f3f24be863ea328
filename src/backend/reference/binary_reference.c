// SPDX-License-Identifier: Apache-2.0
// Elementwise arithmetic of two tensors, either of which may be repeated along axes. The gradient of a repeated side is
// a reduction over those axes.
#include <assert.h>

#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"

typedef struct binary_job {
  ssti_binary_kind kind;
  const float *a, *b;
  float *y;
} binary_job;

static sst_shape broadcast(sst_shape a, sst_shape b) {
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    assert(a.dim[i] == b.dim[i] || a.dim[i] == 1 || b.dim[i] == 1);
    if (a.dim[i] == 1) { a.dim[i] = b.dim[i]; }
  }
  return a;
}

// The same loop for two vectors, a repeated number first, and a repeated number second.
#define BINARY_LOOP(expression)                                                                                        \
  do {                                                                                                                 \
    if (stride[1] != 0 && stride[2] != 0) {                                                                            \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        const float p = a[i], q = b[i];                                                                                \
        y[i] = expression;                                                                                             \
      }                                                                                                                \
    } else if (stride[1] != 0) {                                                                                       \
      const float q = b[0];                                                                                            \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        const float p = a[i];                                                                                          \
        y[i] = expression;                                                                                             \
      }                                                                                                                \
    } else {                                                                                                           \
      const float p = a[0];                                                                                            \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        const float q = b[i];                                                                                          \
        y[i] = expression;                                                                                             \
      }                                                                                                                \
    }                                                                                                                  \
  } while (0)

static void forward_span(void *arg, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                         const int64_t stride[SSTI_REFERENCE_OPERANDS], int64_t count) {
  const binary_job *job = arg;
  float *restrict y = job->y + offset[0];
  const float *restrict a = job->a + offset[1];
  const float *restrict b = job->b + offset[2];
  switch (job->kind) {
  case SSTI_BINARY_ADD: BINARY_LOOP(p + q); break;
  case SSTI_BINARY_SUBTRACT: BINARY_LOOP(p - q); break;
  case SSTI_BINARY_MULTIPLY: BINARY_LOOP(p * q); break;
  case SSTI_BINARY_DIVIDE: BINARY_LOOP(p / q); break;
  }
}

void ssti_reference_binary_forward(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b,
                                   float *y) {
  const sst_shape whole = broadcast(shape->a, shape->b);
  int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT];
  ssti_reference_strides(whole, stride[0]);
  ssti_reference_strides(shape->a, stride[1]);
  ssti_reference_strides(shape->b, stride[2]);
  ssti_reference_walk walk;
  ssti_reference_walk_make(whole, stride, &walk);
  binary_job job = {.kind = shape->kind, .a = a, .b = b, .y = y};
  ssti_reference_elementwise(backend->context, &walk, forward_span, &job);
}

// What arrives at an element of one side, from the gradient g, the side's own value p and the other side's q.
typedef enum gradient_kind {
  GRADIENT_COPY,    // g:            a + b, and a of a - b
  GRADIENT_NEGATE,  // -g:           b of a - b
  GRADIENT_TIMES,   // g * q:        a * b
  GRADIENT_DIVIDE,  // g / q:        a of a / b
  GRADIENT_DIVISOR, // -g * q / p^2: b of a / b
} gradient_kind;

typedef struct gradient_job {
  gradient_kind kind;
  const float *dy, *own, *other;
  float *out;
  bool accumulate;
} gradient_job;

// LOOP(expression) is expanded for each kind.
#define GRADIENT_SWITCH(kind, LOOP)                                                                                    \
  switch (kind) {                                                                                                      \
  case GRADIENT_COPY: LOOP(g); break;                                                                                  \
  case GRADIENT_NEGATE: LOOP(-g); break;                                                                               \
  case GRADIENT_TIMES: LOOP(g *q); break;                                                                              \
  case GRADIENT_DIVIDE: LOOP(g / q); break;                                                                            \
  case GRADIENT_DIVISOR: LOOP(-g *(q / p / p)); break;                                                                 \
  }

// A side that is not repeated: its gradient has the shape of dy.
static void gradient_span(void *arg, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                          const int64_t stride[SSTI_REFERENCE_OPERANDS], int64_t count) {
  const gradient_job *job = arg;
  const float *restrict dy = job->dy + offset[0], *restrict own = job->own + offset[0];
  const float *restrict other = job->other + offset[2];
  float *restrict out = job->out + offset[0];
  const bool accumulate = job->accumulate, vector = stride[2] != 0;
#define SPAN_LOOP(expression)                                                                                          \
  do {                                                                                                                 \
    if (vector) {                                                                                                      \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        const float g = dy[i], p = own[i], q = other[i];                                                               \
        (void)g, (void)p, (void)q;                                                                                     \
        out[i] = accumulate ? out[i] + (expression) : (expression);                                                    \
      }                                                                                                                \
    } else {                                                                                                           \
      const float q = other[0];                                                                                        \
      (void)q;                                                                                                         \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        const float g = dy[i], p = own[i];                                                                             \
        (void)g, (void)p;                                                                                              \
        out[i] = accumulate ? out[i] + (expression) : (expression);                                                    \
      }                                                                                                                \
    }                                                                                                                  \
  } while (0)
  GRADIENT_SWITCH(job->kind, SPAN_LOOP)
#undef SPAN_LOOP
}

// A repeated side: terms of the sum.
static void gradient_term(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                          int64_t count, double term[][SSTI_REFERENCE_PIECE]) {
  const gradient_job *job = r->arg;
  const float *dy = job->dy + offset[0], *own = job->own + offset[1], *other = job->other + offset[2];
  const int64_t own_stride = r->stride[1], other_stride = r->stride[2];
  double *restrict out = term[0];
#define TERM_LOOP(expression)                                                                                          \
  do {                                                                                                                 \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      const double g = (double)dy[i], p = (double)own[i * own_stride], q = (double)other[i * other_stride];            \
      (void)g, (void)p, (void)q;                                                                                       \
      out[i] = (expression);                                                                                           \
    }                                                                                                                  \
  } while (0)
  GRADIENT_SWITCH(job->kind, TERM_LOOP)
#undef TERM_LOOP
}

static void gradient_finish(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                            int64_t width, double total[][SSTI_REFERENCE_PIECE]) {
  const gradient_job *job = r->arg;
  float *out = job->out + offset[1];
  for (int64_t i = 0; i < width; i++) {
    const float value = (float)total[0][i];
    out[i] = job->accumulate ? out[i] + value : value;
  }
}

static void side_backward(sst_context *context, gradient_job *job, sst_shape shape, sst_shape own_shape,
                          sst_shape other_shape) {
  if (sst_shape_equal(shape, own_shape)) {
    int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT];
    ssti_reference_strides(shape, stride[0]);
    ssti_reference_strides(own_shape, stride[1]);
    ssti_reference_strides(other_shape, stride[2]);
    ssti_reference_walk walk;
    ssti_reference_walk_make(shape, stride, &walk);
    ssti_reference_elementwise(context, &walk, gradient_span, job);
    return;
  }
  ssti_reference_reduction reduction;
  ssti_reference_reduction_make(shape, own_shape, other_shape, &reduction);
  reduction.term = gradient_term;
  reduction.finish = gradient_finish;
  reduction.arg = job;
  ssti_reference_reduce(context, &reduction);
}

void ssti_reference_binary_backward(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b,
                                    const float *dy, float *da, bool accumulate_a, float *db, bool accumulate_b) {
  static const gradient_kind kind_a[] = {
      [SSTI_BINARY_ADD] = GRADIENT_COPY,
      [SSTI_BINARY_SUBTRACT] = GRADIENT_COPY,
      [SSTI_BINARY_MULTIPLY] = GRADIENT_TIMES,
      [SSTI_BINARY_DIVIDE] = GRADIENT_DIVIDE,
  };
  static const gradient_kind kind_b[] = {
      [SSTI_BINARY_ADD] = GRADIENT_COPY,
      [SSTI_BINARY_SUBTRACT] = GRADIENT_NEGATE,
      [SSTI_BINARY_MULTIPLY] = GRADIENT_TIMES,
      [SSTI_BINARY_DIVIDE] = GRADIENT_DIVISOR,
  };
  const sst_shape whole = broadcast(shape->a, shape->b);
  if (da) {
    gradient_job job = {kind_a[shape->kind], dy, a, b, da, accumulate_a};
    side_backward(backend->context, &job, whole, shape->a, shape->b);
  }
  if (db) {
    gradient_job job = {kind_b[shape->kind], dy, b, a, db, accumulate_b};
    side_backward(backend->context, &job, whole, shape->b, shape->a);
  }
}
