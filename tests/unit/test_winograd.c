// SPDX-License-Identifier: Apache-2.0
// Winograd's algorithm: only where it is asked for and the shape suits, all three passes, with errors against the
// reference that stay within the bound which crossover.h states.
#include "backend_pair.h"

#include "backend/fast/fast_winograd.h"
#include "base/sizes.h"

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

// Half of what crossover.h states: sums that were one chain over thousands of tiles would pass that, and not this.
#define TIGHT 5e-5

// In precision bf16 what is expected comes from the same rounded numbers, and is rounded by less than this.
static double bound_of(const ssti_conv2d *s, ssti_type type) {
  return s->precision == SST_PRECISION_BF16 && type == SSTI_BF16 ? 0.02 : TIGHT;
}

// Numbers around zero, rounded to bf16 where the tensor is; `f32` receives them all the same.
static void *tensor_of(int64_t count, ssti_type type, uint64_t seed, float **f32) {
  *f32 = filled(count, false, seed);
  if (type == SSTI_F32) { return memcpy(floats(count), *f32, (size_t)count * sizeof **f32); }
  ssti_bf16 *half = memory_of((size_t)count * sizeof *half);
  for (int64_t i = 0; i < count; i++) { half[i] = ssti_bf16_of((*f32)[i]), (*f32)[i] = ssti_bf16_value(half[i]); }
  return half;
}

static float *widened(const void *tensor, int64_t count, ssti_type type) {
  float *f32 = floats(count);
  for (int64_t i = 0; i < count; i++) {
    f32[i] = type == SSTI_BF16 ? ssti_bf16_value(((const ssti_bf16 *)tensor)[i]) : ((const float *)tensor)[i];
  }
  return f32;
}

static void expect_close(const void *found, const float *expected, int64_t count, ssti_type type, double bound) {
  float *f32 = widened(found, count, type);
  const double error = error_of(f32, expected, count);
  if (error >= bound) { print_message("error %g of the deviation, expected below %g\n", error, bound); }
  assert_true(error < bound);
  release(f32);
}

// All three passes of one shape, the gradients also added to what is there.
static void check(pair *p, const ssti_conv2d *s, bool with_bias) {
  const int64_t nx = s->images * s->in_h * s->in_w * s->in_c, ny = s->images * s->out_h * s->out_w * s->out_c;
  const int64_t nw = s->out_c * 9 * s->in_c;
  ssti_plan *base = NULL;
  assert_ok(p->context, p->tested->kernels.conv2d_plan(p->tested, s, true, &base));
  assert_true(((const ssti_fast_plan *)(const void *)base)->winograd);
  float *x32, *dy32, *dx32;
  void *x = tensor_of(nx, s->in_type, 1, &x32), *dy = tensor_of(ny, s->out_type, 3, &dy32);
  void *dx = tensor_of(nx, s->in_type, 5, &dx32);
  void *y = memory_of((size_t)ny * ssti_type_bytes(s->out_type));
  float *w = filled(nw, false, 2), *b = with_bias ? filled(s->out_c, false, 4) : NULL, *dw = floats(nw);
  float *y_expected = floats(ny), *dw_expected = floats(nw);
  void *forward_space = memory_of(base->forward_workspace), *backward_space = memory_of(base->backward_workspace);
  void *saved = memory_of(base->saved);
  const ssti_kernels *f = &p->tested->kernels, *r = &p->reference->kernels;
  ssti_conv2d plain = *s; // as the reference does it
  plain.precision = SST_PRECISION_F32, plain.in_type = plain.out_type = SSTI_F32;
  const uint64_t allocations = sst_context_allocation_count(p->context);
  for (int added = 0; added < 2; added++) {
    fill_normal(dw, nw, 1.0f, 7), memcpy(dw_expected, dw, (size_t)nw * sizeof *dw);
    f->conv2d_forward(p->tested, s, base, x, w, b, y, saved, forward_space);
    f->conv2d_backward_data(p->tested, s, base, dy, w, dx, added, backward_space);
    f->conv2d_backward_weights(p->tested, s, base, x, dy, dw, added, NULL, false, saved, backward_space);
    assert_int_equal(sst_context_allocation_count(p->context), allocations);
    check_canary(forward_space, base->forward_workspace);
    check_canary(backward_space, base->backward_workspace);
    r->conv2d_forward(p->reference, &plain, NULL, x32, w, b, y_expected, NULL, NULL);
    r->conv2d_backward_data(p->reference, &plain, NULL, dy32, w, dx32, added, NULL);
    r->conv2d_backward_weights(p->reference, &plain, NULL, x32, dy32, dw_expected, added, NULL, false, NULL, NULL);
    expect_close(y, y_expected, ny, s->out_type, bound_of(s, s->out_type));
    expect_close(dx, dx32, nx, s->in_type, bound_of(s, s->in_type));
    expect_close(dw, dw_expected, nw, SSTI_F32, TIGHT);
  }
  f->plan_destroy(p->tested, base);
  release(x), release(w), release(dy), release(b), release(y), release(y_expected), release(dx), release(dw);
  release(x32), release(dy32), release(dx32), release(dw_expected);
  release(forward_space), release(backward_space), release(saved);
}

