// SPDX-License-Identifier: Apache-2.0
// Every slot that the fast CPU backend overrides, against the reference: whole numbers exactly, random numbers within
// the rounding of their sums, adding and overwriting, twice the same bits, at every SIMD level that this machine has.
// Outputs are NaN and workspaces garbage before a kernel runs, and the bytes after a workspace are watched.
#include "backend_pair.h"

#include <malloc.h>

#include "slots_batch_norm.h"
#include "slots_flat.h"
#include "slots_neuron.h"
#include "slots_pool.h"
#include "spikestill/bench.h"

// ---- convolution

static void check_conv_forward(pair *p, const ssti_conv2d *s, ssti_plan *plan, bool whole, bool with_bias) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t per_output = s->kernel_h * s->kernel_w * (s->in_c / s->groups), nw = s->out_c * per_output;
  float *x = filled(nx, whole, 1), *w = filled(nw, whole, 2), *b = with_bias ? filled(s->out_c, whole, 3) : NULL;
  float *expected = floats(ny), *found = floats(ny), *again = floats(ny);
  void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
  p->reference->kernels.conv2d_forward(p->reference, s, NULL, x, w, b, expected, NULL, NULL);
  p->tested->kernels.conv2d_forward(p->tested, s, plan, x, w, b, found, saved, workspace);
  compare(found, expected, ny, sum_tolerance(whole, per_output), "y");
  uint64_t count = sst_context_allocation_count(p->context);
  p->tested->kernels.conv2d_forward(p->tested, s, plan, x, w, b, again, saved, workspace);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  assert_same_bits(again, found, ny);
  check_canary(workspace, plan->forward_workspace);
  check_canary(saved, plan->saved);
  release(x), release(w), release(b), release(expected), release(found), release(again), release(workspace),
      release(saved);
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
  p->tested->kernels.conv2d_backward_data(p->tested, s, plan, dy, w, found, accumulate, workspace);
  compare(found, expected, nx, sum_tolerance(whole, terms), "dx");
  uint64_t count = sst_context_allocation_count(p->context);
  p->tested->kernels.conv2d_backward_data(p->tested, s, plan, dy, w, again, accumulate, workspace);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  assert_same_bits(again, found, nx);
  check_canary(workspace, plan->backward_workspace);
  release(dy), release(w), release(expected), release(found), release(again), release(workspace);
}

// What a forward pass over x leaves for the gradient of the weights.
static void *saved_of(pair *p, const ssti_conv2d *s, ssti_plan *plan, const float *x) {
  float *w = filled(s->out_c * s->kernel_h * s->kernel_w * (s->in_c / s->groups), true, 5);
  float *y = floats(s->images * s->out_h * s->out_w * s->out_c);
  void *workspace = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
  p->tested->kernels.conv2d_forward(p->tested, s, plan, x, w, NULL, y, saved, workspace);
  release(w), release(y), release(workspace);
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
  p->tested->kernels.conv2d_backward_weights(p->tested, s, plan, x, dy, found, accumulate, db, accumulate, saved,
                                             workspace);
  const double tolerance = sum_tolerance(whole, s->images * s->out_h * s->out_w);
  compare(found, expected, nw, tolerance, "dweight");
  compare(db, db_expected, s->out_c, tolerance, "dbias");
  uint64_t count = sst_context_allocation_count(p->context);
  p->tested->kernels.conv2d_backward_weights(p->tested, s, plan, x, dy, again, accumulate, NULL, false, saved,
                                             workspace);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  assert_same_bits(again, found, nw);
  check_canary(workspace, plan->backward_workspace);
  release(x), release(dy), release(expected), release(found), release(again), release(db_expected), release(db),
      release(workspace), release(saved);
}

static void check_conv(pair *p, const ssti_conv2d *s) {
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &plan));
  for (int i = 0; i < 4; i++) {
    check_conv_forward(p, s, plan, i & 1, i & 2);
    check_conv_data(p, s, plan, i & 1, i & 2);
    check_conv_weights(p, s, plan, i & 1, i & 2);
  }
  p->tested->kernels.plan_destroy(p->tested, plan);
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, false, &plan));
  check_conv_forward(p, s, plan, true, true);
  p->tested->kernels.plan_destroy(p->tested, plan);
}

