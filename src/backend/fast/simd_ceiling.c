// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most: multiply-adds in registers, and streams from memory.
#include "backend/fast/simd.h"

// On its own a fused multiply-add where the instruction set has one; elsewhere two instructions.
#ifdef __FMA__
#define MULTIPLY_ADD(a, b, c) __builtin_fmaf((a), (b), (c))
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

// Independent chains hide the latency of an operation: twelve vectors cover two units of four to six cycles. The inner
// loops unroll completely, so that the chains live in registers.
static float multiply_add_chains(int64_t rounds, float factor, float offset) {
  float chain[SSTI_SIMD_CHAINS][SSTI_SIMD_LANES];
  for (int i = 0; i < SSTI_SIMD_CHAINS; i++) {
    for (int j = 0; j < SSTI_SIMD_LANES; j++) { chain[i][j] = (float)(i * SSTI_SIMD_LANES + j); }
  }
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < SSTI_SIMD_CHAINS; i++) {
      for (int j = 0; j < SSTI_SIMD_LANES; j++) { chain[i][j] = MULTIPLY_ADD(chain[i][j], factor, offset); }
    }
  }
  float sum = 0.0f;
  for (int i = 0; i < SSTI_SIMD_CHAINS; i++) {
    for (int j = 0; j < SSTI_SIMD_LANES; j++) { sum += chain[i][j]; }
  }
  return sum;
}

static void triad(int64_t count, float factor, const float *restrict b, const float *restrict c, float *restrict a) {
  for (int64_t i = 0; i < count; i++) { a[i] = b[i] + factor * c[i]; }
}

void SSTI_SIMD(ssti_simd_fill_ceiling)(ssti_simd *table) {
  table->multiply_add_chains = multiply_add_chains;
  table->triad = triad;
}
