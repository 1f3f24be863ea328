// SPDX-License-Identifier: Apache-2.0
// Carry-save sums: of a slab's rows, those with a weight are counted, one counter for each of a tile's 1024 bits.
// Sixteen rows go through a tree of full adders into the four lowest planes of the counters, which stay in registers.
#include "deploy/kernel_vector.h"

enum { PLANES = 8, PAIR = 2, PAIR_BYTES = PAIR * VECTOR_BYTES };

// Two vectors beside each other: enough independent work to hide an adder's latency, and few enough registers.
typedef struct counters {
  vector plane[PLANES][PAIR];
} counters;

INLINE vector add_two(vector *sum, const uint8_t *a, const uint8_t *b, bool minus) {
  return minus ? full_add_complements(sum, load(a), load(b)) : full_add(sum, load(a), load(b));
}

// Four rows into planes 0 and 1; returns the carry of weight 4.
INLINE vector add_four(counters *c, int v, const uint8_t *const row[4], bool minus) {
  const int at = v * VECTOR_BYTES;
  const vector a = add_two(&c->plane[0][v], row[0] + at, row[1] + at, minus);
  const vector b = add_two(&c->plane[0][v], row[2] + at, row[3] + at, minus);
  return full_add(&c->plane[1][v], a, b);
}

INLINE void carry_up(counters *c, int v, int from, vector carry) {
  for (int i = from; i < PLANES; i++) { carry = half_add(&c->plane[i][v], carry); }
}

INLINE void add_list(counters *c, const uint8_t *list, int count, const uint8_t *column, bool minus) {
  int n = 0;
  for (; n + 16 <= count; n += 16) {
    vector eight[PAIR][2];
    for (int half = 0; half < 2; half++) {
      const uint8_t *row[8];
      for (int i = 0; i < 8; i++) { row[i] = column + (size_t)list[n + half * 8 + i] * SSTI_TILE_BYTES; }
      for (int v = 0; v < PAIR; v++) {
        const vector a = add_four(c, v, row, minus), b = add_four(c, v, row + 4, minus);
        eight[v][half] = full_add(&c->plane[2][v], a, b);
      }
    }
    for (int v = 0; v < PAIR; v++) { carry_up(c, v, 4, full_add(&c->plane[3][v], eight[v][0], eight[v][1])); }
  }
  for (; n < count; n += 4) {
    const uint8_t *row[4];
    for (int i = 0; i < 4; i++) { row[i] = column + (size_t)list[n + i] * SSTI_TILE_BYTES; }
    for (int v = 0; v < PAIR; v++) { carry_up(c, v, 2, add_four(c, v, row, minus)); }
  }
}

// Places of the bits that are set, then `pad` up to a multiple of four. The list has room for 64 bytes more.
INLINE int decode(const uint64_t *mask, int words, uint8_t pad, uint8_t *list) {
  int count = 0;
  for (int w = 0; w < words; w++) {
    uint64_t bits = mask[w];
#if SSTI_HAS_AVX512
    const __m512i places =
        _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40,
                        39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                        15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i shifted = _mm512_add_epi8(places, _mm512_set1_epi8((char)(w * 64)));
    _mm512_storeu_si512(list + count, _mm512_maskz_compress_epi8(bits, shifted));
    count += __builtin_popcountll(bits);
#else
    for (; bits != 0; bits &= bits - 1) { list[count++] = (uint8_t)(w * 64 + __builtin_ctzll(bits)); }
#endif
  }
  while (count % 4 != 0) { list[count++] = pad; }
  return count;
}

static void slab_sum(const uint64_t *sign, const uint64_t *magnitude, int words, const uint8_t *slab, uint8_t *acc,
                     int level, int width) {
  uint64_t plus[SSTI_SLAB_WORDS], minus[SSTI_SLAB_WORDS];
  uint8_t plus_list[SSTI_SLAB_ROWS + 64], minus_list[SSTI_SLAB_ROWS + 64];
  for (int w = 0; w < words; w++) {
    plus[w] = magnitude[w] & ~sign[w];
    minus[w] = magnitude[w] & sign[w];
  }
  // A complemented row of ones adds nothing, as a row of zeros does.
  const int plus_count = decode(plus, words, SSTI_SLAB_ZEROS, plus_list);
  const int minus_count = decode(minus, words, SSTI_SLAB_ONES, minus_list);
  for (int column = 0; column < SSTI_TILE_BYTES; column += PAIR_BYTES) {
    counters c;
    for (int i = 0; i < PLANES; i++) {
      for (int v = 0; v < PAIR; v++) { c.plane[i][v] = zeros(); }
    }
    add_list(&c, plus_list, plus_count, slab + column, false);
    add_list(&c, minus_list, minus_count, slab + column, true);
    for (int v = 0; v < PAIR; v++) {
      uint8_t *sum = acc + column + v * VECTOR_BYTES;
      vector carry = zeros();
      for (int i = 0; i < PLANES && level + i < width; i++) {
        vector s = load(sum + (level + i) * SSTI_TILE_BYTES);
        carry = full_add(&s, c.plane[i][v], carry);
        store(sum + (level + i) * SSTI_TILE_BYTES, s);
      }
      for (int i = level + PLANES; i < width; i++) {
        vector s = load(sum + i * SSTI_TILE_BYTES);
        carry = half_add(&s, carry);
        store(sum + i * SSTI_TILE_BYTES, s);
      }
    }
  }
}

static void slab_fill(uint8_t *row, int64_t channels, const uint8_t *base, int64_t channel_stride,
                      const ssti_copy *copies, int count, uint8_t fill) {
  uint8_t constant[32];
  memset(constant, fill, sizeof constant);
  for (int64_t i = 0; i < channels; i++, row += SSTI_TILE_BYTES, base += channel_stride) {
    for (int k = 0; k < count; k++) {
      uint8_t *to = row + copies[k].dst;
      const uint8_t *from = base + copies[k].src;
      for (int32_t b = 0; b < copies[k].length; b += 32) {
        memcpy(to + b, copies[k].src < 0 ? constant : from + b, 32);
      }
    }
  }
}

void SSTI_KERNEL(ssti_kernel_fill_slab)(ssti_kernels_of_level *table) {
  table->slab_sum = slab_sum;
  table->slab_fill = slab_fill;
}
