// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd's algorithm where that is asked for and suits (fast_winograd.h), else by oneDNN, direct
// algorithm; activations channels last throughout. Weights are brought into the layout
// that the primitive likes best in every call, because they change in every step; that is small beside the convolution.
//
// With stride 1 the gradient of the input is itself a convolution, of dy with turned weights. oneDNN's forward kernels
// are faster than its backward-data kernels (10 to 20 % on a VGG's layers), and can add to what is there.
//
// In precision BF16 x, dy and the weights go in as bf16: rounded at the start of the call where their tensor is f32.
// What comes out is of its tensor's type; gradients of weights are f32.
#include <string.h>

#include "backend/fast/fast_bf16_slim.h"
#include "backend/fast/fast_codes.h"
#include "backend/fast/fast_dense_weights.h"
#include "backend/fast/fast_event.h"
#include "backend/fast/fast_winograd.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/sizes.h"

// oneDNN's description of a convolution: either the one of the shape, or the one that computes its input gradient.
typedef struct geometry {
  dnnl_memory_desc_t source, target, any_weights, our_weights, bias;
  dnnl_dims_t stride, dilation, pad_left, pad_right;
} geometry;

static dnnl_data_type_t dnnl_type_of(ssti_type type) { return type == SSTI_BF16 ? dnnl_bf16 : dnnl_f32; }

// What a product takes in, and what it puts into a tensor of that type.
static ssti_type factor_type(const ssti_conv2d *s) { return s->precision == SST_PRECISION_BF16 ? SSTI_BF16 : SSTI_F32; }

static void image_layout(dnnl_memory_desc_t *layout, int64_t images, int64_t h, int64_t w, int64_t channels,
                         ssti_type type) {
  const dnnl_dims_t dims = {images, channels, h, w};
  (void)dnnl_memory_desc_init_by_tag(layout, 4, dims, dnnl_type_of(type), dnnl_nhwc);
}

// [O,Kh,Kw,I/groups] in memory, f32; `turned` swaps the two channel axes.
static void weight_layouts(const ssti_conv2d *s, bool turned, ssti_type type, dnnl_memory_desc_t *ours,
                           dnnl_memory_desc_t *any) {
  const int64_t o = s->out_c / s->groups, i = s->in_c / s->groups;
  const int64_t filter = s->kernel_h * s->kernel_w * i;
  const dnnl_dims_t dims = {s->groups, turned ? i : o, turned ? o : i, s->kernel_h, s->kernel_w};
  const dnnl_dims_t strides = {o * filter, turned ? 1 : filter, turned ? filter : 1, s->kernel_w * i, i};
  const int first = s->groups > 1 ? 0 : 1; // one group has no axis
  (void)dnnl_memory_desc_init_by_strides(ours, 5 - first, dims + first, dnnl_f32, strides + first);
  (void)dnnl_memory_desc_init_by_tag(any, 5 - first, dims + first, dnnl_type_of(type), dnnl_format_tag_any);
}

// Types of the side that convolutions go from, of weights, of the side that they go to.
static geometry geometry_of(const ssti_conv2d *s, ssti_type source, ssti_type weights, ssti_type target) {
  geometry g = {.stride = {s->stride_h, s->stride_w},
                .dilation = {s->dilation_h - 1, s->dilation_w - 1},
                .pad_left = {s->pad_h, s->pad_w},
                .pad_right = {s->pad_h, s->pad_w}};
  image_layout(&g.source, s->images, s->in_h, s->in_w, s->in_c, source);
  image_layout(&g.target, s->images, s->out_h, s->out_w, s->out_c, target);
  weight_layouts(s, false, weights, &g.our_weights, &g.any_weights);
  const dnnl_dims_t channels = {s->out_c};
  (void)dnnl_memory_desc_init_by_tag(&g.bias, 1, channels, dnnl_f32, dnnl_a);
  return g;
}

