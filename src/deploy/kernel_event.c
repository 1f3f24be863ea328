// SPDX-License-Identifier: Apache-2.0
// Adds the weights of those inputs that are not 0: a row of codes an input. Work follows the activity.
//
// Two ways: windows of bytes, whatever they are; and lists of places for small counts, of which spikes are the usual.
// Rows of codes are bytes, and so are their sums until they could overflow: 64 outputs are a vector of AVX-512.
#include "deploy/kernel_vector.h"

// Sixteen-bit sums of a stretch of outputs, in the first-level cache, widened at the end.
enum { STRETCH = 512 };

static void add_row16(int64_t width, int x, const int8_t *restrict w, int16_t *restrict sum) {
  if (x == 1) {
    for (int64_t o = 0; o < width; o++) { sum[o] = (int16_t)(sum[o] + w[o]); }
  } else {
    for (int64_t o = 0; o < width; o++) { sum[o] = (int16_t)(sum[o] + x * w[o]); }
  }
}

static void add_row32(int64_t width, int32_t x, const int8_t *restrict w, int32_t *restrict sum) {
  for (int64_t o = 0; o < width; o++) { sum[o] += x * w[o]; }
}

static void event_item(const uint8_t *x, int64_t inputs, int bias, bool small, int64_t width, int64_t weight_stride,
                       const int8_t *weights, int32_t *z) {
  int16_t sum[STRETCH];
  const uint64_t rest = 0x0101010101010101u * (uint64_t)bias;
  memset(sum, 0, sizeof sum);
  if (!small) { memset(z, 0, (size_t)width * sizeof *z); }
  for (int64_t k = 0; k < inputs; k += 8) {
    uint64_t eight = rest;
    memcpy(&eight, x + k, inputs - k < 8 ? (size_t)(inputs - k) : 8);
    if (eight == rest) { continue; }
    for (int64_t i = k; i < k + 8 && i < inputs; i++) {
      if (x[i] == bias) { continue; }
      if (small) {
        add_row16(width, x[i] - bias, weights + i * weight_stride, sum);
      } else {
        add_row32(width, x[i] - bias, weights + i * weight_stride, z);
      }
    }
  }
  for (int64_t o = 0; small && o < width; o++) { z[o] = sum[o]; }
}

static void event(const ssti_rows *r, int64_t inputs, int bias, bool small, int64_t width, int64_t weight_stride,
                  const int8_t *weights) {
  for (int64_t item = 0; item < r->items; item++) {
    for (int64_t first = 0; first < width; first += STRETCH) {
      const int64_t part = width - first < STRETCH ? width - first : STRETCH;
      event_item(r->x + item * r->x_stride, inputs, bias, small, part, weight_stride, weights + first,
                 r->z + item * r->z_stride + first);
    }
  }
}

static void event_wide(const ssti_rows *r, int64_t inputs, int64_t width, int64_t weight_stride,
                       const int8_t *weights) {
  for (int64_t item = 0; item < r->items; item++) {
    const int32_t *x = (const int32_t *)(const void *)(r->x + item * r->x_stride);
    int32_t *z = r->z + item * r->z_stride;
    memset(z, 0, (size_t)width * sizeof *z);
    for (int64_t k = 0; k < inputs; k++) {
      if (x[k] != 0) { add_row32(width, x[k], weights + k * weight_stride, z); }
    }
  }
}

// ---- lists

#if SSTI_HAS_AVX512
INLINE uint16_t *push_places(uint64_t mask, __m512i low, uint16_t *list) {
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(32 * SSTI_EVENT_WIDTH));
  _mm512_storeu_si512(list, _mm512_maskz_compress_epi16((__mmask32)mask, low));
  list += __builtin_popcount((uint32_t)mask);
  _mm512_storeu_si512(list, _mm512_maskz_compress_epi16((__mmask32)(mask >> 32), high));
  return list + __builtin_popcountll(mask >> 32);
}

