// SPDX-License-Identifier: Apache-2.0
// sliding_window: value and gradient by hand for several windows and both comparisons, agreement, steps that do not
// fit.
#include "method_case.h"

enum { STEPS = 5, BATCH = 2, CLASSES = 3, STEP = BATCH * CLASSES };

typedef struct by_hand_case {
  const float *teacher; // [STEPS, BATCH, CLASSES]
  int window, stride;
  double tau; // 0: mse
} by_hand_case;

static double divergence(const double *a, const double *b, double tau) {
  double sum_a = 0, sum_b = 0, kl = 0;
  for (int c = 0; c < CLASSES; c++) {
    sum_a += exp(a[c] / tau);
    sum_b += exp(b[c] / tau);
  }
  for (int c = 0; c < CLASSES; c++) {
    kl += exp(a[c] / tau) / sum_a * (a[c] / tau - log(sum_a) - b[c] / tau + log(sum_b));
  }
  return kl;
}

static double by_hand(const double *z, const void *rest) {
  const by_hand_case *k = rest;
  double total = 0;
  int windows = 0;
  for (int first = 0; first + k->window <= STEPS; first += k->stride, windows++) {
    double student[STEP] = {0}, teacher[STEP] = {0};
    for (int t = first; t < first + k->window; t++) {
      for (int i = 0; i < STEP; i++) {
        student[i] += z[t * STEP + i] / k->window;
        teacher[i] += (double)k->teacher[t * STEP + i] / k->window;
      }
    }
    if (k->tau > 0) {
      for (int n = 0; n < BATCH; n++) {
        total += k->tau * k->tau * divergence(teacher + n * CLASSES, student + n * CLASSES, k->tau) / BATCH;
      }
    } else {
      for (int i = 0; i < STEP; i++) { total += (student[i] - teacher[i]) * (student[i] - teacher[i]) / STEP; }
    }
  }
  return total / windows;
}

static void begin(method_case *c, sst_context *context, const char *const *options) {
  method_begin(c, context, "sliding_window", options);
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_teacher(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_compile(c);
  fill_normal(method_student_data(c, "step_logits"), STEPS * STEP, 1.5f, 1);
  fill_normal(method_teacher_data(c, "step_logits"), STEPS * STEP, 1.5f, 2);
}

static void test_by_hand(void **state) {
  const struct {
    const char *window, *stride, *compare, *temperature;
  } cases[] = {{"2", "1", "mse", "4"}, {"1", "1", "mse", "4"}, {"5", "1", "mse", "4"},
               {"2", "2", "mse", "4"}, {"3", "1", "kl", "2"},  {"1", "4096", "kl", "4"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    method_case c;
    begin(&c, *state,
          (const char *const[]){"window", cases[i].window, "stride", cases[i].stride, "compare", cases[i].compare,
                                "temperature", cases[i].temperature, NULL});
    const by_hand_case k = {method_teacher_data(&c, "step_logits"), atoi(cases[i].window), atoi(cases[i].stride),
                            strcmp(cases[i].compare, "kl") == 0 ? atof(cases[i].temperature) : 0};
    method_check(&c, "step_logits", by_hand, &k);
    method_end(&c);
  }
}

static void test_defaults(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  const by_hand_case k = {method_teacher_data(&c, "step_logits"), 2, 1, 0};
  method_check(&c, "step_logits", by_hand, &k);
  method_end(&c);
}

static void test_agreement_gives_zero(void **state) {
  const char *const compare[] = {"mse", "kl"};
  for (int i = 0; i < 2; i++) {
    method_case c;
    begin(&c, *state, (const char *const[]){"compare", compare[i], NULL});
    memcpy(method_student_data(&c, "step_logits"), method_teacher_data(&c, "step_logits"),
           STEPS * STEP * sizeof(float));
    method_check_zero(&c, "step_logits");
    method_end(&c);
  }
}

static void test_bad_input_is_said(void **state) {
  sst_context *context = *state;
  const struct {
    int64_t teacher_steps;
    const char *window, *part;
  } cases[] = {{1, "2", "the student has 5 and the teacher 1"},
               {STEPS, "6", "window has 6 steps, but the networks have 5"}};
  for (int i = 0; i < 2; i++) {
    method_case c;
    method_begin(&c, context, "sliding_window", (const char *const[]){"window", cases[i].window, NULL});
    method_student(&c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
    method_teacher(&c, "step_logits", sst_shape_make(cases[i].teacher_steps, BATCH, 1, 1, CLASSES));
    assert_int_equal(method_build(&c), SST_NO_VALUE);
    assert_fails(context, SST_SHAPE, sst_graph_status(c.graph), cases[i].part);
    assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "window", "0"), "from 1");
    assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "stride", "0.5"), "a whole number");
    assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "compare", "cosine"), "mse, kl");
    method_end(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_defaults), TEST(test_agreement_gives_zero),
                                     TEST(test_bad_input_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