ssti_conv2d ssti_fast_turned_shape(const ssti_conv2d *s) {
  ssti_conv2d t = *s;
  t.in_h = s->out_h, t.in_w = s->out_w, t.in_c = s->out_c;
  t.out_h = s->in_h, t.out_w = s->in_w, t.out_c = s->in_c;
  t.pad_h = s->dilation_h * (s->kernel_h - 1) - s->pad_h;
  t.pad_w = s->dilation_w * (s->kernel_w - 1) - s->pad_w;
  t.in_type = s->out_type, t.out_type = s->in_type;
  return t;
}

static geometry turned_geometry_of(const ssti_conv2d *s) {
  const ssti_conv2d t = ssti_fast_turned_shape(s);
  geometry g = geometry_of(&t, factor_type(s), factor_type(s), s->in_type);
  weight_layouts(s, true, factor_type(s), &g.our_weights, &g.any_weights);
  return g;
}

static bool can_turn(const ssti_conv2d *s) {
  return s->stride_h == 1 && s->stride_w == 1 && s->dilation_h * (s->kernel_h - 1) >= s->pad_h &&
         s->dilation_w * (s->kernel_w - 1) >= s->pad_w;
}

static bool has_space(const ssti_conv2d *s) { return s->kernel_h * s->kernel_w > 1; }

static size_t weight_bytes(const ssti_conv2d *s) {
  return (size_t)(s->out_c * s->kernel_h * s->kernel_w * (s->in_c / s->groups)) * sizeof(float);
}

// Adds the reorder between our layout of the weights and the primitive's. Without one that works the part is refused.
static sst_status add_weights_reorder(ssti_backend *backend, const dnnl_memory_desc_t *ours,
                                      const dnnl_memory_desc_t *theirs, bool back, ssti_dnnl *out, size_t *bytes,
                                      bool *made) {
  *bytes = 0;
  if (dnnl_memory_desc_equal(ours, theirs)) { return SST_OK; }
  *bytes = ssti_fast_round_up(dnnl_memory_desc_get_size(theirs));
  return back ? ssti_dnnl_make_reorder(backend, theirs, ours, out, made)
              : ssti_dnnl_make_reorder(backend, ours, theirs, out, made);
}

// A convolution that is run as such: arguments are target, source, weights, then the bias if there is one.
static sst_status make_forward(ssti_backend *backend, const geometry *g, bool with_bias, bool add, ssti_dnnl *out,
                               bool *made, dnnl_primitive_desc_t *description) {
  dnnl_convolution_desc_t operation;
  *made =
      dnnl_dilated_convolution_forward_desc_init(&operation, dnnl_forward_training, dnnl_convolution_direct, &g->source,
                                                 &g->any_weights, with_bias ? &g->bias : NULL, &g->target, g->stride,
                                                 g->dilation, g->pad_left, g->pad_right) == dnnl_success;
  if (!*made) { return SST_OK; }
  const ssti_dnnl_recipe recipe = {.operation = &operation, .add = add};
  SST_TRY(ssti_dnnl_make(backend, &recipe, out, made, description));
  if (!*made) { return SST_OK; }
  const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(*description, dnnl_query_weights_md, 0);
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_DST, &g->target));
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_SRC, &g->source));
  SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_WEIGHTS, weights));
  if (with_bias) { SST_TRY(ssti_dnnl_add_argument(backend, out, DNNL_ARG_BIAS, &g->bias)); }
  return ssti_dnnl_add_scratchpad(backend, out);
}

// The input gradient as a convolution: twice, because adding is another primitive. Both take the same weights.
static sst_status plan_data_turned(ssti_backend *backend, const ssti_conv2d *s, ssti_fast_plan *plan) {
  const geometry g = turned_geometry_of(s);
  dnnl_primitive_desc_t description = NULL, adding = NULL;
  bool made = false, made_adding = false;
  sst_status status = make_forward(backend, &g, false, false, &plan->part[SSTI_FAST_DATA], &made, &description);
  if (status == SST_OK && made) {
    const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    status = add_weights_reorder(backend, &g.our_weights, weights, false, &plan->part[SSTI_FAST_DATA_REORDER],
                                 &plan->data_layout_bytes, &made);
    if (status == SST_OK) {
      status = make_forward(backend, &g, false, true, &plan->part[SSTI_FAST_DATA_ADD], &made_adding, &adding);
    }
    if (made_adding &&
        !dnnl_memory_desc_equal(weights, dnnl_primitive_desc_query_md(adding, dnnl_query_weights_md, 0))) {
      ssti_dnnl_end(&plan->part[SSTI_FAST_DATA_ADD]);
    }
  }
  if (description != NULL) { (void)dnnl_primitive_desc_destroy(description); }
  if (adding != NULL) { (void)dnnl_primitive_desc_destroy(adding); }
  plan->data_as_forward = status == SST_OK && made;
  return status;
}

