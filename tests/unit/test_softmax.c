// SPDX-License-Identifier: Apache-2.0
// Softmax and log-softmax with temperature, against the formula in double.
#include "support.h"

#include "op_naive.h"

static void check(sst_context *context, ssti_backend *backend, sst_shape shape, float temperature, bool log_wanted) {
  const ssti_softmax_attributes attributes = {temperature, log_wanted};
  const naive_case one = {&ssti_op_softmax, &attributes, 1, {shape}, -4, 4};
  const int64_t channels = shape.dim[SST_AXIS_C], rows = sst_shape_count(shape) / channels;
  const double t = (double)temperature;
  op_call c;
  naive_begin(&c, context, backend, &one);
  assert_true(sst_shape_equal(c.y[0].shape, shape));
  op_call_forward(&c);
  op_call_backward(&c);
  for (int64_t row = 0; row < rows; row++) {
    const float *x = c.x[0].data + row * channels, *dy = c.dy[0].data + row * channels;
    double sum = 0, dot = 0, dsum = 0;
    for (int64_t i = 0; i < channels; i++) { sum += exp((double)x[i] / t); }
    for (int64_t i = 0; i < channels; i++) {
      dsum += (double)dy[i];
      dot += (double)dy[i] * exp((double)x[i] / t) / sum;
    }
    for (int64_t i = 0; i < channels; i++) {
      const double p = exp((double)x[i] / t) / sum;
      const double dx = log_wanted ? (double)dy[i] - p * dsum : p * ((double)dy[i] - dot);
      assert_near(c.y[0].data[row * channels + i], log_wanted ? log(p) : p, 2e-6, 1e-7);
      assert_near(c.dx[0].data[row * channels + i], dx / t, 2e-6, 2e-6 / t);
    }
  }
  op_call_end(&c);
}

static void test_values(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const float temperatures[] = {1, 4, 0.5f};
  for (int i = 0; i < 6; i++) {
    check(context, backend, sst_shape_make(2, 3, 1, 1, 10), temperatures[i / 2], i % 2);
    check(context, backend, sst_shape_make(1, 2, 3, 1, 1), temperatures[i / 2], i % 2);
    check(context, backend, sst_shape_make(1, 3, 1, 5, 257), temperatures[i / 2], i % 2);
  }
  ssti_backend_destroy(backend);
}

// Differences that are exact, and sizes at which exp of the values themselves would overflow or vanish.
static void test_known_values(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  for (int log_wanted = 0; log_wanted < 2; log_wanted++) {
    const ssti_softmax_attributes attributes = {2, log_wanted};
    op_call c;
    op_call_begin(&c, backend, &ssti_op_softmax, &attributes);
    op_call_input(&c, sst_shape_make(1, 4, 1, 1, 2), (float[]){3, 3, 10000, 10000, -10000, -10000, 0, -INFINITY});
    assert_ok(context, op_call_infer(&c, context));
    op_call_forward(&c);
    const float half = log_wanted ? (float)-log(2) : 0.5f, all = log_wanted ? 0 : 1, none = log_wanted ? -INFINITY : 0;
    const float expected[] = {half, half, half, half, half, half, all};
    assert_all_equal(c.y[0].data, expected, 7);
    assert_true(c.y[0].data[7] == none);
    for (int i = 0; i < 8; i++) { c.dy[0].data[i] = i == 2 || i == 3 ? 3 : 0; }
    op_call_backward(&c);
    assert_all_near(c.dx[0].data, ((float[]){0, 0, 0, 0, 0, 0, 0, 0}), 8, 0, 1e-6); // a shift of both changes nothing
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_accumulate_and_threads(void **state) {
  for (int i = 0; i < 2; i++) {
    const ssti_softmax_attributes attributes = {3, i == 1};
    naive_case one = {&ssti_op_softmax, &attributes, 1, {sst_shape_make(2, 3, 1, 1, 5)}, -2, 2};
    naive_check_accumulate(*state, &one);
    one.shape[0] = sst_shape_make(4, 127, 1, 3, 10);
    naive_check_threads(&one);
  }
}

static void test_shape_rule(void **state) {
  const ssti_softmax_attributes cold = {0, false}, hot = {INFINITY, true};
  naive_case one = {&ssti_op_softmax, &cold, 1, {sst_shape_make(1, 1, 1, 1, 1)}, 0, 1};
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "temperature 0");
  one.attributes = &hot;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "temperature inf");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_values), TEST(test_known_values), TEST(test_accumulate_and_threads),
                                     TEST(test_shape_rule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
