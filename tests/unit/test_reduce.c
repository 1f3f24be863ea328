// SPDX-License-Identifier: Apache-2.0
// Sum, mean and maximum over every set of axes, against plain index arithmetic.
#include "support.h"

#include "op_naive.h"

static void expect(ssti_reduce_kind kind, sst_shape shape, sst_shape result, const op_call *c, float *y, float *dx) {
  const int64_t count = sst_shape_count(shape), results = sst_shape_count(result);
  const float share = (float)count / (float)results;
  int64_t *first = op_call_memory((size_t)results * sizeof(int64_t)); // 1 + where the maximum is
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = naive_offset(shape, result, i);
    if (kind != SSTI_REDUCE_MAX) {
      y[at] += c->x[0].data[i];
    } else if (first[at] == 0 || c->x[0].data[i] > y[at]) {
      y[at] = c->x[0].data[i];
      first[at] = i + 1;
    }
  }
  for (int64_t i = 0; i < results; i++) { y[i] = kind == SSTI_REDUCE_MEAN ? y[i] / share : y[i]; }
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = naive_offset(shape, result, i);
    const float dy = c->dy[0].data[at];
    dx[i] = kind == SSTI_REDUCE_SUM ? dy : kind == SSTI_REDUCE_MEAN ? dy / share : first[at] == i + 1 ? dy : 0;
  }
  free(first);
}

static void check(sst_context *context, ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes) {
  const ssti_reduce_attributes attributes = {kind, axes};
  const sst_shape result = naive_without(shape, axes);
  const int64_t count = sst_shape_count(shape), results = sst_shape_count(result);
  op_call c;
  op_call_begin(&c, backend, &ssti_op_reduce, &attributes);
  op_call_input(&c, shape, NULL);
  fill_integers(c.x[0].data, count, 3, 1); // few different values: many ties
  assert_ok(context, op_call_infer(&c, context));
  assert_true(sst_shape_equal(c.y[0].shape, result));
  op_call_forward(&c);
  fill_integers(c.dy[0].data, results, 9, 2);
  op_call_backward(&c);
  float *y = op_call_floats(results), *dx = op_call_floats(count);
  expect(kind, shape, result, &c, y, dx);
  assert_all_equal(c.y[0].data, y, results);
  assert_all_equal(c.dx[0].data, dx, count);
  free(y);
  free(dx);
  op_call_end(&c);
}

static void test_every_axis_set(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const sst_shape shapes[] = {sst_shape_make(3, 2, 5, 3, 7), sst_shape_make(2, 3, 1, 1, 11),
                              sst_shape_make(1, 1, 1, 1, 1), sst_shape_make(4, 1, 3, 3, 1)};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (int axes = 1; axes <= SST_AXES_ALL; axes++) {
      for (int kind = 0; kind < 3; kind++) { check(context, backend, (ssti_reduce_kind)kind, shapes[s], axes); }
    }
  }
  ssti_backend_destroy(backend);
}

// Sizes above the pieces and chunks in which kernels work, and not multiples of them.
static void test_long_axes(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const sst_shape shapes[] = {sst_shape_make(2, 61, 13, 7, 3), sst_shape_make(3, 2, 1, 1, 1027),
                              sst_shape_make(300, 1, 1, 2, 5)};
  const int sets[] = {SST_AXES_ALL, SST_AXES_C, SST_AXES_T, SST_AXES_T | SST_AXES_N | SST_AXES_H | SST_AXES_W,
                      SST_AXES_T | SST_AXES_H | SST_AXES_W | SST_AXES_C};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (size_t a = 0; a < sizeof sets / sizeof sets[0]; a++) {
      for (int kind = 0; kind < 3; kind++) { check(context, backend, (ssti_reduce_kind)kind, shapes[s], sets[a]); }
    }
  }
  ssti_backend_destroy(backend);
}

static void test_accumulate_and_threads(void **state) {
  for (int kind = 0; kind < 3; kind++) {
    for (int axes = 1; axes <= SST_AXES_ALL; axes++) {
      const ssti_reduce_attributes attributes = {(ssti_reduce_kind)kind, axes};
      naive_case one = {&ssti_op_reduce, &attributes, 1, {sst_shape_make(2, 3, 1, 2, 5)}, -1, 1};
      naive_check_accumulate(*state, &one);
      one.shape[0] = sst_shape_make(4, 7, 9, 11, 19);
      naive_check_threads(&one);
    }
  }
}

