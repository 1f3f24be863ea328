// SPDX-License-Identifier: Apache-2.0
// Sums of bits times codes. Where a code is not 0, the bit counts as it is under a plus, and complemented under a
// minus: the sum is the population count of code AND (bit XOR sign), less the number of minuses, for each plane of the
// input and each bit of the codes' magnitudes. The minuses stand in front of a block's words, as often as all
// magnitudes count them. Eight outputs beside each other.
#include "deploy/kernels.h"

#include <string.h>

#if SSTI_HAS_AVX512
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

// `planes` planes of the input from `first_plane` on, for `items` windows, all counts in registers: weights are loaded
// once for all of them.
INLINE void popcount_tile(const ssti_rows *r, int64_t first, int items, int first_plane, int planes, int64_t words,
                          const uint64_t *sign, const uint64_t *code, int64_t row, int shift, __m512i *sum) {
  __m512i count[8][3];
  for (int i = 0; i < items; i++) {
    for (int p = 0; p < planes; p++) { count[i][p] = _mm512_setzero_si512(); }
  }
  const uint8_t *x = r->x + first * r->x_stride + first_plane * words * 8;
  for (int64_t k = 0; k < words; k++, sign += row, code += row, x += 8) {
    const __m512i s = _mm512_loadu_si512(sign), c = _mm512_loadu_si512(code);
    for (int i = 0; i < items; i++) {
      for (int p = 0; p < planes; p++) {
        int64_t bits;
        memcpy(&bits, x + i * r->x_stride + p * words * 8, sizeof bits);
        const __m512i hit = _mm512_ternarylogic_epi64(_mm512_set1_epi64(bits), s, c, 0x28); // c & (x ^ s)
        count[i][p] = _mm512_add_epi64(count[i][p], _mm512_popcnt_epi64(hit));
      }
    }
  }
  for (int i = 0; i < items; i++) {
    for (int p = 0; p < planes; p++) {
      sum[i] = _mm512_add_epi64(sum[i], _mm512_slli_epi64(count[i][p], (unsigned)(shift + p)));
    }
  }
}

INLINE void popcount_items(const ssti_rows *r, int64_t first, int items, int planes, int magnitudes, int64_t words,
                           const uint64_t *w, int64_t block) {
  __m512i sum[8];
  const int64_t row = (1 + magnitudes) * SSTI_WORD_LANES;
  const __m512i minuses = _mm512_loadu_si512(w);
  w += SSTI_WORD_LANES;
  for (int i = 0; i < items; i++) { sum[i] = _mm512_sub_epi64(minuses, _mm512_slli_epi64(minuses, (unsigned)planes)); }
  for (int m = 0; m < magnitudes; m++) {
    const uint64_t *code = w + (1 + m) * SSTI_WORD_LANES;
    for (int p = 0; p < planes; p += 3) {
      switch (planes - p) {
      case 1: popcount_tile(r, first, items, p, 1, words, w, code, row, m + p, sum); break;
      case 2: popcount_tile(r, first, items, p, 2, words, w, code, row, m + p, sum); break;
      default: popcount_tile(r, first, items, p, 3, words, w, code, row, m + p, sum); break;
      }
    }
  }
  for (int i = 0; i < items; i++) {
    int32_t *z = r->z + (first + i) * r->z_stride + block * SSTI_WORD_LANES;
    _mm256_storeu_si256((__m256i *)(void *)z, _mm512_cvtepi64_epi32(sum[i]));
  }
}

static void popcount(const ssti_rows *r, int planes, int magnitudes, int64_t words, int64_t blocks,
                     const uint64_t *weights) {
  for (int64_t block = 0; block < blocks; block++) {
    const uint64_t *w = weights + block * ssti_popcount_block(words, magnitudes);
    int64_t item = 0;
    for (; item + 8 <= r->items; item += 8) { popcount_items(r, item, 8, planes, magnitudes, words, w, block); }
    for (; item + 4 <= r->items; item += 4) { popcount_items(r, item, 4, planes, magnitudes, words, w, block); }
    for (; item < r->items; item++) { popcount_items(r, item, 1, planes, magnitudes, words, w, block); }
  }
}
#else
#if SSTI_HAS_NEON
#include <arm_neon.h>

