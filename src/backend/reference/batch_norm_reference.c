// SPDX-License-Identifier: Apache-2.0
// Batch norm, after PyTorch: the batch is normalised with its biased variance, the running variance takes the unbiased
// one. Work is split over blocks of channels; each block adds over all rows in order, in double.
//
//     xhat = (x - mean) * inverse,  inverse = 1 / sqrt(variance + epsilon),  y = scale * gamma * xhat + beta
//     dbeta = sum dy,  dgamma = scale * sum dy * xhat
//     dx = scale * gamma * inverse * (dy - mean(dy) - xhat * mean(dy * xhat))   with statistics of the batch
//     dx = scale * gamma * inverse * dy                                         with constant statistics
#include <math.h>

#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

enum { CHANNEL_BLOCK = 16 };

typedef struct norm_work {
  const ssti_batch_norm *s;
  const float *x, *dy, *gamma, *beta, *saved;
  const float *constant_mean, *constant_variance;
  float *running_mean, *running_variance, *y, *keep;
  float *dx, *dgamma, *dbeta;
  bool batch_statistics, accumulate_dx, accumulate_dgamma, accumulate_dbeta;
} norm_work;

// Per channel of a block.
typedef struct block {
  int64_t first, width;
  float mean[CHANNEL_BLOCK], factor[CHANNEL_BLOCK], offset[CHANNEL_BLOCK];
} block;

static block block_at(const norm_work *w, int64_t index) {
  block b = {.first = index * CHANNEL_BLOCK};
  b.width = ssti_smaller(CHANNEL_BLOCK, w->s->channels - b.first);
  return b;
}

static void mean_and_variance(const norm_work *w, const block *b, double *mean, double *variance) {
  const ssti_batch_norm *s = w->s;
  double sum[CHANNEL_BLOCK] = {0}, squares[CHANNEL_BLOCK] = {0};
  for (int64_t row = 0; row < s->rows; row++) {
    const float *x = w->x + row * s->channels + b->first;
    for (int64_t c = 0; c < b->width; c++) { sum[c] += (double)x[c]; }
  }
  for (int64_t c = 0; c < b->width; c++) { mean[c] = sum[c] / (double)s->rows; }
  // A second pass: squares around the mean do not cancel as sum(x^2) - rows * mean^2 does.
  for (int64_t row = 0; row < s->rows; row++) {
    const float *x = w->x + row * s->channels + b->first;
    for (int64_t c = 0; c < b->width; c++) {
      double difference = (double)x[c] - mean[c];
      squares[c] += difference * difference;
    }
  }
  for (int64_t c = 0; c < b->width; c++) { variance[c] = squares[c] / (double)s->rows; }
}

static void normalize(const norm_work *w, const block *b) {
  const ssti_batch_norm *s = w->s;
  for (int64_t row = 0; row < s->rows; row++) {
    const float *x = w->x + row * s->channels + b->first;
    float *y = w->y + row * s->channels + b->first;
    for (int64_t c = 0; c < b->width; c++) { y[c] = (x[c] - b->mean[c]) * b->factor[c] + b->offset[c]; }
  }
}

static void training_range(void *arg, int64_t begin, int64_t end) {
  const norm_work *w = arg;
  const ssti_batch_norm *s = w->s;
  double momentum = (double)s->momentum;
  // One row has no unbiased variance; the op refuses it, the kernel keeps to finite numbers.
  double unbiased = s->rows > 1 ? (double)s->rows / (double)(s->rows - 1) : 1.0;
  for (int64_t index = begin; index < end; index++) {
    block b = block_at(w, index);
    double mean[CHANNEL_BLOCK] = {0}, variance[CHANNEL_BLOCK] = {0};
    mean_and_variance(w, &b, mean, variance);
    for (int64_t c = 0; c < b.width; c++) {
      int64_t channel = b.first + c;
      double inverse = 1.0 / sqrt(variance[c] + (double)s->epsilon);
      float *running_mean = &w->running_mean[channel], *running_variance = &w->running_variance[channel];
      *running_mean = (float)((1.0 - momentum) * (double)*running_mean + momentum * mean[c]);
      *running_variance = (float)((1.0 - momentum) * (double)*running_variance + momentum * variance[c] * unbiased);
      b.mean[c] = w->keep[channel] = (float)mean[c];
      w->keep[s->channels + channel] = (float)inverse;
      b.factor[c] = (float)((double)s->scale * (double)w->gamma[channel] * inverse);
      b.offset[c] = w->beta[channel];
    }
    if (w->y != NULL) { normalize(w, &b); }
  }
}

static void run_blocks(ssti_backend *backend, norm_work *work, ssti_range_function *function) {
  ssti_parallel_for(backend->context, ssti_tiles(work->s->channels, CHANNEL_BLOCK),
                    ssti_reference_grain(work->s->rows * CHANNEL_BLOCK), function, work);
}

void ssti_reference_batch_norm_forward_training(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                                const float *gamma, const float *beta, float *running_mean,
                                                float *running_variance, float *y, float *saved) {
  norm_work work = {.s = shape,
                    .x = x,
                    .gamma = gamma,
                    .beta = beta,
                    .running_mean = running_mean,
                    .running_variance = running_variance,
                    .y = y,
                    .keep = saved};
  run_blocks(backend, &work, training_range);
}

