// SPDX-License-Identifier: Apache-2.0
// Sums of unsigned bytes times signed codes, sixteen outputs beside each other. A byte of four inputs is broadcast and
// multiplied with four codes of each output.
#include "deploy/kernels.h"

#include <string.h>

#if SSTI_HAS_AVX512
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

// `items` windows times `blocks` blocks of sixteen outputs, all in registers: weights are loaded once for all windows.
INLINE void dot_tile(const ssti_rows *r, int64_t first, int items, int64_t quads, int64_t block, int blocks,
                     const int8_t *weights) {
  __m512i sum[4][4];
  for (int i = 0; i < items; i++) {
    for (int b = 0; b < blocks; b++) { sum[i][b] = _mm512_setzero_si512(); }
  }
  const uint8_t *x = r->x + first * r->x_stride;
  const int8_t *w = weights + block * quads * 64;
  for (int64_t q = 0; q < quads; q++) {
    __m512i wide[4];
    for (int b = 0; b < blocks; b++) { wide[b] = _mm512_loadu_si512(w + (b * quads + q) * 64); }
    for (int i = 0; i < items; i++) {
      int32_t four;
      memcpy(&four, x + i * r->x_stride + q * 4, sizeof four);
      const __m512i broad = _mm512_set1_epi32(four);
      for (int b = 0; b < blocks; b++) { sum[i][b] = _mm512_dpbusd_epi32(sum[i][b], broad, wide[b]); }
    }
  }
  for (int i = 0; i < items; i++) {
    int32_t *z = r->z + (first + i) * r->z_stride + block * 16;
    for (int b = 0; b < blocks; b++) { _mm512_storeu_si512(z + b * 16, sum[i][b]); }
  }
}

static void dot8(const ssti_rows *r, int64_t quads, int64_t blocks, const int8_t *weights) {
  int64_t item = 0;
  for (; item + 4 <= r->items; item += 4) {
    int64_t block = 0;
    for (; block + 4 <= blocks; block += 4) { dot_tile(r, item, 4, quads, block, 4, weights); }
    for (; block + 2 <= blocks; block += 2) { dot_tile(r, item, 4, quads, block, 2, weights); }
    for (; block < blocks; block++) { dot_tile(r, item, 4, quads, block, 1, weights); }
  }
  for (; item < r->items; item++) {
    int64_t block = 0;
    for (; block + 4 <= blocks; block += 4) { dot_tile(r, item, 1, quads, block, 4, weights); }
    for (; block < blocks; block++) { dot_tile(r, item, 1, quads, block, 1, weights); }
  }
}
#else
static void dot8(const ssti_rows *r, int64_t quads, int64_t blocks, const int8_t *weights) {
  for (int64_t item = 0; item < r->items; item++) {
    const uint8_t *x = r->x + item * r->x_stride;
    for (int64_t block = 0; block < blocks; block++) {
      int32_t sum[16] = {0};
      const int8_t *w = weights + block * quads * 64;
      for (int64_t q = 0; q < quads; q++, w += 64) {
        const int x0 = x[q * 4], x1 = x[q * 4 + 1], x2 = x[q * 4 + 2], x3 = x[q * 4 + 3];
        if ((x0 | x1 | x2 | x3) == 0) { continue; }
        for (int o = 0; o < 16; o++) {
          sum[o] += x0 * w[o * 4] + x1 * w[o * 4 + 1] + x2 * w[o * 4 + 2] + x3 * w[o * 4 + 3];
        }
      }
      memcpy(r->z + item * r->z_stride + block * 16, sum, sizeof sum);
    }
  }
}
#endif

void SSTI_KERNEL(ssti_kernel_fill_dot)(ssti_kernels_of_level *table) { table->dot8 = dot8; }
