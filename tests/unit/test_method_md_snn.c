// SPDX-License-Identifier: Apache-2.0
// md_snn: value and gradient by hand for both norms and every matching of steps, pairs with weights, pairing by stage,
// its optimum, and what it refuses.
#include "method_case.h"

enum { STEPS = 2, TEACHER_STEPS = 4, STEP = 2 * 3 * 2 * 2 }; // one step of [T,2,3,2,2]

static sst_shape shape_of(int64_t steps) { return sst_shape_make(steps, 2, 3, 2, 2); }

// The steps of the teacher that the student is held against, and what its square is divided by.
typedef struct target {
  double teacher[TEACHER_STEPS * STEP];
  int steps; // compared; 1 with `mean`
  bool mean;
  double divisor;
} target;

static double by_hand(const double *student, const void *rest) {
  const target *t = rest;
  double total = 0;
  for (int i = 0; i < t->steps * STEP; i++) {
    double h = student[i];
    if (t->mean) {
      h = 0;
      for (int step = 0; step < STEPS; step++) { h += student[step * STEP + i] / STEPS; }
    }
    total += pow(h - t->teacher[i], 2) / (t->steps * STEP);
  }
  return total / t->divisor;
}

static void make_target(target *t, const float *teacher, int teacher_steps, bool mean, double threshold) {
  *t = (target){.steps = mean ? 1 : STEPS, .mean = mean, .divisor = threshold * threshold};
  for (int i = 0; i < t->steps * STEP; i++) {
    t->teacher[i] = (double)teacher[i];
    if (!mean) { continue; }
    t->teacher[i] = 0;
    for (int step = 0; step < teacher_steps; step++) {
      t->teacher[i] += (double)teacher[step * STEP + i] / teacher_steps;
    }
  }
  if (threshold > 0) { return; }
  double sum = 0, squares = 0;
  const int count = t->steps * STEP;
  for (int i = 0; i < count; i++) { sum += t->teacher[i] / count; }
  for (int i = 0; i < count; i++) { squares += pow(t->teacher[i] - sum, 2) / count; }
  t->divisor = squares;
}

static void begin(method_case *c, sst_context *context, const char *const *options, int teacher_steps) {
  method_begin(c, context, "md_snn", options);
  c->threshold = 0.5f;
  method_student(c, "stage1.membrane", shape_of(STEPS));
  method_teacher(c, "stage1.membrane", shape_of(teacher_steps));
  method_compile(c);
  fill_normal(method_student_data(c, "stage1.membrane"), STEPS * STEP, 1, 3);
  fill_normal(method_teacher_data(c, "stage1.membrane"), teacher_steps * STEP, 0.7f, 4);
}

static void test_by_hand(void **state) {
  const struct {
    const char *match, *norm;
    int teacher_steps;
    bool mean;
    double threshold; // 0: the teacher's deviation
  } cases[] = {
      {"equal", "threshold", STEPS, false, 0.5},         {"equal", "teacher_deviation", STEPS, false, 0},
      {"first", "threshold", TEACHER_STEPS, false, 0.5}, {"first", "teacher_deviation", TEACHER_STEPS, false, 0},
      {"first", "threshold", STEPS, false, 0.5},         {"mean", "threshold", TEACHER_STEPS, true, 0.5},
      {"mean", "teacher_deviation", 1, true, 0},         {"mean", "threshold", STEPS, true, 0.5}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    method_case c;
    begin(&c, *state, (const char *const[]){"step_match", cases[i].match, "norm", cases[i].norm, NULL},
          cases[i].teacher_steps);
    target t;
    make_target(&t, method_teacher_data(&c, "stage1.membrane"), cases[i].teacher_steps, cases[i].mean,
                cases[i].threshold);
    method_check(&c, "stage1.membrane", by_hand, &t);
    method_end(&c);
  }
}

