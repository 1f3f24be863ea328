// SPDX-License-Identifier: Apache-2.0
// Pooling against the definition, ties and values that are not numbers, threads, shape rule.
#include "support/support.h"

#include "support/op_call.h"

typedef struct pool_case {
  int64_t images, h, w, channels;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
} pool_case;

static const pool_case cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 0}, {2, 4, 6, 3, 2, 2, 2, 2, 0, 0}, {3, 5, 7, 5, 2, 2, 2, 2, 0, 0},
    {2, 7, 8, 3, 3, 3, 2, 2, 1, 1}, {2, 6, 5, 4, 4, 2, 1, 3, 2, 1}, {1, 5, 4, 9, 5, 4, 1, 1, 0, 0},
    {2, 9, 7, 2, 2, 2, 3, 4, 0, 0}, // windows with gaps between
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static ssti_pool_attributes attributes_of(const pool_case *k, ssti_pool_kind kind) {
  return (ssti_pool_attributes){kind, k->kernel_h, k->kernel_w, k->stride_h, k->stride_w, k->pad_h, k->pad_w};
}

static void begin_case(op_call *c, ssti_backend *backend, const pool_case *k, const ssti_pool_attributes *a) {
  op_call_begin(c, backend, &ssti_op_pool, a);
  op_call_input(c, sst_shape_make(1, k->images, k->h, k->w, k->channels), NULL);
  assert_ok(backend->context, op_call_infer(c, backend->context));
  op_call_prepare(c);
}

// One output element from the definition; its gradient goes to dx by scattering. Window lengths are powers of two or
// the average's tolerance covers the factor's rounding.
static float naive_window(const pool_case *k, ssti_pool_kind kind, const float *x, float *dx, float dy, int64_t n,
                          int64_t oy, int64_t ox, int64_t c) {
  int64_t best = -1;
  float sum = 0.0f, window = (float)(k->kernel_h * k->kernel_w);
  for (int64_t t = 0; t < k->kernel_h * k->kernel_w; t++) {
    int64_t iy = oy * k->stride_h - k->pad_h + t / k->kernel_w, ix = ox * k->stride_w - k->pad_w + t % k->kernel_w;
    if (iy < 0 || iy >= k->h || ix < 0 || ix >= k->w) { continue; }
    int64_t at = ((n * k->h + iy) * k->w + ix) * k->channels + c;
    if (kind == SSTI_POOL_AVERAGE) { dx[at] += dy / window; }
    sum += x[at];
    if (best < 0 || x[at] > x[best]) { best = at; }
  }
  if (kind == SSTI_POOL_AVERAGE) { return sum / window; }
  dx[best] += dy;
  return x[best];
}

static void check_case(ssti_backend *backend, const pool_case *k, ssti_pool_kind kind, bool accumulate) {
  ssti_pool_attributes a = attributes_of(k, kind);
  op_call c;
  begin_case(&c, backend, k, &a);
  int64_t count = sst_shape_count(c.x[0].shape), y_count = sst_shape_count(c.y[0].shape);
  op_call_fill_integers(c.x[0].data, count, 2, 1); // few different values: many ties
  op_call_fill_integers(c.dy[0].data, y_count, 3, 2);
  float *dx = op_call_floats(count), *y = op_call_floats(y_count);
  if (accumulate) {
    c.accumulate[0] = true;
    op_call_fill_integers(c.dx[0].data, count, 5, 3);
    memcpy(dx, c.dx[0].data, (size_t)count * sizeof(float));
  }
  int64_t out_h = c.y[0].shape.dim[SST_AXIS_H], out_w = c.y[0].shape.dim[SST_AXIS_W];
  for (int64_t p = 0; p < y_count; p++) {
    int64_t ch = p % k->channels, ox = p / k->channels % out_w, oy = p / k->channels / out_w % out_h;
    y[p] = naive_window(k, kind, c.x[0].data, dx, c.dy[0].data[p], p / k->channels / out_w / out_h, oy, ox, ch);
  }
  // Max only compares and adds whole numbers; the average's factor is rounded once here and elsewhere there.
  float tolerance = kind == SSTI_POOL_MAX ? 0.0f : 1e-6f;
  op_call_forward(&c);
  assert_all_near(c.y[0].data, y, y_count, tolerance, tolerance);
  op_call_backward(&c);
  assert_all_near(c.dx[0].data, dx, count, tolerance, tolerance);
  free(dx);
  free(y);
  op_call_end(&c);
}