static void inference_range(void *arg, int64_t begin, int64_t end) {
  const norm_work *w = arg;
  const ssti_batch_norm *s = w->s;
  for (int64_t index = begin; index < end; index++) {
    block b = block_at(w, index);
    for (int64_t c = 0; c < b.width; c++) {
      int64_t channel = b.first + c;
      double inverse = 1.0 / sqrt((double)w->constant_variance[channel] + (double)s->epsilon);
      b.mean[c] = w->constant_mean[channel];
      b.factor[c] = (float)((double)s->scale * (double)w->gamma[channel] * inverse);
      b.offset[c] = w->beta[channel];
    }
    normalize(w, &b);
  }
}

void ssti_reference_batch_norm_forward_inference(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                                 const float *gamma, const float *beta, const float *running_mean,
                                                 const float *running_variance, float *y) {
  norm_work work = {.s = shape,
                    .x = x,
                    .gamma = gamma,
                    .beta = beta,
                    .constant_mean = running_mean,
                    .constant_variance = running_variance,
                    .y = y};
  run_blocks(backend, &work, inference_range);
}

static void block_input_gradient(const norm_work *w, const block *b, const double *sum_dy, const double *sum_dy_xhat) {
  const ssti_batch_norm *s = w->s;
  float mean[CHANNEL_BLOCK] = {0}, inverse[CHANNEL_BLOCK] = {0}, factor[CHANNEL_BLOCK] = {0};
  float mean_dy[CHANNEL_BLOCK] = {0}, mean_dy_xhat[CHANNEL_BLOCK] = {0};
  for (int64_t c = 0; c < b->width; c++) {
    mean[c] = w->saved[b->first + c];
    inverse[c] = w->saved[s->channels + b->first + c];
    factor[c] = (float)((double)s->scale * (double)w->gamma[b->first + c] * (double)inverse[c]);
    if (w->batch_statistics) {
      mean_dy[c] = (float)(sum_dy[c] / (double)s->rows);
      mean_dy_xhat[c] = (float)(sum_dy_xhat[c] / (double)s->rows);
    }
  }
  for (int64_t row = 0; row < s->rows; row++) {
    int64_t at = row * s->channels + b->first;
    const float *x = w->x + at, *dy = w->dy + at;
    float *dx = w->dx + at;
    for (int64_t c = 0; c < b->width; c++) {
      float xhat = (x[c] - mean[c]) * inverse[c];
      float gradient = factor[c] * (dy[c] - mean_dy[c] - xhat * mean_dy_xhat[c]);
      dx[c] = w->accumulate_dx ? dx[c] + gradient : gradient;
    }
  }
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const norm_work *w = arg;
  const ssti_batch_norm *s = w->s;
  for (int64_t index = begin; index < end; index++) {
    block b = block_at(w, index);
    double sum_dy[CHANNEL_BLOCK] = {0}, sum_dy_xhat[CHANNEL_BLOCK] = {0};
    for (int64_t row = 0; row < s->rows; row++) {
      int64_t at = row * s->channels + b.first;
      const float *x = w->x + at, *dy = w->dy + at, *mean = w->saved + b.first;
      for (int64_t c = 0; c < b.width; c++) {
        sum_dy[c] += (double)dy[c];
        sum_dy_xhat[c] += (double)dy[c] * ((double)x[c] - (double)mean[c]);
      }
    }
    for (int64_t c = 0; c < b.width; c++) {
      int64_t channel = b.first + c;
      sum_dy_xhat[c] *= (double)w->saved[s->channels + channel];
      if (w->dgamma != NULL) {
        double before = w->accumulate_dgamma ? (double)w->dgamma[channel] : 0.0;
        w->dgamma[channel] = (float)(before + (double)s->scale * sum_dy_xhat[c]);
      }
      if (w->dbeta != NULL) {
        double before = w->accumulate_dbeta ? (double)w->dbeta[channel] : 0.0;
        w->dbeta[channel] = (float)(before + sum_dy[c]);
      }
    }
    if (w->dx != NULL) { block_input_gradient(w, &b, sum_dy, sum_dy_xhat); }
  }
}

void ssti_reference_batch_norm_backward(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                        const float *dy, const float *gamma, const float *saved, bool batch_statistics,
                                        float *dx, bool accumulate_dx, float *dgamma, bool accumulate_dgamma,
                                        float *dbeta, bool accumulate_dbeta, void *workspace) {
  (void)workspace;
  norm_work work = {.s = shape,
                    .x = x,
                    .dy = dy,
                    .gamma = gamma,
                    .saved = saved,
                    .batch_statistics = batch_statistics,
                    .dx = dx,
                    .accumulate_dx = accumulate_dx,
                    .dgamma = dgamma,
                    .accumulate_dgamma = accumulate_dgamma,
                    .dbeta = dbeta,
                    .accumulate_dbeta = accumulate_dbeta};
  run_blocks(backend, &work, backward_range);
}

size_t ssti_reference_batch_norm_workspace(ssti_backend *backend, const ssti_batch_norm *shape) {
  (void)backend, (void)shape;
  return 0;
}

void ssti_reference_norm_constants(ssti_backend *backend, const ssti_batch_norm *shape, const float *gamma,
                                   const float *mean, const float *variance, float *saved) {
  (void)backend;
  for (int64_t c = 0; c < shape->channels; c++) {
    const double inverse = 1.0 / sqrt((double)variance[c] + (double)shape->epsilon);
    saved[c] = mean[c];
    saved[shape->channels + c] = (float)inverse;
    if (gamma != NULL) { saved[2 * shape->channels + c] = (float)((double)shape->scale * (double)gamma[c] * inverse); }
  }
}
