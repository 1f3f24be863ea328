// SPDX-License-Identifier: Apache-2.0
// Linear layers as three matrix products by oneDNN's matmul, all on plain layouts: y = x W^T + b, dx = dy W,
// dW = dy^T x. Measured against inner products and against weights reordered first, these are within a few per cent of
// the best at every size that matters, and need no copy of the weights. Only forward at a small batch an own kernel is
// faster (simd_few_rows.c).
//
// In precision BF16 factors go in as bf16, rounded at the start of the call where they are f32, as weights always are;
// y and dx are of their tensors' types, gradients of weights f32.
#include "backend/fast/fast_codes.h"
#include "backend/fast/fast_event.h"
#include "base/log.h"
#include "base/sizes.h"

static void matrix_layout(dnnl_memory_desc_t *layout, int64_t rows, int64_t columns, bool transposed, ssti_type type) {
  const dnnl_dims_t dims = {rows, columns};
  const dnnl_dims_t strides = {transposed ? 1 : columns, transposed ? rows : 1};
  (void)dnnl_memory_desc_init_by_strides(layout, 2, dims, type == SSTI_BF16 ? dnnl_bf16 : dnnl_f32, strides);
}

typedef struct product {
  int64_t rows, inner, columns;
  bool transposed_a, transposed_b, with_bias, add;
  ssti_type factors, result;
} product;

// C [rows, columns] (+)= A [rows, inner] B [inner, columns]; the arguments are C, A, B, then the bias.
static sst_status make_product(ssti_backend *backend, const product *p, ssti_dnnl *out, bool *made) {
  dnnl_memory_desc_t a, b, c, bias;
  matrix_layout(&a, p->rows, p->inner, p->transposed_a, p->factors);
  matrix_layout(&b, p->inner, p->columns, p->transposed_b, p->factors);
  matrix_layout(&c, p->rows, p->columns, false, p->result);
  matrix_layout(&bias, 1, p->columns, false, SSTI_F32);
  dnnl_matmul_desc_t operation;
  *made = dnnl_matmul_desc_init(&operation, &a, &b, p->with_bias ? &bias : NULL, &c) == dnnl_success;
  if (!*made) { return SST_OK; }
  const ssti_dnnl_recipe recipe = {.operation = &operation, .add = p->add};
  SST_TRY(ssti_dnnl_make(backend, &recipe, out, made, NULL));
  if (!*made) { return SST_OK; }
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_DST, &c));
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_SRC, &a));
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_WEIGHTS, &b));
  if (p->with_bias) { SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_BIAS, &bias)); }
  return ssti_dnnl_add_scratchpad(backend, out);
}

static ssti_type factor_type(const ssti_linear *s) { return s->precision == SST_PRECISION_BF16 ? SSTI_BF16 : SSTI_F32; }

// Bytes of the copy of a matrix that has another type than products take in.
static size_t copy_bytes(const ssti_linear *s, ssti_type type, int64_t count) {
  return type == factor_type(s) ? 0 : ssti_fast_round_up((size_t)count * sizeof(ssti_bf16));
}

// The matrix as products take it in: itself, or a rounded copy at the start of *workspace, which moves on.
static const void *as_factor(ssti_backend *backend, const ssti_linear *s, const float *matrix, ssti_type type,
                             int64_t count, char **workspace) {
  const size_t bytes = copy_bytes(s, type, count);
  if (bytes == 0) { return matrix; }
  ssti_bf16 *copy = (ssti_bf16 *)(void *)*workspace;
  *workspace += bytes;
  ssti_fast_narrow(backend, count, matrix, copy);
  return copy;
}

static sst_status make_parts(ssti_backend *backend, const ssti_linear *s, bool training, ssti_fast_plan *plan) {
  const ssti_type factors = factor_type(s);
  const product forward = {.rows = s->rows,
                           .inner = s->in,
                           .columns = s->out,
                           .transposed_b = true,
                           .with_bias = true,
                           .factors = factors,
                           .result = s->out_type};
  product data = {.rows = s->rows, .inner = s->out, .columns = s->in, .factors = factors, .result = s->in_type};
  product weights = {.rows = s->out, .inner = s->rows, .columns = s->in, .transposed_a = true, .factors = factors};
  bool made = false;
  SST_TRY(make_product(backend, &forward, &plan->part[SSTI_FAST_FORWARD], &made));
  plan->forward_refused = !made;
  if (!training) { return SST_OK; }
  SST_TRY(make_product(backend, &data, &plan->part[SSTI_FAST_DATA], &made));
  plan->data_refused = !made;
  data.add = true;
  SST_TRY(make_product(backend, &data, &plan->part[SSTI_FAST_DATA_ADD], &made));
  plan->data_refused = plan->data_refused || !made;
  SST_TRY(make_product(backend, &weights, &plan->part[SSTI_FAST_WEIGHTS], &made));
  plan->weights_refused = !made;
  weights.add = true;
  SST_TRY(make_product(backend, &weights, &plan->part[SSTI_FAST_WEIGHTS_ADD], &made));
  plan->weights_refused = plan->weights_refused || !made;
  return SST_OK;
}

