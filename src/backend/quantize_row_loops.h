// SPDX-License-Identifier: Apache-2.0
// The loops of weight quantisers over one row, for one file of each CPU backend: the reference compiles them as they
// are, the fast backend once for each level of its vectors. Both give the same bits, because running sums are as many
// everywhere and joined in the same order.
#ifndef SPIKESTILL_BACKEND_QUANTIZE_ROW_LOOPS_H
#define SPIKESTILL_BACKEND_QUANTIZE_ROW_LOOPS_H

#include <math.h>

#include "backend/quantize_rows.h"
#include "quantize/grid.h"

enum { LANES = 16 };

static inline double lane_total(const double lane[LANES]) {
  double sum = 0.0;
  for (int j = 0; j < LANES; j++) { sum += lane[j]; }
  return sum;
}

// What is no number counts as large, so that it shows in the sum.
static void row_sizes(int64_t count, const float *restrict weight, float least, double *sum, double *counted) {
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
  *sum = lane_total(lane);
  *counted = (double)large;
}

static void row_codes(int64_t count, const float *restrict weight, const ssti_row_codes *how, float *restrict codes) {
  const float threshold = how->threshold, step = how->step, largest = how->largest;
  if (how->ternary) {
    for (int64_t i = 0; i < count; i++) { codes[i] = (float)(weight[i] > threshold) - (float)(weight[i] < -threshold); }
  } else {
    for (int64_t i = 0; i < count; i++) { codes[i] = ssti_code(weight[i] / step, largest); }
  }
}

static void row_gradient(int64_t count, const float *restrict weight, const float *restrict dcodes,
                         const ssti_row_gradient *how, float *restrict dweight) {
  const float scale = how->scale, limit = how->limit;
  if (how->accumulate) {
    for (int64_t i = 0; i < count; i++) { dweight[i] += fabsf(weight[i] / scale) <= limit ? dcodes[i] / scale : 0.0f; }
  } else {
    for (int64_t i = 0; i < count; i++) { dweight[i] = fabsf(weight[i] / scale) <= limit ? dcodes[i] / scale : 0.0f; }
  }
}

// The gradient of one weight's code with respect to the step, times that of the weight.
static inline double step_term(float weight, float dcode, const ssti_row_gradient *how) {
  const float steps = weight / how->scale, code = ssti_code(steps, how->largest);
  const float change = fabsf(steps) <= how->limit ? code - steps : code;
  return (double)(dcode / how->scale) * (double)change;
}

static double row_step_gradient(int64_t count, const float *restrict weight, const float *restrict dcodes,
                                const ssti_row_gradient *given) {
  const ssti_row_gradient how = *given;
  double lane[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int j = 0; j < LANES; j++) { lane[j] += step_term(weight[i + j], dcodes[i + j], &how); }
  }
  for (int j = 0; i + j < count; j++) { lane[j] += step_term(weight[i + j], dcodes[i + j], &how); }
  return lane_total(lane);
}

static const ssti_quantize_rows row_loops = {row_sizes, row_codes, row_gradient, row_step_gradient};

#endif