static sst_status plan_data(ssti_backend *backend, const geometry *g, dnnl_primitive_desc_t hint,
                            ssti_fast_plan *plan) {
  dnnl_convolution_desc_t operation;
  dnnl_primitive_desc_t description = NULL;
  ssti_dnnl *part = &plan->part[SSTI_FAST_DATA];
  ssti_dnnl_end(part); // what an attempt to turn the weights has left
  ssti_dnnl_end(&plan->part[SSTI_FAST_DATA_REORDER]);
  ssti_dnnl_end(&plan->part[SSTI_FAST_DATA_ADD]);
  plan->data_refused = true;
  if (dnnl_dilated_convolution_backward_data_desc_init(&operation, dnnl_convolution_direct, &g->source, &g->any_weights,
                                                       &g->target, g->stride, g->dilation, g->pad_left,
                                                       g->pad_right) != dnnl_success) {
    return SST_OK;
  }
  const ssti_dnnl_recipe recipe = {.operation = &operation, .hint = hint};
  bool made = false;
  SST_TRY(ssti_dnnl_make(backend, &recipe, part, &made, &description));
  if (!made) { return SST_OK; }
  const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
  sst_status status = ssti_dnnl_add_argument(backend, part, DNNL_ARG_DIFF_SRC, &g->source);
  if (status == SST_OK) { status = ssti_dnnl_add_argument(backend, part, DNNL_ARG_DIFF_DST, &g->target); }
  if (status == SST_OK) { status = ssti_dnnl_add_argument(backend, part, DNNL_ARG_WEIGHTS, weights); }
  if (status == SST_OK) { status = ssti_dnnl_add_scratchpad(backend, part); }
  if (status == SST_OK) {
    status = add_weights_reorder(backend, &g->our_weights, weights, false, &plan->part[SSTI_FAST_DATA_REORDER],
                                 &plan->data_layout_bytes, &made);
  }
  (void)dnnl_primitive_desc_destroy(description);
  plan->data_refused = !made;
  return status;
}

static sst_status plan_weights(ssti_backend *backend, const geometry *g, dnnl_primitive_desc_t hint,
                               ssti_fast_plan *plan) {
  dnnl_convolution_desc_t operation;
  dnnl_primitive_desc_t description = NULL;
  ssti_dnnl *part = &plan->part[SSTI_FAST_WEIGHTS];
  plan->weights_refused = true;
  if (dnnl_dilated_convolution_backward_weights_desc_init(&operation, dnnl_convolution_direct, &g->source,
                                                          &g->any_weights, NULL, &g->target, g->stride, g->dilation,
                                                          g->pad_left, g->pad_right) != dnnl_success) {
    return SST_OK;
  }
  const ssti_dnnl_recipe recipe = {.operation = &operation, .hint = hint};
  bool made = false;
  SST_TRY(ssti_dnnl_make(backend, &recipe, part, &made, &description));
  if (!made) { return SST_OK; }
  const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(description, dnnl_query_diff_weights_md, 0);
  sst_status status = ssti_dnnl_add_argument(backend, part, DNNL_ARG_DIFF_WEIGHTS, weights);
  if (status == SST_OK) { status = ssti_dnnl_add_argument(backend, part, DNNL_ARG_SRC, &g->source); }
  if (status == SST_OK) { status = ssti_dnnl_add_argument(backend, part, DNNL_ARG_DIFF_DST, &g->target); }
  if (status == SST_OK) { status = ssti_dnnl_add_scratchpad(backend, part); }
  if (status == SST_OK) {
    status = add_weights_reorder(backend, &g->our_weights, weights, true, &plan->part[SSTI_FAST_WEIGHTS_REORDER],
                                 &plan->weights_layout_bytes, &made);
  }
  (void)dnnl_primitive_desc_destroy(description);
  plan->weights_refused = !made;
  return status;
}

