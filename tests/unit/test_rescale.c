// SPDX-License-Identifier: Apache-2.0
// y = factor * x + offset per channel, in full precision and in fixed point, and the fixed point of batch norm.
#include "support.h"

#include "graphs.h"
#include "op_call.h"
#include "quantize/grid.h"

enum { ROWS = 3, CHANNELS = 3 };
static const float x[ROWS * CHANNELS] = {1, 2, 3, -4, 5, 6, 7, -8, 9};

static void begin(op_call *c, sst_context *context, ssti_backend *backend, const ssti_rescale_attributes *a,
                  const float *factor, int64_t factors, const float *offset) {
  op_call_begin(c, backend, &ssti_op_rescale, a);
  op_call_input(c, sst_shape_make(1, ROWS, 1, 1, CHANNELS), x);
  op_call_input(c, vector_shape(factors), factor);
  if (offset != NULL) { op_call_input(c, vector_shape(CHANNELS), offset); }
  assert_ok(context, op_call_infer(c, context));
  op_call_forward(c);
}

static void test_full_precision(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_rescale_attributes a = {0};
  op_call c;
  begin(&c, *state, backend, &a, (float[]){0.5f}, 1, NULL);
  for (int i = 0; i < ROWS * CHANNELS; i++) { assert_true(c.y[0].data[i] == 0.5f * x[i]); }
  op_call_end(&c);
  begin(&c, *state, backend, &a, (float[]){0.5f, -1, 2}, CHANNELS, (float[]){1, 0, -3});
  assert_all_equal(c.y[0].data, ((const float[]){1.5f, -2, 3, -1, -5, 9, 4.5f, 8, 15}), ROWS * CHANNELS);
  memcpy(c.dy[0].data, x, sizeof x);
  op_call_backward(&c);
  assert_all_equal(c.dx[0].data, ((const float[]){0.5f, -2, 6, -2, -5, 12, 3.5f, 8, 18}), ROWS * CHANNELS);
  assert_all_equal(c.dx[1].data, ((const float[]){0, 0, 0}), CHANNELS); // a constant
  assert_all_equal(c.dx[2].data, ((const float[]){4, -1, 18}), CHANNELS);
  for (int i = 0; i < 3; i++) { c.accumulate[i] = true; }
  op_call_backward(&c);
  assert_all_equal(c.dx[1].data, ((const float[]){0, 0, 0}), CHANNELS);
  assert_all_equal(c.dx[2].data, ((const float[]){8, -2, 36}), CHANNELS);
  assert_true(c.dx[0].data[2] == 12.0f);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// 4 bits, up to 7: factors to 1/4 because 0.9 / 7 > 1/8, offsets too, although 0.5 alone would fit a finer grid.
static void test_fixed_point(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_rescale_attributes a = {4};
  op_call c;
  begin(&c, *state, backend, &a, (float[]){0.9f, -0.375f, 0.1f}, CHANNELS, (float[]){0.5f, -0.1f, 0.375f});
  assert_all_equal(c.y[0].data, ((const float[]){1.5f, -0.5f, 0.5f, -3.5f, -1.25f, 0.5f, 7.5f, 2, 0.5f}),
                   ROWS * CHANNELS);
  op_call_end(&c);
  // Larger offsets take a coarser grid of their own: 9 / 7 > 1, so multiples of 2.
  begin(&c, *state, backend, &a, (float[]){0.9f, -0.375f, 0.1f}, CHANNELS, (float[]){9.0f, 0.9f, -1.0f});
  assert_true(c.y[0].data[0] == 11.0f && c.y[0].data[1] == -0.5f && c.y[0].data[2] == 0.0f);
  op_call_end(&c);
  begin(&c, *state, backend, &a, (float[]){0, 0, 0}, CHANNELS, NULL); // nothing to choose a step by
  for (int i = 0; i < ROWS * CHANNELS; i++) { assert_true(c.y[0].data[i] == 0.0f); }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_grids(void **state) {
  (void)state;
  assert_true(ssti_power_of_two_above(1.0f) == 1.0f && ssti_power_of_two_above(1.01f) == 2.0f);
  assert_true(ssti_power_of_two_above(0.3f) == 0.5f && ssti_power_of_two_above(0.25f) == 0.25f);
  assert_true(ssti_power_of_two_above(0.0f) == 1.0f && ssti_power_of_two_above(INFINITY) == 1.0f);
  assert_true(ssti_step_for(7.0f, 4) == 1.0f && ssti_step_for(7.01f, 4) == 2.0f && ssti_step_for(1.0f, 2) == 1.0f);
  assert_true(ssti_membrane_step(4, 1.0f, 1.0f) == 0.125f && ssti_membrane_step(2, 1.0f, 1.0f) == 0.5f);
  assert_true(ssti_membrane_step(4, 2.0f, 0.6f) == 0.25f); // 1.2 becomes 2
  assert_true(ssti_largest_code(2) == 1.0f && ssti_largest_code(16) == 32767.0f);
}

// Statistics 4 and 5 of the inputs 1, 3, 5, 7; epsilon 4 makes the factor 1/3.
static void test_batch_norm(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_batch_norm_attributes a = {4.0f, 0.5f, 1.0f, 3};
  const float in[] = {1, 3, 5, 7}, gamma[] = {1}, beta[] = {0.6f}, mean[] = {0}, variance[] = {1};
  const float *const vectors[] = {gamma, beta, mean, variance};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_batch_norm, &a);
  op_call_input(&c, sst_shape_make(1, 4, 1, 1, 1), in);
  for (int i = 0; i < 4; i++) { op_call_input(&c, vector_shape(1), vectors[i]); }
  assert_ok(*state, op_call_infer(&c, *state));
  op_call_forward(&c);
  // 1/3 over 3 is 1/9, so the step is 1/8: 3/8. The offset 0.6 - 4 * 3/8 is -0.9: over 3 the step 1/2, so -1.
  assert_all_equal(c.y[0].data, ((const float[]){-0.625f, 0.125f, 0.875f, 1.625f}), 4);
  assert_true(c.x[3].data[0] == 2.0f); // running statistics as ever
  // As without bits (1/6, -1/9, -1/18, 0), and 3/8 - 1/3 times the gradient less its mean: 3/4, -1/4, -1/4, -1/4.
  memcpy(c.dy[0].data, (const float[]){1, 0, 0, 0}, 4 * sizeof(float));
  op_call_backward(&c);
  const float more = -1.0f / 96, dx[] = {1.0f / 6 + 1.0f / 32, -1.0f / 9 + more, -1.0f / 18 + more, more};
  assert_all_near(c.dx[0].data, dx, 4, 1e-6f, 1e-7f);
  op_call_end(&c);
  const ssti_batch_norm_attributes bad = {4.0f, 0.5f, 1.0f, 1};
  op_call_begin(&c, backend, &ssti_op_batch_norm, &bad);
  op_call_input(&c, sst_shape_make(1, 4, 1, 1, 1), in);
  for (int i = 0; i < 4; i++) { op_call_input(&c, vector_shape(1), vectors[i]); }
  assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "batch norm has 1 bits");
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_bad_shapes(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_rescale_attributes a = {0}, bad = {1};
  op_call c;
  op_call_begin(&c, backend, &ssti_op_rescale, &a);
  op_call_input(&c, sst_shape_make(1, 2, 1, 1, 3), NULL);
  op_call_input(&c, vector_shape(2), NULL);
  assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state),
               "factor is [1,1,1,1,2], expected [1,1,1,1,3] or one number");
  op_call_end(&c);
  op_call_begin(&c, backend, &ssti_op_rescale, &bad);
  op_call_input(&c, sst_shape_make(1, 2, 1, 1, 3), NULL);
  op_call_input(&c, vector_shape(1), NULL);
  assert_fails(*state, SST_INVALID_ARGUMENT, op_call_infer(&c, *state), "has 1 bits, expected 0");
  op_call_input(&c, vector_shape(1), NULL);
  c.call.attributes = &a;
  assert_fails(*state, SST_SHAPE, op_call_infer(&c, *state), "offset is [1,1,1,1,1], expected [1,1,1,1,3]");
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_full_precision), TEST(test_fixed_point), TEST(test_grids),
                                     TEST(test_batch_norm), TEST(test_bad_shapes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
