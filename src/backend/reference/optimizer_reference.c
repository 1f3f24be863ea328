// SPDX-License-Identifier: Apache-2.0
// Optimiser steps over flat blocks, after PyTorch's SGD and AdamW.
#include <math.h>

#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

enum { ELEMENT_GRAIN = 8192, SUM_CHUNKS = 64 };

typedef struct sgd_work {
  float *value, *velocity;
  const float *gradient;
  float learning_rate, momentum, weight_decay, gradient_scale;
  bool nesterov;
} sgd_work;

static void sgd_range(void *arg, int64_t begin, int64_t end) {
  const sgd_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    float step = w->gradient_scale * w->gradient[i] + w->weight_decay * w->value[i];
    if (w->momentum != 0.0f) {
      float velocity = w->momentum * w->velocity[i] + step;
      w->velocity[i] = velocity;
      step = w->nesterov ? step + w->momentum * velocity : velocity;
    }
    w->value[i] -= w->learning_rate * step;
  }
}

void ssti_reference_sgd_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *velocity,
                             const ssti_update *update, float momentum, bool nesterov, float weight_decay) {
  assert(momentum == 0.0f || velocity != NULL);
  sgd_work work = {.value = value,
                   .velocity = velocity,
                   .gradient = gradient,
                   .learning_rate = update->learning_rate,
                   .momentum = momentum,
                   .weight_decay = weight_decay,
                   .gradient_scale = update->gradient_scale,
                   .nesterov = nesterov};
  ssti_parallel_for(backend->context, count, ELEMENT_GRAIN, sgd_range, &work);
}

typedef struct adamw_work {
  float *value, *first, *second;
  const float *gradient;
  float beta1, beta2, epsilon, gradient_scale;
  float keep;         // 1 - learning_rate * weight_decay
  float step_size;    // learning_rate / (1 - beta1^step)
  float second_scale; // 1 / sqrt(1 - beta2^step)
} adamw_work;

static void adamw_range(void *arg, int64_t begin, int64_t end) {
  const adamw_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    float gradient = w->gradient_scale * w->gradient[i];
    float first = w->beta1 * w->first[i] + (1.0f - w->beta1) * gradient;
    float second = w->beta2 * w->second[i] + (1.0f - w->beta2) * gradient * gradient;
    w->first[i] = first;
    w->second[i] = second;
    w->value[i] = w->keep * w->value[i] - w->step_size * first / (sqrtf(second) * w->second_scale + w->epsilon);
  }
}

void ssti_reference_adamw_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *first,
                               float *second, const ssti_update *update, float beta1, float beta2, float epsilon,
                               float weight_decay) {
  assert(update->correction1 > 0.0 && update->correction2 > 0.0);
  adamw_work work = {.value = value,
                     .first = first,
                     .second = second,
                     .gradient = gradient,
                     .beta1 = beta1,
                     .beta2 = beta2,
                     .epsilon = epsilon,
                     .gradient_scale = update->gradient_scale,
                     .keep = (float)(1.0 - (double)update->learning_rate * (double)weight_decay),
                     .step_size = (float)((double)update->learning_rate / update->correction1),
                     .second_scale = (float)(1.0 / sqrt(update->correction2))};
  ssti_parallel_for(backend->context, count, ELEMENT_GRAIN, adamw_range, &work);
}

typedef struct squares_work {
  int64_t count, chunk;
  const float *x;
  double sums[SUM_CHUNKS];
} squares_work;

static void squares_range(void *arg, int64_t begin, int64_t end) {
  squares_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    double sum = 0.0;
    int64_t last = ssti_smaller((i + 1) * w->chunk, w->count);
    for (int64_t j = i * w->chunk; j < last; j++) { sum += (double)w->x[j] * (double)w->x[j]; }
    w->sums[i] = sum;
  }
}

double ssti_reference_sum_of_squares(ssti_backend *backend, int64_t count, const float *x) {
  // The number of chunks is fixed, so that the order of additions is that of `count` alone.
  squares_work work = {.count = count, .chunk = ssti_tiles(count, SUM_CHUNKS), .x = x};
  ssti_parallel_for(backend->context, SUM_CHUNKS, ssti_reference_grain(work.chunk), squares_range, &work);
  double sum = 0.0;
  for (int i = 0; i < SUM_CHUNKS; i++) { sum += work.sums[i]; }
  return sum;
}

void ssti_reference_clip_gradient(ssti_backend *backend, int64_t count, const float *gradient, float clip_norm,
                                  ssti_update *update) {
  update->norm = sqrt(backend->kernels.sum_of_squares(backend, count, gradient));
  const double factor = (double)clip_norm / (update->norm + 1e-6);
  update->gradient_scale = factor < 1.0 ? (float)factor : 1.0f;
}
