// SPDX-License-Identifier: Apache-2.0
// Pooling: own kernels, whole images a thread.
#include "backend/fast/fast.h"
#include "base/parallel.h"

typedef struct pool_work {
  const ssti_simd *simd;
  const ssti_pool *shape;
  const float *from;
  float *to;
  uint8_t *saved;
  const uint8_t *kept;
  bool accumulate;
} pool_work;

static int64_t image_grain(const ssti_pool *s) {
  const int64_t elements = s->in_h * s->in_w * s->channels;
  return 1 + 16384 / (elements > 0 ? elements : 1);
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  w->simd->pool_forward(w->shape, begin, end, w->from, w->to, w->saved);
}

static void pool_forward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *x, float *y,
                         uint8_t *saved, void *workspace) {
  (void)plan, (void)workspace;
  assert(shape->kind == SSTI_POOL_AVERAGE || shape->kernel_h * shape->kernel_w <= UINT8_MAX);
  pool_work work = {
      .simd = &ssti_fast_state_of(backend)->simd, .shape = shape, .from = x, .to = y, .saved = saved};
  ssti_parallel_for(backend->context, shape->images, image_grain(shape), forward_range, &work);
}

static void backward_range(void *arg, int64_t begin, int64_t end) {
  const pool_work *w = arg;
  w->simd->pool_backward(w->shape, begin, end, w->from, w->kept, w->to, w->accumulate);
}

static void pool_backward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *dy,
                          const uint8_t *saved, float *dx, bool accumulate, void *workspace) {
  (void)plan, (void)workspace;
  assert(shape->kind == SSTI_POOL_AVERAGE || saved != NULL);
  pool_work work = {.simd = &ssti_fast_state_of(backend)->simd,
                    .shape = shape,
                    .from = dy,
                    .kept = saved,
                    .to = dx,
                    .accumulate = accumulate};
  ssti_parallel_for(backend->context, shape->images, image_grain(shape), backward_range, &work);
}

void ssti_fast_fill_pool(ssti_kernels *kernels) {
  kernels->pool_forward = pool_forward;
  kernels->pool_backward = pool_backward;
}
