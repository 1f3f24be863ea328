// SPDX-License-Identifier: Apache-2.0
// sakd: value by hand, gradients at the student's taps and at the transforms, of every stage; maps that do not fit.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, SIDE = 2, PIXELS = BATCH * SIDE * SIDE, CHANNELS = 3, STAGES = 2 };

typedef struct stages {
  const float *student[STAGES], *teacher[STAGES], *weight[STAGES], *bias[STAGES];
  const float *varied; // the array that x stands for
} stages;

static double at(const stages *s, const double *x, const float *array, int i) {
  return array == s->varied ? x[i] : (double)array[i];
}

static double by_hand(const double *x, const void *rest) {
  const stages *s = rest;
  double total = 0;
  for (int l = 0; l < STAGES; l++) {
    for (int i = 0; i < PIXELS * CHANNELS; i++) {
      const int pixel = i / CHANNELS, out = i % CHANNELS;
      double y = at(s, x, s->bias[l], out);
      for (int k = 0; k < STEPS * CHANNELS; k++) {
        y += at(s, x, s->student[l], (k / CHANNELS * PIXELS + pixel) * CHANNELS + k % CHANNELS) / STEPS *
             at(s, x, s->weight[l], out * CHANNELS + k % CHANNELS);
      }
      total += pow(y - (double)s->teacher[l][i], 2) / (PIXELS * CHANNELS);
    }
  }
  return total;
}

// Widths agree, and a transform is there all the same.
static void test_by_hand(void **state) {
  method_case c;
  stages s = {.varied = NULL};
  const char *const names[STAGES] = {"stage1", "stage2"};
  const char *const weights[STAGES] = {"transform1.weight", "transform2.weight"};
  const char *const biases[STAGES] = {"transform1.bias", "transform2.bias"};
  method_begin(&c, *state, "sakd", NULL);
  for (int l = 0; l < STAGES; l++) {
    method_student(&c, names[l], sst_shape_make(STEPS, BATCH, SIDE, SIDE, CHANNELS));
    method_teacher(&c, names[l], sst_shape_make(1, BATCH, SIDE, SIDE, CHANNELS));
  }
  method_compile(&c);
  assert_int_equal(sst_parameters_count(c.own), 2 * STAGES);
  for (int l = 0; l < STAGES; l++) {
    s.student[l] = method_student_data(&c, names[l]);
    s.teacher[l] = method_teacher_data(&c, names[l]);
    s.weight[l] = method_own(&c, weights[l])->value;
    s.bias[l] = method_own(&c, biases[l])->value;
    fill_uniform(method_student_data(&c, names[l]), STEPS * PIXELS * CHANNELS, 0, 1, 1 + (uint64_t)l);
    fill_uniform(method_teacher_data(&c, names[l]), PIXELS * CHANNELS, 0, 2, 3 + (uint64_t)l);
  }
  for (int l = 0; l < STAGES; l++) {
    s.varied = s.student[l];
    method_check(&c, names[l], by_hand, &s);
    s.varied = s.weight[l];
    method_check_own(&c, weights[l], by_hand, &s);
    s.varied = s.bias[l];
    method_check_own(&c, biases[l], by_hand, &s);
  }
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  method_case c;
  method_begin(&c, *state, "sakd", (const char *const[]){"taps", "stage1:8.act", NULL});
  method_student(&c, "stage1", sst_shape_make(STEPS, BATCH, 4, 4, CHANNELS));
  method_teacher(&c, "9.act", sst_shape_make(1, BATCH, 4, 4, CHANNELS));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(c.context, SST_NOT_FOUND, sst_graph_status(c.graph), "no tap 'teacher.8.act'; the nearest is");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_what_does_not_fit_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
