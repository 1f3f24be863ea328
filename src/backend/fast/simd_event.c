// SPDX-License-Identifier: Apache-2.0
// The loops of event-driven convolutions and linear layers (event.h). Sums stay in registers while bits are walked, so
// they are vectors by type: compilers do not keep a plain array there. Per output it is always the same additions in
// the same order, whatever the width of the vectors.
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "backend/fast/simd.h"

typedef float lanes __attribute__((vector_size(SSTI_EVENT_LANES * sizeof(float)), aligned(4), may_alias));
enum { LANES = SSTI_EVENT_LANES, WORD = SSTI_EVENT_WORD, MOST_VECTORS = SSTI_EVENT_WIDTH / LANES };

static inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

#define INLINE static inline __attribute__((always_inline))

// Element i of f32 or bf16, as the bits of an f32.
INLINE uint32_t bits_at(const void *x, bool is_bf16, int64_t i) {
  return is_bf16 ? (uint32_t)((const ssti_bf16 *)x)[i] << 16 : bits_of(((const float *)x)[i]);
}

// One word, from element `at` on; false where a value is neither 0 nor `value` (as bits).
#ifdef __AVX512F__
INLINE __m512i vector_at(const void *x, bool is_bf16, int64_t i, __mmask16 there) {
  if (!is_bf16) { return _mm512_maskz_loadu_epi32(there, (const float *)x + i); }
  return _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, (const ssti_bf16 *)x + i)), 16);
}

INLINE bool pack_word(int64_t length, const void *x, bool is_bf16, int64_t at, uint32_t value, uint64_t *word) {
  const __m512i wanted = _mm512_set1_epi32((int32_t)value);
  uint64_t fired = 0;
  uint32_t odd = 0;
  for (int64_t i = 0; i < length; i += LANES) {
    const __mmask16 there = (__mmask16)(length - i < LANES ? (1U << (length - i)) - 1 : 0xffffU);
    const __m512i v = vector_at(x, is_bf16, at + i, there);
    const __mmask16 some = _mm512_test_epi32_mask(v, v);
    odd |= _mm512_mask_cmpneq_epi32_mask(some, v, wanted);
    fired |= (uint64_t)some << i;
  }
  *word = fired;
  return odd == 0;
}
#else
// Eight bytes that are 0 or 1 as eight bits, the first one lowest.
static inline uint64_t gather_bytes(const uint8_t *bytes) {
  uint64_t b;
  memcpy(&b, bytes, sizeof b);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  b = __builtin_bswap64(b);
#endif
  return b * UINT64_C(0x0102040810204080) >> 56;
}

INLINE bool pack_word(int64_t length, const void *x, bool is_bf16, int64_t at, uint32_t value, uint64_t *word) {
  uint8_t fired[WORD] = {0};
  uint32_t odd = 0;
  for (int64_t i = 0; i < length; i++) {
    const uint32_t v = bits_at(x, is_bf16, at + i);
    fired[i] = v != 0;
    odd |= v != 0 && v != value;
  }
  uint64_t all = 0;
  for (int i = 0; i < 8; i++) { all |= gather_bytes(fired + 8 * i) << (8 * i); }
  *word = all;
  return odd == 0;
}
#endif

INLINE void pack(int64_t rows, int64_t channels, const void *x, bool is_bf16, uint64_t *bits,
                 ssti_event_census *census) {
  const int64_t total = rows * channels;
  int64_t first = 0;
  *census = (ssti_event_census){.binary = true};
  while (first < total && bits_at(x, is_bf16, first) == 0) { first++; }
  const uint32_t value = first < total ? bits_at(x, is_bf16, first) : 0;
  memcpy(&census->value, &value, sizeof value);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < channels; c += WORD) {
      const int64_t at = r * channels + c;
      const bool right = channels - c >= WORD ? pack_word(WORD, x, is_bf16, at, value, bits)
                                              : pack_word(channels - c, x, is_bf16, at, value, bits);
      if (!right) {
        census->binary = false;
        return;
      }
      census->count += __builtin_popcountll(*bits++);
    }
  }
}

