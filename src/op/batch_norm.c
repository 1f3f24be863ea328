// SPDX-License-Identifier: Apache-2.0
// Batch norm per channel over T, N, H and W: y = scale * gamma * (x - mean) / sqrt(variance + epsilon) + beta.
//   inputs: x [T,N,H,W,C]; gamma, beta, running mean, running variance [1,1,1,1,C], the last two updated in training
//   saved:  [2*C]: the mean and 1/sqrt(variance + epsilon) that forward used; with `bits` [5*C]
// With `bits` it is y = a' * x + b' in fixed point, at inference as in training:
//     a = scale * gamma / sqrt(variance + epsilon),   a' = round(a to multiples of Da),   b' = round(beta - mean * a')
// with powers of two Da and Db (backend.h: fixed_point). The offset follows the rounded factor, so that an x that is
// the mean still gives beta. Straight through (da'/da = 1, db'/db = 1) the gradients are those of plain batch norm but
// for
//     dx = plain + (a' - a) * (dy - mean(dy))        (with constant statistics dx = a' * dy)
// saved [5*C]: mean, 1/sqrt(variance + epsilon), a', b', a' - a
// In a frozen scope, and in runs that do not train, the running statistics are used, as constants.
#include <inttypes.h>
#include <math.h>

#include "op/op.h"
#include "quantize/grid.h"

static const char *const input_names[] = {"x", "gamma", "beta", "running mean", "running variance"};
enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE, INPUT_COUNT };

static sst_status infer(sst_context *context, ssti_call *call) {
  const ssti_batch_norm_attributes *a = call->attributes;
  if (call->input_count != INPUT_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "batch norm got %d inputs, expected %d", call->input_count,
             (int)INPUT_COUNT);
  }
  // Written so that a value that is not a number fails too.
  if (!(a->epsilon > 0.0f) || isinf(a->epsilon)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "epsilon is %g, expected a number above 0", (double)a->epsilon);
  }
  if (!(a->momentum >= 0.0f && a->momentum <= 1.0f)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "momentum is %g, expected 0..1", (double)a->momentum);
  }
  if (!isfinite(a->scale)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "scale is %g, expected a finite number", (double)a->scale);
  }
  SST_TRY(ssti_bits_check(context, "batch norm", a->bits));
  sst_shape x = call->x[X]->shape;
  sst_shape vector = sst_shape_make(1, 1, 1, 1, x.dim[SST_AXIS_C]);
  for (int i = GAMMA; i < INPUT_COUNT; i++) {
    if (!sst_shape_equal(call->x[i]->shape, vector)) {
      char text[SST_SHAPE_TEXT_SIZE];
      SST_FAIL(context, SST_SHAPE, "input has %" PRId64 " channels, %s is %s, expected [1,1,1,1,%" PRId64 "]",
               x.dim[SST_AXIS_C], input_names[i], sst_shape_text(call->x[i]->shape, text, sizeof text),
               x.dim[SST_AXIS_C]);
    }
  }
  call->y[0]->shape = x;
  return SST_OK;
}

static ssti_batch_norm kernel_shape(const ssti_call *call) {
  const ssti_batch_norm_attributes *a = call->attributes;
  sst_shape x = call->x[X]->shape;
  int64_t channels = x.dim[SST_AXIS_C];
  return (ssti_batch_norm){.rows = sst_shape_count(x) / channels,
                           .channels = channels,
                           .steps = x.dim[SST_AXIS_T],
                           .epsilon = a->epsilon,
                           .momentum = a->momentum,
                           .scale = a->scale,
                           .in_type = call->x[X]->type,
                           .out_type = call->y[0]->type};
}

static int bits_of(const ssti_call *call) { return ((const ssti_batch_norm_attributes *)call->attributes)->bits; }

static sst_status prepare(ssti_call *call, ssti_needs *needs) {
  ssti_batch_norm shape = kernel_shape(call);
  if (call->training && !call->frozen && shape.rows < 2) {
    char text[SST_SHAPE_TEXT_SIZE];
    SST_FAIL(call->backend->context, SST_SHAPE,
             "input is %s: training needs at least 2 values a channel to have a variance, found 1",
             sst_shape_text(call->x[X]->shape, text, sizeof text));
  }
  needs->saved = (size_t)((bits_of(call) > 0 ? 5 : 2) * shape.channels) * sizeof(float);
  if (!call->training) { return SST_OK; }
  // The fixed point's gradient comes after the kernel is done with the workspace.
  needs->backward_workspace = call->backend->kernels.batch_norm_workspace(call->backend, &shape);
  const size_t offset = bits_of(call) > 0 ? (size_t)shape.channels * sizeof(float) : 0;
  if (needs->backward_workspace < offset) { needs->backward_workspace = offset; }
  return SST_OK;
}

// Fixed point is exact, so it stays what it is.
static bool takes_bf16(const ssti_call *call) { return bits_of(call) == 0; }

