// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// The counter is (index, stream), the key is the seed.
#include "base/random.h"

#include <assert.h>
#include <math.h>

#define PHILOX_MULTIPLIER_0 UINT32_C(0xD2511F53)
#define PHILOX_MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define PHILOX_WEYL_0 UINT32_C(0x9E3779B9)
#define PHILOX_WEYL_1 UINT32_C(0xBB67AE85)
enum { PHILOX_ROUNDS = 10 };

void ssti_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t words[4]) {
  uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int i = 0; i < PHILOX_ROUNDS; i++) {
    uint64_t p0 = (uint64_t)PHILOX_MULTIPLIER_0 * c0;
    uint64_t p1 = (uint64_t)PHILOX_MULTIPLIER_1 * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += PHILOX_WEYL_0;
    k1 += PHILOX_WEYL_1;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit over all others.
static uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}

uint64_t ssti_random_stream(const char *purpose) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325); // FNV-1a
  for (const char *c = purpose; *c != '\0'; c++) { hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001B3); }
  return mix(hash);
}

// The part is mixed before it meets the stream, so that (a, b) and (b, a) give different streams.
uint64_t ssti_random_stream_with(uint64_t stream, uint64_t part) { return mix(stream ^ mix(~part)); }

float ssti_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t words[4];
  ssti_random_words(seed, stream, index, words);
  return (float)(words[0] >> 8) * 0x1p-24f;
}

float ssti_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t words[4];
  ssti_random_words(seed, stream, index, words);
  // The first is in (0,1], so that the logarithm is finite.
  double u = ((double)words[0] + 1.0) * 0x1p-32;
  double v = (double)words[1] * 0x1p-32;
  const double two_pi = 6.283185307179586476925;
  return (float)(sqrt(-2.0 * log(u)) * cos(two_pi * v));
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
