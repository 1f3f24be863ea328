// SPDX-License-Identifier: Apache-2.0
// Dyadic numbers, m * 2^e with integers m and e: how many bits they have behind the point.
#ifndef SPIKESTILL_DEPLOY_DYADIC_H
#define SPIKESTILL_DEPLOY_DYADIC_H

#include <math.h>
#include <stdint.h>

// The smallest k, perhaps below 0, for which x * 2^k is an integer; `none` for 0, which is one for every k.
static inline int ssti_fraction_bits(double x, int none) {
  if (x == 0.0) { return none; }
  int exponent = 0;
  const double mantissa = frexp(x, &exponent);   // in +-[1/2, 1)
  int64_t digits = (int64_t)ldexp(mantissa, 53); // whole
  int k = 53 - exponent;
  while (digits % 2 == 0) {
    digits /= 2;
    k--;
  }
  return k;
}

// x * 2^k, which is an integer of at most 53 bits, as one; saturates beyond +-2^62.
static inline int64_t ssti_scaled(double x, int k) {
  const double most = 0x1p62, scaled = ldexp(x, k);
  return scaled >= most ? INT64_C(1) << 62 : scaled <= -most ? -(INT64_C(1) << 62) : (int64_t)scaled;
}

// The nearest integer, halves up.
static inline double ssti_nearest(double x) { return floor(x + 0.5); }

#endif
