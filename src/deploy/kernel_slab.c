// SPDX-License-Identifier: Apache-2.0
// Carry-save sums: of a slab's rows, those with a weight are counted, one counter for each of a tile's 1024 bits.
// Sixteen rows go through a tree of full adders into the four lowest planes of the counters, which stay in registers.
#include <assert.h>

#include "deploy/kernel_vector.h"

enum { PLANES = 9, PAIR = 2, PAIR_BYTES = PAIR * VECTOR_BYTES };

// Two vectors beside each other: enough independent work to hide an adder's latency, and few enough registers.
typedef struct counters {
  vector plane[PLANES][PAIR];
} counters;

// Into a register, so that an adder's two instructions do not both read memory.
INLINE vector load_once(const uint8_t *from) {
  vector v = load(from);
#if SSTI_HAS_AVX512
  __asm__("" : "+v"(v));
#endif
  return v;
}

INLINE vector add_two(vector *sum, const uint8_t *a, const uint8_t *b, bool minus) {
  return minus ? full_add_complements(sum, load_once(a), load_once(b)) : full_add(sum, load_once(a), load_once(b));
}

// Eight rows, told by their places in the slab, into planes 0 to 2; returns the carry of weight 8.
INLINE vector add_eight(counters *c, int v, const uint8_t *column, const uint64_t row[8], bool minus) {
  const uint8_t *at = column + v * VECTOR_BYTES;
  vector four[2];
  for (int half = 0; half < 2; half++) {
    const uint64_t *r = row + half * 4;
    const vector a = add_two(&c->plane[0][v], at + r[0], at + r[1], minus);
    const vector b = add_two(&c->plane[0][v], at + r[2], at + r[3], minus);
    four[half] = full_add(&c->plane[1][v], a, b);
  }
  return full_add(&c->plane[2][v], four[0], four[1]);
}

INLINE void carry_up(counters *c, int v, int from, vector carry) {
  for (int i = from; i < PLANES; i++) { carry = half_add(&c->plane[i][v], carry); }
}

INLINE void find_rows(const uint16_t *list, uint64_t row[8]) {
  for (int i = 0; i < 8; i++) { row[i] = list[i]; }
}

// `count` is a multiple of eight.
INLINE void add_list(counters *c, const uint16_t *list, int count, const uint8_t *column, bool minus) {
  uint64_t row[8];
  int n = 0;
  for (; n + 16 <= count; n += 16) {
    vector eight[PAIR];
    find_rows(list + n, row);
    for (int v = 0; v < PAIR; v++) { eight[v] = add_eight(c, v, column, row, minus); }
    find_rows(list + n + 8, row);
    for (int v = 0; v < PAIR; v++) {
      carry_up(c, v, 4, full_add(&c->plane[3][v], eight[v], add_eight(c, v, column, row, minus)));
    }
  }
  if (n < count) {
    find_rows(list + n, row);
    for (int v = 0; v < PAIR; v++) { carry_up(c, v, 3, add_eight(c, v, column, row, minus)); }
  }
}

// Where the rows whose bits are set begin in the slab, then the row `pad` up to a multiple of eight. The list has room
// for 64 more.
static_assert(SSTI_SLAB_ALL * SSTI_TILE_BYTES <= UINT16_MAX, "a place in the slab has 16 bits");
INLINE int decode(const uint64_t *mask, int words, int pad, uint16_t *list) {
  int count = 0;
  for (int w = 0; w < words; w++) {
#if SSTI_HAS_AVX512
    const __m512i places =
        _mm512_slli_epi16(_mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
                                           12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                          7);
    static_assert(SSTI_TILE_BYTES == 1 << 7, "as the shift says");
    for (int half = 0; half < 2; half++) {
      const uint32_t bits = (uint32_t)(mask[w] >> (32 * half));
      const __m512i shifted =
          _mm512_add_epi16(places, _mm512_set1_epi16((short)((2 * w + half) * 32 * SSTI_TILE_BYTES)));
      _mm512_storeu_si512(list + count, _mm512_maskz_compress_epi16(bits, shifted));
      count += __builtin_popcount(bits);
    }
#else
    for (uint64_t bits = mask[w]; bits != 0; bits &= bits - 1) {
      list[count++] = (uint16_t)((w * 64 + __builtin_ctzll(bits)) * SSTI_TILE_BYTES);
    }
#endif
  }
  for (int i = 0; i < 8; i++) { list[count + i] = (uint16_t)(pad * SSTI_TILE_BYTES); }
  return (count + 7) / 8 * 8;
}

static void slab_sum(const uint64_t *sign, const uint64_t *magnitude, int words, const uint8_t *slab, uint8_t *acc,
                     int level, int width, bool first) {
  uint64_t plus[SSTI_SLAB_WORDS], minus[SSTI_SLAB_WORDS];
  uint16_t plus_list[SSTI_SLAB_ROWS + 64], minus_list[SSTI_SLAB_ROWS + 64];
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
      if (first) {
        for (int i = 0; i < width; i++) { store(sum + i * SSTI_TILE_BYTES, zeros()); }
        for (int i = 0; i < PLANES && level + i < width; i++) {
          store(sum + (level + i) * SSTI_TILE_BYTES, c.plane[i][v]);
        }
        continue;
      }
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
      const uint8_t *from = copies[k].src < 0 ? constant : base + copies[k].src;
      if (copies[k].length <= 8) { // single words, where a stride leaves some out
        memcpy(to, from, 8);
        continue;
      }
      const int64_t ahead = copies[k].src < 0 ? 0 : 32;
      for (int32_t b = 0; b < copies[k].length; b += 32, from += ahead) { memcpy(to + b, from, 32); }
    }
  }
}

void SSTI_KERNEL(ssti_kernel_fill_slab)(ssti_kernels_of_level *table) {
  table->slab_sum = slab_sum;
  table->slab_fill = slab_fill;
}
