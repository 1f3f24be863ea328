// SPDX-License-Identifier: Apache-2.0
// feature_kd: value and gradient by hand, several pairs, its optimum, a spiking teacher, other widths.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, FEATURES = 5, STEP = BATCH * FEATURES };

// Mean over elements of the squared difference of the student's mean over STEPS and the teacher's row.
static double by_hand(const double *student, const void *rest) {
  const float *teacher = rest;
  double total = 0;
  for (int i = 0; i < STEP; i++) {
    double mean = 0;
    for (int t = 0; t < STEPS; t++) { mean += student[t * STEP + i] / STEPS; }
    total += (mean - (double)teacher[i]) * (mean - (double)teacher[i]) / STEP;
  }
  return total;
}

static void test_by_hand(void **state) {
  method_case c;
  method_begin(&c, *state, "feature_kd", NULL);
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_teacher(&c, "features", sst_shape_make(1, BATCH, 1, 1, FEATURES));
  method_compile(&c);
  for (int i = 0; i < STEPS * STEP; i++) { method_student_data(&c, "features")[i] = (float)(i % 3 == 0); }
  fill_uniform(method_teacher_data(&c, "features"), STEP, 0, 2, 3);
  method_check(&c, "features", by_hand, method_teacher_data(&c, "features"));
  method_end(&c);
}

// A spiking teacher's steps are averaged too; two pairs add up.
static void test_spiking_teacher_and_two_pairs(void **state) {
  method_case c;
  method_begin(&c, *state, "feature_kd", (const char *const[]){"taps", "features,stage1:other", NULL});
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_student(&c, "stage1", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_teacher(&c, "features", sst_shape_make(2, BATCH, 1, 1, FEATURES));
  method_teacher(&c, "other", sst_shape_make(1, BATCH, 1, 1, FEATURES));
  method_compile(&c);
  fill_uniform(method_student_data(&c, "features"), STEPS * STEP, 0, 1, 1);
  fill_uniform(method_student_data(&c, "stage1"), STEPS * STEP, 0, 1, 2);
  fill_uniform(method_teacher_data(&c, "features"), 2 * STEP, 0, 1, 3);
  fill_uniform(method_teacher_data(&c, "other"), STEP, 0, 1, 4);
  double features[STEPS * STEP], stage[STEPS * STEP];
  for (int i = 0; i < STEPS * STEP; i++) {
    features[i] = (double)method_student_data(&c, "features")[i];
    stage[i] = (double)method_student_data(&c, "stage1")[i];
  }
  float mean[STEP];
  for (int i = 0; i < STEP; i++) {
    mean[i] = (method_teacher_data(&c, "features")[i] + method_teacher_data(&c, "features")[STEP + i]) / 2;
  }
  const double expected = by_hand(features, mean) + by_hand(stage, method_teacher_data(&c, "other"));
  assert_near(method_value(&c), expected, 1e-5, 0);
  method_end(&c);
}

static void test_same_features_give_zero(void **state) {
  method_case c;
  method_begin(&c, *state, "feature_kd", NULL);
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_teacher(&c, "features", sst_shape_make(1, BATCH, 1, 1, FEATURES));
  method_compile(&c);
  fill_uniform(method_teacher_data(&c, "features"), STEP, 0, 2, 3);
  for (int i = 0; i < STEPS * STEP; i++) {
    method_student_data(&c, "features")[i] = method_teacher_data(&c, "features")[i % STEP];
  }
  method_check_zero(&c, "features");
  method_end(&c);
}

// A wider teacher: the student's features go through a learned linear map, element by element of the mean.
enum { WIDE = FEATURES + 2 };
typedef struct aligned {
  const float *student, *teacher;
} aligned;

static double of_weights(const double *weight, const void *rest) {
  const aligned *a = rest;
  double total = 0;
  for (int i = 0; i < BATCH * WIDE; i++) {
    double y = 0;
    for (int k = 0; k < STEPS * FEATURES; k++) {
      y += (double)a->student[(k / FEATURES) * STEP + (i / WIDE) * FEATURES + k % FEATURES] / STEPS *
           weight[(i % WIDE) * FEATURES + k % FEATURES];
    }
    total += (y - (double)a->teacher[i]) * (y - (double)a->teacher[i]) / (BATCH * WIDE);
  }
  return total;
}

static void test_another_width_is_aligned(void **state) {
  method_case c;
  method_begin(&c, *state, "feature_kd", NULL);
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_teacher(&c, "features", sst_shape_make(1, BATCH, 1, 1, WIDE));
  method_compile(&c);
  fill_uniform(method_student_data(&c, "features"), STEPS * STEP, 0, 1, 1);
  fill_uniform(method_teacher_data(&c, "features"), BATCH * WIDE, 0, 2, 3);
  const aligned a = {method_student_data(&c, "features"), method_teacher_data(&c, "features")};
  method_check_own(&c, "align1.weight", of_weights, &a);
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  sst_context *context = *state;
  method_case c;
  method_begin(&c, context, "feature_kd", (const char *const[]){"align", "pool", NULL});
  method_student(&c, "features", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_teacher(&c, "features", sst_shape_make(1, BATCH, 1, 1, FEATURES + 1));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, SST_SHAPE, sst_graph_status(c.graph), "[1,2,1,1,5] and the teacher's features is [1,2,1,1,6]");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "tabs", "stage1"), "nearest is 'taps'");
  method_end(&c);
}

// Windows that share lines: constant maps stay what they are, whatever the sizes.
static void test_sizes_without_a_whole_ratio_meet(void **state) {
  method_case c;
  method_begin(&c, *state, "feature_kd", (const char *const[]){"taps", "stage1:9.act", NULL});
  method_student(&c, "stage1", sst_shape_make(STEPS, BATCH, 4, 5, FEATURES));
  method_teacher(&c, "9.act", sst_shape_make(1, BATCH, 3, 7, FEATURES));
  method_compile(&c);
  for (int64_t i = 0; i < STEPS * BATCH * 4 * 5 * FEATURES; i++) { method_student_data(&c, "stage1")[i] = 3; }
  for (int64_t i = 0; i < BATCH * 3 * 7 * FEATURES; i++) { method_teacher_data(&c, "9.act")[i] = 1; }
  assert_near(method_value(&c), 4, 1e-6, 0);
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand),
                                     TEST(test_spiking_teacher_and_two_pairs),
                                     TEST(test_sizes_without_a_whole_ratio_meet),
                                     TEST(test_same_features_give_zero),
                                     TEST(test_another_width_is_aligned),
                                     TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
