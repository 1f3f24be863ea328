// SPDX-License-Identifier: Apache-2.0
// Sums and means over axes that lie together: x is [outer, rows, columns] and the rows are added up. Where many rows
// are one sum they go through the sweeps of fast_batch_norm.c, else each block of columns is one piece of work. Sums
// for each picture, of all steps and places, have a way of their own. Maxima, other axes that do not lie together, and
// few columns inside many sums stay with the reference.
#include "backend/fast/fast.h"
#include "base/parallel.h"

enum { LEAST_COLUMNS = 8, LEAST_RUN = 64, GRAIN_ELEMENTS = 8192 };

typedef struct reduce_work {
  const ssti_simd *simd;
  int64_t outer, rows, columns, blocks;
  const float *x;
  float *y;
  double divisor;
} reduce_work;

// Whether the axes lie together, and then x as [outer, rows, columns]. Axes of length 1 belong to both sides.
static bool is_together(sst_shape shape, int axes, reduce_work *w) {
  w->outer = w->rows = w->columns = 1;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    const int64_t length = shape.dim[i];
    if (length == 1) { continue; }
    if (!(axes & (1 << i))) {
      *(w->rows > 1 ? &w->columns : &w->outer) *= length;
    } else if (w->columns > 1) {
      return false;
    } else {
      w->rows *= length;
    }
  }
  return true;
}

static void blocks_range(void *arg, int64_t begin, int64_t end) {
  const reduce_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    const int64_t outer = i / w->blocks, column = i % w->blocks * SSTI_SIMD_CHANNELS;
    const int64_t left = w->columns - column;
    const ssti_columns m = {
        .rows = w->rows, .stride = w->columns, .columns = left < SSTI_SIMD_CHANNELS ? left : SSTI_SIMD_CHANNELS};
    double sum[SSTI_SIMD_CHANNELS];
    w->simd->column_sums(&m, w->x + outer * w->rows * w->columns + column, sum);
    float *y = w->y + outer * w->columns + column;
    for (int64_t c = 0; c < m.columns; c++) { y[c] = (float)(sum[c] / w->divisor); }
  }
}

// ---- x as [outer, kept, run], of which the first and the last are added up: `outer`, `rows` and `columns` of the work

static bool is_around(sst_shape shape, int axes, reduce_work *w) {
  int64_t *part[] = {&w->columns, &w->rows, &w->outer};
  int at = 0;
  w->outer = w->rows = w->columns = 1;
  for (int i = SST_AXIS_COUNT - 1; i >= 0; i--) {
    if (shape.dim[i] == 1) { continue; }
    const bool summed = (axes & (1 << i)) != 0;
    if (summed != (at != 1)) { at++; }
    if (at > 2) { return false; }
    *part[at] *= shape.dim[i];
  }
  return w->columns >= LEAST_RUN;
}

static double sum_of_run(const reduce_work *w, const float *x) {
  const int64_t rows = w->columns / SSTI_SIMD_CHANNELS, rest = w->columns % SSTI_SIMD_CHANNELS;
  const ssti_columns whole = {.rows = rows, .stride = SSTI_SIMD_CHANNELS, .columns = SSTI_SIMD_CHANNELS};
  const ssti_columns last = {.rows = 1, .stride = rest, .columns = rest};
  double sum[SSTI_SIMD_CHANNELS], total = 0;
  if (rows > 0) { w->simd->column_sums(&whole, x, sum); }
  for (int64_t c = 0; rows > 0 && c < SSTI_SIMD_CHANNELS; c++) { total += sum[c]; }
  if (rest > 0) { w->simd->column_sums(&last, x + rows * SSTI_SIMD_CHANNELS, sum); }
  for (int64_t c = 0; c < rest; c++) { total += sum[c]; }
  return total;
}

static void runs_range(void *arg, int64_t begin, int64_t end) {
  const reduce_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    double total = 0;
    for (int64_t o = 0; o < w->outer; o++) { total += sum_of_run(w, w->x + (o * w->rows + i) * w->columns); }
    w->y[i] = (float)(total / w->divisor);
  }
}

static void reduce_forward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes, const float *x,
                           float *y) {
  const ssti_fast_state *state = ssti_fast_state_of(backend);
  reduce_work w = {.simd = &state->simd, .x = x, .y = y};
  const bool together = kind != SSTI_REDUCE_MAX && is_together(shape, axes, &w) && w.rows > 1;
  if (together && w.outer == 1 && w.columns <= SSTI_FAST_PARTIAL_COLUMNS) {
    ssti_fast_column_sums(backend, w.rows, w.columns, x, SSTI_F32, y, false);
    const double divisor = kind == SSTI_REDUCE_MEAN ? (double)w.rows : 1.0;
    for (int64_t c = 0; c < w.columns; c++) { y[c] = (float)((double)y[c] / divisor); }
    return;
  }
  if (!together || w.columns < LEAST_COLUMNS) {
    if (kind != SSTI_REDUCE_MAX && is_around(shape, axes, &w)) {
      w.divisor = kind == SSTI_REDUCE_MEAN ? (double)(w.outer * w.columns) : 1.0;
      ssti_parallel_for(backend->context, w.rows, 1 + GRAIN_ELEMENTS / (w.outer * w.columns), runs_range, &w);
      return;
    }
    state->reference.reduce_forward(backend, kind, shape, axes, x, y);
    return;
  }
  w.divisor = kind == SSTI_REDUCE_MEAN ? (double)w.rows : 1.0;
  w.blocks = (w.columns + SSTI_SIMD_CHANNELS - 1) / SSTI_SIMD_CHANNELS;
  const int64_t item = w.rows * (w.columns < SSTI_SIMD_CHANNELS ? w.columns : SSTI_SIMD_CHANNELS);
  ssti_parallel_for(backend->context, w.outer * w.blocks, 1 + GRAIN_ELEMENTS / item, blocks_range, &w);
}

void ssti_fast_fill_reduce(ssti_kernels *kernels) { kernels->reduce_forward = reduce_forward; }
