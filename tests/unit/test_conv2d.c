// SPDX-License-Identifier: Apache-2.0
// Convolution: kernels against the definition on whole numbers (exact), adjointness, threads, shape rule.
#include "support/support.h"

#include "support/op_call.h"

typedef struct conv_case {
  int64_t steps, batch, h, w, in, out, kh, kw;
  ssti_conv2d_attributes a; // stride, padding, dilation, groups
} conv_case;

static const conv_case cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, {1, 1, 0, 0, 1, 1, 1}},   // one element
    {2, 3, 5, 7, 3, 4, 3, 3, {1, 1, 1, 1, 1, 1, 1}},   // the usual one, odd sizes
    {1, 2, 9, 6, 5, 7, 3, 2, {2, 3, 1, 0, 1, 1, 1}},   // unequal strides, kernel and padding
    {1, 2, 8, 8, 4, 6, 5, 5, {2, 2, 2, 2, 1, 1, 1}},   // a last window that is cut off
    {1, 2, 9, 11, 3, 5, 3, 3, {1, 2, 2, 3, 2, 3, 1}},  // dilation
    {1, 2, 7, 5, 6, 9, 3, 3, {1, 1, 1, 1, 1, 1, 3}},   // groups
    {2, 1, 7, 7, 8, 8, 3, 3, {2, 1, 1, 1, 1, 2, 8}},   // depthwise, with stride and dilation
    {1, 1, 6, 6, 3, 6, 3, 3, {1, 1, 1, 1, 1, 1, 3}},   // depthwise with multiplier
    {1, 2, 4, 4, 70, 9, 3, 3, {1, 1, 1, 1, 1, 1, 1}},  // more in channels than a tile
    {1, 1, 3, 3, 5, 300, 1, 1, {1, 1, 0, 0, 1, 1, 1}}, // more out channels than a chunk
    {1, 1, 2, 2, 2, 3, 3, 3, {1, 1, 4, 4, 1, 1, 1}},   // windows wholly in the padding
    {1, 2, 6, 5, 4, 4, 1, 1, {3, 2, 0, 0, 1, 1, 1}},   // pixels that no window sees
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void begin_case(op_call *c, ssti_backend *backend, const conv_case *k, bool bias) {
  op_call_begin(c, backend, &ssti_op_conv2d, &k->a);
  op_call_input(c, sst_shape_make(k->steps, k->batch, k->h, k->w, k->in), NULL);
  op_call_input(c, sst_shape_make(1, k->out, k->kh, k->kw, k->in / k->a.groups), NULL);
  if (bias) { op_call_input(c, sst_shape_make(1, 1, 1, 1, k->out), NULL); }
  assert_ok(backend->context, op_call_infer(c, backend->context));
}

static void fill_case_integers(op_call *c) {
  op_call_prepare(c);
  for (int i = 0; i < c->call.input_count; i++) {
    op_call_fill_integers(c->x[i].data, sst_shape_count(c->x[i].shape), 3, (uint32_t)i);
  }
  op_call_fill_integers(c->dy[0].data, sst_shape_count(c->dy[0].shape), 3, 9);
}

// The definition: each term of the sum visited once. With y NULL, dx and dw are added to.
static void naive(const conv_case *k, sst_shape out, const float *x, const float *weight, const float *dy, float *y,
                  float *dx, float *dw) {
  int64_t group_in = k->in / k->a.groups, group_out = k->out / k->a.groups;
  int64_t out_h = out.dim[SST_AXIS_H], out_w = out.dim[SST_AXIS_W];
  for (int64_t n = 0; n < k->steps * k->batch; n++) {
    for (int64_t p = 0; p < out_h * out_w * k->out; p++) {
      int64_t o = p % k->out, ox = p / k->out % out_w, oy = p / k->out / out_w;
      int64_t at_y = n * out_h * out_w * k->out + p;
      for (int64_t t = 0; t < k->kh * k->kw * group_in; t++) {
        int64_t i = t % group_in, kx = t / group_in % k->kw, ky = t / group_in / k->kw;
        int64_t iy = oy * k->a.stride_h - k->a.pad_h + ky * k->a.dilation_h;
        int64_t ix = ox * k->a.stride_w - k->a.pad_w + kx * k->a.dilation_w;
        if (iy < 0 || iy >= k->h || ix < 0 || ix >= k->w) { continue; }
        int64_t at_x = ((n * k->h + iy) * k->w + ix) * k->in + o / group_out * group_in + i;
        int64_t at_w = o * k->kh * k->kw * group_in + t;
        if (y != NULL) { y[at_y] += x[at_x] * weight[at_w]; }
        if (dx != NULL) { dx[at_x] += dy[at_y] * weight[at_w]; }
        if (dw != NULL) { dw[at_w] += dy[at_y] * x[at_x]; }
      }
    }
  }
}