static void test_against_the_definition(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int i = 0; i < CASE_COUNT; i++) {
    for (int accumulate = 0; accumulate < 2; accumulate++) {
      check_case(backend, &cases[i], SSTI_POOL_AVERAGE, accumulate == 1);
      check_case(backend, &cases[i], SSTI_POOL_MAX, accumulate == 1);
    }
  }
  ssti_backend_destroy(backend);
}

// The average counts its padding, the maximum does not see it: all inputs are negative, and zeros would win.
static void test_padding(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const pool_case k = {1, 2, 2, 1, 2, 2, 2, 2, 1, 1};
  const float x[] = {-1, -2, -3, -4}, average[] = {-0.25f, -0.5f, -0.75f, -1.0f};
  for (int kind = SSTI_POOL_AVERAGE; kind <= SSTI_POOL_MAX; kind++) {
    ssti_pool_attributes a = attributes_of(&k, (ssti_pool_kind)kind);
    op_call c;
    begin_case(&c, backend, &k, &a);
    memcpy(c.x[0].data, x, sizeof x);
    op_call_forward(&c);
    assert_all_equal(c.y[0].data, kind == SSTI_POOL_MAX ? x : average, 4);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_ties_and_extremes(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const pool_case k = {1, 2, 2, 4, 2, 2, 2, 2, 0, 0};
  ssti_pool_attributes a = attributes_of(&k, SSTI_POOL_MAX);
  op_call c;
  begin_case(&c, backend, &k, &a);
  // Channels: a tie of the 2nd and 3rd position, all -infinity, a value that is not a number, the last one largest.
  const float x[] = {0, -INFINITY, 5, 1, 7, -INFINITY, NAN, 2, 7, -INFINITY, 9, 3, 1, -INFINITY, 1, 4};
  memcpy(c.x[0].data, x, sizeof x);
  for (int i = 0; i < 4; i++) { c.dy[0].data[i] = (float)(i + 1); }
  op_call_forward(&c);
  assert_near(c.y[0].data[0], 7, 0, 0);
  assert_true(isinf(c.y[0].data[1]) && c.y[0].data[1] < 0);
  assert_true(isnan(c.y[0].data[2]));
  assert_near(c.y[0].data[3], 4, 0, 0);
  op_call_backward(&c);
  const float dx[] = {0, 2, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4};
  assert_all_equal(c.dx[0].data, dx, 16);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

// 15 x 17 = 255 positions, the most that a byte can tell apart.
static void test_largest_window(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  const pool_case k = {1, 15, 17, 2, 15, 17, 1, 1, 0, 0};
  ssti_pool_attributes a = attributes_of(&k, SSTI_POOL_MAX);
  op_call c;
  begin_case(&c, backend, &k, &a);
  c.x[0].data[2 * 254] = 1.0f;
  c.x[0].data[1] = 1.0f;
  c.dy[0].data[0] = 3.0f;
  c.dy[0].data[1] = 4.0f;
  op_call_forward(&c);
  op_call_backward(&c);
  for (int i = 0; i < 2 * 255; i++) { assert_near(c.dx[0].data[i], i == 508 ? 3 : i == 1 ? 4 : 0, 0, 0); }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_gradient_by_differences(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int i = 1; i < CASE_COUNT; i++) {
    ssti_pool_attributes average = attributes_of(&cases[i], SSTI_POOL_AVERAGE);
    op_call c;
    begin_case(&c, backend, &cases[i], &average);
    op_call_fill_reals(c.x[0].data, sst_shape_count(c.x[0].shape), 4);
    op_call_check_gradient(&c, 0, 0.5f, 1e-5); // linear
    op_call_end(&c);
    ssti_pool_attributes max = attributes_of(&cases[i], SSTI_POOL_MAX);
    begin_case(&c, backend, &cases[i], &max);
    // Distinct values 1/4 apart and a smaller step: the largest stays the largest.
    int64_t count = sst_shape_count(c.x[0].shape);
    for (int64_t j = 0; j < count; j++) { c.x[0].data[j] = 0.25f * (float)(j * 7919 % 1009); }
    op_call_check_gradient(&c, 0, 0.0625f, 1e-4);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void run_threads(op_call *c, const ssti_pool_attributes *a, int threads, sst_context **context,
                        ssti_backend **backend) {
  static const pool_case big = {6, 33, 31, 21, 3, 3, 2, 2, 1, 1};
  *context = test_context_with_threads(threads);
  *backend = op_call_reference(*context);
  begin_case(c, *backend, &big, a);
  op_call_fill_reals(c->x[0].data, sst_shape_count(c->x[0].shape), 1);
  op_call_fill_reals(c->dy[0].data, sst_shape_count(c->dy[0].shape), 2);
  op_call_forward(c);
  op_call_backward(c);
}

static void test_threads_do_not_change_bits(void **state) {
  (void)state;
  for (int kind = SSTI_POOL_AVERAGE; kind <= SSTI_POOL_MAX; kind++) {
    ssti_pool_attributes a = {(ssti_pool_kind)kind, 3, 3, 2, 2, 1, 1};
    op_call one, two;
    sst_context *context_one, *context_two;
    ssti_backend *backend_one, *backend_two;
    run_threads(&one, &a, 1, &context_one, &backend_one);
    run_threads(&two, &a, 2, &context_two, &backend_two);
    assert_same_bits(two.y[0].data, one.y[0].data, sst_shape_count(one.y[0].shape));
    assert_same_bits(two.dx[0].data, one.dx[0].data, sst_shape_count(one.dx[0].shape));
    op_call_end(&one);
    op_call_end(&two);
    ssti_backend_destroy(backend_one);
    ssti_backend_destroy(backend_two);
    sst_context_destroy(context_one);
    sst_context_destroy(context_two);
  }
}

static void expect_failure(ssti_backend *backend, ssti_pool_attributes a, sst_status status, const char *part) {
  op_call c;
  op_call_begin(&c, backend, &ssti_op_pool, &a);
  op_call_input(&c, sst_shape_make(1, 2, 6, 40, 3), NULL);
  assert_fails(backend->context, status, op_call_infer(&c, backend->context), part);
  op_call_end(&c);
}

static void test_shape_rule_explains(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  expect_failure(backend, (ssti_pool_attributes){SSTI_POOL_MAX, 7, 2, 1, 1, 0, 0}, SST_SHAPE,
                 "the window covers 7 positions in H, the padded input has 6");
  expect_failure(backend, (ssti_pool_attributes){SSTI_POOL_MAX, 2, 3, 1, 1, 0, 2}, SST_INVALID_ARGUMENT,
                 "the padding in W is 2, expected 0..1");
  expect_failure(backend, (ssti_pool_attributes){SSTI_POOL_AVERAGE, 2, 2, 0, 1, 0, 0}, SST_INVALID_ARGUMENT,
                 "the stride in H is 0");
  expect_failure(backend, (ssti_pool_attributes){SSTI_POOL_AVERAGE, 2, 0, 1, 1, 0, 0}, SST_INVALID_ARGUMENT,
                 "the window's length in W is 0");
  expect_failure(backend, (ssti_pool_attributes){SSTI_POOL_MAX, 8, 32, 1, 1, 1, 0}, SST_INVALID_ARGUMENT,
                 "the window has 256 positions, max pooling takes at most 255");
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_against_the_definition),  TEST(test_padding),
      TEST(test_ties_and_extremes),       TEST(test_largest_window),
      TEST(test_gradient_by_differences), TEST(test_threads_do_not_change_bits),
      TEST(test_shape_rule_explains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
