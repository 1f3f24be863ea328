// SPDX-License-Identifier: Apache-2.0
// Optimiser kernels against their formulas (PyTorch's SGD and AdamW), step by step in double.
#include "support/support.h"

#include "backend/reference/reference.h"
#include "support/op_call.h"

enum { COUNT = 37, STEPS = 5 };

static void check_sgd(ssti_backend *backend, float momentum, bool nesterov, float weight_decay, float scale) {
  float *value = op_call_floats(COUNT), *gradient = op_call_floats(COUNT), *velocity = op_call_floats(COUNT);
  double expected[COUNT], v[COUNT] = {0};
  fill_normal(value, COUNT, 1.0f, 1);
  for (int i = 0; i < COUNT; i++) { expected[i] = (double)value[i]; }
  for (int step = 0; step < STEPS; step++) {
    fill_normal(gradient, COUNT, 1.0f, 10 + (uint64_t)step);
    ssti_reference_sgd_step(backend, COUNT, value, gradient, momentum != 0.0f ? velocity : NULL,
                            &(ssti_update){.learning_rate = 0.1f, .gradient_scale = scale}, momentum, nesterov,
                            weight_decay);
    for (int i = 0; i < COUNT; i++) {
      double g = (double)scale * (double)gradient[i] + (double)weight_decay * expected[i];
      v[i] = (double)momentum * v[i] + g; // with v = 0 before, the first step is g, as in PyTorch
      expected[i] -= (double)0.1f * (nesterov ? g + (double)momentum * v[i] : v[i]);
    }
  }
  for (int i = 0; i < COUNT; i++) { assert_near(value[i], expected[i], 1e-5, 1e-6); }
  for (int i = 0; i < COUNT && momentum != 0.0f; i++) { assert_near(velocity[i], v[i], 1e-5, 1e-6); }
  free(value);
  free(gradient);
  free(velocity);
}

static void test_sgd(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  check_sgd(backend, 0.0f, false, 0.0f, 1.0f);
  check_sgd(backend, 0.0f, false, 0.01f, 0.5f);
  check_sgd(backend, 0.9f, false, 0.0f, 1.0f);
  check_sgd(backend, 0.9f, false, 0.05f, 2.0f);
  check_sgd(backend, 0.9f, true, 0.05f, 0.25f);
  ssti_backend_destroy(backend);
}

// Numbers without rounding: value 1, gradient 2, decay 0.5, momentum 0.5, rate 0.25, velocity 4.
static void test_sgd_by_hand(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  float value[] = {1, 1}, gradient[] = {2, 2}, velocity[] = {4, 4};
  const ssti_update quarter = {.learning_rate = 0.25f, .gradient_scale = 1.0f};
  ssti_reference_sgd_step(backend, 1, value, gradient, velocity, &quarter, 0.5f, false, 0.5f);
  assert_near(velocity[0], 4.5, 0, 0);    // 0.5 * 4 + (2 + 0.5)
  assert_near(value[0], 1 - 1.125, 0, 0); // 1 - 0.25 * 4.5
  assert_near(value[1], 1, 0, 0);         // beyond the count
  velocity[0] = 4, value[0] = 1;
  ssti_reference_sgd_step(backend, 1, value, gradient, velocity, &quarter, 0.5f, true, 0.5f);
  assert_near(value[0], 1 - 1.1875, 0, 0); // 1 - 0.25 * (2.5 + 0.5 * 4.5)
  ssti_backend_destroy(backend);
}

