// SPDX-License-Identifier: Apache-2.0
// Batch norm forward, y = factor * x + offset, and sums over rows, by own kernels; backward is in fast_norm_neuron.c. A
// matrix [rows, channels] is worked on in sweeps of columns; a sweep is cut into chunks of rows, whose number depends
// on the shape alone, and the chunks' results are combined in order: the bits do not depend on the number of threads.
//
// Few channels would leave vectors empty, so several rows are laid side by side ("fold") and treated as one wide row;
// rows that do not fill a wide one are the rest.
#include <math.h>
#include <string.h>

#include "backend/fast/fast.h"
#include "base/parallel.h"
#include "base/sizes.h"

enum {
  FOLD_BELOW = 64,      // channels
  CHUNK_ROWS = 64,      // a chunk has at least as many wide rows
  GRAIN_ELEMENTS = 8192 // that are worth a thread
};

typedef enum reduction { REDUCE_MOMENTS, REDUCE_SUMS } reduction;

typedef struct sweep {
  const ssti_simd *simd;
  int64_t rows, channels;
  int64_t first, columns; // of the matrix
  int64_t fold, wide_rows, width, stride;
  int64_t chunks;
  double *a, *b; // partial results [chunks, width]
  // Per column of the sweep, `fold` times over: see ssti_simd.
  float *mean, *factor, *offset;
  const float *x;
  ssti_type type, out_type; // of x and of `out`
  float *out;
  bool accumulate; // into `out`; f32 alone
  reduction kind;
} sweep;

static sweep sweep_make(ssti_backend *backend, int64_t rows, int64_t channels, int64_t first) {
  const ssti_fast_state *state = ssti_fast_state_of(backend);
  sweep s = {.simd = &state->simd, .rows = rows, .channels = channels, .first = first};
  s.columns = ssti_smaller(channels - first, SSTI_FAST_PARTIAL_COLUMNS);
  s.fold = channels < FOLD_BELOW && rows >= FOLD_BELOW ? FOLD_BELOW / channels : 1;
  s.wide_rows = rows / s.fold;
  s.width = s.columns * s.fold;
  s.stride = channels * s.fold;
  s.chunks = ssti_smaller(SSTI_FAST_CHUNKS, s.wide_rows / CHUNK_ROWS);
  if (s.chunks < 1) { s.chunks = 1; }
  s.a = state->partial;
  s.b = s.a + SSTI_FAST_CHUNKS * SSTI_FAST_PARTIAL_COLUMNS;
  s.mean = state->columns;
  s.factor = s.mean + SSTI_FAST_PARTIAL_COLUMNS;
  s.offset = s.factor + SSTI_FAST_PARTIAL_COLUMNS;
  return s;
}

static int64_t block_count(const sweep *s) { return (s->width + SSTI_SIMD_CHANNELS - 1) / SSTI_SIMD_CHANNELS; }

// Elements before row `row` (wide) of the sweep.
static int64_t offset_of(const sweep *s, int64_t row) { return row * s->stride + s->first; }

// Wide rows [begin, end) of chunk i.
static int64_t chunk_begin(const sweep *s, int64_t i) { return i * s->wide_rows / s->chunks; }

// The last rows, which do not fill a wide one.
static ssti_columns rest_of(const sweep *s) {
  return (ssti_columns){.rows = s->rows - s->wide_rows * s->fold, .stride = s->channels, .columns = s->columns};
}

static void reduce_part(const sweep *s, const ssti_columns *m, int64_t at, double *a, double *b) {
  const ssti_bf16 *x = (const ssti_bf16 *)(const void *)s->x;
  if (s->kind == REDUCE_MOMENTS && s->type == SSTI_BF16) {
    s->simd->column_moments_bf16(m, x + at, a, b);
  } else if (s->kind == REDUCE_MOMENTS) {
    s->simd->column_moments(m, s->x + at, a, b);
  } else if (s->type == SSTI_BF16) {
    s->simd->column_sums_bf16(m, x + at, a);
  } else {
    s->simd->column_sums(m, s->x + at, a);
  }
}

// Items are pairs of a chunk of rows and a block of columns.
static void reduce_range(void *arg, int64_t begin, int64_t end) {
  const sweep *s = arg;
  const int64_t blocks = block_count(s);
  for (int64_t i = begin; i < end; i++) {
    const int64_t chunk = i / blocks, column = i % blocks * SSTI_SIMD_CHANNELS;
    const int64_t row = chunk_begin(s, chunk), to = chunk * s->width + column;
    const ssti_columns m = {.rows = chunk_begin(s, chunk + 1) - row,
                            .stride = s->stride,
                            .columns = ssti_smaller(s->width - column, SSTI_SIMD_CHANNELS)};
    reduce_part(s, &m, offset_of(s, row) + column, s->a + to, s->b + to);
  }
}

// What is known of one column from some of its rows.
typedef struct column_result {
  double rows, a, b; // a: mean or sum; b: sum of squared deviations, or the second sum
} column_result;

