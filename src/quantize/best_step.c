// SPDX-License-Identifier: Apache-2.0
#include "quantize/best_step.h"

#include <math.h>

#include "quantize/grid.h"

enum { CANDIDATES = 100 };

static double squared_error(const float *x, int64_t count, float step, float largest) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) {
    const double error = (double)x[i] - (double)(ssti_code(x[i] / step, largest) * step);
    sum += error * error;
  }
  return sum;
}

float ssti_best_step(const float *x, int64_t count, int bits) {
  const float largest = ssti_largest_code(bits);
  float most = 0.0f, best = 1.0f;
  for (int64_t i = 0; i < count; i++) { most = fmaxf(most, fabsf(x[i])); }
  if (!(most > 0.0f)) { return best; }
  double least = (double)INFINITY;
  for (int i = CANDIDATES; i >= 10; i--) {
    const float step = most / largest * (float)i / (float)CANDIDATES;
    const double error = squared_error(x, count, step, largest);
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}
