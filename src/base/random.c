// SPDX-License-Identifier: Apache-2.0
// Numbers of streams, whole numbers below a bound, permutations. The generator is in the header.
#include "base/random.h"

#include <assert.h>

uint64_t ssti_random_stream(const char *purpose) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325); // FNV-1a
  for (const char *c = purpose; *c != '\0'; c++) { hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001B3); }
  return ssti_random_mix(hash);
}

uint64_t ssti_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound) {
  assert(bound >= 1);
  uint32_t words[4];
  ssti_random_words(seed, stream, index, words);
  uint64_t x = (uint64_t)words[1] << 32 | words[0];
  // The upper half of the 128-bit product x * bound, from 32-bit halves: no compiler extension is needed.
  uint64_t xl = x & UINT32_MAX, xh = x >> 32, bl = bound & UINT32_MAX, bh = bound >> 32;
  uint64_t low = xl * bl, middle = xh * bl + (low >> 32);
  uint64_t other = xl * bh + (middle & UINT32_MAX);
  return xh * bh + (middle >> 32) + (other >> 32);
}

void ssti_random_permutation(uint64_t seed, uint64_t stream, int64_t count, int32_t *out) {
  assert(count >= 0 && count <= INT32_MAX);
  for (int64_t i = 0; i < count; i++) { out[i] = (int32_t)i; }
  for (int64_t i = count - 1; i > 0; i--) {
    int64_t j = (int64_t)ssti_random_below(seed, stream, (uint64_t)i, (uint64_t)i + 1);
    int32_t kept = out[i];
    out[i] = out[j];
    out[j] = kept;
  }
}