// Bits of a vector, a byte each, into 64-bit counts.
static inline uint64x2_t widen(uint8x16_t counts) { return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(counts))); }

// One plane of a window and one bit of the codes' magnitudes: counts in bytes, which 31 words do not fill.
static void popcount_plane(const uint64_t *x, int64_t words, const uint64_t *sign, const uint64_t *code, int64_t row,
                           int shift, int32_t sum[SSTI_WORD_LANES]) {
  uint64x2_t all[4];
  for (int i = 0; i < 4; i++) { all[i] = vdupq_n_u64(0); }
  for (int64_t first = 0; first < words; first += 31) {
    uint8x16_t hits[4];
    for (int i = 0; i < 4; i++) { hits[i] = vdupq_n_u8(0); }
    for (int64_t k = first; k < words && k < first + 31; k++) {
      const uint64x2_t bits = vdupq_n_u64(x[k]);
      for (int i = 0; i < 4; i++) {
        const uint64x2_t signs = vld1q_u64(sign + k * row + 2 * i);
        const uint64x2_t hit = vandq_u64(veorq_u64(bits, signs), vld1q_u64(code + k * row + 2 * i));
        hits[i] = vaddq_u8(hits[i], vcntq_u8(vreinterpretq_u8_u64(hit)));
      }
    }
    for (int i = 0; i < 4; i++) { all[i] = vaddq_u64(all[i], widen(hits[i])); }
  }
  for (int o = 0; o < SSTI_WORD_LANES; o++) { sum[o] += (int32_t)all[o / 2][o % 2] * (1 << shift); }
}

static void popcount_row(const uint64_t *x, int planes, int magnitudes, int64_t words, const uint64_t *w, int32_t *z) {
  int32_t sum[SSTI_WORD_LANES];
  const int64_t row = (1 + magnitudes) * SSTI_WORD_LANES;
  for (int o = 0; o < SSTI_WORD_LANES; o++) { sum[o] = (int32_t)w[o] * (1 - (1 << planes)); }
  w += SSTI_WORD_LANES;
  for (int p = 0; p < planes; p++) {
    for (int m = 0; m < magnitudes; m++) {
      popcount_plane(x + p * words, words, w, w + (1 + m) * SSTI_WORD_LANES, row, m + p, sum);
    }
  }
  memcpy(z, sum, sizeof sum);
}
#else
// Two counts for each code, all less twice the minuses: then words in which nothing is set need none.
static void popcount_row(const uint64_t *x, int planes, int magnitudes, int64_t words, const uint64_t *w, int32_t *z) {
  int32_t sum[SSTI_WORD_LANES] = {0};
  w += SSTI_WORD_LANES;
  for (int p = 0; p < planes; p++) {
    for (int64_t k = 0; k < words; k++) {
      const uint64_t bits = x[p * words + k];
      if (bits == 0) { continue; }
      const uint64_t *sign = w + k * (1 + magnitudes) * SSTI_WORD_LANES;
      for (int m = 0; m < magnitudes; m++) {
        const uint64_t *code = sign + (1 + m) * SSTI_WORD_LANES;
        for (int o = 0; o < SSTI_WORD_LANES; o++) {
          const uint64_t hit = bits & code[o];
          const int count = __builtin_popcountll(hit) - 2 * __builtin_popcountll(hit & sign[o]);
          sum[o] += count * (1 << (m + p));
        }
      }
    }
  }
  memcpy(z, sum, sizeof sum);
}
#endif

static void popcount(const ssti_rows *r, int planes, int magnitudes, int64_t words, int64_t blocks,
                     const uint64_t *weights) {
  for (int64_t block = 0; block < blocks; block++) {
    const uint64_t *w = weights + block * ssti_popcount_block(words, magnitudes);
    for (int64_t item = 0; item < r->items; item++) {
      const uint64_t *x = (const uint64_t *)(const void *)(r->x + item * r->x_stride);
      popcount_row(x, planes, magnitudes, words, w, r->z + item * r->z_stride + block * SSTI_WORD_LANES);
    }
  }
}
#endif

void SSTI_KERNEL(ssti_kernel_fill_popcount)(ssti_kernels_of_level *table) {
  table->popcount = popcount;
  table->counts_a_code = SSTI_HAS_AVX512 || SSTI_HAS_NEON ? 1 : 2;
}
