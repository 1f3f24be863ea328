// SPDX-License-Identifier: Apache-2.0
#include "quantize/grid.h"

#include <math.h>

float ssti_membrane_step(int bits, float range, float threshold) {
  return ldexpf(ssti_power_of_two_above(range * threshold), 1 - bits);
}

float ssti_input_step(int bits, float low, float high, float codes[2]) {
  const bool negative = low < 0.0f;
  codes[1] = ssti_largest_code(negative ? bits : bits + 1);
  codes[0] = negative ? -codes[1] : 0.0f;
  return ldexpf(ssti_power_of_two_above(fmaxf(-low, high)), negative ? 1 - bits : -bits);
}

sst_status ssti_bits_check(sst_context *context, const char *what, int bits) {
  if (bits == 0 || (bits >= SST_MIN_BITS && bits <= SST_MAX_BITS)) { return SST_OK; }
  SST_FAIL(context, SST_INVALID_ARGUMENT, "%s has %d bits, expected 0 (full precision) or %d to %d", what, bits,
           SST_MIN_BITS, SST_MAX_BITS);
}
