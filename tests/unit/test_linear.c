// SPDX-License-Identifier: Apache-2.0
// Linear layers: kernels against the definition on whole numbers (exact), threads, shape rule.
#include "support/support.h"

#include "support/op_call.h"

typedef struct linear_case {
  int64_t steps, batch, in, out;
} linear_case;

static const linear_case cases[] = {
    {1, 1, 1, 1}, {1, 3, 5, 2}, {2, 3, 8, 4}, {3, 5, 17, 9}, {1, 2, 131, 67}, {1, 2, 3, 300}, {4, 150, 7, 5},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void begin_case(op_call *c, ssti_backend *backend, const linear_case *k, bool bias) {
  op_call_begin(c, backend, &ssti_op_linear, NULL);
  op_call_input(c, sst_shape_make(k->steps, k->batch, 1, 1, k->in), NULL);
  op_call_input(c, sst_shape_make(1, k->out, 1, 1, k->in), NULL);
  if (bias) { op_call_input(c, sst_shape_make(1, 1, 1, 1, k->out), NULL); }
  assert_ok(backend->context, op_call_infer(c, backend->context));
  op_call_prepare(c);
}

static void check_case(ssti_backend *backend, const linear_case *k, bool bias, bool accumulate) {
  op_call c;
  begin_case(&c, backend, k, bias);
  int64_t rows = k->steps * k->batch;
  float *expected[3] = {NULL, NULL, NULL}, *y = op_call_floats(rows * k->out);
  for (int i = 0; i < c.call.input_count; i++) {
    int64_t count = sst_shape_count(c.x[i].shape);
    op_call_fill_integers(c.x[i].data, count, 3, (uint32_t)i);
    expected[i] = op_call_floats(count);
    if (!accumulate) { continue; }
    c.accumulate[i] = true;
    op_call_fill_integers(c.dx[i].data, count, 5, 40u + (uint32_t)i);
    memcpy(expected[i], c.dx[i].data, (size_t)count * sizeof(float));
  }
  op_call_fill_integers(c.dy[0].data, rows * k->out, 3, 9);
  for (int64_t p = 0; p < rows * k->out; p++) {
    int64_t row = p / k->out, o = p % k->out;
    if (bias) { y[p] = c.x[2].data[o]; }
    if (bias) { expected[2][o] += c.dy[0].data[p]; }
    for (int64_t i = 0; i < k->in; i++) {
      y[p] += c.x[0].data[row * k->in + i] * c.x[1].data[o * k->in + i];
      expected[0][row * k->in + i] += c.dy[0].data[p] * c.x[1].data[o * k->in + i];
      expected[1][o * k->in + i] += c.dy[0].data[p] * c.x[0].data[row * k->in + i];
    }
  }
  op_call_forward(&c);
  assert_all_equal(c.y[0].data, y, rows * k->out);
  op_call_backward(&c);
  for (int i = 0; i < c.call.input_count; i++) {
    assert_all_equal(c.dx[i].data, expected[i], sst_shape_count(c.x[i].shape));
    free(expected[i]);
  }
  free(y);
  op_call_end(&c);
}

static void test_whole_numbers_are_exact(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int i = 0; i < CASE_COUNT; i++) {
    for (int variant = 0; variant < 4; variant++) { check_case(backend, &cases[i], variant & 1, variant & 2); }
  }
  ssti_backend_destroy(backend);
}

static void test_gradient_by_differences(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  begin_case(&c, backend, &cases[3], true);
  for (int i = 0; i < 3; i++) { op_call_fill_reals(c.x[i].data, sst_shape_count(c.x[i].shape), (uint32_t)i); }
  // Linear in each input, so a large step costs nothing and only rounding is left.
  for (int i = 0; i < 3; i++) { op_call_check_gradient(&c, i, 0.5f, 1e-5); }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void run_reals(op_call *c, int threads, sst_context **context, ssti_backend **backend) {
  static const linear_case big = {2, 37, 301, 95};
  *context = test_context_with_threads(threads);
  *backend = op_call_reference(*context);
  begin_case(c, *backend, &big, true);
  for (int i = 0; i < 3; i++) { op_call_fill_reals(c->x[i].data, sst_shape_count(c->x[i].shape), (uint32_t)i); }
  op_call_fill_reals(c->dy[0].data, sst_shape_count(c->dy[0].shape), 5);
  op_call_forward(c);
  op_call_backward(c);
}

static void test_threads_do_not_change_bits(void **state) {
  (void)state;
  op_call one, more;
  sst_context *context_one, *context_more;
  ssti_backend *backend_one, *backend_more;
  run_reals(&one, 1, &context_one, &backend_one);
  for (int threads = 2; threads <= 3; threads++) {
    run_reals(&more, threads, &context_more, &backend_more);
    assert_same_bits(more.y[0].data, one.y[0].data, sst_shape_count(one.y[0].shape));
    for (int i = 0; i < 3; i++) { assert_same_bits(more.dx[i].data, one.dx[i].data, sst_shape_count(one.dx[i].shape)); }
    op_call_end(&more);
    ssti_backend_destroy(backend_more);
    sst_context_destroy(context_more);
  }
  op_call_end(&one);
  ssti_backend_destroy(backend_one);
  sst_context_destroy(context_one);
}

static void expect_failure(ssti_backend *backend, sst_shape x, sst_shape weight, sst_shape bias, const char *part) {
  op_call c;
  op_call_begin(&c, backend, &ssti_op_linear, NULL);
  op_call_input(&c, x, NULL);
  op_call_input(&c, weight, NULL);
  op_call_input(&c, bias, NULL);
  assert_fails(backend->context, SST_SHAPE, op_call_infer(&c, backend->context), part);
  op_call_end(&c);
}

static void test_shape_rule_explains(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  sst_shape x = sst_shape_make(1, 2, 1, 1, 6), w = sst_shape_make(1, 4, 1, 1, 6), b = sst_shape_make(1, 1, 1, 1, 4);
  expect_failure(backend, sst_shape_make(1, 2, 2, 1, 3), w, b, "input is [1,2,2,1,3], expected [T,N,1,1,I]; flatten");
  expect_failure(backend, x, sst_shape_make(1, 4, 1, 1, 5), b, "input has 6 channels, weight expects 5");
  expect_failure(backend, x, sst_shape_make(1, 4, 1, 2, 6), b, "weight is [1,4,1,2,6], expected [1,O,1,1,I]");
  expect_failure(backend, x, w, sst_shape_make(1, 1, 1, 1, 6), "bias is [1,1,1,1,6], expected [1,1,1,1,4]");
  ssti_backend_destroy(backend);
}

static void test_cost_counts_densely(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  sst_cost cost;
  begin_case(&c, backend, &cases[3], true);
  ssti_op_linear.cost(&c.call, &cost);
  assert_int_equal(cost.macs, 3 * 5 * 17 * 9);
  assert_int_equal(cost.elementwise, 3 * 5 * 9);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_whole_numbers_are_exact), TEST(test_gradient_by_differences), TEST(test_threads_do_not_change_bits),
      TEST(test_shape_rule_explains),     TEST(test_cost_counts_densely),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