static sst_status plan_backward(ssti_backend *backend, const ssti_conv2d *s, dnnl_primitive_desc_t hint,
                                ssti_fast_plan *plan) {
  const ssti_type factor = factor_type(s);
  const geometry data = geometry_of(s, s->in_type, factor, factor), weights = geometry_of(s, factor, SSTI_F32, factor);
  if (can_turn(s)) { SST_TRY(plan_data_turned(backend, s, plan)); }
  if (!plan->data_as_forward) { SST_TRY(plan_data(backend, &data, hint, plan)); }
  plan->own_weights = ssti_dense_weights_possible(backend, s);
  if (plan->own_weights) { return SST_OK; }
  return plan_weights(backend, &weights, hint, plan);
}

static int64_t in_count(const ssti_conv2d *s) { return s->images * s->in_h * s->in_w * s->in_c; }
static int64_t out_count(const ssti_conv2d *s) { return s->images * s->out_h * s->out_w * s->out_c; }

// Bytes of the copy of a tensor that has another type than products take in.
static size_t copy_bytes(const ssti_conv2d *s, ssti_type type, int64_t count) {
  return type == factor_type(s) ? 0 : ssti_fast_round_up((size_t)count * sizeof(ssti_bf16));
}

// Scratch of the three passes; see the layouts in the functions that use it.
static void size_workspace(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_fast_plan *plan) {
  const ssti_dnnl *part = plan->part;
  const size_t weights = ssti_fast_round_up(weight_bytes(s));
  plan->base.forward_workspace = copy_bytes(s, s->in_type, in_count(s)) + plan->forward_layout_bytes +
                                 ssti_fast_round_up(part[SSTI_FAST_FORWARD].scratchpad) +
                                 ssti_fast_round_up(part[SSTI_FAST_FORWARD_REORDER].scratchpad);
  if (!training) { return; }
  size_t data =
      copy_bytes(s, s->out_type, out_count(s)) + plan->data_layout_bytes +
      ssti_fast_round_up(part[SSTI_FAST_DATA_REORDER].scratchpad) +
      ssti_fast_round_up(ssti_larger_size(part[SSTI_FAST_DATA].scratchpad, part[SSTI_FAST_DATA_ADD].scratchpad));
  if (plan->data_as_forward && has_space(s)) { data += weights; }
  if (part[SSTI_FAST_DATA_ADD].primitive == NULL) {
    data += ssti_fast_round_up((size_t)in_count(s) * ssti_type_bytes(s->in_type));
  }
  const size_t own = plan->own_weights ? ssti_dense_weights_workspace(backend, s) : 0;
  const size_t gradient = copy_bytes(s, s->in_type, in_count(s)) + copy_bytes(s, s->out_type, out_count(s)) + own +
                          plan->weights_layout_bytes + weights +
                          ssti_fast_round_up(ssti_larger_size(part[SSTI_FAST_WEIGHTS].scratchpad,
                                                              part[SSTI_FAST_WEIGHTS_REORDER].scratchpad));
  plan->base.backward_workspace = ssti_larger_size(data, gradient);
}

// Few channels by own kernels.
static void plan_slim(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_fast_plan *plan) {
  plan->slim_forward = ssti_bf16_slim_possible(backend, s);
  if (plan->slim_forward) {
    plan->base.forward_workspace = ssti_larger_size(plan->base.forward_workspace, ssti_bf16_slim_workspace(backend, s));
  }
  if (!training) { return; }
  const ssti_conv2d turned = ssti_fast_turned_shape(s);
  plan->slim_data = can_turn(s) && ssti_bf16_slim_possible(backend, &turned);
  if (plan->slim_data) {
    plan->base.backward_workspace =
        ssti_larger_size(plan->base.backward_workspace, ssti_bf16_slim_workspace(backend, &turned));
  }
  plan->slim_weights = ssti_bf16_slim_weights_possible(backend, s);
  if (plan->slim_weights) {
    plan->base.backward_workspace =
        ssti_larger_size(plan->base.backward_workspace, ssti_bf16_slim_weights_workspace(backend, s));
  }
}

