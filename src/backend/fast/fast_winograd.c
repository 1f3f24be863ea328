// SPDX-License-Identifier: Apache-2.0
// 3x3 convolutions by Winograd's algorithm, where the context asks for it: fewer multiplications, at the price of
// rounding (largest error about 2e-5 of the output's deviation; direct convolution 1e-6). oneDNN has it for channels in
// blocks only, so pictures are brought there and back, a batch at a time that stays in the caches.
#include "backend/fast/fast_winograd.h"

#include "base/memory.h"
#include "base/sizes.h"

enum { BATCH_PIXELS = 32768, LEAST_CHANNELS = 32 };

struct ssti_winograd {
  ssti_dnnl conv, weights, source, target; // the others are reorders; not made where the layout is ours
  int64_t batch;                           // pictures
  int64_t source_step, target_step;        // elements of a batch
  size_t weight_bytes, source_bytes, target_bytes, scratch;
};

// The largest divisor of the number of pictures whose batch is small enough.
static int64_t batch_of(const ssti_conv2d *s) {
  for (int64_t parts = 1; parts < s->images; parts++) {
    if (s->images % parts == 0 && s->images / parts * s->in_h * s->in_w <= BATCH_PIXELS) { return s->images / parts; }
  }
  return 1;
}

static bool is_suited(const ssti_conv2d *s) {
  return ssti_fast_is_3x3(s) && s->groups == 1 && s->in_c >= LEAST_CHANNELS && s->out_c >= LEAST_CHANNELS;
}

// The reorder between a layout of ours and the primitive's, and the bytes of the latter.
static sst_status make_reorder(ssti_backend *backend, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                               const dnnl_memory_desc_t *theirs, ssti_dnnl *out, size_t *bytes, bool *made) {
  *bytes = 0;
  if (!*made || dnnl_memory_desc_equal(from, to)) { return SST_OK; }
  *bytes = ssti_fast_round_up(dnnl_memory_desc_get_size(theirs));
  return ssti_dnnl_make_reorder(backend, from, to, out, made);
}

static sst_status make_reorders(ssti_backend *backend, dnnl_primitive_desc_t description,
                                const dnnl_memory_desc_t *source, const dnnl_memory_desc_t *target,
                                const dnnl_memory_desc_t *weights, ssti_winograd *w, bool *made) {
  const dnnl_memory_desc_t *their_source = dnnl_primitive_desc_query_md(description, dnnl_query_src_md, 0);
  const dnnl_memory_desc_t *their_target = dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0);
  const dnnl_memory_desc_t *their_weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
  SST_TRY(ssti_dnnl_add_argument(backend, &w->conv, DNNL_ARG_DST, their_target));
  SST_TRY(ssti_dnnl_add_argument(backend, &w->conv, DNNL_ARG_SRC, their_source));
  SST_TRY(ssti_dnnl_add_argument(backend, &w->conv, DNNL_ARG_WEIGHTS, their_weights));
  SST_TRY(make_reorder(backend, weights, their_weights, their_weights, &w->weights, &w->weight_bytes, made));
  SST_TRY(make_reorder(backend, source, their_source, their_source, &w->source, &w->source_bytes, made));
  return make_reorder(backend, their_target, target, their_target, &w->target, &w->target_bytes, made);
}