static void event_pack(int64_t rows, int64_t channels, const float *x, uint64_t *bits, ssti_event_census *census) {
  pack(rows, channels, x, false, bits, census);
}

static void event_pack_bf16(int64_t rows, int64_t channels, const ssti_bf16 *x, uint64_t *bits,
                            ssti_event_census *census) {
  pack(rows, channels, x, true, bits, census);
}

// ---- weights to and from blocks

static void event_to_blocks(const ssti_event_matrix *m, int64_t begin, int64_t end, const float *weight,
                            float *blocks) {
  const int64_t padded = ssti_event_padded(m->out_c);
  for (int64_t first = 0; first < padded;) {
    const int64_t width = ssti_event_width(padded - first), left = m->out_c - first, real = left < width ? left : width;
    float *block = blocks + first * m->rows;
    for (int64_t r = begin; r < end; r++) {
      for (int64_t o = 0; o < real; o++) { block[r * width + o] = m->scale * weight[(first + o) * m->stride + r]; }
      for (int64_t o = real; o < width; o++) { block[r * width + o] = 0.0f; }
    }
    first += width;
  }
}

static void event_from_blocks(const ssti_event_matrix *m, int64_t begin, int64_t end, const float *blocks,
                              int64_t count, int64_t distance, float *gradient, bool accumulate) {
  const int64_t padded = ssti_event_padded(m->out_c);
  for (int64_t first = 0; first < padded;) {
    const int64_t width = ssti_event_width(padded - first), left = m->out_c - first, real = left < width ? left : width;
    for (int64_t r = begin; r < end; r++) {
      float sum[SSTI_EVENT_WIDTH];
      const float *row = blocks + first * m->rows + r * width;
      for (int64_t o = 0; o < width; o++) { sum[o] = row[o]; }
      for (int64_t i = 1; i < count; i++) {
        for (int64_t o = 0; o < width; o++) { sum[o] += row[i * distance + o]; }
      }
      for (int64_t o = 0; o < real; o++) {
        float *to = gradient + (first + o) * m->stride + r;
        *to = (accumulate ? *to : 0.0f) + m->scale * sum[o];
      }
    }
    first += width;
  }
}

// ---- lists, and sums by them

// Rows become columns: bit j of word i and bit i of word j change places.
static void transpose_bits(uint64_t *m) {
  uint64_t mask = UINT64_C(0x00000000FFFFFFFF);
  for (int j = 32; j != 0; j >>= 1, mask ^= mask << j) {
    for (int base = 0; base < WORD; base += 2 * j) {
      for (int k = base; k < base + j; k++) {
        const uint64_t t = ((m[k] >> j) ^ m[k + j]) & mask;
        m[k] ^= t << j;
        m[k + j] ^= t;
      }
    }
  }
}

// Where channel c of a word fires among `groups` times 64 pixels, of which `pixels` holds the words; they are
// overwritten.
static int64_t event_channel_lists(int64_t channels, int64_t groups, uint64_t *pixels, uint32_t *start, uint16_t *list,
                                   int64_t at) {
  for (int64_t g = 0; g < groups; g++) { transpose_bits(pixels + g * WORD); }
  for (int64_t c = 0; c < channels; c++) {
    start[c] = (uint32_t)at;
    for (int64_t g = 0; g < groups; g++) {
      for (uint64_t left = pixels[g * WORD + c]; left != 0; left &= left - 1) {
        list[at++] = (uint16_t)(g * WORD + __builtin_ctzll(left));
      }
    }
  }
  start[channels] = (uint32_t)at;
  return at;
}

// Appends the places of the bits. Eight at a time, more than there are where need be: the loop's end is guessed right
// more often than with one at a time. Up to seven entries beyond the end are overwritten.
static inline uint16_t *append_bits(uint64_t word, uint16_t base, uint16_t *to) {
  uint16_t *end = to + __builtin_popcountll(word);
  for (; word != 0; to += 8) {
    for (int i = 0; i < 8; i++) {
      to[i] = (uint16_t)(base + (word != 0 ? __builtin_ctzll(word) : 0));
      word &= word - 1;
    }
  }
  return end;
}

