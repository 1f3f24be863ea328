// SPDX-License-Identifier: Apache-2.0
// The one source of randomness: a counter-based generator (Philox4x32-10; Salmon et al. 2011, "Parallel random numbers:
// as easy as 1, 2, 3"). A number depends on (seed, stream, index) alone, so it is the same for any number of threads,
// in any order, on any device, and after a resume.
#ifndef SPIKESTILL_BASE_RANDOM_H
#define SPIKESTILL_BASE_RANDOM_H

#include <stdint.h>

// Four independent 32-bit words for (seed, stream, index).
void ssti_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t words[4]);

// A stream's number from a name or from parts, so that streams of different purposes do not meet.
uint64_t ssti_random_stream(const char *purpose);
uint64_t ssti_random_stream_with(uint64_t stream, uint64_t part);

// Uniform in [0,1), 24 bits; standard normal (Box-Muller); uniform integer in [0, bound), bound >= 1, without bias
// that matters (64-bit product).
float ssti_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);
float ssti_random_normal(uint64_t seed, uint64_t stream, uint64_t index);
uint64_t ssti_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);

// A sequence for code that draws one number after another: a cursor over `index`.
typedef struct ssti_random {
  uint64_t seed, stream, next;
} ssti_random;
static inline ssti_random ssti_random_begin(uint64_t seed, uint64_t stream) { return (ssti_random){seed, stream, 0}; }
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

#endif