static sst_status make(ssti_backend *backend, const ssti_conv2d *s, const dnnl_memory_desc_t *weights, bool with_bias,
                       ssti_winograd *w, bool *made) {
  w->batch = batch_of(s);
  w->source_step = w->batch * s->in_h * s->in_w * s->in_c;
  w->target_step = w->batch * s->out_h * s->out_w * s->out_c;
  const dnnl_dims_t from = {w->batch, s->in_c, s->in_h, s->in_w}, to = {w->batch, s->out_c, s->out_h, s->out_w};
  const dnnl_dims_t filter = {s->out_c, s->in_c, 3, 3}, channels = {s->out_c};
  const dnnl_dims_t stride = {1, 1}, pad = {s->pad_h, s->pad_w};
  dnnl_memory_desc_t source, target, any_source, any_target, any_weights, bias;
  (void)dnnl_memory_desc_init_by_tag(&source, 4, from, dnnl_f32, dnnl_nhwc);
  (void)dnnl_memory_desc_init_by_tag(&target, 4, to, dnnl_f32, dnnl_nhwc);
  (void)dnnl_memory_desc_init_by_tag(&any_source, 4, from, dnnl_f32, dnnl_format_tag_any);
  (void)dnnl_memory_desc_init_by_tag(&any_target, 4, to, dnnl_f32, dnnl_format_tag_any);
  (void)dnnl_memory_desc_init_by_tag(&any_weights, 4, filter, dnnl_f32, dnnl_format_tag_any);
  (void)dnnl_memory_desc_init_by_tag(&bias, 1, channels, dnnl_f32, dnnl_a);
  dnnl_convolution_desc_t operation;
  *made = dnnl_convolution_forward_desc_init(&operation, dnnl_forward_training, dnnl_convolution_winograd, &any_source,
                                             &any_weights, with_bias ? &bias : NULL, &any_target, stride, pad,
                                             pad) == dnnl_success;
  if (!*made) { return SST_OK; }
  const ssti_dnnl_recipe recipe = {.operation = &operation};
  dnnl_primitive_desc_t description = NULL;
  SST_TRY(ssti_dnnl_make(backend, &recipe, &w->conv, made, &description));
  if (!*made) { return SST_OK; }
  sst_status status = make_reorders(backend, description, &source, &target, weights, w, made);
  (void)dnnl_primitive_desc_destroy(description);
  if (status == SST_OK && with_bias) { status = ssti_dnnl_add_argument(backend, &w->conv, DNNL_ARG_BIAS, &bias); }
  if (status == SST_OK) { status = ssti_dnnl_add_scratchpad(backend, &w->conv); }
  w->scratch = ssti_fast_round_up(ssti_larger_size(ssti_larger_size(w->conv.scratchpad, w->weights.scratchpad),
                                                   ssti_larger_size(w->source.scratchpad, w->target.scratchpad)));
  return status;
}

sst_status ssti_winograd_create(ssti_backend *backend, const ssti_conv2d *s, const dnnl_memory_desc_t *weights,
                                bool with_bias, ssti_winograd **out) {
  *out = NULL;
  if (!is_suited(s)) { return SST_OK; }
  ssti_winograd *w = NULL;
  SST_TRY(ssti_allocate(backend->context, 1, sizeof *w, &w));
  bool made = false;
  sst_status status = make(backend, s, weights, with_bias, w, &made);
  if (status != SST_OK || !made) {
    ssti_winograd_destroy(backend, w);
    return status;
  }
  *out = w;
  return SST_OK;
}

void ssti_winograd_destroy(ssti_backend *backend, ssti_winograd *w) {
  if (w == NULL) { return; }
  ssti_dnnl_end(&w->conv);
  ssti_dnnl_end(&w->weights);
  ssti_dnnl_end(&w->source);
  ssti_dnnl_end(&w->target);
  ssti_free(backend->context, w);
}

size_t ssti_winograd_workspace(const ssti_winograd *w) {
  return w->weight_bytes + w->source_bytes + w->target_bytes + w->scratch;
}

static void reorder(ssti_backend *backend, ssti_dnnl *reorder, const void *from, void *to, void *scratch) {
  ssti_dnnl_bind(reorder, 0, to);
  ssti_dnnl_bind(reorder, 1, from);
  ssti_dnnl_run(backend, reorder, scratch);
}

void ssti_winograd_run(ssti_backend *backend, ssti_winograd *w, int64_t images, const float *x, const float *weight,
                       const float *bias, float *y, void *workspace) {
  char *weights = workspace, *source = weights + w->weight_bytes, *target = source + w->source_bytes;
  char *scratch = target + w->target_bytes;
  if (w->weight_bytes > 0) { reorder(backend, &w->weights, weight, weights, scratch); }
  ssti_dnnl_bind(&w->conv, 2, w->weight_bytes > 0 ? (const void *)weights : weight);
  if (bias != NULL) { ssti_dnnl_bind(&w->conv, 3, bias); }
  for (int64_t image = 0; image < images; image += w->batch, x += w->source_step, y += w->target_step) {
    if (w->source_bytes > 0) { reorder(backend, &w->source, x, source, scratch); }
    ssti_dnnl_bind(&w->conv, 0, w->target_bytes > 0 ? (void *)target : y);
    ssti_dnnl_bind(&w->conv, 1, w->source_bytes > 0 ? (const void *)source : x);
    ssti_dnnl_run(backend, &w->conv, scratch);
    if (w->target_bytes > 0) { reorder(backend, &w->target, target, y, scratch); }
  }
}