// Many small numbers beside a large one: sums are kept in double.
static void test_precision(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const ssti_reduce_attributes attributes = {SSTI_REDUCE_SUM, SST_AXES_ALL};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_reduce, &attributes);
  op_call_input(&c, sst_shape_make(1, 100, 1, 1, 1000), NULL);
  for (int64_t i = 0; i < 100000; i++) { c.x[0].data[i] = 0.1f; }
  c.x[0].data[0] = 16777216.0f;
  assert_ok(context, op_call_infer(&c, context));
  op_call_forward(&c);
  assert_near(c.y[0].data[0], 16777216.0 + 99999 * (double)0.1f, 1e-7, 0);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Numbers of very different sizes whose sum is 0 but for rounding: any other order of the additions shows. (Sums of
// numbers of one size are exact in double and would hide it.)
static void test_order_does_not_depend_on_threads(void **state) {
  (void)state;
  const sst_shape shape = sst_shape_make(4, 64, 9, 5, 20);
  const int64_t rows = sst_shape_count(shape) / 20;
  const int sets[] = {SST_AXES_ALL, SST_AXES_T | SST_AXES_N | SST_AXES_H | SST_AXES_W};
  for (int s = 0; s < 2; s++) {
    const ssti_reduce_attributes attributes = {SSTI_REDUCE_SUM, sets[s]};
    const naive_case one = {&ssti_op_reduce, &attributes, 1, {shape}, 0, 1};
    float first[20] = {0};
    for (int threads = 1; threads <= 3; threads++) {
      sst_context *context = test_context_with_threads(threads);
      ssti_backend *backend = naive_backend(context);
      op_call c;
      naive_begin(&c, context, backend, &one);
      for (int64_t row = 0; row < rows / 2; row++) {
        for (int64_t i = 0; i < 20; i++) {
          const int64_t at = row * 20 + i;
          const int exponent = (int)ssti_random_below(1, 60, (uint64_t)at, 80) - 40;
          c.x[0].data[at] = ldexpf(ssti_random_normal(1, 61, (uint64_t)at), exponent);
          c.x[0].data[(rows - 1 - row) * 20 + i] = -c.x[0].data[at];
        }
      }
      op_call_forward(&c);
      const int64_t results = sst_shape_count(c.y[0].shape);
      assert_true(c.y[0].data[0] != 0); // there is rounding to be seen
      if (threads == 1) { memcpy(first, c.y[0].data, (size_t)results * sizeof(float)); }
      assert_same_bits(c.y[0].data, first, results);
      op_call_end(&c);
      ssti_backend_destroy(backend);
      test_context_end(context);
    }
  }
}

// A maximum with NaN among the elements is NaN, wherever it stands.
static void test_nan_passes(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  const ssti_reduce_attributes attributes = {SSTI_REDUCE_MAX, SST_AXES_ALL};
  for (int64_t where = 0; where < 20; where++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_reduce, &attributes);
    op_call_input(&c, sst_shape_make(1, 2, 1, 1, 10), NULL);
    c.x[0].data[where] = NAN;
    assert_ok(context, op_call_infer(&c, context));
    op_call_prepare(&c);
    ssti_op_reduce.forward(&c.call);
    assert_true(isnan(c.y[0].data[0]));
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_shape_rule(void **state) {
  const ssti_reduce_attributes none = {SSTI_REDUCE_SUM, 0}, many = {SSTI_REDUCE_SUM, 32};
  const ssti_reduce_attributes wrong = {(ssti_reduce_kind)3, 1};
  naive_case one = {&ssti_op_reduce, &none, 1, {sst_shape_make(1, 1, 1, 1, 1)}, 0, 1};
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "set of axes 0");
  one.attributes = &many;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "expected 1 to 31");
  one.attributes = &wrong;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "number 3");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_every_axis_set),
                                     TEST(test_long_axes),
                                     TEST(test_accumulate_and_threads),
                                     TEST(test_precision),
                                     TEST(test_order_does_not_depend_on_threads),
                                     TEST(test_nan_passes),
                                     TEST(test_shape_rule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
