// SPDX-License-Identifier: Apache-2.0
// Carry-save sums: of a slab's rows, those with a weight are counted, one counter for each of a tile's 1024 bits.
// Eight rows go through a tree of full adders into the three lowest planes of the counters, which stay in registers;
// their carries, of weight eight, are rows of the next three planes, and so on.
#include <assert.h>
#include <stddef.h>

#include "deploy/kernel_vector.h"

// Two vectors beside each other: enough independent work to hide an adder's latency, and few enough registers.
enum { PAIR = 2, PAIR_BYTES = PAIR * VECTOR_BYTES, PLANES = 3 };

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

INLINE vector add_two(vector *sum, vector a, vector b, bool minus) {
  return minus ? full_add_complements(sum, a, b) : full_add(sum, a, b);
}

// Eight rows into the counters; returns the carry of weight 8. Threes are summed before they meet the counters, so that
// these wait for two adders, not for four. Sum and carry of three complements are the complements of sum and carry.
INLINE vector add_eight(counters *c, int v, const uint8_t *column, const uint64_t row[8], bool minus) {
  const uint8_t *at = column + v * VECTOR_BYTES;
  vector a = load_once(at + row[0]), b = load_once(at + row[3]);
  const vector carry_a = full_add(&a, load_once(at + row[1]), load_once(at + row[2]));
  const vector carry_b = full_add(&b, load_once(at + row[4]), load_once(at + row[5]));
  const vector low = add_two(&c->plane[0][v], load_once(at + row[6]), load_once(at + row[7]), minus);
  const vector high = add_two(&c->plane[0][v], a, b, minus);
  const vector four = add_two(&c->plane[1][v], carry_a, carry_b, minus);
  return full_add(&c->plane[2][v], four, full_add(&c->plane[1][v], low, high));
}

// Places of eight rows, four in a word: as many loads as rows would keep the rows themselves waiting.
INLINE void find_rows(const uint16_t *list, uint64_t row[8]) {
  for (int half = 0; half < 2; half++) {
    uint64_t four;
    memcpy(&four, list + half * 4, sizeof four);
#if SSTI_HAS_AVX512
    __asm__("" : "+r"(four));
#endif
    for (int i = 0; i < 4; i++) { row[half * 4 + i] = four >> (16 * i) & UINT16_MAX; }
  }
}

// A list's eights, each with its carry.
INLINE uint8_t *add_list(counters *c, const uint16_t *list, int eights, const uint8_t *column, bool minus,
                         uint8_t *carry) {
  for (int n = 0; n < eights; n++, carry += PAIR_BYTES) {
    uint64_t row[8];
    find_rows(list + n * 8, row);
    for (int v = 0; v < PAIR; v++) { store(carry + v * VECTOR_BYTES, add_eight(c, v, column, row, minus)); }
  }
  return carry;
}

// From the carries to the slab's row of zeros, which stands for rows behind the last.
static const int64_t zeros_row =
    (int64_t)offsetof(ssti_slab, row[SSTI_SLAB_ZEROS]) - (int64_t)offsetof(ssti_slab, carries);

// Carries become rows: eight of them make one of the next.
INLINE int add_carries(counters *c, uint8_t *carries, int count) {
  const int eights = (count + 7) / 8;
  for (int n = 0; n < eights; n++) {
    uint64_t row[8];
    for (int i = 0; i < 8; i++) { row[i] = (uint64_t)(n * 8 + i < count ? (n * 8 + i) * PAIR_BYTES : zeros_row); }
    for (int v = 0; v < PAIR; v++) {
      store(carries + n * PAIR_BYTES + v * VECTOR_BYTES, add_eight(c, v, carries, row, false));
    }
  }
  return eights;
}

// Planes of counters in memory. What stands above the last of a sum is another's: it is counted on, and not kept.
INLINE void take_planes(counters *c, const uint8_t *sum, bool first) {
  for (int i = 0; i < PLANES; i++) {
    for (int v = 0; v < PAIR; v++) {
      c->plane[i][v] = first ? zeros() : load(sum + i * SSTI_TILE_BYTES + v * VECTOR_BYTES);
    }
  }
}
INLINE void keep_planes(const counters *c, uint8_t *sum, int width) {
  for (int i = 0; i < PLANES; i++) {
    if (i >= width) { return; }
    for (int v = 0; v < PAIR; v++) { store(sum + i * SSTI_TILE_BYTES + v * VECTOR_BYTES, c->plane[i][v]); }
  }
}

