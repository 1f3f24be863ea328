// SPDX-License-Identifier: Apache-2.0
// From f32 to bf16 and back, by whole-number arithmetic: the same bits at every level.
#include <string.h>

#include "backend/fast/simd.h"
#include "base/sizes.h"

static void narrow(int64_t count, const float *restrict x, ssti_bf16 *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_of(x[i]); }
}

static void widen(int64_t count, const ssti_bf16 *restrict x, float *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_value(x[i]); }
}

static void add_bf16(int64_t count, const ssti_bf16 *restrict x, ssti_bf16 *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_of(ssti_bf16_value(y[i]) + ssti_bf16_value(x[i])); }
}

// `count` numbers in f32: where they are, or in `room`.
static const float *widened(int64_t count, const void *x, ssti_type type, int64_t at, float *restrict room) {
  if (type == SSTI_F32) { return (const float *)x + at; }
  widen(count, (const ssti_bf16 *)x + at, room);
  return room;
}

// Mixed types, by pieces that stay in the first-level cache.
static void sum_pieces(int64_t count, const void *a, ssti_type a_type, const void *b, ssti_type b_type, void *y,
                       ssti_type out) {
  enum { PIECE = 512 };
  float first[PIECE], second[PIECE], sum[PIECE];
  for (int64_t at = 0; at < count; at += PIECE) {
    const int64_t length = ssti_smaller(PIECE, count - at);
    const float *restrict left = widened(length, a, a_type, at, first);
    const float *restrict right = widened(length, b, b_type, at, second);
    for (int64_t i = 0; i < length; i++) { sum[i] = left[i] + right[i]; }
    if (out == SSTI_BF16) {
      narrow(length, sum, (ssti_bf16 *)y + at);
    } else {
      memcpy((float *)y + at, sum, (size_t)length * sizeof *sum);
    }
  }
}

static void sum_halves(int64_t count, const ssti_bf16 *restrict a, const ssti_bf16 *restrict b, ssti_bf16 *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_of(ssti_bf16_value(a[i]) + ssti_bf16_value(b[i])); }
}

static void copy(int64_t count, const void *x, ssti_type type, void *y, ssti_type out) {
  if (type == out) {
    memcpy(y, x, (size_t)count * ssti_type_bytes(type));
  } else if (out == SSTI_BF16) {
    narrow(count, x, y);
  } else {
    widen(count, x, y);
  }
}

static void sum_bf16(int64_t count, const void *a, ssti_type a_type, const void *b, ssti_type b_type, void *y,
                     ssti_type out) {
  if (b == NULL) {
    copy(count, a, a_type, y, out);
  } else if (a_type == SSTI_F32 || b_type == SSTI_F32 || out == SSTI_F32) {
    sum_pieces(count, a, a_type, b, b_type, y, out);
  } else if (y == b) {
    add_bf16(count, a, y);
  } else {
    sum_halves(count, a, b, y);
  }
}

static void pair_block(int64_t count, const ssti_bf16 *a, const ssti_bf16 *b, uint32_t *restrict y) {
  if (a != NULL && b != NULL) {
    for (int64_t i = 0; i < count; i++) { y[i] = a[i] | (uint32_t)b[i] << 16; }
  } else if (a != NULL) {
    for (int64_t i = 0; i < count; i++) { y[i] = a[i]; }
  } else {
    for (int64_t i = 0; i < count; i++) { y[i] = b != NULL ? (uint32_t)b[i] << 16 : 0; }
  }
}

static void pair_bf16(int64_t count, const ssti_bf16 *a, const ssti_bf16 *b, int64_t block, int64_t distance,
                      uint32_t *y) {
  for (int64_t i = 0; i < count; i += block, y += distance) {
    pair_block(block, a != NULL ? a + i : NULL, b != NULL ? b + i : NULL, y);
  }
}

void SSTI_SIMD(ssti_simd_fill_bf16)(ssti_simd *table) {
  table->narrow = narrow;
  table->widen = widen;
  table->add_bf16 = add_bf16;
  table->sum_bf16 = sum_bf16;
  table->pair_bf16 = pair_bf16;
}