static void check_case(ssti_backend *backend, const conv_case *k, bool bias, bool accumulate) {
  op_call c;
  begin_case(&c, backend, k, bias);
  fill_case_integers(&c);
  int64_t count[3], y_count = sst_shape_count(c.y[0].shape);
  float *expected[3] = {NULL, NULL, NULL}, *y = op_call_floats(y_count);
  for (int i = 0; i < c.call.input_count; i++) {
    count[i] = sst_shape_count(c.x[i].shape);
    expected[i] = op_call_floats(count[i]);
    if (!accumulate) { continue; }
    c.accumulate[i] = true;
    op_call_fill_integers(c.dx[i].data, count[i], 5, 40u + (uint32_t)i);
    memcpy(expected[i], c.dx[i].data, (size_t)count[i] * sizeof(float));
  }
  for (int64_t i = 0; i < y_count && bias; i++) { y[i] = c.x[2].data[i % k->out]; }
  for (int64_t i = 0; i < y_count && bias; i++) { expected[2][i % k->out] += c.dy[0].data[i]; }
  naive(k, c.y[0].shape, c.x[0].data, c.x[1].data, c.dy[0].data, y, expected[0], expected[1]);

  op_call_forward(&c);
  assert_all_equal(c.y[0].data, y, y_count);
  op_call_backward(&c);
  for (int i = 0; i < c.call.input_count; i++) {
    assert_all_equal(c.dx[i].data, expected[i], count[i]);
    free(expected[i]);
  }
  free(y);
  op_call_end(&c);
}

static void test_whole_numbers_are_exact(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int i = 0; i < CASE_COUNT; i++) {
    check_case(backend, &cases[i], i % 2 == 0, false);
    check_case(backend, &cases[i], i % 2 == 1, true);
  }
  ssti_backend_destroy(backend);
}

