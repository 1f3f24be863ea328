// SPDX-License-Identifier: Apache-2.0
// Column kernels of batch norm. Rows are taken in bands that fit into the first-level cache: sums over a band are f32,
// one running sum a column, and bands are combined in double, so the error does not grow with the number of rows.
#include <string.h>

#include "backend/fast/simd.h"

enum { BAND_ELEMENTS = 8192, BAND_ROWS_MIN = 8, BAND_ROWS_MAX = 64 };

#define INLINE static inline __attribute__((always_inline))

static int64_t band_rows(int64_t columns) {
  int64_t rows = BAND_ELEMENTS / columns;
  return rows < BAND_ROWS_MIN ? BAND_ROWS_MIN : rows > BAND_ROWS_MAX ? BAND_ROWS_MAX : rows;
}

// Four rows at a time, so that the running sums are loaded and stored once for four.
static void band_sums(int64_t rows, int64_t stride, int64_t columns, const float *restrict x, float *restrict sum) {
  memset(sum, 0, (size_t)columns * sizeof *sum);
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *x0 = x + r * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
    for (int64_t c = 0; c < columns; c++) { sum[c] += (x0[c] + x1[c]) + (x2[c] + x3[c]); }
  }
  for (; r < rows; r++) {
    const float *x0 = x + r * stride;
    for (int64_t c = 0; c < columns; c++) { sum[c] += x0[c]; }
  }
}

