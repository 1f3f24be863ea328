// SPDX-License-Identifier: Apache-2.0
// The one source of randomness: a counter-based generator (Philox4x32-10; Salmon et al. 2011, "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011). A number depends on (seed, stream, index) alone, so it is the same for any number of
// threads, in any order, on any device, and after a resume.
#ifndef SPIKESTILL_BASE_RANDOM_H
#define SPIKESTILL_BASE_RANDOM_H

#include <math.h>
#include <stdint.h>

#include "base/everywhere.h"

#ifdef __cplusplus
extern "C" {
#endif

// Four independent 32-bit words for (seed, stream, index): the counter is (index, stream), the key is the seed.
SSTI_EVERYWHERE void ssti_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t words[4]) {
  const uint64_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
  uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int i = 0; i < 10; i++) {
    const uint64_t p0 = multiplier0 * c0, p1 = multiplier1 * c2;
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit over all others.
SSTI_EVERYWHERE uint64_t ssti_random_mix(uint64_t x) {
  x += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}

// A stream's number from a name or from parts, so that streams of different purposes do not meet. The part is mixed
// before it meets the stream, so that (a, b) and (b, a) give different streams.
uint64_t ssti_random_stream(const char *purpose);
SSTI_EVERYWHERE uint64_t ssti_random_stream_with(uint64_t stream, uint64_t part) {
  return ssti_random_mix(stream ^ ssti_random_mix(~part));
}

// Uniform in [0,1), 24 bits; standard normal (Box-Muller); uniform integer in [0, bound), bound >= 1, without bias
// that matters (64-bit product).
SSTI_EVERYWHERE float ssti_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t words[4];
  ssti_random_words(seed, stream, index, words);
  return (float)(words[0] >> 8) * (1.0f / 16777216.0f);
}
SSTI_EVERYWHERE float ssti_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t words[4];
  ssti_random_words(seed, stream, index, words);
  // The first is in (0,1], so that the logarithm is finite.
  const double u = ((double)words[0] + 1.0) / 4294967296.0, v = (double)words[1] / 4294967296.0;
  const double two_pi = 6.283185307179586476925;
  return (float)(sqrt(-2.0 * log(u)) * cos(two_pi * v));
}
uint64_t ssti_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);

// A sequence for code that draws one number after another: a cursor over `index`.
typedef struct ssti_random {
  uint64_t seed, stream, next;
} ssti_random;
static inline ssti_random ssti_random_begin(uint64_t seed, uint64_t stream) {
  const ssti_random begun = {seed, stream, 0};
  return begun;
}
static inline float ssti_draw_uniform(ssti_random *r) { return ssti_random_uniform(r->seed, r->stream, r->next++); }
static inline float ssti_draw_between(ssti_random *r, float low, float high) {
  return low + (high - low) * ssti_draw_uniform(r);
}
static inline float ssti_draw_normal(ssti_random *r) { return ssti_random_normal(r->seed, r->stream, r->next++); }
static inline uint64_t ssti_draw_below(ssti_random *r, uint64_t bound) {
  return ssti_random_below(r->seed, r->stream, r->next++, bound);
}

// Writes a permutation of 0..count-1 (Fisher-Yates).
void ssti_random_permutation(uint64_t seed, uint64_t stream, int64_t count, int32_t *out);

#ifdef __cplusplus
}
#endif
#endif
