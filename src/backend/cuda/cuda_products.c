// SPDX-License-Identifier: Apache-2.0
// The slots of convolutions and linear layers. In precision F32 and TF32 operands go to the library as they lie in the
// graph. In BF16:
//   - both factors are bf16: those that are stored so as they are, others rounded into the workspace;
//   - results that are stored as bf16 come so from the library, which has added up in f32;
//   - results that stay f32 are not rounded. A library that takes bf16 factors for f32 results gives them. To another
//   one
//     factors go that are rounded but of type f32, to be multiplied as TF32: that has more bits than bf16, so the
//     products are the same. Gradients of weights alone are rounded there, before they are added up in f32: it is half
//     the time;
//   - where the library has nothing for bf16 at all, rounded factors of type f32 are multiplied in the same way.
#include "backend/cuda/cuda_products.h"
#include "base/log.h"
#include "base/memory.h"

enum { FORWARD = SSTI_CUDA_FORWARD, DATA = SSTI_CUDA_DATA, WEIGHTS = SSTI_CUDA_WEIGHTS, PASSES = SSTI_CUDA_PASSES };
enum { X = SSTI_CUDA_X, W = SSTI_CUDA_W, Y = SSTI_CUDA_Y, OPERANDS = SSTI_CUDA_OPERANDS };

static ssti_cuda_layer *layer_of(ssti_plan *plan) { return (ssti_cuda_layer *)(void *)plan; }

// ---- plans

static void plan_destroy(ssti_backend *backend, ssti_plan *plan) {
  if (plan == NULL) { return; }
  ssti_cuda_layer *layer = layer_of(plan);
  for (int i = 0; i < PASSES; i++) {
    if (layer->passes[i].handle != NULL) { layer->library->close(backend, layer->passes[i].handle); }
  }
  ssti_free(backend->context, layer);
}

// Where an operand goes to the library, or comes from it, in another place than its own.
static bool is_converted(const ssti_cuda_layer *layer, const ssti_cuda_pass *p, int pass, int operand) {
  if (operand == ssti_cuda_result_of(pass)) { return p->result != layer->type[operand]; }
  return p->rounds || p->factors != layer->type[operand];
}

static void cut_workspace(const ssti_cuda_layer *layer, int pass, ssti_cuda_pass *p) {
  enum { ALIGNMENT = 256 };
  size_t used = p->library_bytes;
  for (int i = 0; i < OPERANDS; i++) {
    if (!is_converted(layer, p, pass, i)) { continue; }
    const ssti_type type = i == ssti_cuda_result_of(pass) ? p->result : p->factors;
    p->at[i] = (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    used = p->at[i] + (size_t)layer->count[i] * ssti_type_bytes(type);
  }
  p->bytes = used;
}

static sst_status open_pass(ssti_backend *backend, ssti_cuda_layer *layer, int pass) {
  const ssti_cuda_library *library = layer->library;
  const ssti_type stored = layer->type[ssti_cuda_result_of(pass)];
  ssti_cuda_pass *p = &layer->passes[pass];
  sst_status status = SST_UNSUPPORTED;
  if (layer->precision == SST_PRECISION_BF16 && (stored == SSTI_BF16 || library->widens || pass == WEIGHTS)) {
    *p = (ssti_cuda_pass){.factors = SSTI_BF16, .result = library->widens ? stored : SSTI_BF16};
    status = library->open(backend, layer, pass, p);
    if (status == SST_UNSUPPORTED) {
      ssti_log(backend->context, SST_LOG_DEBUG, "%s; its rounded factors are multiplied as f32 ones",
               sst_context_message(backend->context));
    }
  }
  if (status == SST_UNSUPPORTED) {
    *p = (ssti_cuda_pass){.rounds = layer->precision == SST_PRECISION_BF16,
                          .is_tf32 = layer->precision != SST_PRECISION_F32};
    status = library->open(backend, layer, pass, p);
  }
  if (status == SST_OK) { cut_workspace(layer, pass, p); }
  return status;
}

static sst_status open_passes(ssti_backend *backend, ssti_cuda_layer *layer, bool training) {
  ssti_cuda_pass *p = layer->passes;
  SST_TRY(open_pass(backend, layer, FORWARD));
  layer->plan.density = -1.0;
  layer->plan.forward_workspace = p[FORWARD].bytes;
  if (!training) { return SST_OK; }
  SST_TRY(open_pass(backend, layer, DATA));
  SST_TRY(open_pass(backend, layer, WEIGHTS));
  layer->plan.backward_workspace = p[DATA].bytes > p[WEIGHTS].bytes ? p[DATA].bytes : p[WEIGHTS].bytes;
  return SST_OK;
}

static sst_status make_plan(ssti_backend *backend, const ssti_cuda_layer *described, bool training, ssti_plan **out) {
  *out = NULL;
  ssti_cuda_layer *layer = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *layer, &layer));
  *layer = *described;
  const sst_status status = open_passes(backend, layer, training);
  if (status != SST_OK) {
    plan_destroy(backend, &layer->plan);
    return status;
  }
  *out = &layer->plan;
  return SST_OK;
}

static sst_status conv2d_plan(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_plan **out) {
  const ssti_cuda_layer layer = {.library = &ssti_cuda_convolutions,
                                 .shape.conv2d = *s,
                                 .precision = s->precision,
                                 .count = {[X] = s->images * s->in_h * s->in_w * s->in_c,
                                           [W] = s->out_c * s->kernel_h * s->kernel_w * (s->in_c / s->groups),
                                           [Y] = s->images * s->out_h * s->out_w * s->out_c},
                                 .type = {[X] = s->in_type, [Y] = s->out_type},
                                 .channels = s->out_c};
  return make_plan(backend, &layer, training, out);
}

