// SPDX-License-Identifier: Apache-2.0
// Weight quantisers, fixed-point factors of norms, and y = factor * x + offset. A group is what shares a scale: an
// output channel, or the whole layer. Sums go over each output channel, in double, and then over the channels.
#include <math.h>

#include "backend/quantize_row_loops.h"
#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"
#include "quantize/grid.h"

// Delta = 0.7 * mean|W| (arXiv 1605.04711, equation 6).
static const double ternary_share = 0.7;

typedef struct quantize_job {
  const ssti_weight_shape *shape;
  const ssti_quantize_rows *loops;
  const float *weight, *scale, *dcodes;
  float *codes, *dweight, *delta;
  double *sums, *counts; // [rows]
  bool accumulate, wants_step;
} quantize_job;

static int64_t group_count(const ssti_weight_shape *shape) { return shape->quantizer.per_channel ? shape->rows : 1; }
static int64_t group_of(const ssti_weight_shape *shape, int64_t row) { return shape->quantizer.per_channel ? row : 0; }
static bool is_ternary(const ssti_weight_shape *shape) { return shape->quantizer.kind == SST_WEIGHT_QUANTIZER_TERNARY; }

static void run_rows(ssti_backend *backend, quantize_job *job, ssti_range_function *range) {
  ssti_parallel_for(backend->context, job->shape->rows, ssti_reference_grain(job->shape->columns), range, job);
}

// Of each row, the weights above its group's Delta; before there is one, all.
static void sizes_range(void *arg, int64_t begin, int64_t end) {
  const quantize_job *job = arg;
  const int64_t columns = job->shape->columns;
  for (int64_t row = begin; row < end; row++) {
    const float least = job->delta != NULL ? job->delta[group_of(job->shape, row)] : -1.0f;
    job->loops->sizes(columns, job->weight + row * columns, least, &job->sums[row], &job->counts[row]);
  }
}

// Means of a group's rows; 0 where nothing was counted.
static float group_mean(const quantize_job *job, int64_t group) {
  const int64_t rows = job->shape->rows / group_count(job->shape);
  double sum = 0.0, count = 0.0;
  for (int64_t row = group * rows; row < (group + 1) * rows; row++) {
    sum += job->sums[row];
    count += job->counts[row];
  }
  return count > 0.0 ? (float)(sum / count) : 0.0f;
}

// Ternary codes end at 1, and then `bits` says nothing.
static float largest_code(const sst_weight_quantizer *quantizer) {
  return quantizer->kind == SST_WEIGHT_QUANTIZER_TERNARY ? 1.0f : ssti_largest_code(quantizer->bits);
}

static void codes_range(void *arg, int64_t begin, int64_t end) {
  const quantize_job *job = arg;
  const int64_t columns = job->shape->columns;
  for (int64_t row = begin; row < end; row++) {
    const int64_t group = group_of(job->shape, row);
    const ssti_row_codes how = {.ternary = is_ternary(job->shape),
                                .threshold = job->delta != NULL ? job->delta[group] : 0.0f,
                                .step = job->scale[group],
                                .largest = largest_code(&job->shape->quantizer)};
    job->loops->codes(columns, job->weight + row * columns, &how, job->codes + row * columns);
  }
}

size_t ssti_reference_quantize_workspace(const ssti_weight_shape *shape) {
  return (size_t)shape->rows * (2 * sizeof(double) + sizeof(float));
}

void ssti_quantize_forward_by(ssti_backend *backend, const ssti_quantize_rows *loops, const ssti_weight_shape *shape,
                              const float *weight, const float *step, float *codes, float *scale, void *workspace) {
  quantize_job job = {
      .shape = shape, .loops = loops, .weight = weight, .scale = scale, .codes = codes, .sums = workspace};
  job.counts = job.sums + shape->rows;
  run_rows(backend, &job, sizes_range);
  const int64_t groups = group_count(shape);
  if (is_ternary(shape)) {
    float *delta = (float *)(void *)(job.counts + shape->rows);
    for (int64_t g = 0; g < groups; g++) { delta[g] = (float)(ternary_share * (double)group_mean(&job, g)); }
    job.delta = delta;
    run_rows(backend, &job, sizes_range);
    for (int64_t g = 0; g < groups; g++) { scale[g] = group_mean(&job, g); }
  } else {
    const double root = sqrt((double)ssti_largest_code(shape->quantizer.bits));
    for (int64_t g = 0; g < groups; g++) {
      scale[g] = step[g] > 0.0f ? step[g] : (float)(2.0 * (double)group_mean(&job, g) / root);
    }
  }
  for (int64_t g = 0; g < groups; g++) {
    if (!(scale[g] > 0.0f)) { scale[g] = 1.0f; }
  }
  run_rows(backend, &job, codes_range);
}

static void gradient_range(void *arg, int64_t begin, int64_t end) {
  const quantize_job *job = arg;
  const int64_t columns = job->shape->columns;
  const sst_weight_quantizer *quantizer = &job->shape->quantizer;
  const float largest = largest_code(quantizer);
  for (int64_t row = begin; row < end; row++) {
    const float scale = job->scale[group_of(job->shape, row)];
    const float limit = !is_ternary(job->shape)            ? largest
                        : quantizer->gradient_limit > 0.0f ? quantizer->gradient_limit / scale
                                                           : INFINITY;
    const ssti_row_gradient how = {.accumulate = job->accumulate, .scale = scale, .limit = limit, .largest = largest};
    const float *w = job->weight + row * columns, *dcodes = job->dcodes + row * columns;
    if (job->wants_step) { job->sums[row] = job->loops->step_gradient(columns, w, dcodes, &how); }
    if (job->dweight != NULL) { job->loops->gradient(columns, w, dcodes, &how, job->dweight + row * columns); }
  }
}

