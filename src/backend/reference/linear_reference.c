// SPDX-License-Identifier: Apache-2.0
// y = x W^T + b, its transpose and the gradients of W and b.
#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

enum { COLUMN_BLOCK = 16 };

typedef struct linear_work {
  const ssti_linear *shape;
  const float *x, *weight, *bias, *dy;
  float *out;
  bool accumulate;
} linear_work;

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const linear_work *w = arg;
  int64_t in = w->shape->in, out = w->shape->out;
  for (int64_t i = begin; i < end; i++) {
    int64_t row = i / out, o = i % out;
    float product = ssti_dot(w->x + row * in, w->weight + o * in, in);
    w->out[i] = w->bias != NULL ? product + w->bias[o] : product;
  }
}

void ssti_reference_linear_forward(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *x,
                                   const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  (void)plan, (void)saved, (void)workspace;
  linear_work work = {.shape = shape, .x = x, .weight = weight, .bias = bias, .out = y};
  ssti_parallel_for(backend->context, shape->rows * shape->out, ssti_reference_grain(shape->in), forward_range, &work);
}

static void backward_data_range(void *arg, int64_t begin, int64_t end) {
  const linear_work *w = arg;
  int64_t in = w->shape->in, out = w->shape->out, tiles = ssti_tiles(in, SSTI_PRODUCT_TILE);
  for (int64_t t = begin; t < end; t++) {
    int64_t row = t / tiles, first = t % tiles * SSTI_PRODUCT_TILE;
    int64_t width = ssti_smaller(SSTI_PRODUCT_TILE, in - first);
    double total[SSTI_PRODUCT_TILE] = {0};
    ssti_add_combination(w->dy + row * out, out, w->weight + first, in, width, total);
    float *dx = w->out + row * in + first;
    for (int64_t j = 0; j < width; j++) { dx[j] = (float)((w->accumulate ? (double)dx[j] : 0.0) + total[j]); }
  }
}

void ssti_reference_linear_backward_data(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan,
                                         const float *dy, const float *weight, float *dx, bool accumulate,
                                         void *workspace) {
  (void)plan, (void)workspace;
  linear_work work = {.shape = shape, .weight = weight, .dy = dy, .out = dx, .accumulate = accumulate};
  int64_t tiles = ssti_tiles(shape->in, SSTI_PRODUCT_TILE);
  ssti_parallel_for(backend->context, shape->rows * tiles, ssti_reference_grain(shape->out * SSTI_PRODUCT_TILE),
                    backward_data_range, &work);
}

static void backward_weights_range(void *arg, int64_t begin, int64_t end) {
  const linear_work *w = arg;
  int64_t rows = w->shape->rows, in = w->shape->in, out = w->shape->out;
  int64_t column_tiles = ssti_tiles(in, SSTI_OUTER_COLUMNS);
  for (int64_t t = begin; t < end; t++) {
    int64_t o = t / column_tiles * SSTI_OUTER_ROWS, i = t % column_tiles * SSTI_OUTER_COLUMNS;
    ssti_outer_tile tile = {.rows = ssti_smaller(SSTI_OUTER_ROWS, out - o),
                            .columns = ssti_smaller(SSTI_OUTER_COLUMNS, in - i)};
    for (int64_t row = 0; row < rows; row++) {
      ssti_outer_add(&tile, w->dy + row * out + o, w->x + row * in + i);
      if ((row + 1) % SSTI_PRODUCT_CHUNK == 0) { ssti_outer_flush(&tile); }
    }
    ssti_outer_flush(&tile);
    ssti_outer_store(&tile, w->out + o * in + i, in, w->accumulate);
  }
}

void ssti_reference_linear_backward_weights(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan,
                                            const float *x, const float *dy, float *dweight, bool accumulate_weight,
                                            float *dbias, bool accumulate_bias, const void *saved, void *workspace) {
  (void)plan, (void)saved, (void)workspace;
  if (dweight != NULL) {
    linear_work work = {.shape = shape, .x = x, .dy = dy, .out = dweight, .accumulate = accumulate_weight};
    int64_t tiles = ssti_tiles(shape->out, SSTI_OUTER_ROWS) * ssti_tiles(shape->in, SSTI_OUTER_COLUMNS);
    ssti_parallel_for(backend->context, tiles, ssti_reference_grain(shape->rows * SSTI_OUTER_ROWS * SSTI_OUTER_COLUMNS),
                      backward_weights_range, &work);
  }
  if (dbias != NULL) {
    ssti_reference_column_sums(backend->context, shape->rows, shape->out, dy, dbias, accumulate_bias);
  }
}

typedef struct column_work {
  int64_t rows, channels;
  const float *values;
  float *sums;
  bool accumulate;
} column_work;

static void column_range(void *arg, int64_t begin, int64_t end) {
  const column_work *w = arg;
  for (int64_t block = begin; block < end; block++) {
    int64_t first = block * COLUMN_BLOCK, width = ssti_smaller(COLUMN_BLOCK, w->channels - first);
    double total[COLUMN_BLOCK] = {0};
    for (int64_t row = 0; row < w->rows; row++) {
      const float *values = w->values + row * w->channels + first;
      for (int64_t c = 0; c < width; c++) { total[c] += (double)values[c]; }
    }
    for (int64_t c = 0; c < width; c++) {
      float *sum = w->sums + first + c;
      *sum = (float)((w->accumulate ? (double)*sum : 0.0) + total[c]);
    }
  }
}

void ssti_reference_column_sums(sst_context *context, int64_t rows, int64_t channels, const float *values, float *sums,
                                bool accumulate) {
  column_work work = {.rows = rows, .channels = channels, .values = values, .sums = sums, .accumulate = accumulate};
  ssti_parallel_for(context, ssti_tiles(channels, COLUMN_BLOCK), ssti_reference_grain(rows * COLUMN_BLOCK),
                    column_range, &work);
}
