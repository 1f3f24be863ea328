// SPDX-License-Identifier: Apache-2.0
// The level's widest vector of bits and its full adder. For kernel_*.c only.
#ifndef SPIKESTILL_DEPLOY_KERNEL_VECTOR_H
#define SPIKESTILL_DEPLOY_KERNEL_VECTOR_H

#include <string.h>

#include "deploy/kernels.h"

#if SSTI_HAS_AVX512
#include <immintrin.h>
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
#if SSTI_HAS_NEON
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef uint64_t vector __attribute__((vector_size(VECTOR_BYTES)));

INLINE vector load(const uint8_t *from) {
  vector v;
  memcpy(&v, from, sizeof v);
  return v;
}
INLINE void store(uint8_t *to, vector v) { memcpy(to, &v, sizeof v); }
// The first bytes of a vector; never a byte more.
INLINE void store_part(uint8_t *to, vector v, int64_t bytes) {
  if (bytes >= VECTOR_BYTES) {
    store(to, v);
  } else {
    memcpy(to, &v, (size_t)bytes);
  }
}

INLINE vector zeros(void) { return (vector){0}; }
INLINE vector ones(void) { return ~(vector){0}; }

// Bit by bit: where `mask` is set, a's, else b's.
INLINE vector choose(vector mask, vector a, vector b) {
#if SSTI_HAS_AVX512
  return (vector)_mm512_ternarylogic_epi64((__m512i)mask, (__m512i)a, (__m512i)b, 0xca);
#elif SSTI_HAS_NEON
  return (vector)vbslq_u64((uint64x2_t)mask, (uint64x2_t)a, (uint64x2_t)b);
#else
  return (a & mask) | (b & ~mask);
#endif
}

// *sum + a + b = *sum + 2 * carry. gcc does not find the three-input instructions of AVX-512 by itself. Where a and b
// differ, the carry is the sum's bit.
INLINE vector full_add(vector *sum, vector a, vector b) {
#if SSTI_HAS_AVX512
  const __m512i s = (__m512i)*sum;
  *sum = (vector)_mm512_ternarylogic_epi64(s, (__m512i)a, (__m512i)b, 0x96);
  return (vector)_mm512_ternarylogic_epi64(s, (__m512i)a, (__m512i)b, 0xe8);
#else
#if SSTI_HAS_NEON
  const vector difference = a ^ b, carry = choose(difference, *sum, a);
#else
  const vector difference = a ^ b, carry = (a & b) | (difference & *sum);
#endif
  *sum ^= difference;
  return carry;
#endif
}

// The same with both a and b complemented.
INLINE vector full_add_complements(vector *sum, vector a, vector b) {
#if SSTI_HAS_AVX512
  const __m512i s = (__m512i)*sum;
  *sum = (vector)_mm512_ternarylogic_epi64(s, (__m512i)a, (__m512i)b, 0x96);
  return (vector)_mm512_ternarylogic_epi64(s, (__m512i)a, (__m512i)b, 0x71);
#else
#if SSTI_HAS_NEON
  const vector difference = a ^ b, carry = choose(difference, *sum, ~a);
#else
  const vector difference = a ^ b, carry = ~(a | b) | (difference & *sum);
#endif
  *sum ^= difference;
  return carry;
#endif
}

INLINE vector half_add(vector *sum, vector a) {
  const vector carry = *sum & a;
  *sum ^= a;
  return carry;
}

#endif
