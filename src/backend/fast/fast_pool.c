// SPDX-License-Identifier: Apache-2.0
// Pooling: own kernels, whole images a thread. An image of a tensor that is bf16 is laid out in f32 first, or last,
// which for usual sizes stays in the second-level cache; averages of windows of 2 by 2 need no such copy.
#include "backend/fast/fast.h"
#include "base/parallel.h"
#include "base/sizes.h"

typedef struct pool_work {
  const ssti_simd *simd;
  const ssti_pool *shape;
  const float *from;
  float *to;
  uint8_t *saved;
  const uint8_t *kept;
  bool accumulate;
  int64_t slots; // threads with an image of either side in `images`, where something is bf16; else 0
  float *images;
} pool_work;

static int64_t in_count(const ssti_pool *s) { return s->in_h * s->in_w * s->channels; }
static int64_t out_count(const ssti_pool *s) { return s->out_h * s->out_w * s->channels; }

static int64_t image_grain(const ssti_pool *s) { return 1 + 16384 / (in_count(s) > 0 ? in_count(s) : 1); }

static int64_t slots_of(const ssti_backend *backend, const ssti_pool *s) {
  if (s->in_type == SSTI_F32 && s->out_type == SSTI_F32) { return 0; }
  const int64_t useful = (s->images + image_grain(s) - 1) / image_grain(s);
  return ssti_smaller(sst_context_threads(backend->context), useful);
}

// The image in f32: where it is, or in `scratch`.
static const float *widened(const pool_work *w, const float *tensor, ssti_type type, int64_t at, int64_t count,
                            float *scratch) {
  if (type == SSTI_F32) { return tensor + at; }
  w->simd->widen(count, (const ssti_bf16 *)(const void *)tensor + at, scratch);
  return scratch;
}

static void narrow_to(const pool_work *w, const float *scratch, int64_t count, float *tensor, int64_t at) {
  w->simd->narrow(count, scratch, (ssti_bf16 *)(void *)tensor + at);
}

static void forward_image(const pool_work *w, int64_t image, float *scratch) {
  const ssti_pool *s = w->shape;
  const int64_t in = in_count(s), out = out_count(s);
  const float *x = widened(w, w->from, s->in_type, image * in, in, scratch);
  float *y = s->out_type == SSTI_F32 ? w->to + image * out : scratch + in;
  w->simd->pool_forward(s, 0, 1, x, y, w->saved == NULL ? NULL : w->saved + image * out);
  if (s->out_type == SSTI_BF16) { narrow_to(w, y, out, w->to, image * out); }
}

static void backward_image(const pool_work *w, int64_t image, float *scratch) {
  const ssti_pool *s = w->shape;
  const int64_t in = in_count(s), out = out_count(s);
  const float *dy = widened(w, w->from, s->out_type, image * out, out, scratch + in);
  float *dx = s->in_type == SSTI_F32 ? w->to + image * in : scratch;
  if (w->accumulate) { (void)widened(w, w->to, s->in_type, image * in, in, scratch); }
  w->simd->pool_backward(s, 0, 1, dy, w->kept == NULL ? NULL : w->kept + image * out, dx, w->accumulate);
  if (s->in_type == SSTI_BF16) { narrow_to(w, dx, in, w->to, image * in); }
}

static void each_image(const pool_work *w, int64_t begin, int64_t end,
                       void (*function)(const pool_work *, int64_t, float *)) {
  for (int64_t slot = begin; slot < end; slot++) {
    float *scratch = w->images + slot * (in_count(w->shape) + out_count(w->shape));
    const int64_t last = (slot + 1) * w->shape->images / w->slots;
    for (int64_t i = slot * w->shape->images / w->slots; i < last; i++) { function(w, i, scratch); }
  }
}

static void forward_slots(void *arg, int64_t begin, int64_t end) { each_image(arg, begin, end, forward_image); }
static void backward_slots(void *arg, int64_t begin, int64_t end) { each_image(arg, begin, end, backward_image); }

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  w->simd->pool_forward(w->shape, begin, end, w->from, w->to, w->saved);
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  w->simd->pool_backward(w->shape, begin, end, w->from, w->kept, w->to, w->accumulate);
}

static void forward_quarters(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  w->simd->pool_quarters_forward(w->shape, begin, end, (const ssti_bf16 *)(const void *)w->from, w->to);
}

static void backward_quarters(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  w->simd->pool_quarters_backward(w->shape, begin, end, w->from, (ssti_bf16 *)(void *)w->to);
}

static sst_status pool_plan(ssti_backend *backend, const ssti_pool *shape, bool training, ssti_plan **out) {
  *out = NULL;
  const int64_t slots = slots_of(backend, shape);
  if (slots == 0) { return SST_OK; }
  ssti_fast_plan *plan = NULL;
  SST_TRY(ssti_fast_plan_create(backend, 1, &plan));
  const size_t bytes = (size_t)(slots * (in_count(shape) + out_count(shape))) * sizeof(float);
  plan->base.forward_workspace = bytes;
  plan->base.backward_workspace = training ? bytes : 0;
  *out = &plan->base;
  return SST_OK;
}

static void run(ssti_backend *backend, pool_work *work, void *workspace, ssti_range_function *range,
                ssti_range_function *slots) {
  work->simd = &ssti_fast_state_of(backend)->simd;
  work->slots = slots_of(backend, work->shape);
  work->images = workspace;
  if (work->slots > 0 && slots != NULL) {
    ssti_parallel_for(backend->context, work->slots, 1, slots, work);
  } else {
    ssti_parallel_for(backend->context, work->shape->images, image_grain(work->shape), range, work);
  }
}

static void pool_forward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *x, float *y,
                         uint8_t *saved, void *workspace) {
  (void)plan;
  assert(shape->kind == SSTI_POOL_AVERAGE || shape->kernel_h * shape->kernel_w <= UINT8_MAX);
  pool_work work = {.shape = shape, .from = x, .to = y, .saved = saved};
  if (ssti_fast_state_of(backend)->simd.pool_quarters(shape)) {
    run(backend, &work, NULL, forward_quarters, NULL);
    return;
  }
  run(backend, &work, workspace, forward_range, forward_slots);
}

static void pool_backward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *dy,
                          const uint8_t *saved, float *dx, bool accumulate, void *workspace) {
  (void)plan;
  assert(shape->kind == SSTI_POOL_AVERAGE || saved != NULL);
  pool_work work = {.shape = shape, .from = dy, .kept = saved, .to = dx, .accumulate = accumulate};
  if (!accumulate && ssti_fast_state_of(backend)->simd.pool_quarters(shape)) {
    run(backend, &work, NULL, backward_quarters, NULL);
    return;
  }
  run(backend, &work, workspace, backward_range, backward_slots);
}

void ssti_fast_fill_pool(ssti_kernels *kernels) {
  kernels->pool_plan = pool_plan;
  kernels->pool_forward = pool_forward;
  kernels->pool_backward = pool_backward;
}