static void plan_winograd(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_fast_plan *plan) {
  plan->base.forward_workspace = ssti_winograd_forward_workspace(backend, s);
  if (!training) { return; }
  plan->base.backward_workspace =
      ssti_larger_size(ssti_winograd_data_workspace(backend, s), ssti_winograd_weights_workspace(backend, s));
}

static int64_t positions_of(const ssti_conv2d *s) { return s->images * s->out_h * s->out_w; }

// Densities from which on the dense product is faster, and 8-bit integers.
typedef struct crossing {
  double forward, weights, codes;
} crossing;

static crossing crossover_of(const ssti_backend *backend, const ssti_conv2d *s, bool winograd) {
  const sst_crossover *c = &ssti_fast_state_of(backend)->crossover;
  if (winograd) {
    return (crossing){c->winograd_convolution_forward, c->winograd_convolution_weights, c->code_convolution_forward};
  }
  if (s->precision == SST_PRECISION_BF16) {
    return (crossing){c->bf16_convolution_forward, c->bf16_convolution_weights, c->code_convolution_forward};
  }
  return (crossing){c->convolution_forward, c->convolution_weights, c->code_convolution_forward};
}

// Room for spikes as bits, and for working on them.
static void add_events(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_fast_plan *plan) {
  const crossing at = crossover_of(backend, s, plan->winograd);
  // A part of a word of channels must fire so rarely for additions to win over own kernels that looking would cost
  // more.
  const bool slim = plan->slim_forward && (!training || plan->slim_weights) && s->in_c < SSTI_EVENT_WORD;
  if (slim && at.forward < 1.0 && at.weights < 1.0 && plan->codes == NULL) { return; }
  plan->has_events =
      !s->settled && s->groups == 1 && ssti_event_possible(at.forward, training ? at.weights : -1.0, s->in_c);
  if (!plan->has_events) { return; }
  plan->base.saved = ssti_event_saved_bytes(s->images * s->in_h * s->in_w, s->in_c);
  plan->base.forward_workspace =
      ssti_larger_size(plan->base.forward_workspace, ssti_event_forward_workspace(backend, s));
  if (!training) { return; }
  plan->base.backward_workspace =
      ssti_larger_size(plan->base.backward_workspace, ssti_event_conv2d_weights_workspace(backend, s));
}

static sst_status plan_codes(ssti_backend *backend, const ssti_conv2d *s, ssti_fast_plan *plan) {
  if (ssti_fast_state_of(backend)->codes != SST_CODES_INTEGER) { return SST_OK; }
  SST_TRY(ssti_codes_create(backend, s, crossover_of(backend, s, plan->winograd).codes, &plan->codes));
  if (plan->codes != NULL) {
    plan->base.forward_workspace = ssti_larger_size(plan->base.forward_workspace, ssti_codes_workspace(plan->codes));
  }
  return SST_OK;
}

// The reference computes what oneDNN refuses, but in f32 only.
static sst_status check_refusals(ssti_backend *backend, const ssti_conv2d *s, const ssti_fast_plan *plan) {
  if (!plan->forward_refused && !plan->data_refused && !plan->weights_refused) { return SST_OK; }
  if (s->precision != SST_PRECISION_F32) {
    SST_FAIL(backend->context, SST_UNSUPPORTED,
             "oneDNN has no bf16 for the convolution %lldx%lldx%lld to %lld channels, kernel %lldx%lld; expected "
             "precision f32 for it",
             (long long)s->in_h, (long long)s->in_w, (long long)s->in_c, (long long)s->out_c, (long long)s->kernel_h,
             (long long)s->kernel_w);
  }
  ssti_log(backend->context, SST_LOG_DEBUG,
           "oneDNN has no%s%s%s of the convolution %lldx%lldx%lld to %lld channels, kernel %lldx%lld; the reference "
           "kernel does it",
           plan->forward_refused ? " forward" : "", plan->data_refused ? " input gradient" : "",
           plan->weights_refused ? " weight gradient" : "", (long long)s->in_h, (long long)s->in_w, (long long)s->in_c,
           (long long)s->out_c, (long long)s->kernel_h, (long long)s->kernel_w);
  return SST_OK;
}

