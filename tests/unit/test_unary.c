// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one value.
#include "support.h"

#include "op_naive.h"

typedef struct known {
  ssti_unary_kind kind;
  float a, b, x, y, slope;
} known;

// Values that are exact in f32, with the corners of each function.
static const known exact[] = {
    {SSTI_UNARY_AFFINE, 3, -2, 5, 13, 3},
    {SSTI_UNARY_AFFINE, 0, 7, 5, 7, 0},
    {SSTI_UNARY_RELU, 0, 0, -2, 0, 0},
    {SSTI_UNARY_RELU, 0, 0, 0, 0, 0},
    {SSTI_UNARY_RELU, 0, 0, 3, 3, 1},
    {SSTI_UNARY_SQUARE, 0, 0, -3, 9, -6},
    {SSTI_UNARY_ABS, 0, 0, -3, 3, -1},
    {SSTI_UNARY_ABS, 0, 0, 0, 0, 0},
    {SSTI_UNARY_ABS, 0, 0, 2, 2, 1},
    {SSTI_UNARY_SQRT, 0, 0, 4, 2, 0.25f},
    {SSTI_UNARY_EXP, 0, 0, 0, 1, 1},
    {SSTI_UNARY_LOG, 0, 0, 1, 0, 1},
    {SSTI_UNARY_LOG, 0, 0, 0, -INFINITY, INFINITY},
    {SSTI_UNARY_SIGMOID, 0, 0, 0, 0.5f, 0.25f},
    {SSTI_UNARY_SIGMOID, 0, 0, 200, 1, 0},
    {SSTI_UNARY_SIGMOID, 0, 0, -200, 0, 0},
    {SSTI_UNARY_TANH, 0, 0, 0, 0, 1},
    {SSTI_UNARY_POWER, 2, 0, -3, 9, -6},
    {SSTI_UNARY_POWER, 1, 0, -3, 3, -1},
    {SSTI_UNARY_POWER, 0.5f, 0, 0, 0, 0},
    {SSTI_UNARY_POWER, 0.5f, 0, 4, 2, 0.25f},
    {SSTI_UNARY_CLIP, -1, 2, -3, -1, 0},
    {SSTI_UNARY_CLIP, -1, 2, -1, -1, 1},
    {SSTI_UNARY_CLIP, -1, 2, 1, 1, 1},
    {SSTI_UNARY_CLIP, -1, 2, 2, 2, 1},
    {SSTI_UNARY_CLIP, -1, 2, 5, 2, 0},
    {SSTI_UNARY_FLOOR, 0, 0, 2.75f, 2, 1},
    {SSTI_UNARY_FLOOR, 0, 0, -2.25f, -3, 1},
    {SSTI_UNARY_FLOOR, 0, 0, 3, 3, 1},
    {SSTI_UNARY_ROUND, 0.25f, 0, 0.625f, 0.75f, 1},
    {SSTI_UNARY_ROUND, 0.25f, 0, -0.625f, -0.5f, 1},
    {SSTI_UNARY_ROUND, 2, 0, 4.5f, 4, 1},
};

