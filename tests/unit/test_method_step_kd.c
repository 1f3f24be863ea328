// SPDX-License-Identifier: Apache-2.0
// step_kd: both parts by hand with their gradients, a step equal to its teacher, no correct step, and what it refuses.
#include "method_case.h"

enum { STEPS = 3, BATCH = 3, CLASSES = 4, STEP = BATCH * CLASSES };

typedef struct by_hand_case {
  const float *teacher;                // [BATCH, CLASSES]
  double correct_mean[BATCH][CLASSES]; // held fixed, as the method does
  bool has_correct[BATCH];
  double temperature, teacher_factor, correct_factor;
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
  for (int t = 0; t < STEPS; t++) {
    for (int n = 0; n < BATCH; n++) {
      const double *step = z + t * STEP + n * CLASSES;
      double teacher[CLASSES];
      for (int c = 0; c < CLASSES; c++) { teacher[c] = (double)k->teacher[n * CLASSES + c]; }
      total += k->teacher_factor * divergence(teacher, step, k->temperature);
      if (k->has_correct[n]) { total += k->correct_factor * divergence(k->correct_mean[n], step, k->temperature); }
    }
  }
  return total / (STEPS * BATCH);
}

// Sample 0: steps 0 and 2 are correct; sample 1: none is; sample 2: all are.
static const int labels[BATCH] = {1, 0, 3};
static const float logits[STEPS * STEP] = {0.5f, 2, -1, 0,  -1, 0.5f, 1, 2,    0, 1, 0.2f, 1.5f, //
                                           3,    1, 0,  -2, 0,  1,    2, 0.3f, 1, 0, 0.1f, 2,    //
                                           -1,   4, 2,  1,  -2, 1,    0, -1,   0, 1, 2,    2.5f};
static const float teacher_logits[STEP] = {0, 3, 1, -1, 2, 0, 1, -1, -1, 0, 0.5f, 2};

static void begin(method_case *c, sst_context *context, const char *const *options) {
  method_begin(c, context, "step_kd", options);
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_teacher(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_target(c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  memcpy(method_student_data(c, "step_logits"), logits, sizeof logits);
  memcpy(method_teacher_data(c, "logits"), teacher_logits, sizeof teacher_logits);
  memset(method_target_data(c), 0, STEP * sizeof(float));
  for (int n = 0; n < BATCH; n++) { method_target_data(c)[n * CLASSES + labels[n]] = 1; }
}

static by_hand_case hand(double temperature, double teacher_factor, double correct_factor) {
  by_hand_case k = {.teacher = teacher_logits,
                    .temperature = temperature,
                    .teacher_factor = teacher_factor,
                    .correct_factor = correct_factor,
                    .has_correct = {true, false, true}};
  for (int c = 0; c < CLASSES; c++) {
    k.correct_mean[0][c] = ((double)logits[c] + (double)logits[2 * STEP + c]) / 2;
    for (int t = 0; t < STEPS; t++) { k.correct_mean[2][c] += (double)logits[t * STEP + 2 * CLASSES + c] / STEPS; }
  }
  return k;
}

static void test_by_hand(void **state) {
  const struct {
    const char *temperature, *teacher, *correct, *scale;
    double tau, teacher_factor, correct_factor;
  } cases[] = {{"3", "0.2", "0.5", "squared", 3, 0.2 * 9, 0.5 * 9},
               {"2", "1", "0", "squared", 2, 4, 0},
               {"2", "0", "1", "none", 2, 0, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    method_case c;
    begin(&c, *state,
          (const char *const[]){"temperature", cases[i].temperature, "teacher_weight", cases[i].teacher,
                                "correct_weight", cases[i].correct, "scale", cases[i].scale, NULL});
    const by_hand_case k = hand(cases[i].tau, cases[i].teacher_factor, cases[i].correct_factor);
    method_check(&c, "step_logits", by_hand, &k);
    method_end(&c);
  }
}

static void test_defaults(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  const by_hand_case k = hand(3, 0.2 * 9, 0.5 * 9);
  method_check(&c, "step_logits", by_hand, &k);
  method_end(&c);
}

// Steps that all are the teacher agree with it and with each other.
static void test_teacher_at_every_step_gives_zero(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  for (int t = 0; t < STEPS; t++) {
    memcpy(method_student_data(&c, "step_logits") + t * STEP, teacher_logits, sizeof teacher_logits);
  }
  method_check_zero(&c, "step_logits");
  method_end(&c);
}

// A mixed target counts by its larger share.
static void test_mixed_target(void **state) {
  method_case c;
  begin(&c, *state, (const char *const[]){"teacher_weight", "0", NULL});
  for (int n = 0; n < BATCH; n++) {
    method_target_data(&c)[n * CLASSES + labels[n]] = 0.6f;
    method_target_data(&c)[n * CLASSES + (labels[n] + 1) % CLASSES] = 0.4f;
  }
  const by_hand_case k = hand(3, 0, 0.5 * 9);
  method_check(&c, "step_logits", by_hand, &k);
  method_end(&c);
}

static void test_one_step(void **state) {
  method_case c;
  method_begin(&c, *state, "step_kd", (const char *const[]){"teacher_weight", "1", "scale", "none", NULL});
  method_student(&c, "step_logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_teacher(&c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_target(&c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(&c);
  memset(method_target_data(&c), 0, STEP * sizeof(float));
  memcpy(method_student_data(&c, "step_logits"), logits, STEP * sizeof(float));
  memcpy(method_teacher_data(&c, "logits"), teacher_logits, sizeof teacher_logits);
  double expected = 0, z[STEP], teacher[STEP];
  for (int i = 0; i < STEP; i++) {
    z[i] = (double)logits[i];
    teacher[i] = (double)teacher_logits[i];
  }
  for (int n = 0; n < BATCH; n++) { expected += divergence(teacher + n * CLASSES, z + n * CLASSES, 3) / BATCH; }
  assert_near(method_value(&c), expected, 1e-5, 0); // one step's own mean is that step: the second part is 0
  method_end(&c);
}

static void test_bad_options_are_said(void **state) {
  sst_context *context = *state;
  method_case c;
  method_begin(&c, context, "step_kd", (const char *const[]){"teacher_weight", "0", "correct_weight", "0", NULL});
  method_student(&c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_teacher(&c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_status(c.graph), "both 0");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "temperature", "0"), "0.001");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "scale", "square"), "squared");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "correct_weigth", "1"), "correct_weight");
  method_end(&c);
  // The classes of the teacher are others.
  method_begin(&c, context, "step_kd", NULL);
  method_student(&c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_teacher(&c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES + 1));
  method_target(&c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_build(&c);
  assert_fails(context, SST_SHAPE, sst_graph_status(c.graph), "[3,3,1,1,5]");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_by_hand),      TEST(test_defaults), TEST(test_teacher_at_every_step_gives_zero),
      TEST(test_mixed_target), TEST(test_one_step), TEST(test_bad_options_are_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
