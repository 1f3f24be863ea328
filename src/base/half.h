// SPDX-License-Identifier: Apache-2.0
// 16-bit floats of other tools' files, from their bits.
#ifndef SPIKESTILL_BASE_HALF_H
#define SPIKESTILL_BASE_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// IEEE's: sign, five bits of exponent with bias 15, ten of mantissa.
static inline float ssti_from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  float value = 0.0f;
  if (exponent == 31) {
    value = mantissa ? NAN : INFINITY;
  } else if (exponent == 0) {
    value = ldexpf((float)mantissa, -24);
  } else {
    value = ldexpf((float)(1024 + mantissa), exponent - 25);
  }
  return bits & 0x8000 ? -value : value;
}

// bfloat16: the upper half of a float.
static inline float ssti_from_bfloat(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value = 0.0f;
  memcpy(&value, &wide, sizeof value);
  return value;
}

#endif
