// SPDX-License-Identifier: Apache-2.0
// Batch norm against its formulas in double, against hand-computed numbers, by differences, frozen and in inference.
#include "support/support.h"

#include "support/op_call.h"

static const ssti_batch_norm_attributes usual = {1e-5f, 0.1f, 1.0f, 0}, scaled = {1e-3f, 0.25f, 0.7f, 0};

static void begin_norm(op_call *c, ssti_backend *backend, const ssti_batch_norm_attributes *a, sst_shape x) {
  sst_shape vector = sst_shape_make(1, 1, 1, 1, x.dim[SST_AXIS_C]);
  op_call_begin(c, backend, &ssti_op_batch_norm, a);
  op_call_input(c, x, NULL);
  for (int i = 0; i < 4; i++) { op_call_input(c, vector, NULL); }
  c->unwanted[3] = c->unwanted[4] = true;
  assert_ok(backend->context, op_call_infer(c, backend->context));
  op_call_prepare(c);
  fill_normal(c->x[0].data, sst_shape_count(x), 1.5f, 1);
  fill_uniform(c->x[1].data, vector.dim[SST_AXIS_C], 0.5f, 1.5f, 2);
  fill_normal(c->x[2].data, vector.dim[SST_AXIS_C], 1.0f, 3);
  fill_normal(c->x[3].data, vector.dim[SST_AXIS_C], 1.0f, 4);
  fill_uniform(c->x[4].data, vector.dim[SST_AXIS_C], 0.5f, 2.0f, 5);
  fill_normal(c->dy[0].data, sst_shape_count(x), 1.0f, 6);
}

