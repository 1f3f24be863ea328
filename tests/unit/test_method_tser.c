// SPDX-License-Identifier: Apache-2.0
// tser: value and gradient by hand, its optimum and its largest value, bad options.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, CLASSES = 4, STEP = BATCH * CLASSES };

static double by_hand(const double *z, const void *rest) {
  const double tau = *(const double *)rest;
  double total = 0;
  for (int i = 0; i < STEPS * BATCH; i++) {
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) { sum += exp(z[i * CLASSES + c] / tau); }
    total += log(CLASSES);
    for (int c = 0; c < CLASSES; c++) {
      const double q = exp(z[i * CLASSES + c] / tau) / sum;
      total += q * log(q);
    }
  }
  return total / (STEPS * BATCH);
}

static void begin(method_case *c, sst_context *context, const char *temperature) {
  method_begin(c, context, "tser", (const char *const[]){"temperature", temperature, NULL});
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_compile(c);
  fill_normal(method_student_data(c, "step_logits"), STEPS * STEP, 1.5f, 6);
}

static void test_by_hand(void **state) {
  const char *const temperatures[] = {"1", "3"};
  for (int i = 0; i < 2; i++) {
    method_case c;
    begin(&c, *state, temperatures[i]);
    const double tau = atof(temperatures[i]);
    method_check(&c, "step_logits", by_hand, &tau);
    method_end(&c);
  }
}

// No preference: 0, the optimum. Certainty: log C.
static void test_ends(void **state) {
  method_case c;
  begin(&c, *state, "1");
  float *z = method_student_data(&c, "step_logits");
  for (int i = 0; i < STEPS * STEP; i++) { z[i] = (float)(i / CLASSES); }
  method_check_zero(&c, "step_logits");
  for (int i = 0; i < STEPS * STEP; i++) { z[i] = i % CLASSES == 1 ? 200.0f : 0.0f; }
  assert_near(method_value(&c), log(CLASSES), 1e-6, 0);
  method_end(&c);
}

static void test_bad_options_are_said(void **state) {
  sst_context *context = *state;
  sst_distill_term *term;
  assert_ok(context, sst_distill_term_create(context, "tser", &term));
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "temperature", "-1"), "-1");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "temprature", "1"), "nearest is 'temperature'");
  sst_distill_term_destroy(term);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_ends), TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