// oneDNN's primitives, own kernels where they are faster.
static sst_status plan_direct(ssti_backend *backend, const ssti_conv2d *s, bool training, ssti_fast_plan *plan) {
  const geometry g = geometry_of(s, factor_type(s), factor_type(s), s->out_type);
  dnnl_primitive_desc_t forward = NULL;
  bool made = false;
  sst_status status = make_forward(backend, &g, true, false, &plan->part[SSTI_FAST_FORWARD], &made, &forward);
  if (status == SST_OK && made) {
    status =
        add_weights_reorder(backend, &g.our_weights, dnnl_primitive_desc_query_md(forward, dnnl_query_weights_md, 0),
                            false, &plan->part[SSTI_FAST_FORWARD_REORDER], &plan->forward_layout_bytes, &made);
  }
  plan->forward_refused = !made;
  // Without a forward descriptor there is no hint for the others.
  plan->data_refused = plan->weights_refused = training && forward == NULL;
  if (status == SST_OK && training && forward != NULL) { status = plan_backward(backend, s, forward, plan); }
  if (forward != NULL) { (void)dnnl_primitive_desc_destroy(forward); }
  if (status != SST_OK) { return status; }
  size_workspace(backend, s, training, plan);
  plan_slim(backend, s, training, plan);
  return check_refusals(backend, s, plan);
}

static sst_status conv2d_plan(ssti_backend *backend, const ssti_conv2d *shape, bool training, ssti_plan **out) {
  *out = NULL;
  ssti_fast_plan *plan = NULL;
  SST_TRY(ssti_fast_plan_create(backend, shape->out_c, &plan));
  sst_status status = SST_OK;
  plan->winograd = ssti_winograd_possible(backend, shape);
  if (plan->winograd) {
    plan_winograd(backend, shape, training, plan);
  } else {
    status = plan_direct(backend, shape, training, plan);
  }
  if (status == SST_OK) { status = plan_codes(backend, shape, plan); }
  if (status == SST_OK) { add_events(backend, shape, training, plan); }
  if (status != SST_OK) {
    ssti_fast_plan_destroy(backend, &plan->base);
    return status;
  }
  *out = &plan->base;
  return SST_OK;
}

// Brings weights into the primitive's layout, at the start of *workspace, which moves on. Returns what to bind.
static const void *reordered(ssti_backend *backend, ssti_dnnl *reorder, const float *weight, size_t bytes,
                             char **workspace) {
  if (bytes == 0) { return weight; }
  void *target = *workspace;
  *workspace += bytes;
  ssti_dnnl_bind(reorder, 0, target);
  ssti_dnnl_bind(reorder, 1, weight);
  ssti_dnnl_run(backend, reorder, *workspace);
  *workspace += ssti_fast_round_up(reorder->scratchpad);
  return target;
}

// The tensor as products take it in: itself, or a rounded copy at the start of *workspace, which moves on.
static const void *as_factor(ssti_backend *backend, const ssti_conv2d *s, const float *tensor, ssti_type type,
                             int64_t count, char **workspace) {
  const size_t bytes = copy_bytes(s, type, count);
  if (bytes == 0) { return tensor; }
  ssti_bf16 *copy = (ssti_bf16 *)(void *)*workspace;
  *workspace += bytes;
  ssti_fast_narrow(backend, count, tensor, copy);
  return copy;
}

