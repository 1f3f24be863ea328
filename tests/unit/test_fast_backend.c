// SPDX-License-Identifier: Apache-2.0
// Every slot that the fast CPU backend overrides, against the reference: whole numbers exactly, random numbers within the
// rounding of their sums, adding and overwriting, twice the same bits, at every SIMD level that this machine has.
// Outputs are NaN and workspaces garbage before a kernel runs, and the bytes after a workspace are watched.
#include "backend_pair.h"

#include <malloc.h>

#include "neuron/dynamics.h"
#include "spikestill/bench.h"

// ---- convolution

static void check_conv_forward(pair *p, const ssti_conv2d *s, ssti_plan *plan, bool whole, bool with_bias) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t per_output = s->kernel_h * s->kernel_w * (s->in_c / s->groups), nw = s->out_c * per_output;
  float *x = filled(nx, whole, 1), *w = filled(nw, whole, 2), *b = with_bias ? filled(s->out_c, whole, 3) : NULL;
  float *expected = floats(ny), *found = floats(ny), *again = floats(ny);
  void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
  p->reference->kernels.conv2d_forward(p->reference, s, NULL, x, w, b, expected, NULL, NULL);
  p->fast->kernels.conv2d_forward(p->fast, s, plan, x, w, b, found, saved, workspace);
  compare(found, expected, ny, sum_tolerance(whole, per_output), "y");
  uint64_t count = sst_context_allocation_count(p->context);
  p->fast->kernels.conv2d_forward(p->fast, s, plan, x, w, b, again, saved, workspace);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  assert_same_bits(again, found, ny);
  check_canary(workspace, plan->forward_workspace);
  check_canary(saved, plan->saved);
  free(x), free(w), free(b), free(expected), free(found), free(again), free(workspace), free(saved);
}

static void check_conv_data(pair *p, const ssti_conv2d *s, ssti_plan *plan, bool whole, bool accumulate) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t nw = s->out_c * s->kernel_h * s->kernel_w * (s->in_c / s->groups);
  const int64_t terms = s->kernel_h * s->kernel_w * (s->out_c / s->groups);
  float *dy = filled(ny, whole, 4), *w = filled(nw, whole, 5);
  float *expected = target(nx, accumulate, whole), *found = target(nx, accumulate, whole);
  float *again = target(nx, accumulate, whole);
  void *workspace = memory_of(plan->backward_workspace);
  p->reference->kernels.conv2d_backward_data(p->reference, s, NULL, dy, w, expected, accumulate, NULL);
  p->fast->kernels.conv2d_backward_data(p->fast, s, plan, dy, w, found, accumulate, workspace);
  compare(found, expected, nx, sum_tolerance(whole, terms), "dx");
  uint64_t count = sst_context_allocation_count(p->context);
  p->fast->kernels.conv2d_backward_data(p->fast, s, plan, dy, w, again, accumulate, workspace);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  assert_same_bits(again, found, nx);
  check_canary(workspace, plan->backward_workspace);
  free(dy), free(w), free(expected), free(found), free(again), free(workspace);
}

// What a forward pass over x leaves for the gradient of the weights.
static void *saved_of(pair *p, const ssti_conv2d *s, ssti_plan *plan, const float *x) {
  float *w = filled(s->out_c * s->kernel_h * s->kernel_w * (s->in_c / s->groups), true, 5);
  float *y = floats(s->images * s->out_h * s->out_w * s->out_c);
  void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
  p->fast->kernels.conv2d_forward(p->fast, s, plan, x, w, NULL, y, saved, workspace);
  free(w), free(y), free(workspace);
  return saved;
}