static void combine(const sweep *s, column_result *all, double rows, double a, double b) {
  if (s->kind != REDUCE_MOMENTS) {
    all->a += a;
    all->b += b;
  } else if (rows > 0) {
    const double delta = a - all->a, total = all->rows + rows;
    all->a += delta * (rows / total);
    all->b += b + delta * delta * (all->rows * rows / total);
  }
  all->rows += rows;
}

static column_result column_total(const sweep *s, int64_t column, const double *rest_a, const double *rest_b) {
  column_result all = {0};
  for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
    const double rows = (double)(chunk_begin(s, chunk + 1) - chunk_begin(s, chunk));
    for (int64_t f = 0; f < s->fold; f++) {
      const int64_t at = chunk * s->width + f * s->columns + column;
      combine(s, &all, rows, s->a[at], s->kind == REDUCE_SUMS ? 0.0 : s->b[at]);
    }
  }
  const double rest = (double)rest_of(s).rows;
  if (rest > 0) { combine(s, &all, rest, rest_a[column], s->kind == REDUCE_SUMS ? 0.0 : rest_b[column]); }
  return all;
}

typedef void column_finish(void *arg, int64_t channel, const column_result *result);

static void reduce(ssti_backend *backend, sweep *s, reduction kind, column_finish *finish, void *arg) {
  s->kind = kind;
  const int64_t items = s->chunks * block_count(s), elements = s->wide_rows * s->width;
  ssti_parallel_for(backend->context, items, 1 + GRAIN_ELEMENTS * items / (elements + 1), reduce_range, s);
  double rest_a[FOLD_BELOW] = {0}, rest_b[FOLD_BELOW] = {0};
  const ssti_columns rest = rest_of(s);
  if (rest.rows > 0) { reduce_part(s, &rest, s->wide_rows * s->stride, rest_a, rest_b); }
  for (int64_t c = 0; c < s->columns; c++) {
    const column_result result = column_total(s, c, rest_a, rest_b);
    finish(arg, c, &result);
  }
}

// Copies the per-column numbers beside themselves, for wide rows.
static void fold_columns(const sweep *s, float *values) {
  for (int64_t f = 1; f < s->fold; f++) {
    memcpy(values + f * s->columns, values, (size_t)s->columns * sizeof *values);
  }
}

// ---- forward

static void apply_part(const sweep *s, const ssti_columns *m, int64_t at, int64_t column) {
  const float *mean = s->mean + column, *factor = s->factor + column, *offset = s->offset + column;
  if (s->type == SSTI_F32 && s->out_type == SSTI_F32) {
    s->simd->batch_norm_apply(m, s->x + at, mean, factor, offset, s->out + at, s->accumulate);
  } else {
    assert(!s->accumulate);
    const size_t in = (size_t)at * ssti_type_bytes(s->type), out = (size_t)at * ssti_type_bytes(s->out_type);
    s->simd->batch_norm_apply_bf16(m, (const char *)s->x + in, s->type, mean, factor, offset, (char *)s->out + out,
                                   s->out_type);
  }
}

static void each_part(const sweep *s, int64_t begin, int64_t end,
                      void (*part)(const sweep *, const ssti_columns *, int64_t, int64_t)) {
  for (int64_t column = 0; column < s->width; column += SSTI_SIMD_CHANNELS) {
    const ssti_columns m = {
        .rows = end - begin, .stride = s->stride, .columns = ssti_smaller(s->width - column, SSTI_SIMD_CHANNELS)};
    part(s, &m, offset_of(s, begin) + column, column);
  }
}

static void apply_range(void *arg, int64_t begin, int64_t end) { each_part(arg, begin, end, apply_part); }

static void run_rows(ssti_backend *backend, sweep *s, ssti_range_function *range,
                     void (*part)(const sweep *, const ssti_columns *, int64_t, int64_t)) {
  ssti_parallel_for(backend->context, s->wide_rows, 1 + GRAIN_ELEMENTS / s->width, range, s);
  const ssti_columns rest = rest_of(s);
  if (rest.rows > 0) { part(s, &rest, s->wide_rows * s->stride, 0); }
}

typedef struct norm_work {
  const ssti_batch_norm *shape;
  sweep *s;
  const float *gamma, *beta;
  float *running_mean, *running_variance, *saved;
} norm_work;

static void finish_moments(void *arg, int64_t column, const column_result *result) {
  const norm_work *w = arg;
  const int64_t channel = w->s->first + column;
  const double momentum = (double)w->shape->momentum, variance = result->b / result->rows;
  const double inverse = 1.0 / sqrt(variance + (double)w->shape->epsilon);
  // One row has no unbiased variance; the op refuses it, the kernel keeps to finite numbers.
  const double unbiased = result->rows > 1.0 ? result->b / (result->rows - 1.0) : variance;
  float *mean = &w->running_mean[channel], *running = &w->running_variance[channel];
  *mean = (float)((1.0 - momentum) * (double)*mean + momentum * result->a);
  *running = (float)((1.0 - momentum) * (double)*running + momentum * unbiased);
  w->saved[channel] = w->s->mean[column] = (float)result->a;
  w->saved[w->shape->channels + channel] = (float)inverse;
  w->s->factor[column] = (float)((double)w->shape->scale * (double)w->gamma[channel] * inverse);
  if (w->beta != NULL) { w->s->offset[column] = w->beta[channel]; }
}

