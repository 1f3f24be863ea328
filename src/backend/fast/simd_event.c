// SPDX-License-Identifier: Apache-2.0
// The loops of event-driven convolutions and linear layers (event.h). Sums stay in registers while bits are walked, so
// they are vectors by type: compilers do not keep a plain array there. Per output it is always the same additions in
// the same order, whatever the width of the vectors.
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "backend/fast/simd.h"
#include "base/sizes.h"

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
    const int64_t width = ssti_event_width(padded - first), real = ssti_smaller(width, m->out_c - first);
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
    const int64_t width = ssti_event_width(padded - first), real = ssti_smaller(width, m->out_c - first);
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

// Appends the places of the bits. Up to SSTI_EVENT_SLACK entries beyond the end are overwritten.
#ifdef __AVX512F__
INLINE uint16_t *append_bits(uint64_t word, uint16_t base, uint16_t *to) {
  const __m512i places = _mm512_add_epi32(_mm512_set1_epi32(base),
                                          _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  for (int i = 0; i < WORD; i += LANES) {
    const __mmask16 fired = (__mmask16)(word >> i);
    const __m512i found = _mm512_maskz_compress_epi32(fired, _mm512_add_epi32(places, _mm512_set1_epi32(i)));
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtepi32_epi16(found));
    to += __builtin_popcount(fired);
  }
  return to;
}
#else
// Eight at a time, more than there are where need be: the loop's end is guessed right more often than with one.
INLINE uint16_t *append_bits(uint64_t word, uint16_t base, uint16_t *to) {
  uint16_t *end = to + __builtin_popcountll(word);
  for (; word != 0; to += 8) {
    for (int i = 0; i < 8; i++) {
      to[i] = (uint16_t)(base + (word != 0 ? __builtin_ctzll(word) : 0));
      word &= word - 1;
    }
  }
  return end;
}
#endif

// Where channel c of a word fires among `groups` times 64 pixels, of which `pixels` holds the words; they are
// overwritten.
static int64_t event_channel_lists(int64_t channels, int64_t groups, uint64_t *pixels, uint32_t *start, uint16_t *list,
                                   int64_t at) {
  for (int64_t g = 0; g < groups; g++) { transpose_bits(pixels + g * WORD); }
  uint16_t *to = list + at;
  for (int64_t c = 0; c < channels; c++) {
    start[c] = (uint32_t)(to - list);
    for (int64_t g = 0; g < groups; g++) { to = append_bits(pixels[g * WORD + c], (uint16_t)(g * WORD), to); }
  }
  start[channels] = (uint32_t)(to - list);
  return to - list;
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

// ---- nine taps at once

#ifdef __AVX512F__
enum { TAPS = 9 };

static void event_to_nines(const ssti_event_matrix *m, int64_t begin, int64_t end, const float *weight, float *blocks) {
  const int64_t channels = m->rows / TAPS;
  for (int64_t first = 0; first < m->out_c; first += LANES) {
    const int64_t real = ssti_smaller(LANES, m->out_c - first);
    for (int64_t c = begin; c < end; c++) {
      for (int64_t tap = 0; tap < TAPS; tap++) {
        float *to = blocks + ((first / LANES * channels + c) * TAPS + tap) * LANES;
        const float *from = weight + first * m->stride + tap * channels + c;
        for (int64_t o = 0; o < real; o++) { to[o] = m->scale * from[o * m->stride]; }
        for (int64_t o = real; o < LANES; o++) { to[o] = 0.0f; }
      }
    }
  }
}

// A pixel's spikes add to nine outputs, three in each of three rows. The sums of a row move on in registers from pixel
// to pixel, so that each is loaded and stored once.
INLINE void nine_taps(const ssti_event_row *r, bool begins) {
  const lanes begin = begins ? *(const lanes *)(const void *)r->bias : (lanes){0};
  const int64_t pixels = r->pixels, words = r->words;
  const uint32_t *start = r->start;
  const uint16_t *list = r->list;
  const float *weights = r->weights;
  lanes a[3][3], *sums[3];
  for (int ky = 0; ky < 3; ky++) {
    sums[ky] = (lanes *)(void *)r->sums[ky];
    a[ky][2] = begins && ky == 0 ? begin : sums[ky][0];
    a[ky][1] = begins && ky == 0 ? begin : sums[ky][1];
  }
  for (int64_t p = 0; p < pixels; p++, start += words) {
    for (int ky = 0; ky < 3; ky++) { a[ky][0] = begins && ky == 0 ? begin : sums[ky][p + 2]; }
    for (const uint16_t *at = list + start[0], *end = list + start[1]; at < end; at++) {
      const lanes *w = (const lanes *)(const void *)(weights + (size_t)*at * (TAPS * LANES));
      for (int ky = 0; ky < 3; ky++) {
        for (int kx = 0; kx < 3; kx++) { a[ky][kx] += w[3 * ky + kx]; }
      }
    }
    for (int ky = 0; ky < 3; ky++) { sums[ky][p] = a[ky][2], a[ky][2] = a[ky][1], a[ky][1] = a[ky][0]; }
  }
  for (int ky = 0; ky < 3; ky++) { sums[ky][pixels] = a[ky][2], sums[ky][pixels + 1] = a[ky][1]; }
}

static void event_nine_taps(const ssti_event_row *row) {
  if (row->bias != NULL) {
    nine_taps(row, true);
  } else {
    nine_taps(row, false);
  }
}

static void event_put(int64_t pixels, int64_t real, const float *sums, int64_t step, float *y) {
  const __mmask16 there = (__mmask16)((1U << real) - 1);
  for (int64_t p = 0; p < pixels; p++) {
    _mm512_mask_storeu_ps(y + p * step, there, _mm512_loadu_ps(sums + p * LANES));
  }
}

static void event_put_bf16(int64_t pixels, int64_t real, const float *sums, int64_t step, ssti_bf16 *y) {
  for (int64_t p = 0; p < pixels; p++) {
    for (int64_t o = 0; o < real; o++) { y[p * step + o] = ssti_bf16_of(sums[p * LANES + o]); }
  }
}
#endif

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
#ifdef __AVX512F__
  table->event_to_nines = event_to_nines;
  table->event_nine_taps = event_nine_taps;
  table->event_put = event_put;
  table->event_put_bf16 = event_put_bf16;
#endif
  table->event_channel_lists = event_channel_lists;
  table->event_sum = event_sum;
}