// What is left are few rows: four at a time into two planes, their carry up through the others. Planes of a first sum
// are made even where nothing is left.
INLINE void add_fours(uint8_t *sum, int width, const uint8_t *rows, int count, bool first) {
  for (int n = 0; n < count || (first && n == 0); n += 4) {
    int64_t row[4];
    for (int i = 0; i < 4; i++) { row[i] = n + i < count ? (n + i) * PAIR_BYTES : zeros_row; }
    const bool none = first && n == 0;
    vector carry[PAIR];
    for (int v = 0; v < PAIR; v++) {
      const uint8_t *at = rows + v * VECTOR_BYTES;
      uint8_t *low = sum + v * VECTOR_BYTES, *high = low + SSTI_TILE_BYTES;
      vector one = none ? zeros() : load(low), two = none || width < 2 ? zeros() : load(high);
      const vector a = full_add(&one, load_once(at + row[0]), load_once(at + row[1]));
      const vector b = full_add(&one, load_once(at + row[2]), load_once(at + row[3]));
      carry[v] = full_add(&two, a, b);
      store(low, one);
      if (width > 1) { store(high, two); }
    }
    for (int i = 2; i < width; i++) {
      for (int v = 0; v < PAIR; v++) {
        uint8_t *plane = sum + i * SSTI_TILE_BYTES + v * VECTOR_BYTES;
        vector s = none ? zeros() : load(plane);
        carry[v] = half_add(&s, carry[v]);
        store(plane, s);
      }
    }
  }
}

// Where the rows whose bits are set begin in the slab, then the row `pad` up to a multiple of eight; returns the
// eights.
static_assert(SSTI_SLAB_ALL * SSTI_TILE_BYTES <= UINT16_MAX, "a place in the slab has 16 bits");
INLINE int decode(const uint32_t *mask, int words, int pad, uint16_t list[SSTI_SLAB_LIST]) {
  int count = 0;
  for (int w = 0; w < words; w++) {
#if SSTI_HAS_AVX512
    const __m512i places =
        _mm512_slli_epi16(_mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
                                           12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                          7);
    static_assert(SSTI_TILE_BYTES == 1 << 7, "as the shift says");
    const __m512i shifted = _mm512_add_epi16(places, _mm512_set1_epi16((short)(w * 32 * SSTI_TILE_BYTES)));
    _mm512_storeu_si512(list + count, _mm512_maskz_compress_epi16(mask[w], shifted));
    count += __builtin_popcount(mask[w]);
#else
    for (uint32_t bits = mask[w]; bits != 0; bits &= bits - 1) {
      list[count++] = (uint16_t)((w * 32 + __builtin_ctz(bits)) * SSTI_TILE_BYTES);
    }
#endif
  }
  for (int i = 0; i < 8; i++) { list[count + i] = (uint16_t)(pad * SSTI_TILE_BYTES); }
  return (count + 7) / 8;
}

INLINE void sum_column(ssti_slab *slab, int plus_eights, int minus_eights, int at, uint8_t *sum, int width,
                       bool first) {
  uint8_t *carries = slab->carries[0];
  counters c;
  take_planes(&c, sum, first);
  uint8_t *end = add_list(&c, slab->plus, plus_eights, slab->row[0] + at, false, carries);
  (void)add_list(&c, slab->minus, minus_eights, slab->row[0] + at, true, end);
  keep_planes(&c, sum, width);
  sum += PLANES * SSTI_TILE_BYTES;
  width -= PLANES;
  if (width <= 0) { return; }
  take_planes(&c, sum, first);
  const int eights = add_carries(&c, carries, plus_eights + minus_eights);
  keep_planes(&c, sum, width);
  if (width > PLANES) { add_fours(sum + PLANES * SSTI_TILE_BYTES, width - PLANES, carries, eights, first); }
}