// A linear layer as a convolution of one picture, a column of pixels.
static ssti_conv2d as_conv2d(const ssti_linear *s) {
  return (ssti_conv2d){.images = 1,
                       .in_h = s->rows,
                       .in_w = 1,
                       .in_c = s->in,
                       .out_h = s->rows,
                       .out_w = 1,
                       .out_c = s->out,
                       .kernel_h = 1,
                       .kernel_w = 1,
                       .stride_h = 1,
                       .stride_w = 1,
                       .dilation_h = 1,
                       .dilation_w = 1,
                       .groups = 1,
                       .precision = s->precision,
                       .in_type = s->in_type,
                       .out_type = s->out_type,
                       .settled = s->settled,
                       .code_bits = s->code_bits};
}

static double forward_crossover(const ssti_backend *backend, const ssti_linear *s) {
  const sst_crossover *c = &ssti_fast_state_of(backend)->crossover;
  return s->precision == SST_PRECISION_BF16 ? c->bf16_linear_forward : c->linear_forward;
}

static double weights_crossover(const ssti_backend *backend, const ssti_linear *s) {
  const sst_crossover *c = &ssti_fast_state_of(backend)->crossover;
  return s->precision == SST_PRECISION_BF16 ? c->bf16_linear_weights : c->linear_weights;
}

// Room for spikes as bits, and for working on them.
static void add_events(ssti_backend *backend, const ssti_linear *s, bool training, ssti_fast_plan *plan) {
  const double weights = training ? weights_crossover(backend, s) : -1.0;
  plan->has_events = !s->settled && ssti_event_possible(forward_crossover(backend, s), weights, s->in);
  if (!plan->has_events) { return; }
  const ssti_conv2d conv = as_conv2d(s);
  plan->base.saved = ssti_event_saved_bytes(s->rows, s->in);
  plan->base.forward_workspace =
      ssti_larger_size(plan->base.forward_workspace, ssti_event_forward_workspace(backend, &conv));
  if (!training) { return; }
  plan->base.backward_workspace =
      ssti_larger_size(plan->base.backward_workspace, ssti_event_linear_weights_workspace(backend, s));
}

static sst_status linear_plan(ssti_backend *backend, const ssti_linear *shape, bool training, ssti_plan **out) {
  *out = NULL;
  ssti_fast_plan *plan = NULL;
  SST_TRY(ssti_fast_plan_create(backend, shape->out, &plan));
  sst_status status = make_parts(backend, shape, training, plan);
  const bool refused = plan->forward_refused || plan->data_refused || plan->weights_refused;
  if (status == SST_OK && refused && shape->precision != SST_PRECISION_F32) {
    status = ssti_fail(backend->context, SST_UNSUPPORTED,
                       "oneDNN has no bf16 for the linear layer %lld x %lld to %lld; expected precision f32 for it",
                       (long long)shape->rows, (long long)shape->in, (long long)shape->out);
  }
  if (status != SST_OK) {
    ssti_fast_plan_destroy(backend, &plan->base);
    return status;
  }
  const ssti_dnnl *part = plan->part;
  const size_t x = copy_bytes(shape, shape->in_type, shape->rows * shape->in);
  const size_t dy = copy_bytes(shape, shape->out_type, shape->rows * shape->out);
  const size_t weight = copy_bytes(shape, SSTI_F32, shape->in * shape->out);
  plan->base.forward_workspace = x + weight + ssti_fast_round_up(part[SSTI_FAST_FORWARD].scratchpad);
  if (ssti_few_rows_possible(backend, shape)) {
    plan->base.forward_workspace = ssti_larger_size(plan->base.forward_workspace, ssti_few_rows_workspace(shape));
  }
  plan->base.backward_workspace = ssti_larger_size(
      dy + weight +
          ssti_fast_round_up(ssti_larger_size(part[SSTI_FAST_DATA].scratchpad, part[SSTI_FAST_DATA_ADD].scratchpad)),
      x + dy +
          ssti_fast_round_up(
              ssti_larger_size(part[SSTI_FAST_WEIGHTS].scratchpad, part[SSTI_FAST_WEIGHTS_ADD].scratchpad)));
  add_events(backend, shape, training, plan);
  const ssti_fast_state *state = ssti_fast_state_of(backend);
  if (state->codes == SST_CODES_INTEGER) {
    const ssti_conv2d conv = as_conv2d(shape);
    status = ssti_codes_create(backend, &conv, state->crossover.code_linear_forward, &plan->codes);
    if (status != SST_OK) {
      ssti_fast_plan_destroy(backend, &plan->base);
      return status;
    }
    if (plan->codes != NULL) {
      plan->base.forward_workspace = ssti_larger_size(plan->base.forward_workspace, ssti_codes_workspace(plan->codes));
    }
  }
  if (refused) {
    ssti_log(backend->context, SST_LOG_DEBUG,
             "oneDNN has no matrix product for the linear layer %lld x %lld to %lld; the reference kernel does it",
             (long long)shape->rows, (long long)shape->in, (long long)shape->out);
  }
  *out = &plan->base;
  return SST_OK;
}

