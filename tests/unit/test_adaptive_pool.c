// SPDX-License-Identifier: Apache-2.0
// adaptive_pool: equal and shared windows by hand, the gradient that windows with a common line add up, threads, shape
// rule.
#include "support/support.h"

#include "support/op_call.h"

static void begin(op_call *c, ssti_backend *backend, sst_shape shape, const ssti_adaptive_pool_attributes *a) {
  op_call_begin(c, backend, &ssti_op_adaptive_pool, a);
  op_call_input(c, shape, NULL);
  assert_ok(backend->context, op_call_infer(c, backend->context));
  op_call_prepare(c);
}

// Five columns into three: 0-1, 1-3, 3-4.
static void test_shared_windows_by_hand(void **state) {
  static const float x[] = {6, 12, 24, 30, 60}, y[] = {9, 22, 45}, dy[] = {2, 3, 4}, dx[] = {1, 2, 1, 3, 2};
  ssti_backend *backend = op_call_reference(*state);
  const ssti_adaptive_pool_attributes a = {1, 3};
  op_call c;
  begin(&c, backend, sst_shape_make(1, 1, 1, 5, 1), &a);
  memcpy(c.x[0].data, x, sizeof x);
  op_call_forward(&c);
  for (int i = 0; i < 3; i++) { assert_near(c.y[0].data[i], (double)y[i], 1e-6, 0); }
  memcpy(c.dy[0].data, dy, sizeof dy);
  op_call_backward(&c);
  for (int i = 0; i < 5; i++) { assert_near(c.dx[0].data[i], (double)dx[i], 1e-6, 0); }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Where the lengths divide each other it is average pooling.
static void test_equal_windows_are_average_pooling(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_adaptive_pool_attributes a = {2, 3};
  const ssti_pool_attributes same = {SSTI_POOL_AVERAGE, 3, 2, 3, 2, 0, 0};
  const sst_shape shape = sst_shape_make(2, 2, 6, 6, 5);
  op_call c, d;
  begin(&c, backend, shape, &a);
  op_call_fill_reals(c.x[0].data, sst_shape_count(shape), 1);
  op_call_begin(&d, backend, &ssti_op_pool, &same);
  op_call_input(&d, shape, c.x[0].data);
  assert_ok(*state, op_call_infer(&d, *state));
  op_call_forward(&c);
  op_call_forward(&d);
  assert_same_bits(c.y[0].data, d.y[0].data, sst_shape_count(c.y[0].shape));
  op_call_end(&c);
  op_call_end(&d);
  ssti_backend_destroy(backend);
}

static void run_threads(op_call *c, const ssti_adaptive_pool_attributes *a, int threads, ssti_backend **backend) {
  *backend = op_call_reference(test_context_with_threads(threads));
  begin(c, *backend, sst_shape_make(2, 3, 33, 31, 21), a);
  op_call_fill_reals(c->x[0].data, sst_shape_count(c->x[0].shape), 1);
  op_call_fill_reals(c->dy[0].data, sst_shape_count(c->dy[0].shape), 2);
  op_call_fill_reals(c->dx[0].data, sst_shape_count(c->dx[0].shape), 3);
  c->accumulate[0] = true;
  op_call_forward(c);
  op_call_backward(c);
}

static void test_threads_do_not_change_bits(void **state) {
  (void)state;
  const ssti_adaptive_pool_attributes a = {7, 30};
  op_call one, two;
  ssti_backend *backend_one, *backend_two;
  run_threads(&one, &a, 1, &backend_one);
  run_threads(&two, &a, 2, &backend_two);
  assert_same_bits(two.y[0].data, one.y[0].data, sst_shape_count(one.y[0].shape));
  assert_same_bits(two.dx[0].data, one.dx[0].data, sst_shape_count(one.dx[0].shape));
  op_call_end(&one);
  op_call_end(&two);
  sst_context *contexts[2] = {backend_one->context, backend_two->context};
  ssti_backend_destroy(backend_one);
  ssti_backend_destroy(backend_two);
  sst_context_destroy(contexts[0]);
  sst_context_destroy(contexts[1]);
}

static void test_shape_rule_explains(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const struct {
    ssti_adaptive_pool_attributes attributes;
    const char *part;
  } cases[] = {{{0, 3}, "the length in H is to be 0, expected 1..4"},
               {{5, 3}, "the length in H is to be 5, expected 1..4"},
               {{4, 7}, "the length in W is to be 7, expected 1..6"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    op_call c;
    op_call_begin(&c, backend, &ssti_op_adaptive_pool, &cases[i].attributes);
    op_call_input(&c, sst_shape_make(1, 2, 4, 6, 3), NULL);
    assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state), cases[i].part);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_shared_windows_by_hand), TEST(test_equal_windows_are_average_pooling),
                                     TEST(test_threads_do_not_change_bits), TEST(test_shape_rule_explains)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