static int64_t event_list(int64_t count, const uint8_t *x, int planes, uint16_t base, uint16_t *list) {
  const __m512i places = _mm512_slli_epi16(_mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                                                            16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                           6);
  uint16_t *end = list;
  for (int64_t i = 0; i < count; i += 64) {
    const __mmask64 valid = count - i >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (count - i)) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(valid, x + i);
    const __m512i low = _mm512_add_epi16(places, _mm512_set1_epi16((short)(base + i * SSTI_EVENT_WIDTH)));
    for (int plane = 0; plane < planes; plane++) {
      const uint64_t mask = _mm512_test_epi8_mask(bytes, _mm512_set1_epi8((char)(1 << plane)));
      for (int k = 0; mask != 0 && k < 1 << plane; k++) { end = push_places(mask, low, end); }
    }
  }
  return end - list;
}
#else
static int64_t event_list(int64_t count, const uint8_t *x, int planes, uint16_t base, uint16_t *list) {
  (void)planes;
  int64_t found = 0;
  for (int64_t i = 0; i < count; i += 8) {
    uint64_t eight = 0;
    memcpy(&eight, x + i, count - i < 8 ? (size_t)(count - i) : 8);
    if (eight == 0) { continue; }
    for (int64_t c = i; c < i + 8 && c < count; c++) {
      for (int k = 0; k < x[c]; k++) { list[found++] = (uint16_t)(base + c * SSTI_EVENT_WIDTH); }
    }
  }
  return found;
}
#endif

typedef int8_t byte_vector __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t place_vector __attribute__((vector_size(VECTOR_BYTES)));
enum { ROW_VECTORS = SSTI_EVENT_WIDTH / VECTOR_BYTES, CHAINS = 4, PLACES = VECTOR_BYTES / 2 };

// Four rows, their places in a word: as many loads as rows would keep the rows themselves waiting.
INLINE void add_four(byte_vector sum[CHAINS][ROW_VECTORS], const uint16_t *list, const int8_t *rows) {
  uint64_t four;
  memcpy(&four, list, sizeof four);
#if SSTI_HAS_AVX512
  __asm__("" : "+r"(four));
#endif
  for (int k = 0; k < CHAINS; k++) {
    const int8_t *row = rows + (four >> (16 * k) & UINT16_MAX);
    for (int v = 0; v < ROW_VECTORS; v++) {
      byte_vector codes;
      memcpy(&codes, row + v * VECTOR_BYTES, sizeof codes);
      sum[k][v] += codes;
    }
  }
}

INLINE void sum_rows(const uint16_t *list, int64_t count, const int8_t *rows, int8_t sums[SSTI_EVENT_WIDTH]) {
  byte_vector sum[CHAINS][ROW_VECTORS] = {{{0}}};
  for (int64_t i = 0; i < count; i += 8) {
    add_four(sum, list + i, rows);
    add_four(sum, list + i + 4, rows);
  }
  for (int v = 0; v < ROW_VECTORS; v++) {
    const byte_vector all = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
    memcpy(sums + v * VECTOR_BYTES, &all, sizeof all);
  }
}

INLINE void widen(int64_t outputs, const int8_t *restrict sum, bool first, int32_t *restrict z) {
  if (first) {
    for (int64_t o = 0; o < outputs; o++) { z[o] = sum[o]; }
  } else {
    for (int64_t o = 0; o < outputs; o++) { z[o] += sum[o]; }
  }
}

// All places of a window behind each other, filled up to eights.
INLINE int64_t join_stretches(const ssti_event_stretch *stretches, int count, uint16_t zeros, uint16_t *list) {
  uint16_t *end = list;
  for (int s = 0; s < count; s++) {
    const place_vector shift = (place_vector){0} + stretches[s].shift;
    for (int64_t i = 0; i < stretches[s].count; i += PLACES) {
      place_vector places;
      memcpy(&places, stretches[s].places + i, sizeof places);
      places += shift;
      memcpy(end + i, &places, sizeof places);
    }
    end += stretches[s].count;
  }
  for (int i = 0; i < 8; i++) { end[i] = zeros; }
  return (end - list + 7) / 8 * 8;
}

static void event_sum(const ssti_event_stretch *stretches, int count, const ssti_event_tile *tile, int64_t outputs,
                      bool first, int32_t *z) {
  const int64_t places = join_stretches(stretches, count, tile->zeros, tile->room);
  for (int64_t i = 0; i < places || (first && i == 0); i += tile->together) {
    int8_t sums[SSTI_EVENT_WIDTH];
    const int64_t left = places - i;
    sum_rows(tile->room + i, left < tile->together ? left : tile->together, tile->rows, sums);
    if (outputs == SSTI_EVENT_WIDTH) {
      widen(SSTI_EVENT_WIDTH, sums, first && i == 0, z);
    } else {
      widen(outputs, sums, first && i == 0, z);
    }
  }
}

void SSTI_KERNEL(ssti_kernel_fill_event)(ssti_kernels_of_level *table) {
  table->event_list = event_list;
  table->event_sum = event_sum;
  table->event = event;
  table->event_wide = event_wide;
}