static bool uses_batch_statistics(const ssti_call *call) { return call->run->training && !call->frozen; }

// Factors and offsets from the statistics in `saved`, and y by them.
static void apply_fixed_point(const ssti_call *call, const ssti_batch_norm *shape) {
  const ssti_kernels *kernels = &call->backend->kernels;
  float *saved = call->saved;
  kernels->norm_fixed_point(call->backend, shape, bits_of(call), call->x[GAMMA]->data, call->x[BETA]->data, saved);
  kernels->channel_affine(call->backend, shape->rows, shape->channels, call->x[X]->data, saved + 2 * shape->channels,
                          saved + 3 * shape->channels, call->y[0]->data, false);
}

static void forward(ssti_call *call) {
  const ssti_kernels *kernels = &call->backend->kernels;
  ssti_batch_norm shape = kernel_shape(call);
  if (call->run->again) { shape.momentum = 0.0f; } // the running statistics have moved already
  float *mean = call->x[RUNNING_MEAN]->data, *variance = call->x[RUNNING_VARIANCE]->data, *saved = call->saved;
  if (uses_batch_statistics(call)) {
    float *y = bits_of(call) > 0 ? NULL : call->y[0]->data; // fixed point makes its own from the statistics
    kernels->batch_norm_forward_training(call->backend, &shape, call->x[X]->data, call->x[GAMMA]->data,
                                         call->x[BETA]->data, mean, variance, y, saved);
    if (bits_of(call) > 0) { apply_fixed_point(call, &shape); }
    return;
  }
  if (bits_of(call) > 0 || call->training) {
    // A copy, because another node may share the running statistics and update them before backward.
    kernels->norm_constants(call->backend, &shape, NULL, mean, variance, saved);
  }
  if (bits_of(call) > 0) {
    apply_fixed_point(call, &shape);
    return;
  }
  kernels->batch_norm_forward_inference(call->backend, &shape, call->x[X]->data, call->x[GAMMA]->data,
                                        call->x[BETA]->data, mean, variance, call->y[0]->data);
}

// dx += (a' - a) * (dy - mean(dy))
static void add_fixed_point_gradient(const ssti_call *call, const ssti_batch_norm *shape) {
  const ssti_kernels *kernels = &call->backend->kernels;
  const float *dy = call->dy[0]->data, *change = (const float *)call->saved + 4 * shape->channels;
  float *offset = NULL;
  if (uses_batch_statistics(call)) {
    offset = call->workspace;
    kernels->reduce_forward(call->backend, SSTI_REDUCE_MEAN, call->dy[0]->shape,
                            SST_AXES_T | SST_AXES_N | SST_AXES_H | SST_AXES_W, dy, offset);
    kernels->channel_affine(call->backend, 1, shape->channels, offset, change, NULL, offset, false);
    kernels->unary_forward(call->backend, SSTI_UNARY_AFFINE, -1.0f, 0.0f, shape->channels, offset, offset);
  }
  kernels->channel_affine(call->backend, shape->rows, shape->channels, dy, change, offset, call->dx[X]->data, true);
}

static void backward(ssti_call *call) {
  ssti_batch_norm shape = kernel_shape(call);
  float *dx[3];
  for (int i = 0; i < 3; i++) { dx[i] = call->dx[i] != NULL ? call->dx[i]->data : NULL; }
  call->backend->kernels.batch_norm_backward(call->backend, &shape, call->x[X]->data, call->dy[0]->data,
                                             call->x[GAMMA]->data, call->saved, uses_batch_statistics(call), dx[X],
                                             call->accumulate[X], dx[GAMMA], call->accumulate[GAMMA], dx[BETA],
                                             call->accumulate[BETA], call->workspace);
  if (bits_of(call) > 0 && dx[X] != NULL) { add_fixed_point_gradient(call, &shape); }
  // Running statistics are constants, even if somebody made them of something that learns.
  for (int i = RUNNING_MEAN; i < INPUT_COUNT; i++) {
    if (call->dx[i] != NULL && !call->accumulate[i]) {
      call->backend->kernels.fill(call->backend, shape.channels, 0.0f, call->dx[i]->data);
    }
  }
}

static void cost(const ssti_call *call, sst_cost *cost) {
  // At inference a factor and an offset an element.
  *cost = (sst_cost){.elementwise = 2 * sst_shape_count(call->y[0]->shape)};
}

const ssti_op ssti_op_batch_norm = {
    .name = "batch_norm",
    .attributes_size = sizeof(ssti_batch_norm_attributes),
    .is_by_sample = ssti_op_by_sample_if_frozen,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bits = bits_of,
    .backward_reads_inputs = 1u << X | 1u << GAMMA,
    .bf16_inputs = 1u << X,
    .bf16_outputs = 1u << 0,
    .takes_bf16 = takes_bf16,
};
