// SPDX-License-Identifier: Apache-2.0
// twin: value and gradient by hand in student and twin for both reductions, its optimum, a missing twin, bad options.
#include "method_case.h"

enum { BATCH = 3, CLASSES = 4, COUNT = BATCH * CLASSES };

typedef struct other_side {
  const float *logits;
  double divisor; // of the sum over everything
} other_side;

static double squared_distance(const double *z, const void *rest) {
  const other_side *other = rest;
  double total = 0;
  for (int i = 0; i < COUNT; i++) { total += pow(z[i] - (double)other->logits[i], 2); }
  return total / other->divisor;
}

static void begin(method_case *c, sst_context *context, const char *reduction) {
  method_begin(c, context, "twin", reduction ? (const char *const[]){"reduction", reduction, NULL} : NULL);
  method_student(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_twin(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  fill_normal(method_student_data(c, "logits"), COUNT, 2, 7);
  fill_normal(method_student_data(c, "twin.logits"), COUNT, 2, 8);
}

static void check_both_sides(sst_context *context, const char *reduction, double divisor) {
  method_case c;
  begin(&c, context, reduction);
  const other_side twin = {method_student_data(&c, "twin.logits"), divisor};
  const other_side student = {method_student_data(&c, "logits"), divisor};
  method_check(&c, "logits", squared_distance, &twin);
  method_check(&c, "twin.logits", squared_distance, &student);
  method_end(&c);
}

static void test_by_hand(void **state) {
  check_both_sides(*state, NULL, BATCH);
  check_both_sides(*state, "sum", BATCH);
  check_both_sides(*state, "mean", COUNT);
}

static void test_optimum(void **state) {
  method_case c;
  begin(&c, *state, "sum");
  memcpy(method_student_data(&c, "logits"), method_student_data(&c, "twin.logits"), COUNT * sizeof(float));
  method_check_zero(&c, "logits");
  method_check_zero(&c, "twin.logits");
  method_end(&c);
}

static void test_missing_twin_is_said(void **state) {
  method_case c;
  method_begin(&c, *state, "twin", NULL);
  method_student(&c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_graph_status(c.graph), "'twin' needs a twin network");
  method_end(&c);
}

static void test_bad_options_are_said(void **state) {
  sst_context *context = *state;
  sst_distill_term *term;
  assert_ok(context, sst_distill_term_create(context, "twin", &term));
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "reduction", "maen"), "mean");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "temperature", "2"), "no option 'temperature'");
  sst_distill_term_destroy(term);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_optimum), TEST(test_missing_twin_is_said),
                                     TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
