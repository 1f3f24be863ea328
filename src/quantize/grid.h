// SPDX-License-Identifier: Apache-2.0
// The rounding rule and the grids, written once for training, and for whatever else must give the same bits.
#ifndef SPIKESTILL_QUANTIZE_GRID_H
#define SPIKESTILL_QUANTIZE_GRID_H

#include <math.h>

#include "base/everywhere.h"
#include "base/fail.h"
#include "spikestill/quantize.h"

// floor(x + 1/2) for |x| < 2^22: half up, for negative numbers too (-1.5 becomes -1). In integers with k fractional
// bits: (x + 2^(k-1)) >> k. Adding 1.5 * 2^23 rounds to nearest, halves to even; a half that went down is put up again.
// So nothing but the result is ever rounded (floorf(x + 0.5f) is wrong just below 1/2), and a loop of it vectorises.
SSTI_EVERYWHERE float ssti_round_half_up(float x) {
  const float shift = 12582912.0f;
  const float nearest = (x + shift) - shift;
  return nearest + (float)(x - nearest >= 0.5f);
}

SSTI_EVERYWHERE float ssti_clip_symmetric(float x, float largest) {
  return x < -largest ? -largest : x > largest ? largest : x;
}

// The code of x / step.
SSTI_EVERYWHERE float ssti_code(float scaled, float largest) {
  return ssti_round_half_up(ssti_clip_symmetric(scaled, largest));
}

// Largest code of so many bits: 2^(bits-1) - 1.
SSTI_EVERYWHERE float ssti_largest_code(int bits) { return (float)((1 << (bits - 1)) - 1); }

// Smallest power of two that is not below x; 1 where x is not a positive finite number.
SSTI_EVERYWHERE float ssti_power_of_two_above(float x) {
  if (!(x > 0.0f) || isinf(x)) { return 1.0f; }
  int exponent = 0;
  const float mantissa = frexpf(x, &exponent); // in [1/2, 1)
  return ldexpf(1.0f, mantissa == 0.5f ? exponent - 1 : exponent);
}

// Step of a grid of so many bits that reaches `largest`, a power of two: no value up to `largest` is clipped.
SSTI_EVERYWHERE float ssti_step_for(float largest, int bits) {
  return ssti_power_of_two_above(largest / ssti_largest_code(bits));
}

#ifdef __cplusplus
extern "C" {
#endif

// Step of a stored membrane: range * threshold, made a power of two, is cut into 2^(bits-1) steps; the grid ends one
// step before it.
float ssti_membrane_step(int bits, float range, float threshold);

// The grid of a network's input that lies within low..high: the larger end, made a power of two, is cut into 2^bits
// steps, or 2^(bits-1) where the input may be negative. It ends one step before it. `codes` receives smallest and
// largest code.
float ssti_input_step(int bits, float low, float high, float codes[2]);

// Whether every field is in its range. Errors: INVALID_ARGUMENT.
sst_status ssti_weight_quantizer_check(sst_context *context, const sst_weight_quantizer *quantizer);

// Whether `bits` of a norm is 0 or in range. Errors: INVALID_ARGUMENT with `what` in front.
sst_status ssti_bits_check(sst_context *context, const char *what, int bits);

#ifdef __cplusplus
}
#endif
#endif
