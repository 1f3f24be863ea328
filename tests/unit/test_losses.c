// SPDX-License-Identifier: Apache-2.0
// Cross-entropy and KL divergence, against the formulas in double.
#include <float.h>

#include "support.h"

#include "op_naive.h"

// Rows that sum to 1, one-hot for even rows.
static void fill_targets(float *target, int64_t rows, int64_t channels) {
  fill_uniform(target, rows * channels, 0.1f, 1, 40);
  for (int64_t row = 0; row < rows; row++) {
    float *t = target + row * channels;
    float sum = 0;
    for (int64_t i = 0; i < channels; i++) { sum += t[i]; }
    for (int64_t i = 0; i < channels; i++) { t[i] = row % 2 == 0 ? (float)(i == row % channels) : t[i] / sum; }
  }
}

static void check_cross_entropy(sst_context *context, ssti_backend *backend, int64_t steps, int64_t batch,
                                int64_t channels, float smoothing) {
  const ssti_cross_entropy_attributes attributes = {smoothing};
  const naive_case one = {&ssti_op_cross_entropy,
                          &attributes,
                          2,
                          {sst_shape_make(steps, batch, 1, 1, channels), sst_shape_make(1, batch, 1, 1, channels)},
                          -5,
                          5};
  op_call c;
  naive_begin(&c, context, backend, &one);
  assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(steps, batch, 1, 1, 1)));
  fill_targets(c.x[1].data, batch, channels);
  op_call_forward(&c);
  op_call_backward(&c);
  for (int64_t row = 0; row < steps * batch; row++) {
    const float *x = c.x[0].data + row * channels, *target = c.x[1].data + row % batch * channels;
    double sum = 0, loss = 0, share = 0;
    for (int64_t i = 0; i < channels; i++) { sum += exp((double)x[i]); }
    for (int64_t i = 0; i < channels; i++) {
      const double t = (1 - (double)smoothing) * (double)target[i] + (double)smoothing / (double)channels;
      loss -= t * log(exp((double)x[i]) / sum);
      share += t;
    }
    assert_near(c.y[0].data[row], loss, 1e-6, 1e-6);
    for (int64_t i = 0; i < channels; i++) {
      const double t = (1 - (double)smoothing) * (double)target[i] + (double)smoothing / (double)channels;
      const double dx = (double)c.dy[0].data[row] * (exp((double)x[i]) / sum * share - t);
      assert_near(c.dx[0].data[row * channels + i], dx, 1e-6, 1e-6);
    }
  }
  for (int64_t i = 0; i < batch * channels; i++) { assert_true(c.dx[1].data[i] == 0); } // the target is a constant
  op_call_end(&c);
}

static void test_cross_entropy(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const float smoothings[] = {0, 0.1f, 1};
  for (int i = 0; i < 3; i++) {
    check_cross_entropy(context, backend, 3, 5, 10, smoothings[i]);
    check_cross_entropy(context, backend, 1, 7, 1, smoothings[i]);
    check_cross_entropy(context, backend, 2, 3, 101, smoothings[i]);
  }
  ssti_backend_destroy(backend);
}

// Logits at which exp would overflow, and classes that are impossible.
static void test_cross_entropy_extremes(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const ssti_cross_entropy_attributes attributes = {0};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_cross_entropy, &attributes);
  op_call_input(&c, sst_shape_make(1, 4, 1, 1, 2), (float[]){10000, 0, 10000, 0, 5, -INFINITY, NAN, 0});
  op_call_input(&c, sst_shape_make(1, 4, 1, 1, 2), (float[]){1, 0, 0, 1, 1, 0, 0, 1});
  assert_ok(context, op_call_infer(&c, context));
  op_call_forward(&c);
  assert_all_equal(c.y[0].data, ((float[]){0, 10000, 0}), 3);
  assert_true(isnan(c.y[0].data[3]));
  for (int i = 0; i < 4; i++) { c.dy[0].data[i] = 2; }
  op_call_backward(&c);
  assert_all_equal(c.dx[0].data, ((float[]){0, 0, 2, -2, 0, 0}), 6);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Independent of the unit: log(C) for equal logits, whatever the smoothing.