// Four values 1, 3, 5, 7: mean 4, variance 5 biased and 20/3 unbiased.
static void test_hand_computed(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const ssti_batch_norm_attributes a = {4.0f, 0.5f, 2.0f, 0}; // sqrt(5 + 4) = 3
  op_call c;
  begin_norm(&c, backend, &a, sst_shape_make(1, 2, 2, 1, 1));
  const float x[] = {1, 3, 5, 7}, vectors[] = {1.5f, 10.0f, 2.0f, 1.0f}, dy[] = {1, 0, 0, 0};
  memcpy(c.x[0].data, x, sizeof x);
  memcpy(c.dy[0].data, dy, sizeof dy);
  for (int i = 0; i < 4; i++) { c.x[i + 1].data[0] = vectors[i]; }
  op_call_forward(&c);
  const float y[] = {7, 9, 11, 13}; // 10 + 2 * 1.5 * (x - 4) / 3
  assert_all_near(c.y[0].data, y, 4, 1e-6f, 0);
  assert_near(c.x[3].data[0], 3.0f, 1e-6f, 0); // (2 + 4) / 2
  assert_near(c.x[4].data[0], 0.5f + 0.5f * 20.0f / 3.0f, 1e-6f, 0);
  op_call_backward(&c);
  // xhat = -1, -1/3, 1/3, 1; mean(dy) = 1/4, mean(dy xhat) = -1/4; dx = dy - 1/4 + xhat/4.
  const float dx[] = {0.5f, -1.0f / 3.0f, -1.0f / 6.0f, 0.0f};
  assert_all_near(c.dx[0].data, dx, 4, 1e-6f, 1e-7f);
  assert_near(c.dx[1].data[0], -2.0f, 1e-6f, 0); // scale * sum(dy xhat)
  assert_near(c.dx[2].data[0], 1.0f, 0, 0);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Everything again in double, channel by channel, from the formulas.
static void check_against_formulas(op_call *c, const ssti_batch_norm_attributes *a, bool batch_statistics) {
  int64_t channels = c->x[0].shape.dim[SST_AXIS_C], rows = sst_shape_count(c->x[0].shape) / channels;
  for (int64_t ch = 0; ch < channels; ch++) {
    double mean = 0, variance = 0, dbeta = 0, dgamma = 0;
    for (int64_t r = 0; r < rows; r++) { mean += (double)c->x[0].data[r * channels + ch] / (double)rows; }
    for (int64_t r = 0; r < rows; r++) {
      double d = (double)c->x[0].data[r * channels + ch] - mean;
      variance += d * d / (double)rows;
    }
    if (!batch_statistics) {
      mean = (double)c->x[3].data[ch];
      variance = (double)c->x[4].data[ch];
    }
    double inverse = 1 / sqrt(variance + (double)a->epsilon), factor = (double)a->scale * (double)c->x[1].data[ch];
    for (int64_t r = 0; r < rows; r++) {
      double xhat = ((double)c->x[0].data[r * channels + ch] - mean) * inverse;
      assert_near(c->y[0].data[r * channels + ch], factor * xhat + (double)c->x[2].data[ch], 1e-5, 1e-5);
      dbeta += (double)c->dy[0].data[r * channels + ch];
      dgamma += (double)c->dy[0].data[r * channels + ch] * xhat;
    }
    assert_near(c->dx[1].data[ch], (double)a->scale * dgamma, 1e-5, 1e-4);
    assert_near(c->dx[2].data[ch], dbeta, 1e-5, 1e-5);
    for (int64_t r = 0; r < rows; r++) {
      double xhat = ((double)c->x[0].data[r * channels + ch] - mean) * inverse;
      double dx = (double)c->dy[0].data[r * channels + ch];
      if (batch_statistics) { dx -= dbeta / (double)rows + xhat * dgamma / (double)rows; }
      assert_near(c->dx[0].data[r * channels + ch], factor * inverse * dx, 1e-5, 1e-5);
    }
  }
}

static void test_training_follows_the_formulas(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const sst_shape shapes[] = {sst_shape_make(1, 2, 1, 1, 1), sst_shape_make(2, 3, 5, 7, 3),
                              sst_shape_make(1, 5, 3, 3, 16), sst_shape_make(3, 2, 4, 5, 37)};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    op_call c;
    begin_norm(&c, backend, i % 2 ? &scaled : &usual, shapes[i]);
    op_call_forward(&c);
    op_call_backward(&c);
    check_against_formulas(&c, i % 2 ? &scaled : &usual, true);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_running_statistics(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  begin_norm(&c, backend, &scaled, sst_shape_make(2, 3, 2, 2, 5));
  float before[2][5];
  memcpy(before[0], c.x[3].data, sizeof before[0]);
  memcpy(before[1], c.x[4].data, sizeof before[1]);
  op_call_forward(&c);
  const int rows = 2 * 3 * 2 * 2;
  for (int ch = 0; ch < 5; ch++) {
    double mean = 0, squares = 0;
    for (int r = 0; r < rows; r++) { mean += (double)c.x[0].data[r * 5 + ch] / rows; }
    for (int r = 0; r < rows; r++) {
      squares += ((double)c.x[0].data[r * 5 + ch] - mean) * ((double)c.x[0].data[r * 5 + ch] - mean);
    }
    assert_near(c.x[3].data[ch], 0.75 * (double)before[0][ch] + 0.25 * mean, 1e-6, 1e-7);
    assert_near(c.x[4].data[ch], 0.75 * (double)before[1][ch] + 0.25 * squares / (rows - 1), 1e-6, 0);
  }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// Inference and frozen scopes use the running statistics, leave them alone, and take them as constants in backward.
static void test_constant_statistics(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int frozen = 0; frozen < 2; frozen++) {
    op_call c;
    begin_norm(&c, backend, &scaled, sst_shape_make(2, 3, 2, 3, 18));
    float mean[18], variance[18];
    memcpy(mean, c.x[3].data, sizeof mean);
    memcpy(variance, c.x[4].data, sizeof variance);
    c.call.frozen = frozen == 1;
    c.run.training = frozen == 1;
    op_call_forward(&c);
    op_call_backward(&c);
    assert_same_bits(c.x[3].data, mean, 18);
    assert_same_bits(c.x[4].data, variance, 18);
    check_against_formulas(&c, &scaled, false);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_gradient_by_differences(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int inference = 0; inference < 2; inference++) {
    op_call c;
    begin_norm(&c, backend, &scaled, sst_shape_make(1, 4, 3, 3, 5));
    c.run.training = inference == 0;
    // Differences of second order: the step's square, about 1e-4, and rounding over the step.
    for (int i = 0; i < 3; i++) { op_call_check_gradient(&c, i, 1.0f / 64, 1e-3); }
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_gradients_are_added_or_left_out(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call plain, added, only_x;
  sst_shape shape = sst_shape_make(1, 3, 2, 2, 19);
  begin_norm(&plain, backend, &usual, shape);
  op_call_forward(&plain);
  op_call_backward(&plain);
  begin_norm(&added, backend, &usual, shape);
  op_call_forward(&added);
  for (int i = 0; i < 3; i++) {
    added.accumulate[i] = true;
    for (int64_t j = 0; j < sst_shape_count(added.dx[i].shape); j++) { added.dx[i].data[j] = 8.0f; }
  }
  op_call_backward(&added);
  for (int i = 0; i < 3; i++) {
    for (int64_t j = 0; j < sst_shape_count(added.dx[i].shape); j++) {
      assert_near(added.dx[i].data[j], plain.dx[i].data[j] + 8.0f, 1e-6f, 0);
    }
  }
  begin_norm(&only_x, backend, &usual, shape);
  only_x.dx_list[1] = only_x.dx_list[2] = NULL;
  op_call_forward(&only_x);
  op_call_backward(&only_x);
  assert_same_bits(only_x.dx[0].data, plain.dx[0].data, sst_shape_count(shape));
  op_call_end(&plain);
  op_call_end(&added);
  op_call_end(&only_x);
  ssti_backend_destroy(backend);
}

// A mean far from zero must not eat the variance.
static void test_large_mean(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  begin_norm(&c, backend, &usual, sst_shape_make(1, 4, 1, 1, 1));
  const float x[] = {4096, 4097, 4098, 4099};
  memcpy(c.x[0].data, x, sizeof x);
  c.x[1].data[0] = 1.0f;
  c.x[2].data[0] = 0.0f;
  op_call_forward(&c);
  const double inverse = 1 / sqrt(1.25 + 1e-5);
  for (int i = 0; i < 4; i++) { assert_near(c.y[0].data[i], (i - 1.5) * inverse, 1e-6, 0); }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void run_threads(op_call *c, int threads, sst_context **context, ssti_backend **backend) {
  *context = test_context_with_threads(threads);
  *backend = op_call_reference(*context);
  begin_norm(c, *backend, &scaled, sst_shape_make(2, 8, 16, 15, 70));
  op_call_forward(c);
  op_call_backward(c);
}

static void test_threads_do_not_change_bits(void **state) {
  (void)state;
  op_call one, two;
  sst_context *context_one, *context_two;
  ssti_backend *backend_one, *backend_two;
  run_threads(&one, 1, &context_one, &backend_one);
  run_threads(&two, 2, &context_two, &backend_two);
  assert_same_bits(two.y[0].data, one.y[0].data, sst_shape_count(one.y[0].shape));
  for (int i = 0; i < 3; i++) { assert_same_bits(two.dx[i].data, one.dx[i].data, sst_shape_count(one.dx[i].shape)); }
  for (int i = 3; i < 5; i++) { assert_same_bits(two.x[i].data, one.x[i].data, 70); }
  op_call_end(&one);
  op_call_end(&two);
  ssti_backend_destroy(backend_one);
  ssti_backend_destroy(backend_two);
  sst_context_destroy(context_one);
  sst_context_destroy(context_two);
}

static void expect_failure(ssti_backend *backend, const ssti_batch_norm_attributes *a, int64_t running,
                           sst_status status, const char *part) {
  op_call c;
  op_call_begin(&c, backend, &ssti_op_batch_norm, a);
  op_call_input(&c, sst_shape_make(1, 2, 3, 3, 6), NULL);
  for (int i = 0; i < 4; i++) { op_call_input(&c, sst_shape_make(1, 1, 1, 1, i == 3 ? running : 6), NULL); }
  assert_fails(backend->context, status, op_call_infer(&c, backend->context), part);
  op_call_end(&c);
}

static void test_shape_rule_explains(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  expect_failure(backend, &usual, 5, SST_SHAPE,
                 "input has 6 channels, running variance is [1,1,1,1,5], expected [1,1,1,1,6]");
  expect_failure(backend, &(ssti_batch_norm_attributes){0.0f, 0.1f, 1.0f, 0}, 6, SST_INVALID_ARGUMENT, "epsilon is 0");
  expect_failure(backend, &(ssti_batch_norm_attributes){1e-5f, 1.5f, 1.0f, 0}, 6, SST_INVALID_ARGUMENT,
                 "momentum is 1.5, expected 0..1");
  expect_failure(backend, &(ssti_batch_norm_attributes){1e-5f, 0.1f, NAN, 0}, 6, SST_INVALID_ARGUMENT, "scale is ");
  ssti_backend_destroy(backend);
}

static void test_one_value_a_channel_has_no_variance(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  ssti_needs needs = {0};
  op_call_begin(&c, backend, &ssti_op_batch_norm, &usual);
  op_call_input(&c, sst_shape_make(1, 1, 1, 1, 3), NULL);
  for (int i = 0; i < 4; i++) { op_call_input(&c, sst_shape_make(1, 1, 1, 1, 3), NULL); }
  assert_ok(backend->context, op_call_infer(&c, backend->context));
  assert_fails(backend->context, SST_SHAPE, ssti_op_batch_norm.prepare(&c.call, &needs),
               "input is [1,1,1,1,3]: training needs at least 2 values a channel");
  c.call.training = false;
  assert_ok(backend->context, ssti_op_batch_norm.prepare(&c.call, &needs));
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_hand_computed),
      TEST(test_training_follows_the_formulas),
      TEST(test_running_statistics),
      TEST(test_constant_statistics),
      TEST(test_gradient_by_differences),
      TEST(test_gradients_are_added_or_left_out),
      TEST(test_large_mean),
      TEST(test_threads_do_not_change_bits),
      TEST(test_shape_rule_explains),
      TEST(test_one_value_a_channel_has_no_variance),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