// Workspace: x as bf16 where it is not, weights in oneDNN's layout, the reorder's scratchpad, the convolution's
// scratchpad.
static void conv2d_forward(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *base, const float *x,
                           const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  const crossing at = crossover_of(backend, shape, plan->winograd);
  const bool codes = plan->codes != NULL && bias == NULL;
  base->forward_by_codes = false;
  bool events =
      plan->has_events && ssti_event_look(backend, base, shape->images * shape->in_h * shape->in_w, shape->in_c, x,
                                          shape->in_type, saved, codes ? at.codes : at.forward, positions_of(shape));
  if (codes && !events) {
    base->forward_by_codes = ssti_codes_run(backend, plan->codes, x, weight, y, workspace);
    if (base->forward_by_codes) { return; }
    events = plan->has_events && ssti_event_look_again(base, shape->in_c, saved, at.forward, positions_of(shape));
  }
  if (events) {
    ssti_event_conv2d_forward(backend, shape, saved, weight, bias, y, workspace);
    return;
  }
  if (plan->winograd) {
    ssti_winograd_forward(backend, shape, x, weight, bias, y, workspace);
    return;
  }
  if (plan->slim_forward) {
    ssti_bf16_slim_forward(backend, shape, false, x, weight, bias, y, false, workspace);
    return;
  }
  if (plan->forward_refused) {
    ssti_fast_state_of(backend)->reference.conv2d_forward(backend, shape, NULL, x, weight, bias, y, NULL, workspace);
    return;
  }
  char *free_space = workspace;
  ssti_dnnl *part = &plan->part[SSTI_FAST_FORWARD];
  const void *source = as_factor(backend, shape, x, shape->in_type, in_count(shape), &free_space);
  const void *weights =
      reordered(backend, &plan->part[SSTI_FAST_FORWARD_REORDER], weight, plan->forward_layout_bytes, &free_space);
  ssti_dnnl_bind(part, 0, y);
  ssti_dnnl_bind(part, 1, source);
  ssti_dnnl_bind(part, 2, weights);
  ssti_dnnl_bind(part, 3, bias != NULL ? bias : plan->zero_bias);
  ssti_dnnl_run(backend, part, free_space);
}

typedef struct turn_work {
  const ssti_conv2d *s;
  const float *weight;
  float *turned;
} turn_work;

// Kernel positions in reverse order; the channel axes are swapped by the reorder that follows.
static void turn_range(void *arg, int64_t begin, int64_t end) {
  const turn_work *w = arg;
  const int64_t positions = w->s->kernel_h * w->s->kernel_w, width = w->s->in_c / w->s->groups;
  for (int64_t o = begin; o < end; o++) {
    const float *from = w->weight + o * positions * width;
    float *to = w->turned + o * positions * width;
    for (int64_t p = 0; p < positions; p++) {
      memcpy(to + (positions - 1 - p) * width, from + p * width, (size_t)width * sizeof *to);
    }
  }
}

static const float *turn(ssti_backend *backend, const ssti_conv2d *s, const float *weight, char **workspace) {
  if (!has_space(s)) { return weight; }
  turn_work work = {.s = s, .weight = weight, .turned = (float *)(void *)*workspace};
  *workspace += ssti_fast_round_up(weight_bytes(s));
  const int64_t filter = s->kernel_h * s->kernel_w * (s->in_c / s->groups);
  ssti_parallel_for(backend->context, s->out_c, 1 + 65536 / filter, turn_range, &work);
  return work.turned;
}

// Workspace: dy as bf16 where it is not, turned weights, weights in oneDNN's layout, scratchpads, dx where it has to be
// added afterwards.
static void conv2d_backward_data(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *base, const float *dy,
                                 const float *weight, float *dx, bool accumulate, void *workspace) {
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  if (plan->winograd) {
    ssti_winograd_data(backend, shape, dy, weight, dx, accumulate, workspace);
    return;
  }
  if (plan->slim_data) {
    const ssti_conv2d turned = ssti_fast_turned_shape(shape);
    ssti_bf16_slim_forward(backend, &turned, true, dy, weight, NULL, dx, accumulate, workspace);
    return;
  }
  if (plan->data_refused) {
    ssti_fast_state_of(backend)->reference.conv2d_backward_data(backend, shape, NULL, dy, weight, dx, accumulate,
                                                                workspace);
    return;
  }
  char *free_space = workspace;
  const bool adds = accumulate && plan->part[SSTI_FAST_DATA_ADD].primitive != NULL;
  ssti_dnnl *part = &plan->part[adds ? SSTI_FAST_DATA_ADD : SSTI_FAST_DATA];
  const void *source = as_factor(backend, shape, dy, shape->out_type, out_count(shape), &free_space);
  if (plan->data_as_forward) { weight = turn(backend, shape, weight, &free_space); }
  const void *weights =
      reordered(backend, &plan->part[SSTI_FAST_DATA_REORDER], weight, plan->data_layout_bytes, &free_space);
  void *target = dx;
  if (accumulate && !adds) { target = free_space + ssti_fast_round_up(part->scratchpad); }
  ssti_dnnl_bind(part, 0, target);
  ssti_dnnl_bind(part, 1, source);
  ssti_dnnl_bind(part, 2, weights);
  ssti_dnnl_run(backend, part, free_space);
  if (target == dx) { return; }
  if (shape->in_type == SSTI_BF16) {
    ssti_fast_add_bf16(backend, in_count(shape), target, (ssti_bf16 *)(void *)dx);
  } else {
    ssti_fast_add(backend, in_count(shape), target, dx);
  }
}

