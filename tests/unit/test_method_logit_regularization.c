// SPDX-License-Identifier: Apache-2.0
// logit_regularization: value and gradient by hand over readout and steps, its optimum, bad options.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, CLASSES = 4 };

static double mean_square(const double *z, const void *rest) {
  const int count = *(const int *)rest;
  double total = 0;
  for (int i = 0; i < count; i++) { total += z[i] * z[i] / count; }
  return total;
}

static void begin(method_case *c, sst_context *context, const char *over) {
  method_begin(c, context, "logit_regularization", (const char *const[]){"over", over, NULL});
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_student(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  fill_normal(method_student_data(c, "step_logits"), STEPS * BATCH * CLASSES, 2, 7);
  fill_normal(method_student_data(c, "logits"), BATCH * CLASSES, 2, 8);
}

static void test_by_hand(void **state) {
  const int readout = BATCH * CLASSES, steps = STEPS * readout;
  method_case c;
  begin(&c, *state, "readout");
  method_check(&c, "logits", mean_square, &readout);
  method_end(&c);
  begin(&c, *state, "steps");
  method_check(&c, "step_logits", mean_square, &steps);
  method_end(&c);
}

static void test_optimum(void **state) {
  method_case c;
  begin(&c, *state, "readout");
  memset(method_student_data(&c, "logits"), 0, BATCH * CLASSES * sizeof(float));
  method_check_zero(&c, "logits");
  method_end(&c);
}

static void test_bad_options_are_said(void **state) {
  sst_context *context = *state;
  sst_distill_term *term;
  assert_ok(context, sst_distill_term_create(context, "logit_regularization", &term));
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "over", "step"), "steps");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "weight", "-1"), "-1");
  sst_distill_term_destroy(term);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_optimum), TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
