// SPDX-License-Identifier: Apache-2.0
// noise: its mean and deviation, when it is drawn anew, when there is none, and the gradient that passes.
#include "support/support.h"

#include "support/op_call.h"

enum { COUNT = 20000 };

static void begin(op_call *c, ssti_backend *backend, const ssti_noise_attributes *attributes) {
  op_call_begin(c, backend, &ssti_op_noise, attributes);
  op_call_input(c, sst_shape_make(1, 2, 1, 1, COUNT / 2), NULL);
  op_call_fill_reals(c->x[0].data, COUNT, 1);
  assert_ok(backend->context, op_call_infer(c, backend->context));
  op_call_prepare(c);
}

static void test_mean_and_deviation(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_noise_attributes attributes = {0.25f};
  op_call c;
  begin(&c, backend, &attributes);
  op_call_forward(&c);
  double sum = 0, squares = 0;
  for (int i = 0; i < COUNT; i++) {
    const double n = (double)c.y[0].data[i] - (double)c.x[0].data[i];
    sum += n;
    squares += n * n;
  }
  assert_true(fabs(sum / COUNT) < 4 * 0.25 / sqrt(COUNT));
  assert_true(fabs(sqrt(squares / COUNT) / 0.25 - 1) < 4 / sqrt(2.0 * COUNT));
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// The same step gives the same noise, with any number of threads; another step, seed or node another.
static void test_when_it_is_drawn_anew(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_noise_attributes attributes = {1};
  op_call c;
  begin(&c, backend, &attributes);
  op_call_forward(&c);
  float *first = op_call_floats(COUNT);
  const size_t bytes = COUNT * sizeof(float);
  memcpy(first, c.y[0].data, bytes);
  sst_context *other_context = test_context_with_threads(3);
  ssti_backend *other = op_call_reference(other_context);
  c.call.backend = other;
  op_call_forward(&c);
  assert_memory_equal(first, c.y[0].data, bytes);
  c.call.backend = backend;
  ssti_backend_destroy(other);
  sst_context_destroy(other_context);
  for (int change = 0; change < 3; change++) {
    c.run.step = change == 0;
    c.run.seed = change == 1 ? 2 : 1;
    c.call.stream = change == 2 ? 8 : 7;
    op_call_forward(&c);
    int equal = 0;
    for (int i = 0; i < COUNT; i++) { equal += first[i] == c.y[0].data[i]; }
    assert_true(equal < COUNT / 100);
  }
  free(first);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_none_at_inference_and_in_frozen_scopes(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_noise_attributes attributes = {1};
  for (int frozen = 0; frozen < 2; frozen++) {
    op_call c;
    begin(&c, backend, &attributes);
    c.run.training = frozen == 1;
    c.call.frozen = frozen == 1;
    op_call_forward(&c);
    assert_memory_equal(c.x[0].data, c.y[0].data, COUNT * sizeof(float));
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_gradient_passes(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_noise_attributes attributes = {1};
  op_call c;
  begin(&c, backend, &attributes);
  op_call_forward(&c);
  op_call_fill_reals(c.dy[0].data, COUNT, 2);
  op_call_backward(&c);
  assert_memory_equal(c.dy[0].data, c.dx[0].data, COUNT * sizeof(float));
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_deviation_is_checked(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const float wrong[] = {-0.1f, NAN, INFINITY};
  for (int i = 0; i < 3; i++) {
    const ssti_noise_attributes attributes = {wrong[i]};
    op_call c;
    op_call_begin(&c, backend, &ssti_op_noise, &attributes);
    op_call_input(&c, sst_shape_make(1, 1, 1, 1, 1), NULL);
    assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "the deviation of the noise is");
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_mean_and_deviation), TEST(test_when_it_is_drawn_anew),
                                     TEST(test_none_at_inference_and_in_frozen_scopes), TEST(test_gradient_passes),
                                     TEST(test_deviation_is_checked)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
