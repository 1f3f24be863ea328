// SPDX-License-Identifier: Apache-2.0
// Adds the weights of those inputs that are not 0: a row of codes an input. Work follows the activity.
#include "deploy/kernels.h"

#include <string.h>

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

void SSTI_KERNEL(ssti_kernel_fill_event)(ssti_kernels_of_level *table) {
  table->event = event;
  table->event_wide = event_wide;
}
