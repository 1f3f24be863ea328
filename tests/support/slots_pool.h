// SPDX-License-Identifier: Apache-2.0
// Pooling slots against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_POOL_H
#define SPIKESTILL_TESTS_SLOTS_POOL_H

#include "slot_pair.h"

static ssti_pool pool(ssti_pool_kind kind, int64_t images, int64_t h, int64_t w, int64_t channels, int64_t kernel_h,
                      int64_t kernel_w, int64_t stride, int64_t pad) {
  ssti_pool s = {.kind = kind,
                 .images = images,
                 .in_h = h,
                 .in_w = w,
                 .channels = channels,
                 .kernel_h = kernel_h,
                 .kernel_w = kernel_w,
                 .stride_h = stride,
                 .stride_w = stride,
                 .pad_h = pad,
                 .pad_w = pad};
  s.out_h = output_length(h, kernel_h, stride, pad, 1);
  s.out_w = output_length(w, kernel_w, stride, pad, 1);
  return s;
}

static void check_pool(pair *p, const ssti_pool *s, bool accumulate) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->channels, ny = s->images * s->out_h * s->out_w * s->channels;
  const bool is_max = s->kind == SSTI_POOL_MAX;
  float *x = filled(nx, true, 1), *dy = filled(ny, true, 2); // whole numbers: many equal values in a window
  x[nx / 2] = NAN;
  float *y_expected = floats(ny), *y = floats(ny), *y_only = floats(ny);
  float *dx_expected = target(nx, accumulate, true), *dx = target(nx, accumulate, true);
  uint8_t *saved_expected = is_max ? memory_of((size_t)ny) : NULL, *saved = is_max ? memory_of((size_t)ny) : NULL;
  const ssti_kernels *r = &p->reference->kernels, *f = &p->tested->kernels;
  r->pool_forward(p->reference, s, NULL, x, y_expected, saved_expected, NULL);
  f->pool_forward(p->tested, s, NULL, x, y, saved, NULL);
  f->pool_forward(p->tested, s, NULL, x, y_only, NULL, NULL);
  pair_wait(p);
  for (int64_t i = 0; i < ny; i++) {
    if (isnan(y_expected[i])) {
      assert_true(isnan(y[i]) && isnan(y_only[i]));
      y_expected[i] = y[i] = y_only[i] = 0;
    }
  }
  // Averages by a factor of 1/window are not exact; both round alike.
  compare(y, y_expected, ny, is_max ? 0 : 1e-6, "y");
  assert_same_bits(y_only, y, ny);
  if (is_max) { assert_memory_equal(saved, saved_expected, (size_t)ny); }
  r->pool_backward(p->reference, s, NULL, dy, saved, dx_expected, accumulate, NULL);
  f->pool_backward(p->tested, s, NULL, dy, saved, dx, accumulate, NULL);
  pair_wait(p);
  compare(dx, dx_expected, nx, is_max ? 0 : 1e-6, "dx");
  release(x), release(dy), release(y_expected), release(y), release(y_only), release(dx_expected), release(dx);
  release(saved_expected), release(saved);
}

static void test_pool(void **state) {
  pair p = pair_make(*state);
  for (int kind = SSTI_POOL_AVERAGE; kind <= SSTI_POOL_MAX; kind++) {
    const ssti_pool_kind k = (ssti_pool_kind)kind;
    const ssti_pool shapes[] = {
        pool(k, 3, 8, 8, 64, 2, 2, 2, 0),  pool(k, 2, 4, 6, 1, 2, 2, 2, 0),    pool(k, 2, 7, 9, 67, 2, 2, 2, 0),
        pool(k, 2, 9, 9, 19, 3, 3, 2, 1),  pool(k, 2, 6, 6, 5, 3, 3, 1, 1),    pool(k, 3, 4, 4, 33, 4, 4, 1, 0),
        pool(k, 1, 5, 8, 130, 2, 3, 2, 1), pool(k, 2, 10, 10, 16, 2, 2, 3, 0),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      EACH_LEVEL(&p, level) {
        check_pool(&p, &shapes[i], false);
        check_pool(&p, &shapes[i], true);
      }
    }
  }
  pair_end(&p);
}

static void check_adaptive_pool(pair *p, const ssti_adaptive_pool *s, bool accumulate) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->channels, ny = s->images * s->out_h * s->out_w * s->channels;
  float *x = filled(nx, false, 1), *dy = filled(ny, false, 2);
  float *y_expected = floats(ny), *dx_expected = target(nx, accumulate, false);
  p->reference->kernels.adaptive_pool_forward(p->reference, s, x, y_expected);
  p->reference->kernels.adaptive_pool_backward(p->reference, s, dy, dx_expected, accumulate);
  EACH_LEVEL(p, level) {
    float *y = floats(ny), *dx = target(nx, accumulate, false);
    p->tested->kernels.adaptive_pool_forward(p->tested, s, x, y);
    p->tested->kernels.adaptive_pool_backward(p->tested, s, dy, dx, accumulate);
    pair_wait(p);
    compare(y, y_expected, ny, 1e-6, "y");
    compare(dx, dx_expected, nx, 1e-6, "dx");
    release(y), release(dx);
  }
  release(x), release(dy), release(y_expected), release(dx_expected);
}

static void test_adaptive_pool(void **state) {
  pair p = pair_make(*state);
  // Windows that share lines: 7 into 3, 9 into 4.
  const ssti_adaptive_pool shapes[] = {
      {2, 8, 8, 16, 4, 4}, {3, 7, 9, 5, 3, 4}, {2, 5, 5, 3, 1, 1}, {1, 6, 4, 7, 6, 4}, {2, 10, 3, 1, 7, 2}};
  for (int i = 0; i < 10; i++) { check_adaptive_pool(&p, &shapes[i / 2], i % 2); }
  pair_end(&p);
}

#endif
