// SPDX-License-Identifier: Apache-2.0
// Optimiser steps, dropout, sums of squares and adding over flat blocks.
#include <math.h>

#include "backend/fast/fast.h"
#include "base/parallel.h"
#include "base/random.h"

enum { GRAIN = 16384, DROPOUT_GRAIN = 4096, SUM_CHUNKS = 64 };

typedef struct flat_work {
  const ssti_simd *simd;
  int64_t count;
  float *value, *first, *second;
  const float *gradient;
  float learning_rate, momentum, weight_decay, gradient_scale;
  bool nesterov;
  ssti_adamw_factors adamw;
  double sums[SUM_CHUNKS];
} flat_work;

static void add_range(void *arg, int64_t begin, int64_t end) {
  const flat_work *w = arg;
  w->simd->add(end - begin, w->gradient + begin, w->value + begin);
}

void ssti_fast_add(ssti_backend *backend, int64_t count, const float *x, float *y) {
  flat_work work = {.simd = &ssti_fast_state_of(backend)->simd, .gradient = x, .value = y};
  ssti_parallel_for(backend->context, count, GRAIN, add_range, &work);
}

typedef struct dropout_work {
  const ssti_simd *simd;
  float rate;
  uint64_t seed, stream;
  const float *x;
  float *y;
  bool accumulate;
} dropout_work;

static void dropout_range(void *arg, int64_t begin, int64_t end) {
  const dropout_work *w = arg;
  w->simd->dropout(begin, end, w->rate, w->seed, w->stream, w->x, w->y, w->accumulate);
}

static void dropout(ssti_backend *backend, int64_t count, float rate, uint64_t seed, uint64_t stream, uint64_t step,
                    const float *x, float *y, bool accumulate) {
  assert(rate >= 0.0f && rate < 1.0f);
  dropout_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                       .rate = rate,
                       .seed = seed,
                       .stream = ssti_random_stream_with(stream, step),
                       .x = x,
                       .y = y,
                       .accumulate = accumulate};
  ssti_parallel_for(backend->context, count, DROPOUT_GRAIN, dropout_range, &work);
}

static void sgd_range(void *arg, int64_t begin, int64_t end) {
  const flat_work *w = arg;
  w->simd->sgd_step(end - begin, w->value + begin, w->gradient + begin, w->first != NULL ? w->first + begin : NULL,
                    w->learning_rate, w->momentum, w->nesterov, w->weight_decay, w->gradient_scale);
}

static void sgd_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *velocity,
                     const ssti_update *update, float momentum, bool nesterov, float weight_decay) {
  assert(momentum == 0.0f || velocity != NULL);
  flat_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                    .value = value,
                    .gradient = gradient,
                    .first = velocity,
                    .learning_rate = update->learning_rate,
                    .momentum = momentum,
                    .nesterov = nesterov,
                    .weight_decay = weight_decay,
                    .gradient_scale = update->gradient_scale};
  ssti_parallel_for(backend->context, count, GRAIN, sgd_range, &work);
}

static void adamw_range(void *arg, int64_t begin, int64_t end) {
  const flat_work *w = arg;
  w->simd->adamw_step(end - begin, w->value + begin, w->gradient + begin, w->first + begin, w->second + begin,
                      &w->adamw);
}

static void adamw_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *first,
                       float *second, const ssti_update *update, float beta1, float beta2, float epsilon,
                       float weight_decay) {
  assert(update->correction1 > 0.0 && update->correction2 > 0.0);
  flat_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                    .value = value,
                    .gradient = gradient,
                    .first = first,
                    .second = second,
                    .adamw = {.beta1 = beta1,
                              .beta2 = beta2,
                              .epsilon = epsilon,
                              .gradient_scale = update->gradient_scale,
                              .keep = (float)(1.0 - (double)update->learning_rate * (double)weight_decay),
                              .step_size = (float)((double)update->learning_rate / update->correction1),
                              .second_scale = (float)(1.0 / sqrt(update->correction2))}};
  ssti_parallel_for(backend->context, count, GRAIN, adamw_range, &work);
}

static void squares_range(void *arg, int64_t begin, int64_t end) {
  flat_work *w = arg;
  const int64_t chunk = (w->count + SUM_CHUNKS - 1) / SUM_CHUNKS;
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * chunk < w->count ? i * chunk : w->count;
    const int64_t last = first + chunk < w->count ? first + chunk : w->count;
    w->sums[i] = w->simd->sum_of_squares(last - first, w->gradient + first);
  }
}

// The number of chunks is fixed, so that the order of additions is that of `count` alone.
static double sum_of_squares(ssti_backend *backend, int64_t count, const float *x) {
  flat_work work = {.simd = &ssti_fast_state_of(backend)->simd, .count = count, .gradient = x};
  ssti_parallel_for(backend->context, SUM_CHUNKS, 1 + GRAIN * SUM_CHUNKS / (count + 1), squares_range, &work);
  double sum = 0;
  for (int i = 0; i < SUM_CHUNKS; i++) { sum += work.sums[i]; }
  return sum;
}

void ssti_fast_fill_flat(ssti_kernels *kernels) {
  kernels->dropout = dropout;
  kernels->sgd_step = sgd_step;
  kernels->adamw_step = adamw_step;
  kernels->sum_of_squares = sum_of_squares;
}