static ssti_conv2d in_bf16(ssti_conv2d s, ssti_type in, ssti_type out) {
  s.precision = SST_PRECISION_BF16, s.in_type = in, s.out_type = out;
  return s;
}

// Whole and cut tiles, paddings, channels that are no whole panels of a product; more tiles than a block or a group
// has.
static void test_error_is_bounded(void **state) {
  pair p = pair_make(*state);
  ssti_fast_state_of(p.tested)->convolution = SST_CONVOLUTION_WINOGRAD;
  const ssti_conv2d shapes[] = {
      conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1),
      conv(6, 9, 7, 32, 80, 3, 3, 1, 1, 1, 1),
      conv(3, 6, 5, 48, 32, 3, 3, 1, 0, 1, 1),
      conv(2, 3, 6, 32, 48, 3, 3, 1, 2, 1, 1),
      conv(40, 32, 32, 32, 32, 3, 3, 1, 1, 1, 1),
      conv(2, 8, 8, 256, 112, 3, 3, 1, 1, 1, 1),
      in_bf16(conv(3, 9, 8, 48, 64, 3, 3, 1, 1, 1, 1), SSTI_BF16, SSTI_BF16),
      in_bf16(conv(3, 8, 8, 64, 32, 3, 3, 1, 1, 1, 1), SSTI_F32, SSTI_BF16),
      in_bf16(conv(3, 8, 8, 64, 32, 3, 3, 1, 1, 1, 1), SSTI_BF16, SSTI_F32),
  };
  EACH_LEVEL(&p, level) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) { check(&p, &shapes[i], i % 2 == 0); }
  }
  pair_end(&p);
}

// Sums do not depend on the number of threads.
static void test_threads_agree(void **state) {
  (void)state;
  const ssti_conv2d s = conv(7, 14, 14, 48, 64, 3, 3, 1, 1, 1, 1);
  const int64_t nx = s.images * s.in_h * s.in_w * s.in_c, nw = s.out_c * 9 * s.in_c;
  const int64_t ny = s.images * s.out_h * s.out_w * s.out_c;
  float *x = filled(nx, false, 1), *w = filled(nw, false, 2), *dy = filled(ny, false, 3), *found[2][3];
  for (int threads = 1; threads <= 2; threads++) {
    sst_context *context = test_context_with_threads(threads == 1 ? 1 : 3);
    sst_context_set_convolution(context, SST_CONVOLUTION_WINOGRAD);
    pair p = pair_make(context);
    ssti_plan *plan = NULL;
    assert_ok(context, p.tested->kernels.conv2d_plan(p.tested, &s, true, &plan));
    float **to = found[threads - 1];
    to[0] = floats(ny), to[1] = floats(nx), to[2] = floats(nw);
    void *space = memory_of(ssti_larger_size(plan->forward_workspace, plan->backward_workspace));
    void *saved = memory_of(plan->saved);
    p.tested->kernels.conv2d_forward(p.tested, &s, plan, x, w, NULL, to[0], saved, space);
    p.tested->kernels.conv2d_backward_data(p.tested, &s, plan, dy, w, to[1], false, space);
    p.tested->kernels.conv2d_backward_weights(p.tested, &s, plan, x, dy, to[2], false, NULL, false, saved, space);
    p.tested->kernels.plan_destroy(p.tested, plan);
    release(space), release(saved);
    pair_end(&p);
    sst_context_destroy(context);
  }
  assert_same_bits(found[1][0], found[0][0], ny);
  assert_same_bits(found[1][1], found[0][1], nx);
  assert_same_bits(found[1][2], found[0][2], nw);
  for (int i = 0; i < 6; i++) { release(found[i / 3][i % 3]); }
  release(x), release(w), release(dy);
}