void ssti_quantize_backward_by(ssti_backend *backend, const ssti_quantize_rows *loops, const ssti_weight_shape *shape,
                               const float *weight, const float *scale, const float *dcodes, float *dweight,
                               bool accumulate_weight, float *dstep, bool accumulate_step, void *workspace) {
  quantize_job job = {.shape = shape,
                      .loops = loops,
                      .weight = weight,
                      .scale = scale,
                      .dcodes = dcodes,
                      .dweight = dweight,
                      .sums = workspace,
                      .accumulate = accumulate_weight,
                      .wants_step = dstep != NULL};
  run_rows(backend, &job, gradient_range);
  if (dstep == NULL) { return; }
  const int64_t groups = group_count(shape), rows = shape->rows / groups;
  const double count = (double)(rows * shape->columns);
  const double share = 1.0 / sqrt(count * (double)ssti_largest_code(shape->quantizer.bits));
  for (int64_t g = 0; g < groups; g++) {
    double sum = 0.0;
    for (int64_t row = g * rows; row < (g + 1) * rows; row++) { sum += job.sums[row]; }
    dstep[g] = (float)((accumulate_step ? (double)dstep[g] : 0.0) + share * sum);
  }
}

void ssti_reference_quantize_weights_forward(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight,
                                             const float *step, float *codes, float *scale, void *workspace) {
  ssti_quantize_forward_by(backend, &row_loops, shape, weight, step, codes, scale, workspace);
}

void ssti_reference_quantize_weights_backward(ssti_backend *backend, const ssti_weight_shape *shape,
                                              const float *weight, const float *scale, const float *dcodes,
                                              float *dweight, bool accumulate_weight, float *dstep,
                                              bool accumulate_step, void *workspace) {
  ssti_quantize_backward_by(backend, &row_loops, shape, weight, scale, dcodes, dweight, accumulate_weight, dstep,
                            accumulate_step, workspace);
}

static float largest_size(int64_t count, const float *x) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; i++) { largest = fmaxf(largest, fabsf(x[i])); }
  return largest;
}

static void round_to(int64_t count, float step, float *x) {
  for (int64_t i = 0; i < count; i++) { x[i] = ssti_round_half_up(x[i] / step) * step; }
}

void ssti_reference_fold_norm(int64_t channels, int bits, float *factor, const float *mean, float *offset) {
  const float step = bits > 0 ? ssti_step_for(largest_size(channels, factor), bits) : 0.0f;
  if (bits > 0) { round_to(channels, step, factor); }
  for (int64_t c = 0; mean != NULL && c < channels; c++) {
    offset[c] = (float)((double)offset[c] - (double)mean[c] * (double)factor[c]);
  }
  if (bits > 0) { round_to(channels, fmaxf(ssti_step_for(largest_size(channels, offset), bits), step), offset); }
}

void ssti_reference_fixed_point(ssti_backend *backend, int64_t channels, int bits, float *factor, float *offset) {
  (void)backend;
  ssti_reference_fold_norm(channels, bits, factor, NULL, offset);
}

void ssti_reference_norm_fixed_point(ssti_backend *backend, const ssti_batch_norm *shape, int bits, const float *gamma,
                                     const float *beta, float *saved) {
  (void)backend;
  const int64_t channels = shape->channels;
  const float *mean = saved, *inverse = mean + channels;
  float *factor = saved + 2 * channels, *offset = factor + channels, *change = offset + channels;
  for (int64_t c = 0; c < channels; c++) {
    factor[c] = (float)((double)shape->scale * (double)gamma[c] * (double)inverse[c]);
    change[c] = factor[c];
    offset[c] = beta[c];
  }
  ssti_reference_fold_norm(channels, bits, factor, mean, offset);
  for (int64_t c = 0; c < channels; c++) { change[c] = factor[c] - change[c]; }
}

typedef struct affine_job {
  int64_t channels;
  const float *x, *factor, *offset;
  float *y;
  bool accumulate;
} affine_job;

static void affine_range(void *arg, int64_t begin, int64_t end) {
  const affine_job *job = arg;
  const float *factor = job->factor, *offset = job->offset;
  for (int64_t row = begin; row < end; row++) {
    const float *x = job->x + row * job->channels;
    float *restrict y = job->y + row * job->channels;
    for (int64_t c = 0; c < job->channels; c++) {
      const float value = x[c] * factor[c] + (offset != NULL ? offset[c] : 0.0f);
      y[c] = job->accumulate ? y[c] + value : value;
    }
  }
}

void ssti_reference_channel_affine(ssti_backend *backend, int64_t rows, int64_t channels, const float *x,
                                   const float *factor, const float *offset, float *y, bool accumulate) {
  affine_job job = {.channels = channels, .x = x, .factor = factor, .offset = offset, .y = y, .accumulate = accumulate};
  ssti_parallel_for(backend->context, rows, ssti_reference_grain(channels), affine_range, &job);
}
