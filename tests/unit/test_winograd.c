// SPDX-License-Identifier: Apache-2.0
// Winograd's algorithm: only where it is asked for and the shape suits, forward and input gradient, with errors against
// the reference that stay within the bound which crossover.h states.
#include "backend_pair.h"

#include "backend/fast/fast_winograd.h"

static double deviation_of(const float *x, int64_t count) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; i++) { sum += (double)x[i], squares += (double)x[i] * (double)x[i]; }
  return sqrt(squares / (double)count - sum * sum / ((double)count * (double)count));
}

// The largest error, in deviations of what is expected.
static double error_of(const float *found, const float *expected, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count; i++) { largest = fmax(largest, fabs((double)found[i] - (double)expected[i])); }
  return largest / deviation_of(expected, count);
}

static void check(pair *p, const ssti_conv2d *s, bool with_bias) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t nw = s->out_c * 9 * s->in_c;
  ssti_plan *base = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &base));
  const ssti_fast_plan *plan = (const ssti_fast_plan *)(const void *)base;
  assert_non_null(plan->winograd);
  assert_non_null(plan->winograd_data);
  float *x = filled(nx, false, 1), *w = filled(nw, false, 2), *dy = filled(ny, false, 3);
  float *b = with_bias ? filled(s->out_c, false, 4) : NULL;
  float *y = floats(ny), *y_again = floats(ny), *y_expected = floats(ny), *dx = floats(nx), *dx_expected = floats(nx);
  void *forward_space = memory_of(base->forward_workspace), *backward_space = memory_of(base->backward_workspace);
  void *saved = memory_of(base->saved);
  const ssti_kernels *f = &p->tested->kernels, *r = &p->reference->kernels;
  uint64_t allocations = sst_context_allocation_count(p->context);
  f->conv2d_forward(p->tested, s, base, x, w, b, y, saved, forward_space);
  f->conv2d_forward(p->tested, s, base, x, w, b, y_again, saved, forward_space);
  f->conv2d_backward_data(p->tested, s, base, dy, w, dx, false, backward_space);
  assert_int_equal(sst_context_allocation_count(p->context), allocations);
  r->conv2d_forward(p->reference, s, NULL, x, w, b, y_expected, NULL, NULL);
  r->conv2d_backward_data(p->reference, s, NULL, dy, w, dx_expected, false, NULL);
  assert_true(error_of(y, y_expected, ny) < 1e-4);
  assert_true(error_of(dx, dx_expected, nx) < 1e-4);
  assert_same_bits(y_again, y, ny);
  check_canary(forward_space, base->forward_workspace);
  check_canary(backward_space, base->backward_workspace);
  // Adding to a gradient.
  float *sum = filled(nx, false, 5), *before = filled(nx, false, 5);
  f->conv2d_backward_data(p->tested, s, base, dy, w, sum, true, backward_space);
  for (int64_t i = 0; i < nx; i++) { dx_expected[i] += before[i]; }
  assert_true(error_of(sum, dx_expected, nx) < 1e-4);
  f->plan_destroy(p->tested, base);
  release(x), release(w), release(dy), release(b), release(y), release(y_again), release(y_expected), release(dx),
      release(dx_expected);
  release(forward_space), release(backward_space), release(saved), release(sum), release(before);
}

static void test_error_is_bounded(void **state) {
  pair p = pair_make(*state);
  ssti_fast_state_of(p.tested)->convolution = SST_CONVOLUTION_WINOGRAD;
  if (ssti_simd_best() != SSTI_SIMD_V4) {
    print_message("skipped: oneDNN has Winograd's algorithm for AVX-512 only\n");
    pair_end(&p);
    skip();
  }
  const ssti_conv2d shapes[] = {conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1), conv(6, 9, 7, 32, 64, 3, 3, 1, 1, 1, 1),
                                conv(40, 32, 32, 32, 32, 3, 3, 1, 1, 1, 1), // more than a batch
                                conv(2, 8, 8, 256, 128, 3, 3, 1, 1, 1, 1)};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) { check(&p, &shapes[i], i % 2 == 0); }
  pair_end(&p);
}

// Nobody gets it who has not asked for it, nor where it does not apply.
static void test_only_on_request(void **state) {
  pair p = pair_make(*state);
  const struct {
    sst_convolution convolution;
    ssti_conv2d shape;
  } without[] = {{SST_CONVOLUTION_DIRECT, conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1)},
                 {SST_CONVOLUTION_WINOGRAD, conv(4, 16, 16, 64, 64, 3, 3, 2, 1, 1, 1)},
                 {SST_CONVOLUTION_WINOGRAD, conv(4, 16, 16, 64, 64, 5, 5, 1, 2, 1, 1)},
                 {SST_CONVOLUTION_WINOGRAD, conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 2)},
                 {SST_CONVOLUTION_WINOGRAD, conv(4, 16, 16, 3, 64, 3, 3, 1, 1, 1, 1)}};
  assert_int_equal(ssti_fast_state_of(p.tested)->convolution, SST_CONVOLUTION_DIRECT);
  for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
    ssti_fast_state_of(p.tested)->convolution = without[i].convolution;
    ssti_plan *plan = NULL;
    assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &without[i].shape, true, &plan));
    assert_null(((const ssti_fast_plan *)(const void *)plan)->winograd);
    assert_null(((const ssti_fast_plan *)(const void *)plan)->winograd_data);
    p.tested->kernels.plan_destroy(p.tested, plan);
  }
  pair_end(&p);
}

static void test_context_tells(void **state) {
  sst_context *context = *state;
  sst_context_set_convolution(context, SST_CONVOLUTION_WINOGRAD);
  assert_int_equal(sst_context_convolution(context), SST_CONVOLUTION_WINOGRAD);
  pair p = pair_make(context);
  assert_int_equal(ssti_fast_state_of(p.tested)->convolution, SST_CONVOLUTION_WINOGRAD);
  pair_end(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_error_is_bounded), TEST(test_only_on_request), TEST(test_context_tells)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