static void test_conv2d(void **state) {
  pair p = pair_make(*state);
  const ssti_conv2d shapes[] = {
      conv(3, 8, 8, 3, 16, 3, 3, 1, 1, 1, 1), // stems
      conv(2, 9, 7, 1, 32, 3, 3, 1, 1, 1, 1),
      conv(2, 9, 9, 2, 8, 5, 5, 2, 2, 1, 1),
      conv(2, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1),
      conv(2, 8, 6, 64, 32, 3, 3, 1, 1, 1, 1),
      conv(1, 5, 7, 5, 7, 3, 3, 1, 0, 1, 1), // odd channels
      conv(2, 7, 7, 17, 33, 3, 3, 2, 1, 1, 1),
      conv(2, 8, 8, 16, 32, 1, 1, 1, 0, 1, 1), // pointwise
      conv(2, 8, 8, 16, 32, 1, 1, 2, 0, 1, 1), // strided so that the last column is left out
      conv(2, 8, 8, 12, 10, 3, 3, 1, 2, 2, 1), // dilated
      conv(2, 9, 9, 8, 8, 3, 3, 2, 2, 3, 1),
      conv(2, 6, 6, 16, 32, 3, 3, 1, 1, 1, 4), // grouped
      conv(2, 7, 5, 6, 9, 3, 3, 1, 1, 1, 3),
      conv(2, 8, 8, 32, 32, 3, 3, 1, 1, 1, 32), // depthwise
      conv(2, 7, 7, 20, 20, 3, 3, 2, 1, 1, 20),
      conv(2, 6, 9, 8, 16, 1, 3, 1, 1, 1, 1),  // not square
      conv(2, 6, 6, 4, 4, 2, 2, 1, 2, 1, 1),   // more padding than a turned convolution can have
      conv(1, 1, 1, 24, 40, 1, 1, 1, 0, 1, 1), // a single pixel
      conv(2, 4, 4, 10, 12, 4, 4, 1, 0, 1, 1), // a single window
      conv(1, 16, 16, 8, 8, 7, 7, 1, 3, 1, 1),
      conv(5, 9, 7, 32, 64, 3, 3, 1, 1, 1, 1), // own weight gradients
      conv(3, 4, 5, 16, 128, 5, 5, 1, 2, 1, 1),
      conv(3, 6, 6, 48, 64, 4, 2, 1, 1, 1, 1),
      conv(2, 17, 20, 16, 64, 1, 1, 1, 0, 1, 1),
      conv(3, 30, 30, 16, 64, 1, 1, 1, 0, 1, 1), // more than a group of pictures
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) { check_conv(&p, &shapes[i]); }
  pair_end(&p);
}

// The layers that matter must be oneDNN's from input to gradients, the input's gradient as a convolution.
static void test_conv2d_is_not_refused(void **state) {
  pair p = pair_make(*state);
  const ssti_conv2d shapes[] = {conv(4, 32, 32, 3, 64, 3, 3, 1, 1, 1, 1),   conv(4, 32, 32, 1, 64, 3, 3, 1, 1, 1, 1),
                                conv(4, 32, 32, 64, 64, 3, 3, 1, 1, 1, 1),  conv(4, 8, 8, 128, 256, 3, 3, 1, 1, 1, 1),
                                conv(4, 16, 16, 64, 128, 3, 3, 2, 1, 1, 1), conv(4, 16, 16, 64, 128, 1, 1, 2, 0, 1, 1),
                                conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 64)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ssti_plan *base = NULL;
    assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &shapes[i], true, &base));
    const ssti_fast_plan *plan = (const ssti_fast_plan *)(const void *)base;
    assert_false(plan->forward_refused);
    assert_false(plan->data_refused);
    assert_false(plan->weights_refused);
    if (shapes[i].stride_h == 1) {
      assert_true(plan->data_as_forward);
      assert_non_null(plan->part[SSTI_FAST_DATA_ADD].primitive);
    }
    p.tested->kernels.plan_destroy(p.tested, base);
  }
  pair_end(&p);
}

// ---- linear

static void check_linear(pair *p, const ssti_linear *s, bool whole, bool second) {
  const int64_t nx = s->rows * s->in, ny = s->rows * s->out, nw = s->in * s->out;
  ssti_plan *plan = NULL;
  assert_ok(p->context, p->tested->kernels.linear_plan(p->tested, s, true, &plan));
  float *x = filled(nx, whole, 1), *w = filled(nw, whole, 2), *b = second ? filled(s->out, whole, 3) : NULL;
  float *dy = filled(ny, whole, 4);
  float *y_expected = floats(ny), *y = floats(ny), *y_again = floats(ny);
  float *dx_expected = target(nx, second, whole), *dx = target(nx, second, whole);
  float *dw_expected = target(nw, second, whole), *dw = target(nw, second, whole);
  float *db_expected = target(s->out, second, whole), *db = target(s->out, second, whole);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  const ssti_kernels *r = &p->reference->kernels, *f = &p->tested->kernels;
  void *saved = memory_of(plan->saved);
  r->linear_forward(p->reference, s, NULL, x, w, b, y_expected, NULL, NULL);
  r->linear_backward_data(p->reference, s, NULL, dy, w, dx_expected, second, NULL);
  r->linear_backward_weights(p->reference, s, NULL, x, dy, dw_expected, second, db_expected, second, NULL, NULL);
  uint64_t count = sst_context_allocation_count(p->context);
  f->linear_forward(p->tested, s, plan, x, w, b, y, saved, forward_space);
  f->linear_forward(p->tested, s, plan, x, w, b, y_again, saved, forward_space);
  f->linear_backward_data(p->tested, s, plan, dy, w, dx, second, backward_space);
  f->linear_backward_weights(p->tested, s, plan, x, dy, dw, second, db, second, saved, backward_space);
  assert_int_equal(sst_context_allocation_count(p->context), count);
  compare(y, y_expected, ny, sum_tolerance(whole, s->in), "y");
  assert_same_bits(y_again, y, ny);
  compare(dx, dx_expected, nx, sum_tolerance(whole, s->out), "dx");
  compare(dw, dw_expected, nw, sum_tolerance(whole, s->rows), "dweight");
  compare(db, db_expected, s->out, sum_tolerance(whole, s->rows), "dbias");
  check_canary(forward_space, plan->forward_workspace);
  check_canary(backward_space, plan->backward_workspace);
  p->tested->kernels.plan_destroy(p->tested, plan);
  release(x), release(w), release(b), release(dy), release(y_expected), release(y), release(y_again),
      release(dx_expected), release(dx);
  release(dw_expected), release(dw), release(db_expected), release(db), release(forward_space), release(backward_space),
      release(saved);
}

