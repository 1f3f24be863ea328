// SPDX-License-Identifier: Apache-2.0
// The inner loops that convolution and linear layers share. Each adds in an order fixed by the lengths alone, so that
// results do not depend on threads; long sums are taken in pieces whose f32 results are added in double, so that the
// yardstick is more exact than what it measures.
#ifndef SPIKESTILL_BACKEND_PRODUCTS_REFERENCE_H
#define SPIKESTILL_BACKEND_PRODUCTS_REFERENCE_H

#include "base/parallel.h"

enum {
  SSTI_PRODUCT_TILE = 64,   // width of the pieces of a row that are summed on the stack
  SSTI_PRODUCT_CHUNK = 256, // terms that are added in f32 before they go into a double
  SSTI_OUTER_ROWS = 4,      // a weight-gradient tile: rows (out channels) by columns (in channels)
  SSTI_OUTER_COLUMNS = 32
};

// Items a thread must at least get so that starting it pays, given the arithmetic of one item.
static inline int64_t ssti_reference_grain(int64_t operations_per_item) {
  int64_t grain = 32768 / (operations_per_item > 0 ? operations_per_item : 1);
  return grain > 1 ? grain : 1;
}

static inline int64_t ssti_tiles(int64_t count, int64_t tile) { return (count + tile - 1) / tile; }
static inline int64_t ssti_smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// <a, b> with eight partial sums: a compiler may turn them into vector lanes without reordering anything.
static inline float ssti_dot(const float *a, const float *b, int64_t count) {
  float lane[8] = {0};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int l = 0; l < 8; l++) { lane[l] += a[i + l] * b[i + l]; }
  }
  float rest = 0.0f;
  for (; i < count; i++) { rest += a[i] * b[i]; }
  return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7])) + rest;
}

// total[j] += sum_k factor[k] * rows[k * stride + j], j < width <= SSTI_PRODUCT_TILE.
static inline void ssti_add_combination(const float *factor, int64_t count, const float *rows, int64_t stride,
                                        int64_t width, double *total) {
  for (int64_t begin = 0; begin < count; begin += SSTI_PRODUCT_CHUNK) {
    int64_t end = ssti_smaller(begin + SSTI_PRODUCT_CHUNK, count);
    float partial[SSTI_PRODUCT_TILE];
    for (int64_t j = 0; j < width; j++) { partial[j] = 0.0f; } // only what is used: depthwise rows have width 1
    for (int64_t k = begin; k < end; k++) {
      const float *row = rows + k * stride;
      float f = factor[k];
      for (int64_t j = 0; j < width; j++) { partial[j] += f * row[j]; }
    }
    for (int64_t j = 0; j < width; j++) { total[j] += (double)partial[j]; }
  }
}

typedef struct ssti_outer_tile {
  int64_t rows, columns; // in use
  float partial[SSTI_OUTER_ROWS][SSTI_OUTER_COLUMNS];
  double total[SSTI_OUTER_ROWS][SSTI_OUTER_COLUMNS];
} ssti_outer_tile;

// partial += left (column) times right (row).
static inline void ssti_outer_add(ssti_outer_tile *tile, const float *left, const float *right) {
  for (int64_t r = 0; r < tile->rows; r++) {
    float f = left[r];
    float *partial = tile->partial[r];
    for (int64_t c = 0; c < tile->columns; c++) { partial[c] += f * right[c]; }
  }
}

// total += partial, partial = 0.
static inline void ssti_outer_flush(ssti_outer_tile *tile) {
  for (int64_t r = 0; r < tile->rows; r++) {
    for (int64_t c = 0; c < tile->columns; c++) {
      tile->total[r][c] += (double)tile->partial[r][c];
      tile->partial[r][c] = 0.0f;
    }
  }
}

// The tile's totals into `to`, whose rows are `stride` apart.
static inline void ssti_outer_store(const ssti_outer_tile *tile, float *to, int64_t stride, bool accumulate) {
  for (int64_t r = 0; r < tile->rows; r++) {
    for (int64_t c = 0; c < tile->columns; c++) {
      float *out = to + r * stride + c;
      *out = (float)((accumulate ? (double)*out : 0.0) + tile->total[r][c]);
    }
  }
}

// sums[c] = sum over rows of values[row, c], in double: a bias gradient (linear_reference.c).
void ssti_reference_column_sums(sst_context *context, int64_t rows, int64_t channels, const float *values, float *sums,
                                bool accumulate);

#endif
