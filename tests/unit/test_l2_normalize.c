// SPDX-License-Identifier: Apache-2.0
// L2 normalisation over every set of axes, against the formula in double.
#include "support.h"

#include "op_naive.h"

static void check(sst_context *context, ssti_backend *backend, sst_shape shape, int axes, float epsilon) {
  const ssti_l2_normalize_attributes attributes = {axes, epsilon};
  const naive_case one = {&ssti_op_l2_normalize, &attributes, 1, {shape}, -1, 1};
  const sst_shape result = naive_without(shape, axes);
  const int64_t count = sst_shape_count(shape), results = sst_shape_count(result);
  op_call c;
  naive_begin(&c, context, backend, &one);
  assert_true(sst_shape_equal(c.y[0].shape, shape));
  op_call_forward(&c);
  op_call_backward(&c);
  double *norm = op_call_memory((size_t)results * sizeof(double));
  double *dot = op_call_memory((size_t)results * sizeof(double));
  for (int64_t i = 0; i < count; i++) {
    const double x = (double)c.x[0].data[i];
    norm[naive_offset(shape, result, i)] += x * x;
    dot[naive_offset(shape, result, i)] += x * (double)c.dy[0].data[i];
  }
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = naive_offset(shape, result, i);
    const double n = sqrt(norm[at]), x = (double)c.x[0].data[i], dy = (double)c.dy[0].data[i];
    const double m = fmax(n, (double)epsilon);
    assert_near(c.y[0].data[i], x / m, 1e-6, 0);
    assert_near(c.dx[0].data[i], n > (double)epsilon ? dy / n - x * dot[at] / (n * n * n) : dy / m, 1e-6, 1e-6 / n);
  }
  free(norm);
  free(dot);
  op_call_end(&c);
}

static void test_every_axis_set(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  for (int axes = 1; axes <= SST_AXES_ALL; axes++) {
    check(context, backend, sst_shape_make(2, 3, 5, 2, 7), axes, 1e-12f);
    check(context, backend, sst_shape_make(2, 3, 5, 2, 7), axes, 1.5f); // some norms below, some above
    check(context, backend, sst_shape_make(5, 17, 1, 3, 301), axes, 1e-12f);
  }
  ssti_backend_destroy(backend);
}

// 3-4-5: exact; and a vector of zeros, whose gradient is that of a division by epsilon.
static void test_known_values(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const ssti_l2_normalize_attributes attributes = {SST_AXES_C, 0.5f};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_l2_normalize, &attributes);
  op_call_input(&c, sst_shape_make(1, 2, 1, 1, 2), (float[]){3, 4, 0, 0});
  assert_ok(context, op_call_infer(&c, context));
  op_call_forward(&c);
  assert_all_equal(c.y[0].data, ((float[]){0.6f, 0.8f, 0, 0}), 4);
  memcpy(c.dy[0].data, (float[]){25, 0, 1, -2}, 4 * sizeof(float));
  op_call_backward(&c);
  assert_all_near(c.dx[0].data, ((float[]){3.2f, -2.4f, 2, -4}), 4, 1e-6, 0);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_accumulate_and_threads(void **state) {
  for (int axes = 1; axes <= SST_AXES_ALL; axes++) {
    const ssti_l2_normalize_attributes attributes = {axes, 1e-12f};
    naive_case one = {&ssti_op_l2_normalize, &attributes, 1, {sst_shape_make(2, 3, 1, 2, 5)}, -1, 1};
    naive_check_accumulate(*state, &one);
    one.shape[0] = sst_shape_make(4, 7, 9, 11, 19);
    naive_check_threads(&one);
  }
}

static void test_shape_rule(void **state) {
  const ssti_l2_normalize_attributes none = {0, 1}, zero = {1, 0};
  naive_case one = {&ssti_op_l2_normalize, &none, 1, {sst_shape_make(1, 1, 1, 1, 1)}, 0, 1};
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "set of axes 0");
  one.attributes = &zero;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "smallest value is 0");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_every_axis_set), TEST(test_known_values),
                                     TEST(test_accumulate_and_threads), TEST(test_shape_rule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