static void event_pixel_lists(int64_t pixels, int64_t words, const uint64_t *bits, uint32_t *start, uint16_t *list) {
  uint16_t *to = list;
  for (int64_t p = 0; p < pixels; p++) {
    for (int64_t w = 0; w < words; w++) {
      *start++ = (uint32_t)(to - list);
      to = append_bits(*bits++, (uint16_t)(w * WORD), to);
    }
  }
  *start = (uint32_t)(to - list);
}

static inline __attribute__((always_inline)) void load(int vectors, const float *from, lanes *a) {
  for (int i = 0; i < vectors; i++) { a[i] = *(const lanes *)(const void *)(from + i * LANES); }
}

static inline __attribute__((always_inline)) void store(int vectors, const lanes *a, float *to) {
  for (int i = 0; i < vectors; i++) { *(lanes *)(void *)(to + i * LANES) = a[i]; }
}

// target += the sum of the rows of `source` that are numbered from `at` to before `end`.
static inline __attribute__((always_inline)) void add_rows(int vectors, const uint16_t *at, const uint16_t *end,
                                                           const float *source, float *target) {
  if (at == end) { return; }
  lanes a[MOST_VECTORS];
  load(vectors, target, a);
  for (; at < end; at++) {
    const float *from = source + *at * (vectors * LANES);
    for (int i = 0; i < vectors; i++) { a[i] += *(const lanes *)(const void *)(from + i * LANES); }
  }
  store(vectors, a, target);
}

static inline __attribute__((always_inline)) void tap_block(int vectors, const ssti_event_tap *t, const float *source,
                                                            float *target) {
  const ssti_conv2d *s = t->shape;
  const int64_t words = ssti_event_words(s->in_c);
  for (int64_t oy = t->row; oy < t->row + t->rows; oy++) {
    const int64_t iy = oy * s->stride_h - s->pad_h + t->ky * s->dilation_h;
    if (iy < 0 || iy >= s->in_h) {
      target += s->out_w * vectors * LANES;
      continue;
    }
    const uint32_t *start = t->start + (iy - t->first_in) * s->in_w * words;
    for (int64_t ox = 0; ox < s->out_w; ox++, target += vectors * LANES) {
      const int64_t ix = ox * s->stride_w - s->pad_w + t->kx * s->dilation_w;
      if (ix < 0 || ix >= s->in_w) { continue; }
      const uint32_t *pixel = start + ix * words;
      add_rows(vectors, t->list + pixel[t->first_word], t->list + pixel[t->last_word], source, target);
    }
  }
}

static void event_tap(const ssti_event_tap *t, int64_t width, const float *source, float *target) {
  switch (width) {
  case 64: tap_block(4, t, source, target); break;
  case 32: tap_block(2, t, source, target); break;
  default: tap_block(1, t, source, target); break;
  }
}

// ---- a row of three taps at once

#ifdef __AVX512F__
// Outputs outside the picture are not there: their sums begin with zeros and are dropped.
INLINE void load_inside(int vectors, int64_t ox, int64_t width, const float *row, lanes *a) {
  if (ox >= 0 && ox < width) {
    load(vectors, row + ox * vectors * LANES, a);
  } else {
    for (int i = 0; i < vectors; i++) { a[i] = (lanes){0}; }
  }
}

INLINE void store_inside(int vectors, int64_t ox, int64_t width, const lanes *a, float *row) {
  if (ox >= 0 && ox < width) { store(vectors, a, row + ox * vectors * LANES); }
}

