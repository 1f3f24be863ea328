// SPDX-License-Identifier: Apache-2.0
// The loops of weight quantisers (quantize_row_loops.h), compiled for this level; and inputs as 8-bit codes.
#include "backend/fast/simd.h"
#include "backend/quantize_row_loops.h"

// Bits of what does not fit are gathered over a piece and looked at once. Numbers that are none, and too large ones,
// are replaced before they are converted.
#define DEFINE_TO_BYTES(name, type, value_of)                                                                          \
  static bool name(int64_t count, const type *restrict x, float scale, uint8_t *restrict y) {                          \
    enum { PIECE = 1024 };                                                                                             \
    for (int64_t at = 0; at < count; at += PIECE) {                                                                    \
      const int64_t end = count - at < PIECE ? count : at + PIECE;                                                     \
      int32_t odd = 0;                                                                                                 \
      for (int64_t i = at; i < end; i++) {                                                                             \
        const float scaled = value_of(x[i]) * scale;                                                                   \
        const float inside = scaled >= 0.0f && scaled <= (float)SSTI_LARGEST_BYTE ? scaled : 0.0f;                     \
        const int32_t code = (int32_t)inside;                                                                          \
        odd |= (float)code != scaled;                                                                                  \
        y[i] = (uint8_t)code;                                                                                          \
      }                                                                                                                \
      if (odd) { return false; }                                                                                       \
    }                                                                                                                  \
    return true;                                                                                                       \
  }
#define SAME(x) (x)
DEFINE_TO_BYTES(to_bytes, float, SAME)
DEFINE_TO_BYTES(to_bytes_bf16, ssti_bf16, ssti_bf16_value)

void SSTI_SIMD(ssti_simd_fill_quantize)(ssti_simd *table) {
  table->quantize = row_loops;
  table->to_bytes = to_bytes;
  table->to_bytes_bf16 = to_bytes_bf16;
}