static void normalize(ssti_backend *backend, sweep *s, float *y) {
  fold_columns(s, s->mean);
  fold_columns(s, s->factor);
  fold_columns(s, s->offset);
  s->out = y;
  run_rows(backend, s, apply_range, apply_part);
}

static void forward_training(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                             const float *beta, float *running_mean, float *running_variance, float *y, float *saved) {
  for (int64_t first = 0; first < shape->channels; first += SSTI_FAST_PARTIAL_COLUMNS) {
    sweep s = sweep_make(backend, shape->rows, shape->channels, first);
    s.x = x;
    s.type = shape->in_type;
    s.out_type = shape->out_type;
    norm_work work = {.shape = shape,
                      .s = &s,
                      .gamma = gamma,
                      .beta = beta,
                      .running_mean = running_mean,
                      .running_variance = running_variance,
                      .saved = saved};
    reduce(backend, &s, REDUCE_MOMENTS, finish_moments, &work);
    if (y != NULL) { normalize(backend, &s, y); }
  }
}

void ssti_fast_norm_statistics(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                               float *running_mean, float *running_variance, float *saved) {
  for (int64_t first = 0; first < shape->channels; first += SSTI_FAST_PARTIAL_COLUMNS) {
    sweep s = sweep_make(backend, shape->rows, shape->channels, first);
    s.x = x;
    s.type = shape->in_type;
    norm_work work = {.shape = shape,
                      .s = &s,
                      .gamma = gamma,
                      .running_mean = running_mean,
                      .running_variance = running_variance,
                      .saved = saved};
    reduce(backend, &s, REDUCE_MOMENTS, finish_moments, &work);
    memcpy(saved + 2 * shape->channels + first, s.factor, (size_t)s.columns * sizeof *saved);
  }
}

static void forward_inference(ssti_backend *backend, const ssti_batch_norm *shape, const float *x, const float *gamma,
                              const float *beta, const float *running_mean, const float *running_variance, float *y) {
  for (int64_t first = 0; first < shape->channels; first += SSTI_FAST_PARTIAL_COLUMNS) {
    sweep s = sweep_make(backend, shape->rows, shape->channels, first);
    s.x = x;
    s.type = shape->in_type;
    s.out_type = shape->out_type;
    for (int64_t c = 0; c < s.columns; c++) {
      const int64_t channel = first + c;
      const double inverse = 1.0 / sqrt((double)running_variance[channel] + (double)shape->epsilon);
      s.mean[c] = running_mean[channel];
      s.factor[c] = (float)((double)shape->scale * (double)gamma[channel] * inverse);
      s.offset[c] = beta[channel];
    }
    normalize(backend, &s, y);
  }
}

// A norm whose mean is 0.
static void channel_affine(ssti_backend *backend, int64_t rows, int64_t channels, const float *x, const float *factor,
                           const float *offset, float *y, bool accumulate) {
  for (int64_t first = 0; first < channels; first += SSTI_FAST_PARTIAL_COLUMNS) {
    sweep s = sweep_make(backend, rows, channels, first);
    s.x = x;
    s.accumulate = accumulate;
    for (int64_t c = 0; c < s.columns; c++) {
      s.mean[c] = 0.0f;
      s.factor[c] = factor[first + c];
      s.offset[c] = offset != NULL ? offset[first + c] : 0.0f;
    }
    normalize(backend, &s, y);
  }
}

// ---- sums over rows

typedef struct sums_work {
  float *sums;
  bool accumulate;
} sums_work;

static void finish_sums(void *arg, int64_t column, const column_result *result) {
  const sums_work *w = arg;
  w->sums[column] = (float)((w->accumulate ? (double)w->sums[column] : 0.0) + result->a);
}

void ssti_fast_column_sums(ssti_backend *backend, int64_t rows, int64_t channels, const float *values, ssti_type type,
                           float *sums, bool accumulate) {
  for (int64_t first = 0; first < channels; first += SSTI_FAST_PARTIAL_COLUMNS) {
    sweep s = sweep_make(backend, rows, channels, first);
    s.x = values;
    s.type = type;
    sums_work work = {.sums = sums + first, .accumulate = accumulate};
    reduce(backend, &s, REDUCE_SUMS, finish_sums, &work);
  }
}

void ssti_fast_fill_batch_norm(ssti_kernels *kernels) {
  kernels->batch_norm_forward_training = forward_training;
  kernels->batch_norm_forward_inference = forward_inference;
  kernels->channel_affine = channel_affine;
}