static void band_squares(int64_t rows, int64_t stride, int64_t columns, const float *restrict x,
                         const float *restrict mean, float *restrict sum) {
  memset(sum, 0, (size_t)columns * sizeof *sum);
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *x0 = x + r * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
    for (int64_t c = 0; c < columns; c++) {
      const float d0 = x0[c] - mean[c], d1 = x1[c] - mean[c], d2 = x2[c] - mean[c], d3 = x3[c] - mean[c];
      sum[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
  }
  for (; r < rows; r++) {
    const float *x0 = x + r * stride;
    for (int64_t c = 0; c < columns; c++) {
      const float d = x0[c] - mean[c];
      sum[c] += d * d;
    }
  }
}

// Where a band begins, and the distance of its rows: in x, or, of bf16, in `wide`, where it is laid out as f32.
INLINE const float *band_of(const ssti_columns *m, const void *x, bool is_bf16, int64_t begin, int64_t rows,
                            float *restrict wide, int64_t *stride) {
  if (!is_bf16) {
    *stride = m->stride;
    return (const float *)x + begin * m->stride;
  }
  const ssti_bf16 *from = (const ssti_bf16 *)x + begin * m->stride;
  *stride = m->columns;
  for (int64_t r = 0; r < rows; r++) {
    const ssti_bf16 *restrict row = from + r * m->stride;
    for (int64_t c = 0; c < m->columns; c++) { wide[r * m->columns + c] = ssti_bf16_value(row[c]); }
  }
  return wide;
}

// Two passes over each band while it is in the cache; bands are joined by the pairwise update of Chan, Golub and
// LeVeque (1983), "Algorithms for computing the sample variance".
INLINE void moments(const ssti_columns *m, const void *x, bool is_bf16, double *restrict mean,
                    double *restrict squares) {
  float sum[SSTI_SIMD_CHANNELS], centre[SSTI_SIMD_CHANNELS], square[SSTI_SIMD_CHANNELS], wide[BAND_ELEMENTS];
  const int64_t band = band_rows(m->columns);
  for (int64_t c = 0; c < m->columns; c++) { mean[c] = squares[c] = 0; }
  for (int64_t begin = 0; begin < m->rows; begin += band) {
    const int64_t rows = m->rows - begin < band ? m->rows - begin : band;
    int64_t stride;
    const float *at = band_of(m, x, is_bf16, begin, rows, wide, &stride);
    band_sums(rows, stride, m->columns, at, sum);
    const float reciprocal = 1.0f / (float)rows;
    for (int64_t c = 0; c < m->columns; c++) { centre[c] = sum[c] * reciprocal; }
    band_squares(rows, stride, m->columns, at, centre, square);
    // The sum of squares is about `centre`, which is the band's mean but for rounding: sum - rows * centre is what
    // that rounding left, and entering it keeps the mean exact to double's precision of the f32 sums.
    const double share = (double)rows / (double)(begin + rows), weight = (double)begin * share;
    const double inverse_rows = 1.0 / (double)rows;
    for (int64_t c = 0; c < m->columns; c++) {
      const double delta = (double)sum[c] * inverse_rows - mean[c];
      mean[c] += delta * share;
      squares[c] += (double)square[c] + delta * delta * weight;
    }
  }
}

INLINE void sums(const ssti_columns *m, const void *x, bool is_bf16, double *restrict sum) {
  float part[SSTI_SIMD_CHANNELS], wide[BAND_ELEMENTS];
  const int64_t band = band_rows(m->columns);
  for (int64_t c = 0; c < m->columns; c++) { sum[c] = 0; }
  for (int64_t begin = 0; begin < m->rows; begin += band) {
    const int64_t rows = m->rows - begin < band ? m->rows - begin : band;
    int64_t stride;
    const float *at = band_of(m, x, is_bf16, begin, rows, wide, &stride);
    band_sums(rows, stride, m->columns, at, part);
    for (int64_t c = 0; c < m->columns; c++) { sum[c] += (double)part[c]; }
  }
}

static void column_moments(const ssti_columns *m, const float *x, double *mean, double *squares) {
  moments(m, x, false, mean, squares);
}
static void column_moments_bf16(const ssti_columns *m, const ssti_bf16 *x, double *mean, double *squares) {
  moments(m, x, true, mean, squares);
}
static void column_sums(const ssti_columns *m, const float *x, double *sum) { sums(m, x, false, sum); }
static void column_sums_bf16(const ssti_columns *m, const ssti_bf16 *x, double *sum) { sums(m, x, true, sum); }

static void batch_norm_apply(const ssti_columns *m, const float *x, const float *restrict mean,
                             const float *restrict factor, const float *restrict offset, float *y, bool accumulate) {
  for (int64_t r = 0; r < m->rows; r++) {
    const float *xr = x + r * m->stride;
    float *restrict yr = y + r * m->stride;
    if (accumulate) {
      for (int64_t c = 0; c < m->columns; c++) { yr[c] += (xr[c] - mean[c]) * factor[c] + offset[c]; }
    } else {
      for (int64_t c = 0; c < m->columns; c++) { yr[c] = (xr[c] - mean[c]) * factor[c] + offset[c]; }
    }
  }
}

INLINE void apply_as(const ssti_columns *m, const void *x, bool in_bf16, const float *restrict mean,
                     const float *restrict factor, const float *restrict offset, void *y, bool out_bf16) {
  for (int64_t r = 0; r < m->rows; r++) {
    const int64_t at = r * m->stride;
    const float *x_wide = (const float *)x + at;
    const ssti_bf16 *x_half = (const ssti_bf16 *)x + at;
    float *restrict y_wide = (float *)y + at;
    ssti_bf16 *restrict y_half = (ssti_bf16 *)y + at;
    for (int64_t c = 0; c < m->columns; c++) {
      const float in = in_bf16 ? ssti_bf16_value(x_half[c]) : x_wide[c];
      const float out = (in - mean[c]) * factor[c] + offset[c];
      if (out_bf16) {
        y_half[c] = ssti_bf16_of(out);
      } else {
        y_wide[c] = out;
      }
    }
  }
}

static void batch_norm_apply_bf16(const ssti_columns *m, const void *x, ssti_type in, const float *mean,
                                  const float *factor, const float *offset, void *y, ssti_type out) {
  if (in == SSTI_F32) {
    apply_as(m, x, false, mean, factor, offset, y, true);
  } else if (out == SSTI_F32) {
    apply_as(m, x, true, mean, factor, offset, y, false);
  } else {
    apply_as(m, x, true, mean, factor, offset, y, true);
  }
}

static void norm_gradient(int64_t count, const ssti_block_norm *norm, const float *restrict x, float *restrict dx) {
  const float *restrict mean = norm->mean, *restrict factor = norm->gradient_factor;
  const float *restrict mean_dy = norm->mean_dy, *restrict slope = norm->slope;
  for (int64_t i = 0; i < count; i++) { dx[i] = factor[i] * ((dx[i] - mean_dy[i]) - (x[i] - mean[i]) * slope[i]); }
}

static void norm_gradient_bf16(int64_t count, const ssti_block_norm *norm, const ssti_bf16 *restrict x,
                               ssti_bf16 *restrict dx) {
  const float *restrict mean = norm->mean, *restrict factor = norm->gradient_factor;
  const float *restrict mean_dy = norm->mean_dy, *restrict slope = norm->slope;
  for (int64_t i = 0; i < count; i++) {
    const float centred = ssti_bf16_value(x[i]) - mean[i];
    dx[i] = ssti_bf16_of(factor[i] * ((ssti_bf16_value(dx[i]) - mean_dy[i]) - centred * slope[i]));
  }
}

void SSTI_SIMD(ssti_simd_fill_batch_norm)(ssti_simd *table) {
  table->column_moments = column_moments;
  table->column_moments_bf16 = column_moments_bf16;
  table->column_sums = column_sums;
  table->column_sums_bf16 = column_sums_bf16;
  table->batch_norm_apply = batch_norm_apply;
  table->batch_norm_apply_bf16 = batch_norm_apply_bf16;
  table->norm_gradient = norm_gradient;
  table->norm_gradient_bf16 = norm_gradient_bf16;
}
