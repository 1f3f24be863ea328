// SPDX-License-Identifier: Apache-2.0
// Kernels over flat blocks: adding, dropout, sums of squares, optimiser steps. One pass over memory each.
#include <math.h>

#include "backend/fast/simd.h"

static void add(int64_t count, const float *restrict x, float *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] += x[i]; }
}

// The first word of random.h's generator (Philox4x32-10), written so that a loop over `index` vectorises.
static inline uint32_t random_word(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)c0 * UINT32_C(0xD2511F53), p1 = (uint64_t)c2 * UINT32_C(0xCD9E8D57);
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    k0 += UINT32_C(0x9E3779B9);
    k1 += UINT32_C(0xBB67AE85);
  }
  return c0;
}

static void dropout(int64_t begin, int64_t end, float rate, uint64_t seed, uint64_t stream, const float *restrict x,
                    float *restrict y, bool accumulate) {
  enum { PIECE = 256 };
  const float factor = 1.0f / (1.0f - rate);
  for (int64_t at = begin; at < end; at += PIECE) {
    const int64_t length = end - at < PIECE ? end - at : PIECE;
    float kept[PIECE];
    for (int64_t i = 0; i < length; i++) {
      const float uniform = (float)(int32_t)(random_word(seed, stream, (uint64_t)(at + i)) >> 8) * 0x1p-24f;
      kept[i] = uniform >= rate ? x[at + i] * factor : 0.0f;
    }
    if (accumulate) {
      for (int64_t i = 0; i < length; i++) { y[at + i] += kept[i]; }
    } else {
      for (int64_t i = 0; i < length; i++) { y[at + i] = kept[i]; }
    }
  }
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
  table->dropout = dropout;
  table->sum_of_squares = sum_of_squares;
  table->sgd_step = sgd_step;
  table->adamw_step = adamw_step;
}
