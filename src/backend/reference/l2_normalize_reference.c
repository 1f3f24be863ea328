// SPDX-License-Identifier: Apache-2.0
// y = x / m with m = max(norm, epsilon). Backward, with n the norm: dx = dy / n - x * (x . dy) / n^3 where n > epsilon,
// dy / epsilon elsewhere, where m is a constant.
#include <math.h>

#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"

typedef struct l2_job {
  double epsilon;
  const float *x, *dy;
  float *out;
  bool accumulate;
} l2_job;

static void forward_term(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                         int64_t count, double term[][SSTI_REFERENCE_PIECE]) {
  const l2_job *job = r->arg;
  const float *restrict x = job->x + offset[0];
  double *restrict square = term[0];
  for (int64_t i = 0; i < count; i++) { square[i] = (double)x[i] * (double)x[i]; }
}

// total[0] becomes the divisor.
static void forward_finish(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                           int64_t width, double total[][SSTI_REFERENCE_PIECE]) {
  const l2_job *job = r->arg;
  (void)offset;
  for (int64_t i = 0; i < width; i++) {
    const double norm = sqrt(total[0][i]);
    total[0][i] = norm < job->epsilon ? job->epsilon : norm; // NaN stays
  }
}

static void forward_write(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                          int64_t count, double total[][SSTI_REFERENCE_PIECE]) {
  const l2_job *job = r->arg;
  const float *restrict x = job->x + offset[0];
  float *restrict y = job->out + offset[0];
  for (int64_t i = 0; i < count; i++) { y[i] = (float)((double)x[i] / total[0][i * r->total_stride]); }
}

void ssti_reference_l2_normalize_forward(ssti_backend *backend, sst_shape shape, int axes, float epsilon,
                                         const float *x, float *y) {
  const l2_job job = {.epsilon = (double)epsilon, .x = x, .out = y};
  ssti_reference_reduction reduction;
  ssti_reference_reduction_make(shape, ssti_reference_without(shape, axes), shape, &reduction);
  reduction.term = forward_term;
  reduction.finish = forward_finish;
  reduction.write = forward_write;
  reduction.arg = &job;
  ssti_reference_reduce(backend->context, &reduction);
}

static void backward_term(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                          int64_t count, double term[][SSTI_REFERENCE_PIECE]) {
  const l2_job *job = r->arg;
  const float *restrict x = job->x + offset[0], *restrict dy = job->dy + offset[0];
  double *restrict square = term[0], *restrict product = term[1];
  for (int64_t i = 0; i < count; i++) {
    square[i] = (double)x[i] * (double)x[i];
    product[i] = (double)x[i] * (double)dy[i];
  }
}

// dx = total[0] * dy - total[1] * x.
static void backward_finish(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                            int64_t width, double total[][SSTI_REFERENCE_PIECE]) {
  const l2_job *job = r->arg;
  (void)offset;
  for (int64_t i = 0; i < width; i++) {
    const double norm = sqrt(total[0][i]);
    const bool constant = norm <= job->epsilon;
    total[0][i] = 1.0 / (constant ? job->epsilon : norm);
    total[1][i] = constant ? 0.0 : total[1][i] / (norm * norm * norm);
  }
}

static void backward_write(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                           int64_t count, double total[][SSTI_REFERENCE_PIECE]) {
  const l2_job *job = r->arg;
  const float *restrict x = job->x + offset[0], *restrict dy = job->dy + offset[0];
  float *restrict dx = job->out + offset[0];
  for (int64_t i = 0; i < count; i++) {
    const int64_t t = i * r->total_stride;
    const float value = (float)(total[0][t] * (double)dy[i] - total[1][t] * (double)x[i]);
    dx[i] = job->accumulate ? dx[i] + value : value;
  }
}

void ssti_reference_l2_normalize_backward(ssti_backend *backend, sst_shape shape, int axes, float epsilon,
                                          const float *x, const float *dy, float *dx, bool accumulate) {
  const l2_job job = {.epsilon = (double)epsilon, .x = x, .dy = dy, .out = dx, .accumulate = accumulate};
  ssti_reference_reduction reduction;
  ssti_reference_reduction_make(shape, ssti_reference_without(shape, axes), shape, &reduction);
  reduction.terms = 2;
  reduction.term = backward_term;
  reduction.finish = backward_finish;
  reduction.write = backward_write;
  reduction.arg = &job;
  ssti_reference_reduce(backend->context, &reduction);
}