static sst_status linear_plan(ssti_backend *backend, const ssti_linear *s, bool training, ssti_plan **out) {
  const ssti_cuda_layer layer = {.library = &ssti_cuda_matrices,
                                 .shape.linear = *s,
                                 .precision = s->precision,
                                 .count = {[X] = s->rows * s->in, [W] = s->in * s->out, [Y] = s->rows * s->out},
                                 .type = {[X] = s->in_type, [Y] = s->out_type},
                                 .channels = s->out};
  return make_plan(backend, &layer, training, out);
}

// ---- products

// The operands are tensors of the graph, indexed by X, W, Y.
static void multiply(ssti_backend *backend, const ssti_cuda_layer *layer, int pass,
                     const float *const tensors[OPERANDS], float *to, bool accumulate, void *workspace) {
  const ssti_cuda_pass *p = &layer->passes[pass];
  const int result = ssti_cuda_result_of(pass);
  void *operands[OPERANDS];
  for (int i = 0; i < OPERANDS; i++) {
    if (!is_converted(layer, p, pass, i)) {
      operands[i] = i == result ? to : (void *)(uintptr_t)tensors[i]; // the library only reads factors
      continue;
    }
    operands[i] = (char *)workspace + p->at[i];
    if (i == result) { continue; }
    ssti_cuda_convert(backend, layer->count[i], tensors[i], layer->type[i], operands[i], p->factors, p->rounds, false);
  }
  const bool apart = operands[result] != (void *)to;
  layer->library->multiply(backend, layer, pass, operands, accumulate && !apart, workspace);
  if (apart) {
    ssti_cuda_convert(backend, layer->count[result], operands[result], p->result, to, layer->type[result], false,
                      accumulate);
  }
}

static int64_t rows_of(const ssti_cuda_layer *layer) { return layer->count[Y] / layer->channels; }

static void forward(ssti_backend *backend, ssti_plan *plan, const float *x, const float *weight, const float *bias,
                    float *y, void *workspace) {
  const ssti_cuda_layer *layer = layer_of(plan);
  multiply(backend, layer, FORWARD, (const float *const[]){[X] = x, [W] = weight, [Y] = NULL}, y, false, workspace);
  if (bias != NULL) { ssti_cuda_add_bias(backend, rows_of(layer), layer->channels, layer->type[Y], y, bias); }
}

static void backward_data(ssti_backend *backend, ssti_plan *plan, const float *dy, const float *weight, float *dx,
                          bool accumulate, void *workspace) {
  multiply(backend, layer_of(plan), DATA, (const float *const[]){[X] = NULL, [W] = weight, [Y] = dy}, dx, accumulate,
           workspace);
}

static void backward_weights(ssti_backend *backend, ssti_plan *plan, const float *x, const float *dy, float *dweight,
                             bool accumulate_weight, float *dbias, bool accumulate_bias, void *workspace) {
  const ssti_cuda_layer *layer = layer_of(plan);
  if (dbias != NULL) {
    ssti_cuda_bias_gradient(backend, rows_of(layer), layer->channels, layer->type[Y], dy, dbias, accumulate_bias);
  }
  if (dweight == NULL) { return; }
  multiply(backend, layer, WEIGHTS, (const float *const[]){[X] = x, [W] = NULL, [Y] = dy}, dweight, accumulate_weight,
           workspace);
}

// ---- the slots: the plan knows the shape

#define SLOTS(kind)                                                                                                    \
  static void kind##_forward(ssti_backend *backend, const ssti_##kind *s, ssti_plan *plan, const float *x,             \
                             const float *weight, const float *bias, float *y, void *saved, void *workspace) {         \
    (void)s, (void)saved;                                                                                              \
    forward(backend, plan, x, weight, bias, y, workspace);                                                             \
  }                                                                                                                    \
  static void kind##_backward_data(ssti_backend *backend, const ssti_##kind *s, ssti_plan *plan, const float *dy,      \
                                   const float *weight, float *dx, bool accumulate, void *workspace) {                 \
    (void)s;                                                                                                           \
    backward_data(backend, plan, dy, weight, dx, accumulate, workspace);                                               \
  }                                                                                                                    \
  static void kind##_backward_weights(ssti_backend *backend, const ssti_##kind *s, ssti_plan *plan, const float *x,    \
                                      const float *dy, float *dweight, bool accumulate_weight, float *dbias,           \
                                      bool accumulate_bias, const void *saved, void *workspace) {                      \
    (void)s, (void)saved;                                                                                              \
    backward_weights(backend, plan, x, dy, dweight, accumulate_weight, dbias, accumulate_bias, workspace);             \
  }
SLOTS(conv2d)
SLOTS(linear)
#undef SLOTS

void ssti_cuda_products_fill(ssti_kernels *kernels) {
  kernels->plan_destroy = plan_destroy;
  kernels->conv2d_plan = conv2d_plan;
  kernels->conv2d_forward = conv2d_forward;
  kernels->conv2d_backward_data = conv2d_backward_data;
  kernels->conv2d_backward_weights = conv2d_backward_weights;
  kernels->linear_plan = linear_plan;
  kernels->linear_forward = linear_forward;
  kernels->linear_backward_data = linear_backward_data;
  kernels->linear_backward_weights = linear_backward_weights;
}