static int slab_sum(const uint32_t *sign, const uint32_t *magnitude, const uint32_t *some, int words, ssti_slab *slab,
                    uint8_t *acc, int level, int width, bool first) {
  uint32_t plus[SSTI_SLAB_WORDS], minus[SSTI_SLAB_WORDS];
  int skipped = 0;
  for (int w = 0; w < words; w++) {
    plus[w] = magnitude[w] & ~sign[w] & some[w];
    minus[w] = magnitude[w] & sign[w] & some[w];
    skipped += __builtin_popcount(magnitude[w] & sign[w] & ~some[w]);
  }
  // A complemented row of ones adds nothing, as a row of zeros does.
  const int plus_eights = decode(plus, words, SSTI_SLAB_ZEROS, slab->plus);
  const int minus_eights = decode(minus, words, SSTI_SLAB_ONES, slab->minus);
  if (plus_eights + minus_eights == 0 && !first) { return skipped; }
  for (int at = 0; at < SSTI_TILE_BYTES; at += PAIR_BYTES) {
    uint8_t *sum = acc + level * SSTI_TILE_BYTES + at;
    if (first) {
      sum_column(slab, plus_eights, minus_eights, at, sum, width - level, true);
    } else {
      sum_column(slab, plus_eights, minus_eights, at, sum, width - level, false);
    }
  }
  return skipped;
}

// ---- numbers of several planes

// Two rows at a time, the last alone: their carries go up a plane.
INLINE uint8_t *add_pairs(vector s[PAIR], const uint16_t *list, int count, const uint8_t *base, bool minus,
                          uint8_t *carry) {
  for (int i = 0; i < count; i += 2, carry += PAIR_BYTES) {
    const uint8_t *a = base + list[i], *b = base + list[i + 1];
    for (int v = 0; v < PAIR; v++) {
      const vector x = load_once(a + v * VECTOR_BYTES);
      vector y = minus ? ones() : zeros();
      if (i + 1 < count) { y = load_once(b + v * VECTOR_BYTES); }
      store(carry + v * VECTOR_BYTES, add_two(&s[v], x, y, minus));
    }
  }
  return carry;
}

// The same with carries from the plane below, whose places the new ones take.
INLINE uint8_t *halve_carries(vector s[PAIR], uint8_t *carries, const uint8_t *end) {
  uint8_t *to = carries;
  for (const uint8_t *from = carries; from < end; from += 2 * PAIR_BYTES, to += PAIR_BYTES) {
    for (int v = 0; v < PAIR; v++) {
      vector y = zeros();
      if (from + PAIR_BYTES < end) { y = load(from + PAIR_BYTES + v * VECTOR_BYTES); }
      store(to + v * VECTOR_BYTES, full_add(&s[v], load(from + v * VECTOR_BYTES), y));
    }
  }
  return to;
}

static void slab_numbers(const uint32_t *sign, const uint32_t *magnitude, int rows, int planes, ssti_slab *slab,
                         uint8_t *acc, int width) {
  const uint32_t plus = *magnitude & ~*sign, minus = *magnitude & *sign;
  (void)decode(&plus, 1, SSTI_SLAB_ZEROS, slab->plus);
  (void)decode(&minus, 1, SSTI_SLAB_ONES, slab->minus);
  for (int at = 0; at < SSTI_TILE_BYTES; at += PAIR_BYTES) {
    uint8_t *end = slab->carries[0];
    for (int i = 0; i < width; i++) {
      // Sums of their own, so that none waits for another.
      vector s[PAIR], above[PAIR], below[PAIR];
      for (int v = 0; v < PAIR; v++) { s[v] = above[v] = below[v] = zeros(); }
      end = halve_carries(s, slab->carries[0], end);
      if (i < planes) {
        const uint8_t *base = slab->row[i * rows] + at;
        end = add_pairs(above, slab->plus, __builtin_popcount(plus), base, false, end);
        end = add_pairs(below, slab->minus, __builtin_popcount(minus), base, true, end);
        for (int v = 0; v < PAIR; v++) { store(end + v * VECTOR_BYTES, full_add(&s[v], above[v], below[v])); }
        end += PAIR_BYTES;
      }
      for (int v = 0; v < PAIR; v++) { store(acc + i * SSTI_TILE_BYTES + at + v * VECTOR_BYTES, s[v]); }
    }
  }
}
// Carries of a plane: half of its rows and of those before, each list's last alone, and one of the three sums.
static_assert(32 + 2 * 4 <= SSTI_SLAB_CARRIES, "carries of 32 rows have room");