static void test_adamw(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  float *value = op_call_floats(COUNT), *gradient = op_call_floats(COUNT);
  float *first = op_call_floats(COUNT), *second = op_call_floats(COUNT);
  const double rate = (double)0.01f, b1 = (double)0.9f, b2 = (double)0.999f, eps = (double)1e-8f;
  const double decay = (double)0.1f;
  double expected[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
  fill_normal(value, COUNT, 1.0f, 1);
  for (int i = 0; i < COUNT; i++) { expected[i] = (double)value[i]; }
  for (int step = 1; step <= STEPS; step++) {
    fill_normal(gradient, COUNT, 1.0f, 20 + (uint64_t)step);
    const ssti_update update = {.learning_rate = 0.01f,
                                .gradient_scale = 0.5f,
                                .correction1 = 1 - pow(b1, step),
                                .correction2 = 1 - pow(b2, step)};
    ssti_reference_adamw_step(backend, COUNT, value, gradient, first, second, &update, 0.9f, 0.999f, 1e-8f, 0.1f);
    for (int i = 0; i < COUNT; i++) {
      double g = 0.5 * (double)gradient[i];
      m[i] = b1 * m[i] + (1 - b1) * g;
      v[i] = b2 * v[i] + (1 - b2) * g * g;
      double mhat = m[i] / (1 - pow(b1, step)), vhat = v[i] / (1 - pow(b2, step));
      expected[i] = expected[i] * (1 - rate * decay) - rate * mhat / (sqrt(vhat) + eps);
    }
  }
  for (int i = 0; i < COUNT; i++) {
    assert_near(value[i], expected[i], 1e-5, 1e-6);
    assert_near(first[i], m[i], 1e-5, 1e-7);
    assert_near(second[i], v[i], 1e-4, 1e-9); // 1 - 0.999 has five digits less in f32
  }
  free(value);
  free(gradient);
  free(first);
  free(second);
  ssti_backend_destroy(backend);
}

static void test_sum_of_squares(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const int64_t counts[] = {0, 1, 2, 63, 64, 65, 1000, 4097};
  float *x = op_call_floats(4097);
  op_call_fill_integers(x, 4097, 9, 3);
  for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
    double expected = 0;
    for (int64_t i = 0; i < counts[k]; i++) { expected += (double)x[i] * (double)x[i]; }
    assert_near(ssti_reference_sum_of_squares(backend, counts[k], x), expected, 0, 0); // whole numbers: exact
  }
  free(x);
  ssti_backend_destroy(backend);
}

static void test_threads_do_not_change_bits(void **state) {
  (void)state;
  enum { MANY = 200003 };
  float *value[2], *velocity[2], *second[2], *gradient = op_call_floats(MANY);
  double sum[2];
  const ssti_update update = {.learning_rate = 0.1f, .gradient_scale = 1.0f, .correction1 = 0.3, .correction2 = 0.003};
  fill_uniform(gradient, MANY, -1.0f, 1.0f, 3);
  for (int i = 0; i < 2; i++) {
    sst_context *context = test_context_with_threads(i + 1);
    ssti_backend *backend = op_call_reference(context);
    value[i] = op_call_floats(MANY);
    velocity[i] = op_call_floats(MANY);
    second[i] = op_call_floats(MANY);
    ssti_reference_sgd_step(backend, MANY, value[i], gradient, velocity[i], &update, 0.9f, true, 0.01f);
    ssti_reference_sgd_step(backend, MANY, value[i], gradient, velocity[i], &update, 0.9f, true, 0.01f);
    ssti_reference_adamw_step(backend, MANY, value[i], gradient, velocity[i], second[i], &update, 0.9f, 0.999f, 1e-8f,
                              0.01f);
    sum[i] = ssti_reference_sum_of_squares(backend, MANY, gradient);
    ssti_backend_destroy(backend);
    sst_context_destroy(context);
  }
  assert_same_bits(value[1], value[0], MANY);
  assert_same_bits(velocity[1], velocity[0], MANY);
  assert_true(sum[0] == sum[1]);
  for (int i = 0; i < 2; i++) {
    free(value[i]);
    free(velocity[i]);
    free(second[i]);
  }
  free(gradient);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_sgd),
      TEST(test_sgd_by_hand),
      TEST(test_adamw),
      TEST(test_sum_of_squares),
      TEST(test_threads_do_not_change_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