static void test_linear(void **state) {
  pair p = pair_make(*state);
  const ssti_linear shapes[] = {linear(1, 1, 1),       linear(1, 7, 5),    linear(5, 1, 3),      linear(3, 5, 1),
                                linear(17, 33, 9),     linear(64, 64, 64), linear(32, 784, 100), linear(128, 256, 10),
                                linear(13, 1000, 257), linear(64, 1, 64),  linear(64, 33, 65),   linear(128, 78, 71),
                                linear(192, 5, 100)}; // the last ones of whole panels
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int j = 0; j < 4; j++) { check_linear(&p, &shapes[i], j & 1, j & 2); }
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
    norm_run(&p, p.tested, &s, &d, true, false);
    y[i] = d.y;
    d.y = NULL;
    norm_end(&d);
    pair_end(&p);
    test_context_end(context);
  }
  assert_same_bits(y[1], y[0], s.rows * s.channels);
  release(y[0]), release(y[1]);
}

// A level that is not there is refused, and the baseline always is.
static void test_levels(void **state) {
  pair p = pair_make(*state);
  assert_true(ssti_fast_force_level(p.tested, SSTI_SIMD_BASELINE));
  assert_true(ssti_fast_force_level(p.tested, ssti_simd_best()));
  assert_false(ssti_fast_force_level(p.tested, SSTI_SIMD_LEVELS));
  pair_end(&p);
}

// Many runs of oneDNN's primitives and own kernels leave the C library's heap as it was: what oneDNN takes inside a
// call it gives back.
static void test_heap_does_not_grow(void **state) {
  pair p = pair_make(*state);
  const ssti_conv2d s = conv(2, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1);
  const int64_t nx = 2 * 8 * 8 * 16, nw = 16 * 9 * 16;
  ssti_plan *plan = NULL;
  assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &s, true, &plan));
  float *x = filled(nx, true, 1), *y = floats(nx), *dx = floats(nx), *w = filled(nw, true, 2), *dw = floats(nw);
  void *forward_space = memory_of(plan->forward_workspace), *backward_space = memory_of(plan->backward_workspace);
  void *saved = memory_of(plan->saved);
  size_t before = 0;
  for (int i = 0; i < 60; i++) {
    if (i == 10) { before = mallinfo2().uordblks; }
    p.tested->kernels.conv2d_forward(p.tested, &s, plan, x, w, NULL, y, saved, forward_space);
    p.tested->kernels.conv2d_backward_data(p.tested, &s, plan, y, w, dx, false, backward_space);
    p.tested->kernels.conv2d_backward_weights(p.tested, &s, plan, x, y, dw, false, NULL, false, saved, backward_space);
  }
  assert_int_equal(mallinfo2().uordblks, before);
  p.tested->kernels.plan_destroy(p.tested, plan);
  release(x), release(y), release(dx), release(w), release(dw), release(forward_space), release(backward_space),
      release(saved);
  pair_end(&p);
}

// Whatever allocation fails, making a backend and plans leaves nothing behind and says what was missing.
static void test_out_of_memory(void **state) {
  (void)state;
  const ssti_conv2d shape = conv(2, 8, 8, 5, 7, 3, 3, 1, 1, 1, 1);
  const ssti_linear product = linear(3, 5, 7);
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    ssti_backend *backend = NULL;
    ssti_plan *conv_plan = NULL, *linear_plan = NULL;
    sst_status status = ssti_backend_create(context, SST_DEVICE_CPU, &backend);
    if (status == SST_OK) { status = backend->kernels.conv2d_plan(backend, &shape, true, &conv_plan); }
    if (status == SST_OK) { status = backend->kernels.linear_plan(backend, &product, true, &linear_plan); }
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
      TEST(test_adaptive_pool),
      TEST(test_batch_norm),
      TEST(test_batch_norm_far_mean),
      TEST(test_batch_norm_inference),
      TEST(test_batch_norm_threads),
      TEST(test_neuron),
      TEST(test_neuron_of_other_kinds),
      TEST(test_neuron_many_steps),
      TEST(test_neuron_without_some),
      TEST(test_optimizer_steps),
      TEST(test_dropout),
      TEST(test_noise),
      TEST(test_sum_of_squares),
      TEST(test_clip_gradient),
      TEST(test_levels),
      TEST(test_heap_does_not_grow),
      cmocka_unit_test(test_out_of_memory),
      TEST(test_ceiling),
      cmocka_unit_test(test_ceiling_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