// ---- rows

// Bits [first, first + rows) of `some`.
static void find_some(const uint8_t *row, int64_t first, int64_t rows, uint32_t *some) {
  for (int64_t i = first; i < first + rows; i++, row += SSTI_TILE_BYTES) {
    vector any = load(row);
    for (int at = VECTOR_BYTES; at < SSTI_TILE_BYTES; at += VECTOR_BYTES) { any |= load(row + at); }
    uint64_t word[VECTOR_BYTES / 8], bits = 0;
    memcpy(word, &any, sizeof word);
    for (int k = 0; k < VECTOR_BYTES / 8; k++) { bits |= word[k]; }
    some[i / 32] |= (uint32_t)(bits != 0) << i % 32;
  }
}

static void copy_rows(uint8_t *row, int64_t channels, const uint8_t *base, int64_t channel_stride,
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

#if SSTI_HAS_AVX512
// One half of a row as one load under a mask: bytes of a plane that are as far from each other there as here.
typedef struct half_row {
  int64_t src;
  __mmask64 mask;
} half_row;
static_assert(SSTI_TILE_BYTES == 2 * 64, "a row is two halves");

// Windows of stride 1 over rows as wide as the output's: whatever the tap, only borders are left out. False where a
// half needs more than one load.
static bool find_halves(const ssti_copy *copies, int count, half_row half[2]) {
  half[0] = half[1] = (half_row){0, 0};
  for (int k = 0; k < count; k++) {
    for (int h = copies[k].dst / 64; copies[k].src >= 0 && h * 64 < copies[k].dst + copies[k].length; h++) {
      const int64_t first = copies[k].dst - h * 64, end = first + copies[k].length, src = copies[k].src - first;
      const uint64_t from = ~UINT64_C(0) << (first > 0 ? first : 0);
      const uint64_t mask = end < 64 ? from & ~(~UINT64_C(0) << end) : from;
      if (half[h].mask != 0 && half[h].src != src) { return false; }
      half[h] = (half_row){src, half[h].mask | mask};
    }
  }
  return true;
}

static void load_rows(uint8_t *row, int64_t channels, const uint8_t *base, int64_t channel_stride,
                      const half_row half[2], uint8_t fill, uint32_t *some, int64_t first) {
  const __m512i constant = _mm512_set1_epi8((char)fill);
  uint32_t bits = 0;
  for (int64_t i = first; i < first + channels; i++, row += SSTI_TILE_BYTES, base += channel_stride) {
    const __m512i a = _mm512_mask_loadu_epi8(constant, half[0].mask, base + half[0].src);
    const __m512i b = _mm512_mask_loadu_epi8(constant, half[1].mask, base + half[1].src);
    const __m512i both = _mm512_or_si512(a, b);
    _mm512_storeu_si512(row, a);
    _mm512_storeu_si512(row + 64, b);
    bits |= (uint32_t)(_mm512_test_epi64_mask(both, both) != 0) << i % 32;
    if (some != NULL && (i % 32 == 31 || i + 1 == first + channels)) { some[i / 32] |= bits, bits = 0; }
  }
}
#endif

static void slab_fill(uint8_t *row, int64_t channels, const uint8_t *base, int64_t channel_stride,
                      const ssti_copy *copies, int count, uint8_t fill, uint32_t *some, int64_t first) {
#if SSTI_HAS_AVX512
  half_row half[2];
  if (find_halves(copies, count, half)) {
    load_rows(row, channels, base, channel_stride, half, fill, some, first);
    return;
  }
#endif
  copy_rows(row, channels, base, channel_stride, copies, count, fill);
  if (some != NULL) { find_some(row, first, channels, some); }
}

void SSTI_KERNEL(ssti_kernel_fill_slab)(ssti_kernels_of_level *table) {
  table->slab_sum = slab_sum;
  table->slab_numbers = slab_numbers;
  table->slab_fill = slab_fill;
}
