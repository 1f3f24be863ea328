// SPDX-License-Identifier: Apache-2.0
// Kernels over flat blocks: adding, sums of squares, optimiser steps. One pass over memory each.
#include <math.h>

#include "backend/fast/simd.h"

static void add(int64_t count, const float *restrict x, float *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] += x[i]; }
}

// A fixed number of running sums, in double, whatever the vector width: the order of additions never changes.
static double sum_of_squares(int64_t count, const float *restrict x) {
  double lane[SSTI_SIMD_LANES] = {0};
  int64_t i = 0;
  for (; i + SSTI_SIMD_LANES <= count; i += SSTI_SIMD_LANES) {
    for (int j = 0; j < SSTI_SIMD_LANES; j++) { lane[j] += (double)x[i + j] * (double)x[i + j]; }
  }
  double sum = 0;
  for (int j = 0; j < SSTI_SIMD_LANES; j++) { sum += lane[j]; }
  for (; i < count; i++) { sum += (double)x[i] * (double)x[i]; }
  return sum;
}

static void sgd_step(int64_t count, float *restrict value, const float *restrict gradient, float *restrict velocity,
                     float learning_rate, float momentum, bool nesterov, float weight_decay, float gradient_scale) {
  if (momentum == 0.0f) {
    for (int64_t i = 0; i < count; i++) {
      value[i] -= learning_rate * (gradient_scale * gradient[i] + weight_decay * value[i]);
    }
  } else if (nesterov) {
    for (int64_t i = 0; i < count; i++) {
      const float step = gradient_scale * gradient[i] + weight_decay * value[i];
      velocity[i] = momentum * velocity[i] + step;
      value[i] -= learning_rate * (step + momentum * velocity[i]);
    }
  } else {
    for (int64_t i = 0; i < count; i++) {
      const float step = gradient_scale * gradient[i] + weight_decay * value[i];
      velocity[i] = momentum * velocity[i] + step;
      value[i] -= learning_rate * velocity[i];
    }
  }
}

static void adamw_step(int64_t count, float *restrict value, const float *restrict gradient, float *restrict first,
                       float *restrict second, const ssti_adamw_factors *factors) {
  const ssti_adamw_factors f = *factors;
  for (int64_t i = 0; i < count; i++) {
    const float g = f.gradient_scale * gradient[i];
    first[i] = f.beta1 * first[i] + (1.0f - f.beta1) * g;
    second[i] = f.beta2 * second[i] + (1.0f - f.beta2) * g * g;
    value[i] = f.keep * value[i] - f.step_size * first[i] / (sqrtf(second[i]) * f.second_scale + f.epsilon);
  }
}

void SSTI_SIMD(ssti_simd_fill_flat)(ssti_simd *table) {
  table->add = add;
  table->sum_of_squares = sum_of_squares;
  table->sgd_step = sgd_step;
  table->adamw_step = adamw_step;
}