// <dy, conv(x)> = <conv^T(dy), x> = <dweight(x, dy), weight>: exact on whole numbers.
static void test_backward_is_the_adjoint(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int i = 0; i < CASE_COUNT; i++) {
    op_call c;
    begin_case(&c, backend, &cases[i], false);
    fill_case_integers(&c);
    op_call_forward(&c);
    op_call_backward(&c);
    double forward = op_call_dot(c.y[0].data, c.dy[0].data, sst_shape_count(c.y[0].shape));
    double by_x = op_call_dot(c.dx[0].data, c.x[0].data, sst_shape_count(c.x[0].shape));
    double by_weight = op_call_dot(c.dx[1].data, c.x[1].data, sst_shape_count(c.x[1].shape));
    assert_near(by_x, forward, 0, 0);
    assert_near(by_weight, forward, 0, 0);
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_gradient_by_differences(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  begin_case(&c, backend, &cases[4], true);
  op_call_prepare(&c);
  for (int i = 0; i < 3; i++) { op_call_fill_reals(c.x[i].data, sst_shape_count(c.x[i].shape), (uint32_t)i); }
  // Linear in each input, so a large step costs nothing and only rounding is left.
  for (int i = 0; i < 3; i++) { op_call_check_gradient(&c, i, 0.5f, 1e-5); }
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

static void test_unwanted_gradients_are_left_out(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  for (int wanted = 0; wanted < 3; wanted++) {
    op_call c, all;
    begin_case(&all, backend, &cases[1], true);
    fill_case_integers(&all);
    op_call_backward(&all);
    begin_case(&c, backend, &cases[1], true);
    for (int i = 0; i < 3; i++) { c.unwanted[i] = i != wanted; }
    fill_case_integers(&c);
    op_call_backward(&c);
    assert_all_equal(c.dx[wanted].data, all.dx[wanted].data, sst_shape_count(c.x[wanted].shape));
    op_call_end(&c);
    op_call_end(&all);
  }
  ssti_backend_destroy(backend);
}

static void run_reals(op_call *c, int threads, sst_context **context, ssti_backend **backend) {
  static const conv_case big = {2, 3, 17, 15, 19, 33, 3, 3, {1, 1, 1, 1, 1, 1, 1}};
  *context = test_context_with_threads(threads);
  *backend = op_call_reference(*context);
  begin_case(c, *backend, &big, true);
  op_call_prepare(c);
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

static void expect_failure(ssti_backend *backend, const conv_case *k, sst_shape weight, sst_shape bias,
                           sst_status status, const char *part) {
  op_call c;
  op_call_begin(&c, backend, &ssti_op_conv2d, &k->a);
  op_call_input(&c, sst_shape_make(k->steps, k->batch, k->h, k->w, k->in), NULL);
  op_call_input(&c, weight, NULL);
  op_call_input(&c, bias, NULL);
  assert_fails(backend->context, status, op_call_infer(&c, backend->context), part);
  op_call_end(&c);
}

static void test_shape_rule_explains(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  conv_case k = {1, 2, 5, 5, 3, 8, 3, 3, {1, 1, 0, 0, 1, 1, 1}};
  sst_shape weight = sst_shape_make(1, 8, 3, 3, 3), bias = sst_shape_make(1, 1, 1, 1, 8);
  expect_failure(backend, &k, sst_shape_make(1, 8, 3, 3, 64), bias, SST_SHAPE,
                 "input has 3 channels, weight expects 64");
  expect_failure(backend, &k, sst_shape_make(2, 8, 3, 3, 3), bias, SST_SHAPE, "weight is [2,8,3,3,3]");
  expect_failure(backend, &k, weight, sst_shape_make(1, 1, 1, 1, 7), SST_SHAPE,
                 "bias is [1,1,1,1,7], expected [1,1,1,1,8]");
  expect_failure(backend, &k, sst_shape_make(1, 8, 6, 3, 3), bias, SST_SHAPE,
                 "the kernel covers 6 positions in H, the padded input has 5");
  conv_case dilated = k;
  dilated.a.dilation_w = 3;
  expect_failure(backend, &dilated, weight, bias, SST_SHAPE,
                 "the kernel covers 7 positions in W, the padded input has 5");
  conv_case grouped = k;
  grouped.a.groups = 2;
  expect_failure(backend, &grouped, weight, bias, SST_SHAPE, "input has 3 channels, expected a multiple of the 2");
  grouped.a.groups = 3;
  expect_failure(backend, &grouped, sst_shape_make(1, 8, 3, 3, 1), bias, SST_SHAPE,
                 "weight has 8 output channels, expected a multiple of the 3");
  conv_case wrong = k;
  wrong.a.stride_h = 0;
  expect_failure(backend, &wrong, weight, bias, SST_INVALID_ARGUMENT, "the stride in H is 0, expected 1..");
  wrong = k;
  wrong.a.pad_w = -1;
  expect_failure(backend, &wrong, weight, bias, SST_INVALID_ARGUMENT, "the padding in W is -1, expected 0..");
  wrong = k;
  wrong.a.groups = 0;
  expect_failure(backend, &wrong, weight, bias, SST_INVALID_ARGUMENT, "the number of groups is 0");
  ssti_backend_destroy(backend);
}

static void test_cost_counts_densely(void **state) {
  ssti_backend *backend = op_call_reference(*state);
  op_call c;
  sst_cost cost;
  begin_case(&c, backend, &cases[5], true); // [1,2,7,5,6], 9 out channels, 3x3, 3 groups, same size
  ssti_op_conv2d.cost(&c.call, &cost);
  assert_int_equal(cost.macs, 2 * 7 * 5 * 9 * 3 * 3 * 2);
  assert_int_equal(cost.elementwise, 2 * 7 * 5 * 9);
  op_call_end(&c);
  ssti_backend_destroy(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_whole_numbers_are_exact),    TEST(test_backward_is_the_adjoint),
      TEST(test_gradient_by_differences),    TEST(test_unwanted_gradients_are_left_out),
      TEST(test_threads_do_not_change_bits), TEST(test_shape_rule_explains),
      TEST(test_cost_counts_densely),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