static void test_cross_entropy_of_nothing_known(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const ssti_cross_entropy_attributes attributes = {0.25f};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_cross_entropy, &attributes);
  op_call_input(&c, sst_shape_make(1, 1, 1, 1, 4), NULL);
  op_call_input(&c, sst_shape_make(1, 1, 1, 1, 4), (float[]){0, 1, 0, 0});
  assert_ok(context, op_call_infer(&c, context));
  op_call_forward(&c);
  assert_near(c.y[0].data[0], log(4), 1e-7, 0);
  c.dy[0].data[0] = 16;
  op_call_backward(&c);
  assert_all_equal(c.dx[0].data, ((float[]){3, -9, 3, 3}), 4); // 16 * (1/4 - t), t = 1/16 or 13/16
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_kl(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const naive_case one = {
      &ssti_op_kl_divergence, NULL, 2, {sst_shape_make(2, 3, 1, 2, 7), sst_shape_make(2, 3, 1, 2, 7)}, 0.05f, 1};
  op_call c;
  naive_begin(&c, context, backend, &one);
  assert_true(sst_shape_equal(c.y[0].shape, sst_shape_make(2, 3, 1, 2, 1)));
  fill_uniform(c.x[1].data, 84, -4, 0, 50);
  for (int64_t i = 0; i < 84; i += 5) { c.x[0].data[i] = 0; }
  op_call_forward(&c);
  op_call_backward(&c);
  for (int64_t row = 0; row < 12; row++) {
    double loss = 0;
    for (int64_t i = row * 7; i < row * 7 + 7; i++) {
      const double p = (double)c.x[0].data[i], log_q = (double)c.x[1].data[i], dy = (double)c.dy[0].data[row];
      loss += p > 0 ? p * (log(p) - log_q) : 0;
      const double log_p = p > 0 ? log(p) : log((double)FLT_MIN);
      assert_near(c.dx[0].data[i], dy * (log_p + 1 - log_q), 1e-6, 1e-6);
      assert_near(c.dx[1].data[i], -dy * p, 1e-6, 0);
    }
    assert_near(c.y[0].data[row], loss, 1e-6, 1e-6);
  }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// A class with p = 0 adds nothing even where q is 0 as well; p = q gives 0; NaN is not swallowed.
static void test_kl_extremes(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  op_call c;
  op_call_begin(&c, backend, &ssti_op_kl_divergence, NULL);
  op_call_input(&c, sst_shape_make(1, 3, 1, 1, 2), (float[]){1, 0, 0.5f, 0.5f, NAN, 0.5f});
  op_call_input(&c, sst_shape_make(1, 3, 1, 1, 2), (float[]){0, -INFINITY, logf(0.5f), logf(0.5f), -1, -1});
  assert_ok(context, op_call_infer(&c, context));
  op_call_forward(&c);
  assert_true(c.y[0].data[0] == 0);
  assert_near(c.y[0].data[1], 0, 0, 1e-7);
  assert_true(isnan(c.y[0].data[2]));
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_accumulate_and_threads(void **state) {
  const ssti_cross_entropy_attributes attributes = {0.1f};
  naive_case loss = {
      &ssti_op_cross_entropy, &attributes, 2, {sst_shape_make(2, 3, 1, 1, 5), sst_shape_make(1, 3, 1, 1, 5)}, 0, 1};
  naive_check_accumulate(*state, &loss);
  loss.shape[0] = sst_shape_make(4, 333, 1, 1, 10);
  loss.shape[1] = sst_shape_make(1, 333, 1, 1, 10);
  naive_check_threads(&loss);
  naive_case kl = {
      &ssti_op_kl_divergence, NULL, 2, {sst_shape_make(2, 3, 1, 1, 5), sst_shape_make(2, 3, 1, 1, 5)}, 0.1f, 1};
  naive_check_accumulate(*state, &kl);
  kl.shape[0] = kl.shape[1] = sst_shape_make(4, 333, 1, 1, 10);
  naive_check_threads(&kl);
}

static void test_shape_rules(void **state) {
  const ssti_cross_entropy_attributes plain = {0}, wrong = {1.5f};
  naive_case one = {
      &ssti_op_cross_entropy, &plain, 2, {sst_shape_make(2, 3, 1, 1, 5), sst_shape_make(2, 3, 1, 1, 5)}, 0, 1};
  assert_fails(*state, SST_SHAPE, naive_infer(*state, &one), "expected [1,3,1,1,5]");
  one.shape[0] = sst_shape_make(2, 3, 2, 1, 5);
  assert_fails(*state, SST_SHAPE, naive_infer(*state, &one), "expected [T,N,1,1,C]");
  one.attributes = &wrong;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "smoothing is 1.5");
  const naive_case kl = {
      &ssti_op_kl_divergence, NULL, 2, {sst_shape_make(2, 3, 1, 1, 5), sst_shape_make(2, 3, 1, 1, 6)}, 0, 1};
  assert_fails(*state, SST_SHAPE, naive_infer(*state, &kl), "[2,3,1,1,6]");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_cross_entropy),
                                     TEST(test_cross_entropy_extremes),
                                     TEST(test_cross_entropy_of_nothing_known),
                                     TEST(test_kl),
                                     TEST(test_kl_extremes),
                                     TEST(test_accumulate_and_threads),
                                     TEST(test_shape_rules)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