static void test_known_values(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
    const known *k = &exact[i];
    const ssti_unary_attributes attributes = {k->kind, k->a, k->b};
    const sst_shape shape = sst_shape_make(1, 3, 1, 1, 7); // the same value in all places of an odd size
    op_call c;
    op_call_begin(&c, backend, &ssti_op_unary, &attributes);
    op_call_input(&c, shape, NULL);
    assert_ok(context, op_call_infer(&c, context));
    assert_true(sst_shape_equal(c.y[0].shape, shape));
    for (int j = 0; j < 21; j++) { c.x[0].data[j] = k->x; }
    op_call_forward(&c);
    for (int j = 0; j < 21; j++) { c.dy[0].data[j] = (float)(j + 1); }
    op_call_backward(&c);
    for (int j = 0; j < 21; j++) {
      if (c.y[0].data[j] != k->y || c.dx[0].data[j] != (float)(j + 1) * k->slope) {
        fail_msg("kind %d at %g: value %g and gradient %g, expected %g and %g", (int)k->kind, (double)k->x,
                 (double)c.y[0].data[j], (double)c.dx[0].data[j], (double)k->y, (double)((float)(j + 1) * k->slope));
      }
    }
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static double value(ssti_unary_kind kind, double a, double b, double x) {
  switch (kind) {
  case SSTI_UNARY_AFFINE: return a * x + b;
  case SSTI_UNARY_RELU: return fmax(0, x);
  case SSTI_UNARY_SQUARE: return x * x;
  case SSTI_UNARY_ABS: return fabs(x);
  case SSTI_UNARY_SQRT: return sqrt(x);
  case SSTI_UNARY_EXP: return exp(x);
  case SSTI_UNARY_LOG: return log(x);
  case SSTI_UNARY_SIGMOID: return 1 / (1 + exp(-x));
  case SSTI_UNARY_TANH: return tanh(x);
  case SSTI_UNARY_POWER: return pow(fabs(x), a);
  case SSTI_UNARY_CLIP: return fmin(fmax(x, a), b);
  case SSTI_UNARY_FLOOR: return floor(x);
  case SSTI_UNARY_ROUND: return floor(x / a + 0.5) * a;
  }
  return 0;
}

enum { ALL_KINDS = SSTI_UNARY_CLIP + 1 }; // but the straight-through ones, whose derivative is none

// Every kind on positive reals, against double arithmetic and differences of it.
static void test_every_kind(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  for (int kind = 0; kind < ALL_KINDS; kind++) {
    const ssti_unary_attributes attributes = {(ssti_unary_kind)kind, 0.75f, 1.5f};
    const naive_case one = {&ssti_op_unary, &attributes, 1, {sst_shape_make(2, 3, 5, 1, 7)}, 0.1f, 2.5f};
    op_call c;
    naive_begin(&c, context, backend, &one);
    op_call_forward(&c);
    op_call_backward(&c);
    for (int64_t i = 0; i < 210; i++) {
      const double x = (double)c.x[0].data[i], h = 1e-6;
      if (kind == SSTI_UNARY_CLIP && (fabs(x - 0.75) < h || fabs(x - 1.5) < h)) { continue; }
      assert_near(c.y[0].data[i], value(attributes.kind, 0.75, 1.5, x), 1e-6, 1e-7);
      const double slope =
          (value(attributes.kind, 0.75, 1.5, x + h) - value(attributes.kind, 0.75, 1.5, x - h)) / (2 * h);
      assert_near(c.dx[0].data[i], slope * (double)c.dy[0].data[i], 2e-6, 1e-6);
    }
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_accumulate_and_threads(void **state) {
  for (int kind = 0; kind < ALL_KINDS; kind++) {
    const ssti_unary_attributes attributes = {(ssti_unary_kind)kind, 0.75f, 1.5f};
    naive_case one = {&ssti_op_unary, &attributes, 1, {sst_shape_make(3, 1, 5, 1, 7)}, 0.1f, 2.5f};
    naive_check_accumulate(*state, &one);
    one.shape[0] = sst_shape_make(3, 7, 41, 1, 99);
    naive_check_threads(&one);
  }
}

// What is not a number stays visible.
static void test_nan_passes(void **state) {
  sst_context *context = *state;
  ssti_backend *backend = naive_backend(context);
  for (int kind = 0; kind < ALL_KINDS; kind++) {
    const ssti_unary_attributes attributes = {(ssti_unary_kind)kind, 0.75f, 1.5f};
    op_call c;
    op_call_begin(&c, backend, &ssti_op_unary, &attributes);
    op_call_input(&c, sst_shape_make(1, 1, 1, 1, 1), (float[]){NAN});
    assert_ok(context, op_call_infer(&c, context));
    op_call_prepare(&c);
    c.y[0].data[0] = 0;
    ssti_op_unary.forward(&c.call);
    if (!isnan(c.y[0].data[0])) { fail_msg("kind %d turns NaN into %g", kind, (double)c.y[0].data[0]); }
    op_call_end(&c);
  }
  ssti_backend_destroy(backend);
}

static void test_shape_rule(void **state) {
  const ssti_unary_attributes power = {SSTI_UNARY_POWER, 0, 0}, clip = {SSTI_UNARY_CLIP, 2, 1};
  const ssti_unary_attributes affine = {SSTI_UNARY_AFFINE, NAN, 0}, wrong = {(ssti_unary_kind)99, 0, 0};
  naive_case one = {&ssti_op_unary, &power, 1, {sst_shape_make(1, 1, 1, 1, 1)}, 0, 1};
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "exponent 0");
  one.attributes = &clip;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "bounds 2 and 1");
  one.attributes = &affine;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "finite");
  one.attributes = &wrong;
  assert_fails(*state, SST_INVALID_ARGUMENT, naive_infer(*state, &one), "99");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_known_values), TEST(test_every_kind), TEST(test_accumulate_and_threads),
                                     TEST(test_nan_passes), TEST(test_shape_rule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
