// SPDX-License-Identifier: Apache-2.0
// Sum, mean and maximum over any set of axes.
#include "backend/reference/axes_reference.h"
#include "backend/reference/reference.h"

typedef struct reduce_job {
  ssti_reduce_kind kind;
  const float *x, *y, *dy;
  float *out;   // y forward, dx backward
  double count; // elements that go into one result
  bool accumulate;
  const ssti_reference_reduction *reduction; // maximum, backward
} reduce_job;

static void reduce_term(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS], int64_t count,
                        double term[][SSTI_REFERENCE_PIECE]) {
  const reduce_job *job = r->arg;
  const float *restrict x = job->x + offset[0];
  double *restrict out = term[0];
  for (int64_t i = 0; i < count; i++) { out[i] = (double)x[i]; }
}

static void reduce_finish(const ssti_reference_reduction *r, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                          int64_t width, double total[][SSTI_REFERENCE_PIECE]) {
  const reduce_job *job = r->arg;
  const double divisor = job->kind == SSTI_REDUCE_MEAN ? job->count : 1.0;
  for (int64_t i = 0; i < width; i++) { job->out[offset[1] + i] = (float)(total[0][i] / divisor); }
}

void ssti_reference_reduce_forward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes,
                                   const float *x, float *y) {
  const sst_shape result = ssti_reference_without(shape, axes);
  ssti_reference_reduction reduction;
  ssti_reference_reduction_make(shape, result, shape, &reduction);
  const reduce_job job = {.kind = kind, .x = x, .out = y, .count = (double)reduction.reduced.count};
  reduction.maximum = kind == SSTI_REDUCE_MAX;
  reduction.term = reduce_term;
  reduction.finish = reduce_finish;
  reduction.arg = &job;
  ssti_reference_reduce(backend->context, &reduction);
}

// Sum and mean: every element gets its result's gradient, or its share of it.
static void spread_span(void *arg, const int64_t offset[SSTI_REFERENCE_OPERANDS],
                        const int64_t stride[SSTI_REFERENCE_OPERANDS], int64_t count) {
  const reduce_job *job = arg;
  float *restrict dx = job->out + offset[0];
  const float *restrict dy = job->dy + offset[1];
  const float divisor = job->kind == SSTI_REDUCE_MEAN ? (float)job->count : 1.0f;
  const bool accumulate = job->accumulate;
  if (stride[1] == 0) {
    const float value = dy[0] / divisor;
    for (int64_t i = 0; i < count; i++) { dx[i] = accumulate ? dx[i] + value : value; }
  } else {
    for (int64_t i = 0; i < count; i++) {
      const float value = dy[i] / divisor;
      dx[i] = accumulate ? dx[i] + value : value;
    }
  }
}

// Maximum: a result's gradient goes to the first element that equals it.
static void pick_units(void *arg, int64_t begin, int64_t end) {
  const reduce_job *job = arg;
  const ssti_reference_reduction *r = job->reduction;
  const int64_t step = r->total_stride;
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t base[SSTI_REFERENCE_OPERANDS];
    bool found[SSTI_REFERENCE_PIECE] = {false};
    const int64_t width = ssti_reference_unit(r, unit, base);
    const float *y = job->y + base[1], *dy = job->dy + base[1];
    for (int64_t row = 0; row < r->rows; row++) {
      int64_t offset[SSTI_REFERENCE_OPERANDS];
      const int64_t count = ssti_reference_row(r, base, width, row, offset);
      const float *x = job->x + offset[0];
      float *dx = job->out + offset[0];
      for (int64_t i = 0; i < count; i++) {
        const bool here = !found[i * step] && x[i] == y[i * step];
        const float value = here ? dy[i * step] : 0.0f;
        found[i * step] |= here;
        dx[i] = job->accumulate ? dx[i] + value : value;
      }
    }
  }
}

void ssti_reference_reduce_backward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes,
                                    const float *x, const float *y, const float *dy, float *dx, bool accumulate) {
  const sst_shape result = ssti_reference_without(shape, axes);
  reduce_job job = {.kind = kind, .x = x, .y = y, .dy = dy, .out = dx, .accumulate = accumulate};
  if (kind == SSTI_REDUCE_MAX) {
    ssti_reference_reduction reduction;
    ssti_reference_reduction_make(shape, result, shape, &reduction);
    job.reduction = &reduction;
    const int64_t elements = reduction.units > 0 ? sst_shape_count(shape) / reduction.units : 1;
    const int64_t grain = elements > 0 && elements < SSTI_REFERENCE_GRAIN ? SSTI_REFERENCE_GRAIN / elements : 1;
    ssti_parallel_for(backend->context, reduction.units, grain, pick_units, &job);
    return;
  }
  int64_t stride[SSTI_REFERENCE_OPERANDS][SST_AXIS_COUNT];
  ssti_reference_strides(shape, stride[0]);
  ssti_reference_strides(result, stride[1]);
  ssti_reference_strides(shape, stride[2]);
  ssti_reference_walk walk;
  ssti_reference_walk_make(shape, stride, &walk);
  job.count = (double)sst_shape_count(shape) / (double)sst_shape_count(result);
  ssti_reference_elementwise(backend->context, &walk, spread_span, &job);
}
