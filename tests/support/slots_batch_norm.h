// SPDX-License-Identifier: Apache-2.0
// Batch norm slots against the reference: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_SLOTS_BATCH_NORM_H
#define SPIKESTILL_TESTS_SLOTS_BATCH_NORM_H

#include "slot_pair.h"

typedef struct norm_data {
  int64_t count, channels;
  float *x, *dy, *gamma, *beta, *mean, *variance, *y, *saved, *dx, *dgamma, *dbeta;
} norm_data;

static norm_data norm_make(const ssti_batch_norm *s, float offset, bool accumulate) {
  norm_data d = {.count = s->rows * s->channels, .channels = s->channels};
  d.x = filled(d.count, false, 1);
  for (int64_t i = 0; i < d.count; i++) { d.x[i] += offset; }
  d.dy = filled(d.count, false, 2);
  d.gamma = filled(s->channels, false, 3);
  d.beta = filled(s->channels, false, 4);
  d.mean = filled(s->channels, false, 5);
  d.variance = floats(s->channels);
  fill_uniform(d.variance, s->channels, 0.5f, 2.0f, 6);
  d.y = floats(d.count);
  d.saved = floats(2 * s->channels);
  d.dx = target(d.count, accumulate, false);
  d.dgamma = target(s->channels, accumulate, false);
  d.dbeta = target(s->channels, accumulate, false);
  return d;
}

static void norm_end(norm_data *d) {
  release(d->x), release(d->dy), release(d->gamma), release(d->beta), release(d->mean), release(d->variance),
      release(d->y);
  release(d->saved), release(d->dx), release(d->dgamma), release(d->dbeta);
}

static void norm_run(pair *p, ssti_backend *b, const ssti_batch_norm *s, norm_data *d, bool batch_statistics,
                     bool accumulate) {
  const ssti_kernels *k = &b->kernels;
  k->batch_norm_forward_training(b, s, d->x, d->gamma, d->beta, d->mean, d->variance, d->y, d->saved);
  const size_t bytes = k->batch_norm_workspace(b, s);
  void *workspace = memory_of(bytes);
  k->batch_norm_backward(b, s, d->x, d->dy, d->gamma, d->saved, batch_statistics, d->dx, accumulate, d->dgamma,
                         accumulate, d->dbeta, accumulate, workspace);
  pair_wait(p);
  check_canary(workspace, bytes);
  release(workspace);
}

static void check_norm(pair *p, const ssti_batch_norm *s, float offset, bool batch_statistics, bool accumulate) {
  norm_data expected = norm_make(s, offset, accumulate), bits = {0};
  norm_run(p, p->reference, s, &expected, batch_statistics, accumulate);
  EACH_LEVEL(p, level) {
    norm_data found = norm_make(s, offset, accumulate);
    norm_run(p, p->tested, s, &found, batch_statistics, accumulate);
    const int64_t c = s->channels;
    // The inputs have deviation 1 around `offset`, so the mean is good to a few ulps of it, and what follows as well.
    const double wide = 4e-6 + 1e-6 * fabs((double)offset);
    compare(found.saved, expected.saved, c, 1e-6, "mean");
    compare(found.saved + c, expected.saved + c, c, 4e-6, "inverse deviation");
    compare(found.mean, expected.mean, c, 1e-6, "running mean");
    compare(found.variance, expected.variance, c, 4e-6, "running variance");
    compare(found.y, expected.y, found.count, wide, "y");
    compare(found.dx, expected.dx, found.count, wide * 4, "dx");
    compare(found.dgamma, expected.dgamma, c, wide * (4 + sqrt((double)s->rows)), "dgamma");
    compare(found.dbeta, expected.dbeta, c, 1e-6 * (4 + sqrt((double)s->rows)), "dbeta");
    if (level == 0) {
      bits = found;
      continue;
    }
    assert_same_bits(found.y, bits.y, found.count);
    assert_same_bits(found.dx, bits.dx, found.count);
    assert_same_bits(found.dgamma, bits.dgamma, c);
    norm_end(&found);
  }
  norm_end(&bits);
  norm_end(&expected);
}

static const struct {
  int64_t rows, channels;
} norm_shapes[] = {{2, 1},     {1000, 1}, {777, 3},   {300, 17},  {5, 64},    {129, 64},
                   {4100, 64}, {70, 100}, {33, 1000}, {130, 513}, {20, 2048}, {9, 2300}};

static void test_batch_norm(void **state) {
  pair p = pair_make(*state);
  for (size_t i = 0; i < sizeof norm_shapes / sizeof *norm_shapes; i++) {
    const ssti_batch_norm s = {.rows = norm_shapes[i].rows,
                               .channels = norm_shapes[i].channels,
                               .epsilon = 1e-5f,
                               .momentum = 0.1f,
                               .scale = i % 2 ? 1.0f : 0.5f};
    check_norm(&p, &s, 0.0f, true, false);
    check_norm(&p, &s, 3.0f, true, true);
    check_norm(&p, &s, 0.0f, false, i % 2);
  }
  pair_end(&p);
}

// A mean that is a thousand deviations away: sum(x^2) - mean^2 in f32 would leave nothing.
static void test_batch_norm_far_mean(void **state) {
  pair p = pair_make(*state);
  const ssti_batch_norm s = {.rows = 20000, .channels = 24, .epsilon = 1e-5f, .momentum = 0.1f, .scale = 1.0f};
  norm_data found = norm_make(&s, 1000.0f, false), expected = norm_make(&s, 1000.0f, false);
  norm_run(&p, p.tested, &s, &found, true, false);
  norm_run(&p, p.reference, &s, &expected, true, false);
  compare(found.saved, expected.saved, s.channels, 1e-7, "mean");
  compare(found.saved + s.channels, expected.saved + s.channels, s.channels, 1e-5, "inverse deviation");
  norm_end(&found);
  norm_end(&expected);
  pair_end(&p);
}

static void test_batch_norm_inference(void **state) {
  pair p = pair_make(*state);
  for (size_t i = 0; i < sizeof norm_shapes / sizeof *norm_shapes; i++) {
    const ssti_batch_norm s = {.rows = norm_shapes[i].rows,
                               .channels = norm_shapes[i].channels,
                               .epsilon = 1e-5f,
                               .momentum = 0.1f,
                               .scale = 1.5f};
    norm_data d = norm_make(&s, 1.0f, false);
    float *expected = floats(d.count);
    p.reference->kernels.batch_norm_forward_inference(p.reference, &s, d.x, d.gamma, d.beta, d.mean, d.variance,
                                                      expected);
    EACH_LEVEL(&p, level) {
      p.tested->kernels.batch_norm_forward_inference(p.tested, &s, d.x, d.gamma, d.beta, d.mean, d.variance, d.y);
      pair_wait(&p);
      assert_same_bits(d.y, expected, d.count); // the same three operations
    }
    release(expected);
    norm_end(&d);
  }
  pair_end(&p);
}

#endif