static void check_conv_weights(pair *p, const ssti_conv2d *s, ssti_plan *plan, bool whole, bool accumulate) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t nw = s->out_c * s->kernel_h * s->kernel_w * (s->in_c / s->groups);
  float *x = filled(nx, whole, 6), *dy = filled(ny, whole, 7);
  float *expected = target(nw, accumulate, whole), *found = target(nw, accumulate, whole);
  float *again = target(nw, accumulate, whole);
  float *db_expected = target(s->out_c, accumulate, whole), *db = target(s->out_c, accumulate, whole);
  void *workspace = memory_of(plan->backward_workspace), *saved = saved_of(p, s, plan, x);
  p->reference->kernels.conv2d_backward_weights(p->reference, s, NULL, x, dy, expected, accumulate, db_expected,
                                                accumulate, NULL, NULL);
  p->fast->kernels.conv2d_backward_weights(p->fast, s, plan, x, dy, found, accumulate, db, accumulate, saved,
                                           workspace);
  const double tolerance = sum_tolerance(whole, s->images * s->out_h * s->out_w);
  compare(found, expected, nw, tolerance, "dweight");
  compare(db, db_expected, s->out_c, tolerance, "dbias");
  uint64_t count = sst_context_allocation_count(p->context);
  p->fast->kernels.conv2d_backward_weights(p->fast, s, plan, x, dy, again, accumulate, NULL, false, saved,
                                           workspace);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  assert_same_bits(again, found, nw);
  check_canary(workspace, plan->backward_workspace);
  free(x), free(dy), free(expected), free(found), free(again), free(db_expected), free(db), free(workspace), free(saved);
}

static void check_conv(pair *p, const ssti_conv2d *s) {
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->fast->kernels.conv2d_plan(p->fast, s, true, &plan));
  for (int i = 0; i < 4; i++) {
    check_conv_forward(p, s, plan, i & 1, i & 2);
    check_conv_data(p, s, plan, i & 1, i & 2);
    check_conv_weights(p, s, plan, i & 1, i & 2);
  }
  p->fast->kernels.plan_destroy(p->fast, plan);
  assert_ok(p->context, p->fast->kernels.conv2d_plan(p->fast, s, false, &plan));
  check_conv_forward(p, s, plan, true, true);
  p->fast->kernels.plan_destroy(p->fast, plan);
}

static void test_conv2d(void **state) {
  pair p = pair_make(*state);
  const ssti_conv2d shapes[] = {
      conv(3, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1),    // stems
      conv(2, 9, 7, 1, 32, 3, 3, 1, 1, 1, 1),
      conv(2, 9, 9, 2, 8, 5, 5, 2, 2, 1, 1),
      conv(2, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1),
      conv(2, 8, 6, 64, 32, 3, 3, 1, 1, 1, 1),
      conv(1, 5, 7, 5, 7, 3, 3, 1, 0, 1, 1),     // odd channels
      conv(2, 7, 7, 17, 33, 3, 3, 2, 1, 1, 1),
      conv(2, 8, 8, 16, 32, 1, 1, 1, 0, 1, 1),   // pointwise
      conv(2, 8, 8, 16, 32, 1, 1, 2, 0, 1, 1),   // strided so that the last column is left out
      conv(2, 8, 8, 12, 10, 3, 3, 1, 2, 2, 1),   // dilated
      conv(2, 9, 9, 8, 8, 3, 3, 2, 2, 3, 1),
      conv(2, 6, 6, 16, 32, 3, 3, 1, 1, 1, 4),   // grouped
      conv(2, 7, 5, 6, 9, 3, 3, 1, 1, 1, 3),
      conv(2, 8, 8, 32, 32, 3, 3, 1, 1, 1, 32),  // depthwise
      conv(2, 7, 7, 20, 20, 3, 3, 2, 1, 1, 20),
      conv(2, 6, 9, 8, 16, 1, 3, 1, 1, 1, 1),    // not square
      conv(2, 6, 6, 4, 4, 2, 2, 1, 2, 1, 1),     // more padding than a turned convolution can have
      conv(1, 1, 1, 24, 40, 1, 1, 1, 0, 1, 1),   // a single pixel
      conv(2, 4, 4, 10, 12, 4, 4, 1, 0, 1, 1),   // a single window
      conv(1, 16, 16, 8, 8, 7, 7, 1, 3, 1, 1),
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) { check_conv(&p, &shapes[i]); }
  pair_end(&p);
}

