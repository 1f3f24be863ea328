// SPDX-License-Identifier: Apache-2.0
// The elementwise functions of one value: each kind's formula and derivative, for the kernels of every backend.
#ifndef SPIKESTILL_BACKEND_UNARY_FORMULAS_H
#define SPIKESTILL_BACKEND_UNARY_FORMULAS_H

#include <math.h>

#include "base/everywhere.h"
#include "quantize/grid.h"

SSTI_EVERYWHERE float ssti_sigmoid(float x) {
  // exp of what is not positive only, so that nothing overflows.
  const float e = expf(-fabsf(x));
  return x >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
}

SSTI_EVERYWHERE float ssti_sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f; }

// 0 at 0, also for a < 1, where the derivative has no limit there.
SSTI_EVERYWHERE float ssti_power_derivative(float x, float a) {
  return x == 0.0f ? 0.0f : a * powf(fabsf(x), a - 1.0f) * ssti_sign(x);
}

// X(NAME, value, derivative) in terms of x, y, a, b. Comparisons are written so that NaN passes through.
#define SSTI_UNARY_FORMULAS(X)                                                                                         \
  X(AFFINE, a *x + b, a)                                                                                               \
  X(RELU, x<0.0f ? 0.0f : x, x> 0.0f ? 1.0f : 0.0f)                                                                    \
  X(SQUARE, x *x, 2.0f * x)                                                                                            \
  X(ABS, fabsf(x), ssti_sign(x))                                                                                       \
  X(SQRT, sqrtf(x), 0.5f / y)                                                                                          \
  X(EXP, expf(x), y)                                                                                                   \
  X(LOG, logf(x), 1.0f / x)                                                                                            \
  X(SIGMOID, ssti_sigmoid(x), y *(1.0f - y))                                                                           \
  X(TANH, tanhf(x), 1.0f - y * y)                                                                                      \
  X(POWER, powf(fabsf(x), a), ssti_power_derivative(x, a))                                                             \
  X(CLIP, x<a ? a : x> b ? b : x, x >= a && x <= b ? 1.0f : 0.0f)                                                      \
  X(FLOOR, floorf(x), 1.0f)                                                                                            \
  X(ROUND, ssti_round_half_up(x / a) * a, 1.0f)

#endif