static void linear_forward(ssti_backend *backend, const ssti_linear *shape, ssti_plan *base, const float *x,
                           const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  const bool codes = plan->codes != NULL && bias == NULL;
  const double crossover = forward_crossover(backend, shape);
  const double codes_crossover = ssti_fast_state_of(backend)->crossover.code_linear_forward;
  base->forward_by_codes = false;
  bool events = plan->has_events && ssti_event_look(backend, base, shape->rows, shape->in, x, shape->in_type, saved,
                                                    codes ? codes_crossover : crossover, shape->rows);
  if (codes && !events) {
    base->forward_by_codes = ssti_codes_run(backend, plan->codes, x, weight, y, workspace);
    if (base->forward_by_codes) { return; }
    events = plan->has_events && ssti_event_look_again(base, shape->in, saved, crossover, shape->rows);
  }
  if (events) {
    const ssti_conv2d conv = as_conv2d(shape);
    ssti_event_conv2d_forward(backend, &conv, saved, weight, bias, y, workspace);
    return;
  }
  if (ssti_few_rows_possible(backend, shape)) {
    ssti_few_rows_forward(backend, shape, x, weight, bias, y, workspace);
    return;
  }
  if (plan->forward_refused) {
    ssti_fast_state_of(backend)->reference.linear_forward(backend, shape, NULL, x, weight, bias, y, NULL, workspace);
    return;
  }
  ssti_dnnl *part = &plan->part[SSTI_FAST_FORWARD];
  char *free_space = workspace;
  const void *source = as_factor(backend, shape, x, shape->in_type, shape->rows * shape->in, &free_space);
  const void *weights = as_factor(backend, shape, weight, SSTI_F32, shape->in * shape->out, &free_space);
  ssti_dnnl_bind(part, 0, y);
  ssti_dnnl_bind(part, 1, source);
  ssti_dnnl_bind(part, 2, weights);
  ssti_dnnl_bind(part, 3, bias != NULL ? bias : plan->zero_bias);
  ssti_dnnl_run(backend, part, free_space);
}

static void linear_backward_data(ssti_backend *backend, const ssti_linear *shape, ssti_plan *base, const float *dy,
                                 const float *weight, float *dx, bool accumulate, void *workspace) {
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  if (plan->data_refused) {
    ssti_fast_state_of(backend)->reference.linear_backward_data(backend, shape, NULL, dy, weight, dx, accumulate,
                                                                workspace);
    return;
  }
  ssti_dnnl *part = &plan->part[accumulate ? SSTI_FAST_DATA_ADD : SSTI_FAST_DATA];
  char *free_space = workspace;
  const void *source = as_factor(backend, shape, dy, shape->out_type, shape->rows * shape->out, &free_space);
  const void *weights = as_factor(backend, shape, weight, SSTI_F32, shape->in * shape->out, &free_space);
  ssti_dnnl_bind(part, 0, dx);
  ssti_dnnl_bind(part, 1, source);
  ssti_dnnl_bind(part, 2, weights);
  ssti_dnnl_run(backend, part, free_space);
}

static void linear_backward_weights(ssti_backend *backend, const ssti_linear *shape, ssti_plan *base, const float *x,
                                    const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                                    bool accumulate_bias, const void *saved, void *workspace) {
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  if (dbias != NULL) {
    ssti_fast_column_sums(backend, shape->rows, shape->out, dy, shape->out_type, dbias, accumulate_bias);
  }
  if (dweight == NULL) { return; }
  if (plan->has_events && ssti_event_recall(base, shape->in, saved, weights_crossover(backend, shape), shape->rows)) {
    ssti_event_linear_weights(backend, shape, saved, dy, dweight, accumulate_weight, workspace);
    return;
  }
  if (plan->weights_refused) {
    ssti_fast_state_of(backend)->reference.linear_backward_weights(backend, shape, NULL, x, dy, dweight,
                                                                   accumulate_weight, NULL, false, NULL, workspace);
    return;
  }
  ssti_dnnl *part = &plan->part[accumulate_weight ? SSTI_FAST_WEIGHTS_ADD : SSTI_FAST_WEIGHTS];
  char *free_space = workspace;
  const void *from = as_factor(backend, shape, dy, shape->out_type, shape->rows * shape->out, &free_space);
  const void *source = as_factor(backend, shape, x, shape->in_type, shape->rows * shape->in, &free_space);
  ssti_dnnl_bind(part, 0, dweight);
  ssti_dnnl_bind(part, 1, from);
  ssti_dnnl_bind(part, 2, source);
  ssti_dnnl_run(backend, part, free_space);
}

void ssti_fast_fill_linear(ssti_kernels *kernels) {
  kernels->linear_plan = linear_plan;
  kernels->linear_forward = linear_forward;
  kernels->linear_backward_data = linear_backward_data;
  kernels->linear_backward_weights = linear_backward_weights;
}