// Input pixel ix adds to the outputs ix + pad, one left of that and two left of that; their sums move on in registers,
// so that a pixel's list is walked once for three taps. `tap_distance`: from the weights of one tap to those of the
// next.
INLINE void slide(int vectors, const ssti_event_tap *t, const uint32_t *start, const float *source, float *row) {
  const ssti_conv2d *s = t->shape;
  const int64_t words = ssti_event_words(s->in_c), tap_distance = s->in_c * vectors * LANES;
  lanes a0[MOST_VECTORS], a1[MOST_VECTORS], a2[MOST_VECTORS];
  int64_t ox = s->pad_w;
  load_inside(vectors, ox - 1, s->out_w, row, a1);
  load_inside(vectors, ox - 2, s->out_w, row, a2);
  for (int64_t ix = 0; ix < s->in_w; ix++, ox++) {
    const uint32_t *pixel = start + ix * words;
    const uint16_t *at = t->list + pixel[t->first_word], *end = t->list + pixel[t->last_word];
    load_inside(vectors, ox, s->out_w, row, a0);
    for (; at < end; at++) {
      const float *from = source + *at * (vectors * LANES);
      for (int i = 0; i < vectors; i++) { a0[i] += *(const lanes *)(const void *)(from + i * LANES); }
      from += tap_distance;
      for (int i = 0; i < vectors; i++) { a1[i] += *(const lanes *)(const void *)(from + i * LANES); }
      from += tap_distance;
      for (int i = 0; i < vectors; i++) { a2[i] += *(const lanes *)(const void *)(from + i * LANES); }
    }
    store_inside(vectors, ox - 2, s->out_w, a2, row);
    for (int i = 0; i < vectors; i++) { a2[i] = a1[i], a1[i] = a0[i]; }
  }
  store_inside(vectors, ox - 1, s->out_w, a1, row);
  store_inside(vectors, ox - 2, s->out_w, a2, row);
}

INLINE void three_taps(int vectors, const ssti_event_tap *t, const float *source, float *target) {
  const ssti_conv2d *s = t->shape;
  for (int64_t oy = t->row; oy < t->row + t->rows; oy++, target += s->out_w * vectors * LANES) {
    const int64_t iy = oy * s->stride_h - s->pad_h + t->ky * s->dilation_h;
    if (iy < 0 || iy >= s->in_h) { continue; }
    slide(vectors, t, t->start + (iy - t->first_in) * s->in_w * ssti_event_words(s->in_c), source, target);
  }
}
#else
// Too few registers for three sums.
INLINE void three_taps(int vectors, const ssti_event_tap *t, const float *source, float *target) {
  ssti_event_tap tap = *t;
  for (tap.kx = 0; tap.kx < 3; tap.kx++) {
    tap_block(vectors, &tap, source + tap.kx * tap.shape->in_c * vectors * LANES, target);
  }
}
#endif

static void event_three_taps(const ssti_event_tap *t, int64_t width, const float *source, float *target) {
  switch (width) {
  case 64: three_taps(4, t, source, target); break;
  case 32: three_taps(2, t, source, target); break;
  default: three_taps(1, t, source, target); break;
  }
}

// ---- gradients of weights

static inline __attribute__((always_inline)) void sum_block(int vectors, const ssti_event_lists *l, const float *source,
                                                            float *target) {
  for (int64_t t = 0; t < l->targets; t++) {
    add_rows(vectors, l->list + l->start[t], l->list + l->start[t + 1], source, target + t * vectors * LANES);
  }
}

static void event_sum(const ssti_event_lists *lists, int64_t width, const float *source, float *target) {
  switch (width) {
  case 64: sum_block(4, lists, source, target); break;
  case 32: sum_block(2, lists, source, target); break;
  default: sum_block(1, lists, source, target); break;
  }
}

void SSTI_SIMD(ssti_simd_fill_event)(ssti_simd *table) {
  table->event_pack = event_pack;
  table->event_pack_bf16 = event_pack_bf16;
  table->event_to_blocks = event_to_blocks;
  table->event_from_blocks = event_from_blocks;
  table->event_pixel_lists = event_pixel_lists;
  table->event_tap = event_tap;
  table->event_three_taps = event_three_taps;
  table->event_channel_lists = event_channel_lists;
  table->event_sum = event_sum;
}
