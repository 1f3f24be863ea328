// SPDX-License-Identifier: Apache-2.0
// From f32 to bf16 and back, by whole-number arithmetic: the same bits at every level.
#include "backend/fast/simd.h"

static void narrow(int64_t count, const float *restrict x, ssti_bf16 *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_of(x[i]); }
}

static void widen(int64_t count, const ssti_bf16 *restrict x, float *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_value(x[i]); }
}

static void add_bf16(int64_t count, const ssti_bf16 *restrict x, ssti_bf16 *restrict y) {
  for (int64_t i = 0; i < count; i++) { y[i] = ssti_bf16_of(ssti_bf16_value(y[i]) + ssti_bf16_value(x[i])); }
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
  table->pair_bf16 = pair_bf16;
}