// The layers that matter must be oneDNN's from input to gradients, the input's gradient as a convolution.
static void test_conv2d_is_not_refused(void **state) {
  pair p = pair_make(*state);
  const ssti_conv2d shapes[] = {conv(4, 32, 32, 3, 64, 3, 3, 1, 1, 1, 1), conv(4, 32, 32, 1, 64, 3, 3, 1, 1, 1, 1),
                                conv(4, 32, 32, 64, 64, 3, 3, 1, 1, 1, 1), conv(4, 8, 8, 128, 256, 3, 3, 1, 1, 1, 1),
                                conv(4, 16, 16, 64, 128, 3, 3, 2, 1, 1, 1), conv(4, 16, 16, 64, 128, 1, 1, 2, 0, 1, 1),
                                conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 64)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ssti_plan *base = NULL;
    assert_ok(p.context, p.fast->kernels.conv2d_plan(p.fast, &shapes[i], true, &base));
    const ssti_fast_plan *plan = (const ssti_fast_plan *)(const void *)base;
    assert_false(plan->forward_refused);
    assert_false(plan->data_refused);
    assert_false(plan->weights_refused);
    if (shapes[i].stride_h == 1) {
      assert_true(plan->data_as_forward);
      assert_non_null(plan->part[SSTI_FAST_DATA_ADD].primitive);
    }
    p.fast->kernels.plan_destroy(p.fast, base);
  }
  pair_end(&p);
}

// ---- linear

static void check_linear(pair *p, const ssti_linear *s, bool whole, bool second) {
  const int64_t nx = s->rows * s->in, ny = s->rows * s->out, nw = s->in * s->out;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->fast->kernels.linear_plan(p->fast, s, true, &plan));
  float *x = filled(nx, whole, 1), *w = filled(nw, whole, 2), *b = second ? filled(s->out, whole, 3) : NULL;
  float *dy = filled(ny, whole, 4);
  float *y_expected = floats(ny), *y = floats(ny), *y_again = floats(ny);
  float *dx_expected = target(nx, second, whole), *dx = target(nx, second, whole);
  float *dw_expected = target(nw, second, whole), *dw = target(nw, second, whole);
  float *db_expected = target(s->out, second, whole), *db = target(s->out, second, whole);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  const ssti_kernels *r = &p->reference->kernels, *f = &p->fast->kernels;
  void *saved = memory_of(plan->saved);
  r->linear_forward(p->reference, s, NULL, x, w, b, y_expected, NULL, NULL);
  r->linear_backward_data(p->reference, s, NULL, dy, w, dx_expected, second, NULL);
  r->linear_backward_weights(p->reference, s, NULL, x, dy, dw_expected, second, db_expected, second, NULL, NULL);
  uint64_t count = sst_context_allocation_count(p->context);
  f->linear_forward(p->fast, s, plan, x, w, b, y, saved, forward_space);
  f->linear_forward(p->fast, s, plan, x, w, b, y_again, saved, forward_space);
  f->linear_backward_data(p->fast, s, plan, dy, w, dx, second, backward_space);
  f->linear_backward_weights(p->fast, s, plan, x, dy, dw, second, db, second, saved, backward_space);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  compare(y, y_expected, ny, sum_tolerance(whole, s->in), "y");
  assert_same_bits(y_again, y, ny);
  compare(dx, dx_expected, nx, sum_tolerance(whole, s->out), "dx");
  compare(dw, dw_expected, nw, sum_tolerance(whole, s->rows), "dweight");
  compare(db, db_expected, s->out, sum_tolerance(whole, s->rows), "dbias");
  check_canary(forward_space, plan->forward_workspace);
  check_canary(backward_space, plan->backward_workspace);
  p->fast->kernels.plan_destroy(p->fast, plan);
  free(x), free(w), free(b), free(dy), free(y_expected), free(y), free(y_again), free(dx_expected), free(dx);
  free(dw_expected), free(dw), free(db_expected), free(db), free(forward_space), free(backward_space), free(saved);
}

static void test_linear(void **state) {
  pair p = pair_make(*state);
  const ssti_linear shapes[] = {{1, 1, 1},   {1, 7, 5},    {5, 1, 3},     {3, 5, 1},     {17, 33, 9},
                                {64, 64, 64}, {32, 784, 100}, {128, 256, 10}, {13, 1000, 257},
                                {64, 1, 64},  {64, 33, 65},  {128, 78, 71}, {192, 5, 100}}; // of whole panels
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int j = 0; j < 4; j++) { check_linear(&p, &shapes[i], j & 1, j & 2); }
  }
  pair_end(&p);
}

// ---- pooling

