// SPDX-License-Identifier: Apache-2.0
// hta_kl: value and gradient by hand, head and tail, each step, its optimum, kd as its limit.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, CLASSES = 5, STEP = BATCH * CLASSES };

typedef struct by_hand_options {
  const float *teacher;
  double temperature, head, tail_weight, factor;
  int steps;
} by_hand_options;

static void soften(const double *z, double temperature, double *p) {
  double sum = 0;
  for (int c = 0; c < CLASSES; c++) { sum += p[c] = exp(z[c] / temperature); }
  for (int c = 0; c < CLASSES; c++) { p[c] /= sum; }
}

static double by_hand(const double *student, const void *rest) {
  const by_hand_options *o = rest;
  double total = 0;
  for (int row = 0; row < o->steps * BATCH; row++) {
    double z[CLASSES], p[CLASSES], q[CLASSES];
    for (int c = 0; c < CLASSES; c++) { z[c] = (double)o->teacher[row % BATCH * CLASSES + c]; }
    soften(z, o->temperature, p);
    soften(student + row * CLASSES, o->temperature, q);
    for (int c = 0; c < CLASSES; c++) {
      double before = 0;
      for (int other = 0; other < CLASSES; other++) { before += p[other] > p[c] ? p[other] : 0; }
      total += before < o->head ? p[c] * log(p[c] / q[c]) - p[c] + q[c]
                                : o->tail_weight * (q[c] * log(q[c] / p[c]) - q[c] + p[c]);
    }
  }
  return o->factor * total / (o->steps * BATCH);
}

static const float teacher_logits[STEP] = {2, -1, 0.5f, 0, 1, 0, 3, 1, 0.2f, 2.5f};

static void begin(method_case *c, sst_context *context, const char *const *options, int steps, const char *tap) {
  method_begin(c, context, "hta_kl", options);
  method_student(c, tap, sst_shape_make(steps, BATCH, 1, 1, CLASSES));
  method_teacher(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  memcpy(method_teacher_data(c, "logits"), teacher_logits, sizeof teacher_logits);
  fill_normal(method_student_data(c, tap), steps * STEP, 1, 5);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_by_hand(void **state) {
  const struct {
    const char *const *options;
    double temperature, head, tail_weight, factor;
  } cases[] = {{NULL, 4, 0.5, 1, 16},
               {OPTIONS("head", "0.8", "tail_weight", "0.25", "temperature", "2"), 2, 0.8, 0.25, 4},
               {OPTIONS("head", "0.1", "tail_weight", "3", "scale", "none"), 4, 0.1, 3, 1},
               {OPTIONS("head", "0.6", "tail_weight", "0", "temperature", "1"), 1, 0.6, 0, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    method_case c;
    begin(&c, *state, cases[i].options, 1, "logits");
    const by_hand_options o = {teacher_logits,       cases[i].temperature, cases[i].head,
                               cases[i].tail_weight, cases[i].factor,      1};
    method_check(&c, "logits", by_hand, &o);
    method_end(&c);
  }
  method_case c;
  begin(&c, *state, OPTIONS("per_step", "true", "temperature", "2"), STEPS, "step_logits");
  method_check(&c, "step_logits", by_hand, &(by_hand_options){teacher_logits, 2, 0.5, 1, 4, STEPS});
  method_end(&c);
}

// Of any split the teacher's distribution is the optimum; a shift of the logits changes nothing.
static void test_optimum(void **state) {
  static const char *const heads[] = {"0.01", "0.5", "0.9", "1"};
  for (int i = 0; i < 4; i++) {
    method_case c;
    begin(&c, *state, OPTIONS("head", heads[i]), 1, "logits");
    assert_true(method_value(&c) > 1e-3);
    for (int k = 0; k < STEP; k++) { method_student_data(&c, "logits")[k] = teacher_logits[k] + 1; }
    method_check_zero(&c, "logits");
    method_end(&c);
  }
}

// With all classes in the head it is kd's divergence, and for any split it is never negative.
static void test_limits(void **state) {
  method_case hta, kd;
  begin(&hta, *state, OPTIONS("head", "1"), 1, "logits");
  method_begin(&kd, *state, "kd", NULL);
  method_student(&kd, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_teacher(&kd, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(&kd);
  memcpy(method_teacher_data(&kd, "logits"), teacher_logits, sizeof teacher_logits);
  memcpy(method_student_data(&kd, "logits"), method_student_data(&hta, "logits"), STEP * sizeof(float));
  assert_near(method_value(&hta), method_value(&kd), 1e-5, 1e-7);
  assert_all_near(method_gradient(&hta, "logits"), method_gradient(&kd, "logits"), STEP, 1e-4, 1e-6);
  for (uint64_t seed = 0; seed < 50; seed++) {
    fill_normal(method_student_data(&hta, "logits"), STEP, 3, seed);
    assert_true(method_value(&hta) >= 0);
  }
  method_end(&hta);
  method_end(&kd);
}

static void test_bad_options_are_said(void **state) {
  sst_distill_term *term;
  assert_ok(*state, sst_distill_term_create(*state, "hta_kl", &term));
  assert_fails(*state, SST_RECIPE, sst_distill_term_set(term, "head", "0"), "0");
  assert_fails(*state, SST_RECIPE, sst_distill_term_set(term, "head", "1.5"), "1.5");
  assert_fails(*state, SST_RECIPE, sst_distill_term_set(term, "tail_wieght", "1"), "tail_weight");
  sst_distill_term_destroy(term);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_optimum), TEST(test_limits),
                                     TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
