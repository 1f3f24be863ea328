// SPDX-License-Identifier: Apache-2.0
// Matrices turned, by squares of four.
#ifndef SPIKESTILL_BACKEND_FAST_SIMD_TURN_H
#define SPIKESTILL_BACKEND_FAST_SIMD_TURN_H

#include <stdint.h>

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

// Four rows of four become four columns.
static inline void turn_quads(const float *from, int64_t from_stride, float *to, int64_t to_stride) {
  const quad a = *(const quad *)(const void *)from, b = *(const quad *)(const void *)(from + from_stride);
  const quad c = *(const quad *)(const void *)(from + 2 * from_stride);
  const quad d = *(const quad *)(const void *)(from + 3 * from_stride);
  const quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(quad *)(void *)to = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  *(quad *)(void *)(to + to_stride) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  *(quad *)(void *)(to + 2 * to_stride) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  *(quad *)(void *)(to + 3 * to_stride) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

#endif