static ssti_pool pool(ssti_pool_kind kind, int64_t images, int64_t h, int64_t w, int64_t channels, int64_t kernel_h,
                      int64_t kernel_w, int64_t stride, int64_t pad) {
  ssti_pool s = {.kind = kind, .images = images, .in_h = h, .in_w = w, .channels = channels, .kernel_h = kernel_h,
                 .kernel_w = kernel_w, .stride_h = stride, .stride_w = stride, .pad_h = pad, .pad_w = pad};
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
  const ssti_kernels *r = &p->reference->kernels, *f = &p->fast->kernels;
  r->pool_forward(p->reference, s, NULL, x, y_expected, saved_expected, NULL);
  f->pool_forward(p->fast, s, NULL, x, y, saved, NULL);
  f->pool_forward(p->fast, s, NULL, x, y_only, NULL, NULL);
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
  f->pool_backward(p->fast, s, NULL, dy, saved, dx, accumulate, NULL);
  compare(dx, dx_expected, nx, is_max ? 0 : 1e-6, "dx");
  free(x), free(dy), free(y_expected), free(y), free(y_only), free(dx_expected), free(dx);
  free(saved_expected), free(saved);
}

static void test_pool(void **state) {
  pair p = pair_make(*state);
  for (int kind = SSTI_POOL_AVERAGE; kind <= SSTI_POOL_MAX; kind++) {
    const ssti_pool_kind k = (ssti_pool_kind)kind;
    const ssti_pool shapes[] = {
        pool(k, 3, 8, 8, 64, 2, 2, 2, 0),  pool(k, 2, 4, 6, 1, 2, 2, 2, 0),   pool(k, 2, 7, 9, 67, 2, 2, 2, 0),
        pool(k, 2, 9, 9, 19, 3, 3, 2, 1),  pool(k, 2, 6, 6, 5, 3, 3, 1, 1),   pool(k, 3, 4, 4, 33, 4, 4, 1, 0),
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

// ---- batch norm

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
  free(d->x), free(d->dy), free(d->gamma), free(d->beta), free(d->mean), free(d->variance), free(d->y);
  free(d->saved), free(d->dx), free(d->dgamma), free(d->dbeta);
}

static void norm_run(ssti_backend *b, const ssti_batch_norm *s, norm_data *d, bool batch_statistics, bool accumulate) {
  const ssti_kernels *k = &b->kernels;
  k->batch_norm_forward_training(b, s, d->x, d->gamma, d->beta, d->mean, d->variance, d->y, d->saved);
  const size_t bytes = k->batch_norm_workspace(b, s);
  void *workspace = memory_of(bytes);
  k->batch_norm_backward(b, s, d->x, d->dy, d->gamma, d->saved, batch_statistics, d->dx, accumulate, d->dgamma,
                         accumulate, d->dbeta, accumulate, workspace);
  check_canary(workspace, bytes);
  free(workspace);
}

static void check_norm(pair *p, const ssti_batch_norm *s, float offset, bool batch_statistics, bool accumulate) {
  norm_data expected = norm_make(s, offset, accumulate), bits = {0};
  norm_run(p->reference, s, &expected, batch_statistics, accumulate);
  EACH_LEVEL(p, level) {
    norm_data found = norm_make(s, offset, accumulate);
    norm_run(p->fast, s, &found, batch_statistics, accumulate);
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
} norm_shapes[] = {{2, 1},   {1000, 1}, {777, 3},   {300, 17},  {5, 64},     {129, 64},
                   {4100, 64}, {70, 100}, {33, 1000}, {130, 513}, {20, 2048}, {9, 2300}};

static void test_batch_norm(void **state) {
  pair p = pair_make(*state);
  for (size_t i = 0; i < sizeof norm_shapes / sizeof *norm_shapes; i++) {
    const ssti_batch_norm s = {.rows = norm_shapes[i].rows, .channels = norm_shapes[i].channels, .epsilon = 1e-5f,
                               .momentum = 0.1f, .scale = i % 2 ? 1.0f : 0.5f};
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
  norm_run(p.fast, &s, &found, true, false);
  norm_run(p.reference, &s, &expected, true, false);
  compare(found.saved, expected.saved, s.channels, 1e-7, "mean");
  compare(found.saved + s.channels, expected.saved + s.channels, s.channels, 1e-5, "inverse deviation");
  norm_end(&found);
  norm_end(&expected);
  pair_end(&p);
}

static void test_batch_norm_inference(void **state) {
  pair p = pair_make(*state);
  for (size_t i = 0; i < sizeof norm_shapes / sizeof *norm_shapes; i++) {
    const ssti_batch_norm s = {.rows = norm_shapes[i].rows, .channels = norm_shapes[i].channels, .epsilon = 1e-5f,
                               .momentum = 0.1f, .scale = 1.5f};
    norm_data d = norm_make(&s, 1.0f, false);
    float *expected = floats(d.count);
    p.reference->kernels.batch_norm_forward_inference(p.reference, &s, d.x, d.gamma, d.beta, d.mean, d.variance,
                                                      expected);
    EACH_LEVEL(&p, level) {
      p.fast->kernels.batch_norm_forward_inference(p.fast, &s, d.x, d.gamma, d.beta, d.mean, d.variance, d.y);
      assert_same_bits(d.y, expected, d.count); // the same three operations
    }
    free(expected);
    norm_end(&d);
  }
  pair_end(&p);
}

// Partial results do not depend on how many threads made them.
static void test_batch_norm_threads(void **state) {
  (void)state;
  const ssti_batch_norm s = {.rows = 5000, .channels = 48, .epsilon = 1e-5f, .momentum = 0.1f, .scale = 1.0f};
  float *y[2] = {NULL, NULL};
  for (int i = 0; i < 2; i++) {
    sst_context *context = test_context_with_threads(i == 0 ? 1 : 3);
    pair p = pair_make(context);
    norm_data d = norm_make(&s, 1.0f, false);
    norm_run(p.fast, &s, &d, true, false);
    y[i] = d.y;
    d.y = NULL;
    norm_end(&d);
    pair_end(&p);
    test_context_end(context);
  }
  assert_same_bits(y[1], y[0], s.rows * s.channels);
  free(y[0]), free(y[1]);
}

// ---- neurons

static void check_neuron(pair *p, const ssti_neuron_shape *s, bool with_membrane, bool accumulate) {
  const int64_t n = s->count, nx = s->input_steps * n, ny = s->steps * n;
  const bool learns = s->neuron.kind == SST_NEURON_PLIF;
  const float w = 0.3f;
  float *x = filled(nx, false, 1), *dspikes = filled(ny, false, 2), *dmembrane = with_membrane ? filled(ny, false, 3) : NULL;
  float *spikes_expected = floats(ny), *h_expected = floats(ny), *dx_expected = target(nx, accumulate, false);
  float ddecay_expected = 0.5f;
  const ssti_kernels *r = &p->reference->kernels, *f = &p->fast->kernels;
  void *reference_space = memory_of(r->neuron_workspace(p->reference, s));
  r->neuron_forward(p->reference, s, x, learns ? &w : NULL, spikes_expected, h_expected);
  r->neuron_backward(p->reference, s, x, learns ? &w : NULL, dspikes, dmembrane, dx_expected, accumulate,
                     learns ? &ddecay_expected : NULL, accumulate, reference_space);
  EACH_LEVEL(p, level) {
    float *spikes = floats(ny), *h = floats(ny), *dx = target(nx, accumulate, false), ddecay = 0.5f;
    const size_t bytes = f->neuron_workspace(p->fast, s);
    void *workspace = memory_of(bytes);
    uint64_t count = sst_context_allocation_count(p->context);
    f->neuron_forward(p->fast, s, x, learns ? &w : NULL, spikes, with_membrane ? h : NULL);
    f->neuron_backward(p->fast, s, x, learns ? &w : NULL, dspikes, dmembrane, dx, accumulate,
                       learns ? &ddecay : NULL, accumulate, workspace);
    assert_int_equal(sst_context_allocation_count(p->context), count);
    // The same operations in the same order: the two backends fire on the same steps.
    assert_same_bits(spikes, spikes_expected, ny);
    if (with_membrane) { assert_same_bits(h, h_expected, ny); }
    assert_same_bits(dx, dx_expected, nx);
    // A sum over neurons and steps, in double on both sides but in another order.
    if (learns) { assert_near(ddecay, ddecay_expected, 1e-5, 1e-5); }
    check_canary(workspace, bytes);
    free(spikes), free(h), free(dx), free(workspace);
  }
  // In two calls, the state carried between them; rows of one step stay aligned only where n is.
  const int64_t first = s->steps / 2;
  if (s->input_steps == s->steps && first > 0) {
    EACH_LEVEL(p, level) {
      float *spikes = floats(ny), *carried = floats(ssti_neuron_state_rows(s->neuron.kind) * n);
      ssti_neuron_shape part = *s;
      part.state = carried;
      part.steps = part.input_steps = first;
      f->neuron_forward(p->fast, &part, x, learns ? &w : NULL, spikes, NULL);
      part.resumes = true;
      part.steps = part.input_steps = s->steps - first;
      f->neuron_forward(p->fast, &part, x + first * n, learns ? &w : NULL, spikes + first * n, NULL);
      assert_same_bits(spikes, spikes_expected, ny);
      free(spikes), free(carried);
    }
  }
  free(x), free(dspikes), free(dmembrane), free(spikes_expected), free(h_expected), free(dx_expected);
  free(reference_space);
}

static void test_neuron(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 37, 512, 1025, 20000};
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  int64_t number = 0;
  for (int kind = 0; kind < 3; kind++) {
    for (int flags = 0; flags < 8; flags++) {
      for (int surrogate = 0; surrogate < SST_SURROGATE_COUNT; surrogate++, number++) {
        sst_neuron neuron = sst_neuron_default();
        neuron.kind = kinds[kind];
        neuron.decay = 0.7f;
        neuron.initial_membrane = surrogate % 2 ? 0.5f : 0.0f;
        neuron.hard_reset = flags & 1;
        neuron.v_reset = neuron.hard_reset && number % 3 == 0 ? -0.25f : 0.0f;
        neuron.detach_reset = flags & 2;
        neuron.decay_input = flags & 4;
        neuron.surrogate = (sst_surrogate_kind)surrogate;
        neuron.alpha = sst_surrogate_default_alpha(neuron.surrogate);
        const int64_t steps = 1 + number % 5, count = counts[number % 5];
        neuron.membrane_bits = number % 4 == 2 && neuron.v_reset == 0.0f ? 2 + (int)(number % 5) : 0;
        const ssti_neuron_shape shape = {.neuron = neuron, .steps = steps, .count = count,
                                         .input_steps = number % 4 == 0 ? 1 : steps};
        check_neuron(&p, &shape, number % 2, number % 3 == 1);
      }
    }
  }
  pair_end(&p);
}

// Kinds that the fast backend leaves to the reference still work through its table and workspace; LIF fires smoothly.
static void test_neuron_of_reference(void **state) {
  pair p = pair_make(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_LI, SST_NEURON_CUBALIF, SST_NEURON_ALIF, SST_NEURON_LIF};
  for (int kind = 0; kind < 4; kind++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = kinds[kind];
    neuron.current_decay = 0.5f;
    neuron.adaptation = 0.2f;
    neuron.adaptation_decay = 0.9f;
    const ssti_neuron_shape shape = {.neuron = neuron, .steps = 3, .input_steps = 3, .count = 777,
                                     .smooth = kind == 3};
    check_neuron(&p, &shape, true, false);
  }
  pair_end(&p);
}

// dx and dspikes may be left out.
static void test_neuron_without_some(void **state) {
  pair p = pair_make(*state);
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = SST_NEURON_PLIF;
  const ssti_neuron_shape shape = {.neuron = neuron, .steps = 3, .input_steps = 3, .count = 100};
  const float w = 0.1f;
  float *x = filled(300, false, 1), *dmembrane = filled(300, false, 2), expected = 0, found = 0;
  void *space = memory_of(p.fast->kernels.neuron_workspace(p.fast, &shape));
  p.reference->kernels.neuron_backward(p.reference, &shape, x, &w, NULL, dmembrane, NULL, false, &expected, false,
                                       space);
  p.fast->kernels.neuron_backward(p.fast, &shape, x, &w, NULL, dmembrane, NULL, false, &found, false, space);
  assert_near(found, expected, 1e-5, 1e-6);
  free(x), free(dmembrane), free(space);
  pair_end(&p);
}

// ---- flat blocks

static void test_optimizer_steps(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 15, 1000, 50001};
  const ssti_update update = {.learning_rate = 0.1f, .gradient_scale = 0.7f, .correction1 = 0.3, .correction2 = 0.003};
  for (int i = 0; i < 4; i++) {
    const int64_t n = counts[i];
    for (int kind = 0; kind < 4; kind++) {
      float *gradient = filled(n, false, 1), *value = filled(n, false, 2), *first = filled(n, false, 3);
      float *second = floats(n);
      fill_uniform(second, n, 0.1f, 1.0f, 4);
      float *second_kept = floats(n);
      memcpy(second_kept, second, (size_t)n * sizeof *second);
      if (kind < 3) {
        p.reference->kernels.sgd_step(p.reference, n, value, gradient, first, &update, kind == 0 ? 0.0f : 0.9f,
                                      kind == 2, 1e-2f);
      } else {
        p.reference->kernels.adamw_step(p.reference, n, value, gradient, first, second, &update, 0.9f, 0.999f, 1e-8f,
                                        1e-2f);
      }
      EACH_LEVEL(&p, level) {
        float *v = filled(n, false, 2), *m = filled(n, false, 3), *q = floats(n);
        memcpy(q, second_kept, (size_t)n * sizeof *q);
        if (kind < 3) {
          p.fast->kernels.sgd_step(p.fast, n, v, gradient, m, &update, kind == 0 ? 0.0f : 0.9f, kind == 2, 1e-2f);
        } else {
          p.fast->kernels.adamw_step(p.fast, n, v, gradient, m, q, &update, 0.9f, 0.999f, 1e-8f, 1e-2f);
        }
        assert_same_bits(v, value, n);
        assert_same_bits(m, first, n);
        assert_same_bits(q, second, n);
        free(v), free(m), free(q);
      }
      free(gradient), free(value), free(first), free(second), free(second_kept);
    }
  }
  pair_end(&p);
}

// The same random numbers, so the same elements: bit for bit, wherever a thread or a piece begins.
static void test_dropout(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {1, 255, 257, 30011};
  const uint64_t seed = UINT64_C(0x123456789abcdef0), stream = UINT64_C(0xfedcba9876543210);
  for (int i = 0; i < 8; i++) {
    const int64_t n = counts[i / 2];
    const bool accumulate = i % 2;
    float *x = filled(n, false, 1), *expected = target(n, accumulate, false);
    p.reference->kernels.dropout(p.reference, n, 0.3f, seed, stream, 5, x, expected, accumulate);
    EACH_LEVEL(&p, level) {
      float *found = target(n, accumulate, false);
      p.fast->kernels.dropout(p.fast, n, 0.3f, seed, stream, 5, x, found, accumulate);
      assert_same_bits(found, expected, n);
      free(found);
    }
    free(x), free(expected);
  }
  pair_end(&p);
}

static void test_sum_of_squares(void **state) {
  pair p = pair_make(*state);
  const int64_t counts[] = {0, 1, 17, 4096, 100003};
  for (int i = 0; i < 5; i++) {
    float *x = filled(counts[i], false, 1);
    const double expected = p.reference->kernels.sum_of_squares(p.reference, counts[i], x);
    double first = 0;
    EACH_LEVEL(&p, level) {
      const double found = p.fast->kernels.sum_of_squares(p.fast, counts[i], x);
      assert_near(found, expected, 1e-12, 0);
      if (level == 0) { first = found; }
      assert_true(memcmp(&found, &first, sizeof found) == 0);
    }
    free(x);
  }
  pair_end(&p);
}

// A level that is not there is refused, and the baseline always is.
static void test_levels(void **state) {
  pair p = pair_make(*state);
  assert_true(ssti_fast_force_level(p.fast, SSTI_SIMD_BASELINE));
  assert_true(ssti_fast_force_level(p.fast, ssti_simd_best()));
  assert_false(ssti_fast_force_level(p.fast, SSTI_SIMD_LEVELS));
  pair_end(&p);
}

// Many runs of oneDNN's primitives and own kernels leave the C library's heap as it was: what oneDNN takes inside a call
// it gives back.
static void test_heap_does_not_grow(void **state) {
  pair p = pair_make(*state);
  const ssti_conv2d s = conv(2, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1);
  const int64_t nx = 2 * 8 * 8 * 16, nw = 16 * 9 * 16;
  ssti_plan *plan = NULL;
  assert_ok(p.context, p.fast->kernels.conv2d_plan(p.fast, &s, true, &plan));
  float *x = filled(nx, true, 1), *y = floats(nx), *dx = floats(nx), *w = filled(nw, true, 2), *dw = floats(nw);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  void *saved = memory_of(plan->saved);
  size_t before = 0;
  for (int i = 0; i < 60; i++) {
    if (i == 10) { before = mallinfo2().uordblks; }
    p.fast->kernels.conv2d_forward(p.fast, &s, plan, x, w, NULL, y, saved, forward_space);
    p.fast->kernels.conv2d_backward_data(p.fast, &s, plan, y, w, dx, false, backward_space);
    p.fast->kernels.conv2d_backward_weights(p.fast, &s, plan, x, y, dw, false, NULL, false, saved, backward_space);
  }
  assert_int_equal(mallinfo2().uordblks, before);
  p.fast->kernels.plan_destroy(p.fast, plan);
  free(x), free(y), free(dx), free(w), free(dw), free(forward_space), free(backward_space), free(saved);
  pair_end(&p);
}

// Whatever allocation fails, making a backend and plans leaves nothing behind and says what was missing.
static void test_out_of_memory(void **state) {
  (void)state;
  const ssti_conv2d shape = conv(2, 8, 8, 5, 7, 3, 3, 1, 1, 1, 1);
  const ssti_linear linear = {3, 5, 7};
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    ssti_backend *backend = NULL;
    ssti_plan *conv_plan = NULL, *linear_plan = NULL;
    sst_status status = ssti_backend_create(context, SST_DEVICE_CPU, &backend);
    if (status == SST_OK) { status = backend->kernels.conv2d_plan(backend, &shape, true, &conv_plan); }
    if (status == SST_OK) { status = backend->kernels.linear_plan(backend, &linear, true, &linear_plan); }
    if (status != SST_OK) {
      assert_int_equal(status, SST_OUT_OF_MEMORY);
      assert_true(strlen(sst_context_message(context)) > 0);
    }
    if (backend != NULL) {
      backend->kernels.plan_destroy(backend, conv_plan);
      backend->kernels.plan_destroy(backend, linear_plan);
    }
    ssti_backend_destroy(backend);
    const bool met = fault_met(&plan);
    assert_true(met || status == SST_OK);
    test_context_end(context);
    if (!met) { break; }
  }
}

static void test_ceiling(void **state) {
  sst_ceiling ceiling;
  assert_ok(*state, sst_measure_ceiling(*state, &ceiling));
  // No machine that runs this is slower than these or faster than a thousand times as much.
  assert_true(ceiling.f32_gflops > 0.1 && ceiling.f32_gflops < 1e6);
  assert_true(ceiling.triad_gb_per_s > 0.01 && ceiling.triad_gb_per_s < 1e5);
  assert_true(ceiling.copy_gb_per_s > 0.01 && ceiling.copy_gb_per_s < 1e5);
  assert_int_equal(ceiling.threads, 2);
  assert_non_null(ceiling.simd_level);
}

// A context that cannot give the arrays reports it.
static void test_ceiling_out_of_memory(void **state) {
  (void)state;
  for (uint64_t k = 1; k <= 4; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    sst_ceiling ceiling;
    assert_fails(context, SST_OUT_OF_MEMORY, sst_measure_ceiling(context, &ceiling), "bytes");
    test_context_end(context);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_conv2d),
      TEST(test_conv2d_is_not_refused),
      TEST(test_linear),
      TEST(test_pool),
      TEST(test_batch_norm),
      TEST(test_batch_norm_far_mean),
      TEST(test_batch_norm_inference),
      TEST(test_batch_norm_threads),
      TEST(test_neuron),
      TEST(test_neuron_of_reference),
      TEST(test_neuron_without_some),
      TEST(test_optimizer_steps),
      TEST(test_dropout),
      TEST(test_sum_of_squares),
      TEST(test_levels),
      TEST(test_heap_does_not_grow),
      cmocka_unit_test(test_out_of_memory),
      TEST(test_ceiling),
      cmocka_unit_test(test_ceiling_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
