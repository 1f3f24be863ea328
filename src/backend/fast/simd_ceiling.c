// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most: multiply-adds in registers, and streams from memory.
#include "backend/fast/simd.h"
#include "backend/fast/simd_vector.h"

// Twelve independent chains hide the latency of an operation on two units, and leave registers for the two factors.
// This file is compiled with -ffp-contract=fast: a multiply-add is one instruction where the level has it.
enum { CHAINS = 12 };
#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

static float multiply_add_chains(int64_t rounds, float factor, float offset) {
  const vector zero = {0}, f = zero + factor, o = zero + offset;
#define CHAIN_BEGIN(i) vector v##i = zero + (float)(i);
#define CHAIN_STEP(i) v##i = v##i * f + o;
#define CHAIN_ADD(i) sum += v##i;
  EACH_CHAIN(CHAIN_BEGIN)
  for (int64_t r = 0; r < rounds; r++) { EACH_CHAIN(CHAIN_STEP) }
  vector sum = zero;
  EACH_CHAIN(CHAIN_ADD)
  return sum[0] + sum[LANES - 1];
}

static void triad(int64_t count, float factor, const float *restrict b, const float *restrict c, float *restrict a) {
  for (int64_t i = 0; i < count; i++) { a[i] = b[i] + factor * c[i]; }
}

void SSTI_SIMD(ssti_simd_fill_ceiling)(ssti_simd *table) {
  table->multiply_add_chains = multiply_add_chains;
  table->chain_operations = 2 * CHAINS * VECTOR_BYTES / (int)sizeof(float);
  table->triad = triad;
}
