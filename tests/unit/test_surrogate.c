// SPDX-License-Identifier: Apache-2.0
// Surrogates: the derivative is the primitive's derivative, both have the limits and the symmetry that they should, and
// the exponential under them keeps its promised error.
#include "../support/support.h"

#include "../support/neuron_model.h"
#include "neuron/surrogate.h"

static const float alphas[] = {0.5f, 1.0f, 2.0f, 5.0f};
enum { ALPHAS = 4 };

static void for_each_point(void (*check)(sst_surrogate_kind kind, float alpha, float v)) {
  for (int kind = 0; kind < SST_SURROGATE_COUNT; kind++) {
    for (int a = 0; a < ALPHAS; a++) {
      // The step is odd against the kinks at 1/a and 1/(2a), so that no point lies on one.
      for (float v = -4.0f; v < 4.0f; v += 0.0137f) { check((sst_surrogate_kind)kind, alphas[a], v); }
    }
  }
}

static void check_against_double(sst_surrogate_kind kind, float alpha, float v) {
  const double derivative = (double)sst_surrogate_derivative(kind, alpha, v);
  const double primitive = (double)sst_surrogate_primitive(kind, alpha, v);
  // f32 rounding of a*v is worth a few 1e-7 of the largest slope, a.
  assert_true(fabs(derivative - model_derivative(kind, (double)alpha, (double)v)) < 1e-6 * (double)alpha);
  assert_true(fabs(primitive - model_primitive(kind, (double)alpha, (double)v)) < 2e-6 * (1.0 + fabs(primitive)));
}

static void test_values(void **state) {
  (void)state;
  for_each_point(check_against_double);
}

// Central differences of the primitive in f32 over 2 * 0.002: rounding gives 3e-8 / 0.002, and curvature, which is
// largest for the fast sigmoid at 3 a^3, times step^2 / 6 gives 2.5e-4 for alpha 5.
static void check_difference(sst_surrogate_kind kind, float alpha, float v) {
  const float step = 0.002f, up = v + step, down = v - step;
  const float kink = kind == SST_SURROGATE_RECTANGLE ? 0.5f / alpha : 1.0f / alpha;
  // Inside the interval the derivative has a kink (at 0: fast sigmoid, triangle) or a jump.
  if (fabsf(fabsf(v) - kink) < 2.0f * step || fabsf(v) < 2.0f * step) { return; }
  const double difference =
      ((double)sst_surrogate_primitive(kind, alpha, up) - (double)sst_surrogate_primitive(kind, alpha, down)) /
      ((double)up - (double)down);
  const double derivative = (double)sst_surrogate_derivative(kind, alpha, v);
  if (fabs(difference - derivative) > 6e-4) {
    fail_msg("%s, alpha %g, v %g: derivative %.7g, differences %.7g", sst_surrogate_word(kind), (double)alpha,
             (double)v, derivative, difference);
  }
}

static void test_derivative_is_of_the_primitive(void **state) {
  (void)state;
  for_each_point(check_difference);
}

static void check_symmetry(sst_surrogate_kind kind, float alpha, float v) {
  assert_float_equal(sst_surrogate_derivative(kind, alpha, v), sst_surrogate_derivative(kind, alpha, -v), 1e-6f);
  const float sum = sst_surrogate_primitive(kind, alpha, v) + sst_surrogate_primitive(kind, alpha, -v);
  assert_float_equal(sum, kind == SST_SURROGATE_MULTI_GAUSSIAN ? 0.85f : 1.0f, 2e-6f);
}

static void test_symmetry(void **state) {
  (void)state;
  for_each_point(check_symmetry);
}

static void test_limits(void **state) {
  (void)state;
  for (int k = 0; k < SST_SURROGATE_COUNT; k++) {
    const sst_surrogate_kind kind = (sst_surrogate_kind)k;
    if (kind == SST_SURROGATE_STRAIGHT_THROUGH) { continue; } // its primitive is a line
    const float top = kind == SST_SURROGATE_MULTI_GAUSSIAN ? 0.85f : 1.0f;
    assert_float_equal(sst_surrogate_primitive(kind, 2.0f, 1e6f), top, 1e-5f);
    assert_float_equal(sst_surrogate_primitive(kind, 2.0f, -1e6f), 0.0f, 1e-5f);
    for (float v = 1e3f; v < 1e30f; v *= 10.0f) {
      const float right = sst_surrogate_derivative(kind, 2.0f, v), left = sst_surrogate_derivative(kind, 2.0f, -v);
      assert_true(right >= 0.0f && right < 1e-5f && left >= 0.0f && left < 1e-5f); // false for NaN
    }
  }
}

// The heights at v = 0, by hand from the formulas, alpha 2.
static void test_heights(void **state) {
  (void)state;
  const double normal = 2.0 * 0.3989422804014327, side = exp(-1.0 / 72.0) / 6.0;
  const double expected[SST_SURROGATE_COUNT] = {
      [SST_SURROGATE_ARCTAN] = 1.0,
      [SST_SURROGATE_SIGMOID] = 0.5,
      [SST_SURROGATE_FAST_SIGMOID] = 1.0,
      [SST_SURROGATE_TRIANGLE] = 2.0,
      [SST_SURROGATE_RECTANGLE] = 2.0,
      [SST_SURROGATE_GAUSSIAN] = normal,
      [SST_SURROGATE_ERF] = 1.1283791671,
      [SST_SURROGATE_STRAIGHT_THROUGH] = 2.0,
      [SST_SURROGATE_MULTI_GAUSSIAN] = normal * (1.15 - 0.3 * side),
  };
  for (int kind = 0; kind < SST_SURROGATE_COUNT; kind++) {
    const double height = (double)sst_surrogate_derivative((sst_surrogate_kind)kind, 2.0f, 0.0f);
    assert_true(fabs(height - expected[kind]) < 1e-6);
  }
}

static void test_exponential(void **state) {
  (void)state;
  double worst = 0;
  for (uint32_t i = 0; i < 2000000; i++) {
    const float x = -87.33f + 175.7f * ((float)i / 2000000.0f);
    const double exact = exp((double)x);
    worst = fmax(worst, fabs((double)ssti_expf_fast(x) - exact) / exact);
  }
  assert_true(worst < 1.2e-7);
  assert_true(ssti_expf_fast(0.0f) == 1.0f);
  assert_true(ssti_expf_fast(-88.0f) == 0.0f && ssti_expf_fast(-INFINITY) == 0.0f);
  assert_true(isnan(ssti_expf_fast(NAN)));
}

static void test_words(void **state) {
  (void)state;
  for (int k = 0; k < SST_SURROGATE_COUNT; k++) {
    sst_surrogate_kind parsed = SST_SURROGATE_COUNT;
    assert_true(sst_surrogate_parse(sst_surrogate_word((sst_surrogate_kind)k), &parsed));
    assert_int_equal(parsed, k);
    assert_true(sst_surrogate_default_alpha((sst_surrogate_kind)k) > 0.0f);
  }
  sst_surrogate_kind untouched = SST_SURROGATE_ERF;
  assert_false(sst_surrogate_parse("arctangent", &untouched));
  assert_false(sst_surrogate_parse("", &untouched));
  assert_int_equal(untouched, SST_SURROGATE_ERF);
  assert_string_equal(sst_surrogate_word(SST_SURROGATE_COUNT), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),   cmocka_unit_test(test_derivative_is_of_the_primitive),
      cmocka_unit_test(test_symmetry), cmocka_unit_test(test_limits),
      cmocka_unit_test(test_heights),  cmocka_unit_test(test_exponential),
      cmocka_unit_test(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
