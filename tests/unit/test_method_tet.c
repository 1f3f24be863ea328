// SPDX-License-Identifier: Apache-2.0
// tet: value and gradient by hand, lambda at its ends, the optimum of the pull, bad options.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, CLASSES = 4, STEP = BATCH * CLASSES };

typedef struct by_hand_case {
  double lambda, constant;
} by_hand_case;

static const int labels[BATCH] = {2, 0};

static double by_hand(const double *z, const void *rest) {
  const by_hand_case *k = rest;
  double labels_part = 0, pull = 0;
  for (int t = 0; t < STEPS; t++) {
    for (int n = 0; n < BATCH; n++) {
      const double *step = z + t * STEP + n * CLASSES;
      double sum = 0;
      for (int c = 0; c < CLASSES; c++) {
        sum += exp(step[c]);
        pull += (step[c] - k->constant) * (step[c] - k->constant) / (STEPS * STEP);
      }
      labels_part += (log(sum) - step[labels[n]]) / (STEPS * BATCH);
    }
  }
  return (1 - k->lambda) * labels_part + k->lambda * pull;
}

static void begin(method_case *c, sst_context *context, const char *const *options) {
  method_begin(c, context, "tet", options);
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_target(c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  fill_normal(method_student_data(c, "step_logits"), STEPS * STEP, 1.5f, 5);
  memset(method_target_data(c), 0, STEP * sizeof(float));
  for (int n = 0; n < BATCH; n++) { method_target_data(c)[n * CLASSES + labels[n]] = 1; }
}

static void test_by_hand(void **state) {
  const struct { const char *lambda, *constant; } cases[] = {{"0.001", "1"}, {"0.05", "0.5"}, {"0", "1"}, {"1", "-2"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    method_case c;
    begin(&c, *state, (const char *const[]){"lambda", cases[i].lambda, "constant", cases[i].constant, NULL});
    const by_hand_case k = {atof(cases[i].lambda), atof(cases[i].constant)};
    method_check(&c, "step_logits", by_hand, &k);
    method_end(&c);
  }
}

static void test_defaults(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  const by_hand_case k = {0.001, 1};
  method_check(&c, "step_logits", by_hand, &k);
  method_end(&c);
}

static void test_optimum_of_the_pull(void **state) {
  method_case c;
  begin(&c, *state, (const char *const[]){"lambda", "1", "constant", "0.75", NULL});
  for (int i = 0; i < STEPS * STEP; i++) { method_student_data(&c, "step_logits")[i] = 0.75f; }
  method_check_zero(&c, "step_logits");
  method_end(&c);
}

static void test_bad_options_are_said(void **state) {
  sst_context *context = *state;
  sst_distill_term *term;
  assert_ok(context, sst_distill_term_create(context, "tet", &term));
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "lambda", "1.5"), "from 0 to 1");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "constant", "threshold"), "a number");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(term, "lamda", "0.1"), "nearest is 'lambda'");
  sst_distill_term_destroy(term);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_defaults), TEST(test_optimum_of_the_pull),
                                     TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