// auto takes both stages; a list any membrane; weights in the order of the pairs.
static void test_pairs_and_weights(void **state) {
  static const char *const lists[][5] = {
      {"layer_weights", "0.25, 3", NULL},
      {"taps", "stage1.membrane, stage2.membrane:stage2.membrane", "layer_weights", "0.25,3", NULL}};
  for (int i = 0; i < 2; i++) {
    method_case c;
    method_begin(&c, *state, "md_snn", lists[i]);
    c.threshold = 1;
    for (int stage = 1; stage <= 2; stage++) {
      const char *name = stage == 1 ? "stage1.membrane" : "stage2.membrane";
      method_student(&c, name, shape_of(STEPS));
      method_teacher(&c, name, shape_of(STEPS));
    }
    method_compile(&c);
    double expected = 0;
    for (int stage = 1; stage <= 2; stage++) {
      const char *name = stage == 1 ? "stage1.membrane" : "stage2.membrane";
      float *student = method_student_data(&c, name), *teacher = method_teacher_data(&c, name);
      fill_normal(student, STEPS * STEP, 1, (uint64_t)stage);
      fill_normal(teacher, STEPS * STEP, 1, 7);
      for (int k = 0; k < STEPS * STEP; k++) {
        expected += (stage == 1 ? 0.25 : 3.0) * pow((double)student[k] - (double)teacher[k], 2) / (STEPS * STEP);
      }
    }
    assert_near(method_value(&c), expected, 1e-5, 0);
    method_end(&c);
  }
}

static void test_optimum(void **state) {
  static const char *const norms[] = {"threshold", "teacher_deviation"};
  for (int i = 0; i < 2; i++) {
    method_case c;
    begin(&c, *state, (const char *const[]){"norm", norms[i], "step_match", "first", NULL}, TEACHER_STEPS);
    memcpy(method_student_data(&c, "stage1.membrane"), method_teacher_data(&c, "stage1.membrane"),
           STEPS * STEP * sizeof(float));
    method_check_zero(&c, "stage1.membrane");
    method_end(&c);
  }
}

// A membrane that stands still has no deviation; the term stays finite.
static void test_a_still_teacher(void **state) {
  method_case c;
  begin(&c, *state, (const char *const[]){"norm", "teacher_deviation", NULL}, STEPS);
  float *student = method_student_data(&c, "stage1.membrane"), *teacher = method_teacher_data(&c, "stage1.membrane");
  for (int i = 0; i < STEPS * STEP; i++) { student[i] = teacher[i] = 0.25f; }
  method_check_zero(&c, "stage1.membrane");
  method_end(&c);
}

static void refuse(sst_context *context, const char *const *options, sst_shape student, sst_shape teacher,
                   float threshold, sst_status status, const char *message) {
  method_case c;
  method_begin(&c, context, "md_snn", options);
  c.threshold = threshold;
  method_student(&c, "stage1.membrane", student);
  method_teacher(&c, "stage1.membrane", teacher);
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, status, sst_graph_status(c.graph), message);
  method_end(&c);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_what_does_not_fit_is_said(void **state) {
  const sst_shape two = shape_of(2), four = shape_of(4), wide = sst_shape_make(2, 2, 3, 2, 5);
  refuse(*state, NULL, two, four, 1, SST_SHAPE, "the teacher's stage1.membrane is [4,2,3,2,2]: their steps must agree");
  refuse(*state, OPTIONS("step_match", "first"), four, two, 1, SST_SHAPE, "too few steps");
  refuse(*state, NULL, two, wide, 1, SST_SHAPE, "compared one to one");
  refuse(*state, NULL, two, two, 0, SST_INVALID_ARGUMENT, "no spiking neurons");
  refuse(*state, OPTIONS("layer_weights", "1,2"), two, two, 1, SST_INVALID_ARGUMENT, "expected 1 numbers");
  refuse(*state, OPTIONS("layer_weights", "x"), two, two, 1, SST_INVALID_ARGUMENT, "layer_weights is \"x\"");
  refuse(*state, OPTIONS("layer_weights", "-1"), two, two, 1, SST_INVALID_ARGUMENT, "layer_weights is \"-1\"");
  refuse(*state, OPTIONS("layer_weights", "1,"), two, two, 1, SST_INVALID_ARGUMENT, "layer_weights is \"1,\"");
  refuse(*state, OPTIONS("taps", "stage1.membran"), two, two, 1, SST_NOT_FOUND, "stage1.membrane");
}

static void test_a_teacher_without_membranes_is_said(void **state) {
  method_case c;
  method_begin(&c, *state, "md_snn", NULL);
  c.threshold = 1;
  method_student(&c, "stage1.membrane", shape_of(STEPS));
  method_teacher(&c, "stage1", shape_of(1));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(*state, SST_SHAPE, sst_graph_status(c.graph),
               "(taps stage<k>.membrane), but the student has 1 stages and the teacher 0");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_by_hand),         TEST(test_pairs_and_weights),         TEST(test_optimum),
      TEST(test_a_still_teacher), TEST(test_what_does_not_fit_is_said), TEST(test_a_teacher_without_membranes_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
