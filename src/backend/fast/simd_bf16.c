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

void SSTI_SIMD(ssti_simd_fill_bf16)(ssti_simd *table) {
  table->narrow = narrow;
  table->widen = widen;
  table->add_bf16 = add_bf16;
}
