// SPDX-License-Identifier: Apache-2.0
// What this level can do at most, in registers: the yardsticks of `spikestill bench deploy`.
#include "deploy/kernel_vector.h"

// Independent chains hide an operation's latency. The seed keeps the compiler from knowing any value.
enum { CHAINS = 8 };

static uint64_t fold(const vector *v) {
  vector all = zeros();
  uint64_t word[VECTOR_BYTES / 8], result = 0;
  for (int i = 0; i < CHAINS; i++) { all ^= v[i]; }
  memcpy(word, &all, sizeof word);
  for (int i = 0; i < VECTOR_BYTES / 8; i++) { result ^= word[i]; }
  return result;
}

static uint64_t adder_chains(int64_t rounds, uint64_t seed) {
  vector sum[CHAINS], carry[CHAINS];
  for (int i = 0; i < CHAINS; i++) { sum[i] = zeros() + seed * (uint64_t)(i + 1), carry[i] = ~sum[i] + seed; }
  const vector x = zeros() + seed * 77;
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < CHAINS; i++) { carry[i] = full_add(&sum[i], carry[i], x); }
  }
  return fold(sum) ^ fold(carry);
}

static uint64_t popcount_chains(int64_t rounds, uint64_t seed) {
#if SSTI_HAS_AVX512
  vector sum[CHAINS], x = zeros() + seed;
  for (int i = 0; i < CHAINS; i++) { sum[i] = zeros() + seed * (uint64_t)(i + 1); }
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < CHAINS; i++) { sum[i] += (vector)_mm512_popcnt_epi64((__m512i)(sum[i] & x)); }
  }
  return fold(sum);
#else
  uint64_t sum[CHAINS] = {0}, x = seed;
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < CHAINS; i++) { sum[i] += (uint64_t)__builtin_popcountll((sum[i] + (uint64_t)i) & x); }
  }
  for (int i = 1; i < CHAINS; i++) { sum[0] ^= sum[i]; }
  return sum[0];
#endif
}

static uint64_t sum_chains(int64_t rounds, uint64_t seed) {
  typedef uint8_t bytes __attribute__((vector_size(VECTOR_BYTES)));
  bytes sum[CHAINS], x = (bytes)(zeros() + seed);
  for (int i = 0; i < CHAINS; i++) { sum[i] = (bytes)(zeros() + seed * (uint64_t)(i + 1)); }
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < CHAINS; i++) { sum[i] += x; }
    x ^= sum[0]; // or the compiler would multiply
  }
  vector result[CHAINS];
  for (int i = 0; i < CHAINS; i++) { result[i] = (vector)sum[i]; }
  return fold(result);
}

static uint64_t dot_chains(int64_t rounds, uint64_t seed) {
#if SSTI_HAS_AVX512
  __m512i sum[CHAINS];
  const __m512i x = _mm512_set1_epi64((int64_t)seed), y = _mm512_set1_epi64((int64_t)(seed * 3));
  for (int i = 0; i < CHAINS; i++) { sum[i] = _mm512_set1_epi32(i); }
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < CHAINS; i++) { sum[i] = _mm512_dpbusd_epi32(sum[i], x, y); }
  }
  vector result[CHAINS];
  for (int i = 0; i < CHAINS; i++) { result[i] = (vector)sum[i]; }
  return fold(result);
#else
  uint32_t sum[CHAINS][16] = {{0}};
  const uint32_t x = (uint32_t)seed;
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < CHAINS; i++) {
      for (int o = 0; o < 16; o++) { sum[i][o] += x * (uint32_t)(o + i); }
    }
  }
  uint64_t result = 0;
  for (int i = 0; i < CHAINS; i++) {
    for (int o = 0; o < 16; o++) { result ^= sum[i][o]; }
  }
  return result;
#endif
}

void SSTI_KERNEL(ssti_kernel_fill_ceiling)(ssti_kernels_of_level *table) {
  table->adder_bits = CHAINS * VECTOR_BYTES * 8;
  table->adder_chains = adder_chains;
  table->popcount_bits = SSTI_HAS_AVX512 ? CHAINS * VECTOR_BYTES * 8 : CHAINS * 64;
  table->popcount_chains = popcount_chains;
  table->sum_operations = CHAINS * VECTOR_BYTES;
  table->sum_chains = sum_chains;
  table->dot_operations = SSTI_HAS_AVX512 ? CHAINS * 64 : CHAINS * 16; // multiply-adds
  table->dot_chains = dot_chains;
}