// Workspace: x and dy as bf16 where they are not; the own kernel's, or gradient in oneDNN's layout, gradient in ours
// where it has to be added afterwards, scratchpad.
static void conv2d_backward_weights(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *base, const float *x,
                                    const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                                    bool accumulate_bias, const void *saved, void *workspace) {
  ssti_fast_plan *plan = (ssti_fast_plan *)(void *)base;
  if (dbias != NULL) {
    ssti_fast_column_sums(backend, positions_of(shape), shape->out_c, dy, shape->out_type, dbias, accumulate_bias);
  }
  if (dweight == NULL) { return; }
  if (plan->has_events &&
      ssti_event_recall(base, shape->in_c, saved, crossover_of(backend, shape, plan->winograd).weights,
                        positions_of(shape))) {
    ssti_event_conv2d_weights(backend, shape, saved, dy, dweight, accumulate_weight, workspace);
    return;
  }
  if (plan->winograd) {
    ssti_winograd_weights(backend, shape, x, dy, dweight, accumulate_weight, workspace);
    return;
  }
  if (plan->slim_weights) {
    ssti_bf16_slim_weights(backend, shape, x, dy, dweight, accumulate_weight, workspace);
    return;
  }
  if (plan->weights_refused) {
    ssti_fast_state_of(backend)->reference.conv2d_backward_weights(backend, shape, NULL, x, dy, dweight,
                                                                   accumulate_weight, NULL, false, NULL, workspace);
    return;
  }
  char *free_space = workspace;
  const void *source = as_factor(backend, shape, x, shape->in_type, in_count(shape), &free_space);
  const void *from = as_factor(backend, shape, dy, shape->out_type, out_count(shape), &free_space);
  if (plan->own_weights) {
    ssti_dense_weights(backend, shape, source, from, dweight, accumulate_weight, free_space);
    return;
  }
  void *theirs = free_space;
  free_space += plan->weights_layout_bytes;
  float *ours = dweight;
  if (accumulate_weight) {
    ours = (float *)(void *)free_space;
    free_space += ssti_fast_round_up(weight_bytes(shape));
  }
  ssti_dnnl *part = &plan->part[SSTI_FAST_WEIGHTS];
  ssti_dnnl_bind(part, 0, plan->weights_layout_bytes > 0 ? theirs : ours);
  ssti_dnnl_bind(part, 1, source);
  ssti_dnnl_bind(part, 2, from);
  ssti_dnnl_run(backend, part, free_space);
  if (plan->weights_layout_bytes > 0) {
    ssti_dnnl *reorder = &plan->part[SSTI_FAST_WEIGHTS_REORDER];
    ssti_dnnl_bind(reorder, 0, ours);
    ssti_dnnl_bind(reorder, 1, theirs);
    ssti_dnnl_run(backend, reorder, free_space);
  }
  if (ours != dweight) { ssti_fast_add(backend, (int64_t)(weight_bytes(shape) / sizeof *ours), ours, dweight); }
}

void ssti_fast_fill_conv2d(ssti_kernels *kernels) {
  kernels->conv2d_plan = conv2d_plan;
  kernels->conv2d_forward = conv2d_forward;
  kernels->conv2d_backward_data = conv2d_backward_data;
  kernels->conv2d_backward_weights = conv2d_backward_weights;
}