// What is stored as bf16 is what f32 would hold, rounded once.
static void test_bf16_is_rounded_once(void **state) {
  pair p = pair_make(*state);
  ssti_fast_state_of(p.tested)->convolution = SST_CONVOLUTION_WINOGRAD;
  const ssti_conv2d shapes[] = {in_bf16(conv(2, 6, 9, 32, 48, 3, 3, 1, 1, 1, 1), SSTI_BF16, SSTI_F32),
                                in_bf16(conv(2, 6, 9, 32, 48, 3, 3, 1, 1, 1, 1), SSTI_BF16, SSTI_BF16)};
  const int64_t nx = 2 * 6 * 9 * 32, ny = 2 * 6 * 9 * 48;
  float *x32, *w = filled(48 * 9 * 32, false, 2), *y32 = floats(ny);
  void *x = tensor_of(nx, SSTI_BF16, 1, &x32);
  ssti_bf16 *y16 = memory_of((size_t)ny * sizeof *y16);
  EACH_LEVEL(&p, level) {
    for (int i = 0; i < 2; i++) {
      ssti_plan *plan = NULL;
      assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &shapes[i], false, &plan));
      void *space = memory_of(plan->forward_workspace), *saved = memory_of(plan->saved);
      p.tested->kernels.conv2d_forward(p.tested, &shapes[i], plan, x, w, NULL, i == 0 ? y32 : (float *)(void *)y16,
                                       saved, space);
      p.tested->kernels.plan_destroy(p.tested, plan);
      release(space), release(saved);
    }
    for (int64_t i = 0; i < ny; i++) { assert_int_equal(y16[i], ssti_bf16_of(y32[i])); }
  }
  release(x), release(x32), release(w), release(y32), release(y16);
  pair_end(&p);
}

// Spikes are added up at densities of its own.
static void test_densities(void **state) {
  pair p = pair_make(*state);
  ssti_fast_state *fast = ssti_fast_state_of(p.tested);
  fast->convolution = SST_CONVOLUTION_WINOGRAD;
  const ssti_conv2d s = conv(4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1);
  const int64_t count = 4 * 16 * 16 * 64;
  float *x = floats(count), *w = filled(64 * 9 * 64, false, 2), *y = floats(count), *dw = floats(64 * 9 * 64);
  for (int64_t i = 0; i < count; i++) { x[i] = i % 10 == 0 ? 1.0f : 0.0f; }
  for (int by_spikes = 0; by_spikes < 2; by_spikes++) {
    fast->crossover.convolution_forward = fast->crossover.convolution_weights = by_spikes ? -1 : 1;
    fast->crossover.winograd_convolution_forward = by_spikes ? 0.15 : 0.05;
    fast->crossover.winograd_convolution_weights = by_spikes ? 0.15 : 0.05;
    ssti_plan *plan = NULL;
    assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &s, true, &plan));
    void *space = memory_of(ssti_larger_size(plan->forward_workspace, plan->backward_workspace));
    void *saved = memory_of(plan->saved);
    p.tested->kernels.conv2d_forward(p.tested, &s, plan, x, w, NULL, y, saved, space);
    p.tested->kernels.conv2d_backward_weights(p.tested, &s, plan, x, y, dw, false, NULL, false, saved, space);
    assert_int_equal(plan->forward_by_events, by_spikes);
    assert_int_equal(plan->weights_by_events, by_spikes);
    p.tested->kernels.plan_destroy(p.tested, plan);
    release(space), release(saved);
  }
  release(x), release(w), release(y), release(dw);
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
                 {SST_CONVOLUTION_WINOGRAD, conv(4, 16, 16, 40, 64, 3, 3, 1, 1, 1, 1)},
                 {SST_CONVOLUTION_WINOGRAD, conv(4, 16, 16, 3, 64, 3, 3, 1, 1, 1, 1)}};
  assert_int_equal(ssti_fast_state_of(p.tested)->convolution, SST_CONVOLUTION_DIRECT);
  for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
    ssti_fast_state_of(p.tested)->convolution = without[i].convolution;
    ssti_plan *plan = NULL;
    assert_ok(p.context, p.tested->kernels.conv2d_plan(p.tested, &without[i].shape, true, &plan));
    assert_false(((const ssti_fast_plan *)(const void *)plan)->winograd);
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
  const struct CMUnitTest tests[] = {TEST(test_error_is_bounded),     cmocka_unit_test(test_threads_agree),
                                     TEST(test_bf16_is_rounded_once), TEST(test_densities),
                                     TEST(test_only_on_request),      TEST(test_context_tells)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
