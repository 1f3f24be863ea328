// SPDX-License-Identifier: Apache-2.0
// What quantisers of weights do with one row, for the CPU backends: the reference compiles these loops as they are, the
// fast backend once for each level of its vectors. Both give the same bits, because running sums are as many everywhere
// and joined in the same order.
#ifndef SPIKESTILL_BACKEND_QUANTIZE_ROWS_H
#define SPIKESTILL_BACKEND_QUANTIZE_ROWS_H

#include <math.h>

#include "quantize/grid.h"

enum { SSTI_QUANTIZE_LANES = 16 };

// How a row becomes codes: ternary by its threshold, else by its step.
typedef struct ssti_row_codes {
  bool ternary;
  float threshold, step, largest; // largest: the code
} ssti_row_codes;

// Gradients of a row, straight through.
typedef struct ssti_row_gradient {
  bool accumulate;
  float scale, limit; // weights that are more than `limit` scales away from 0 receive none
  float largest;      // code
} ssti_row_gradient;

typedef struct ssti_quantize_rows {
  // Sum of |w| of the weights whose |w| is above `least`, and how many they are; -1: of all.
  void (*sizes)(int64_t count, const float *weight, float least, double *sum, double *counted);
  void (*codes)(int64_t count, const float *weight, const ssti_row_codes *how, float *codes);
  void (*gradient)(int64_t count, const float *weight, const float *dcodes, const ssti_row_gradient *how,
                   float *dweight);
  // Sum of dV * d(code)/d(step), of learned steps.
  double (*step_gradient)(int64_t count, const float *weight, const float *dcodes, const ssti_row_gradient *how);
} ssti_quantize_rows;

#define SSTI_QUANTIZE_INLINE static inline __attribute__((always_inline, unused))

SSTI_QUANTIZE_INLINE double ssti_lane_total(const double lane[SSTI_QUANTIZE_LANES]) {
  double sum = 0.0;
  for (int j = 0; j < SSTI_QUANTIZE_LANES; j++) { sum += lane[j]; }
  return sum;
}

// What is no number counts as large, so that it shows in the sum.
SSTI_QUANTIZE_INLINE void ssti_row_sizes(int64_t count, const float *restrict weight, float least, double *sum,
                                         double *counted) {
  enum { LANES = SSTI_QUANTIZE_LANES };
  double lane[LANES] = {0};
  int64_t large = 0, i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int j = 0; j < LANES; j++) {
      const float size = fabsf(weight[i + j]);
      lane[j] += size <= least ? 0.0 : (double)size;
    }
  }
  for (int j = 0; i + j < count; j++) {
    const float size = fabsf(weight[i + j]);
    lane[j] += size <= least ? 0.0 : (double)size;
  }
  for (i = 0; i < count; i++) { large += fabsf(weight[i]) <= least ? 0 : 1; }
  *sum = ssti_lane_total(lane);
  *counted = (double)large;
}

SSTI_QUANTIZE_INLINE void ssti_row_to_codes(int64_t count, const float *restrict weight, const ssti_row_codes *how,
                                            float *restrict codes) {
  const float threshold = how->threshold, step = how->step, largest = how->largest;
  if (how->ternary) {
    for (int64_t i = 0; i < count; i++) {
      codes[i] = (float)(weight[i] > threshold) - (float)(weight[i] < -threshold);
    }
  } else {
    for (int64_t i = 0; i < count; i++) { codes[i] = ssti_code(weight[i] / step, largest); }
  }
}

SSTI_QUANTIZE_INLINE void ssti_row_gradients(int64_t count, const float *restrict weight, const float *restrict dcodes,
                                             const ssti_row_gradient *how, float *restrict dweight) {
  const float scale = how->scale, limit = how->limit;
  if (how->accumulate) {
    for (int64_t i = 0; i < count; i++) {
      dweight[i] += fabsf(weight[i] / scale) <= limit ? dcodes[i] / scale : 0.0f;
    }
  } else {
    for (int64_t i = 0; i < count; i++) {
      dweight[i] = fabsf(weight[i] / scale) <= limit ? dcodes[i] / scale : 0.0f;
    }
  }
}

// The gradient of one weight's code with respect to the step, times that of the weight.
SSTI_QUANTIZE_INLINE double ssti_step_term(float weight, float dcode, const ssti_row_gradient *how) {
  const float steps = weight / how->scale, code = ssti_code(steps, how->largest);
  const float change = fabsf(steps) <= how->limit ? code - steps : code;
  return (double)(dcode / how->scale) * (double)change;
}

SSTI_QUANTIZE_INLINE double ssti_row_step_gradient(int64_t count, const float *restrict weight,
                                                   const float *restrict dcodes, const ssti_row_gradient *given) {
  enum { LANES = SSTI_QUANTIZE_LANES };
  const ssti_row_gradient how = *given;
  double lane[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int j = 0; j < LANES; j++) { lane[j] += ssti_step_term(weight[i + j], dcodes[i + j], &how); }
  }
  for (int j = 0; i + j < count; j++) { lane[j] += ssti_step_term(weight[i + j], dcodes[i + j], &how); }
  return ssti_lane_total(lane);
}

#endif
