// SPDX-License-Identifier: Apache-2.0
// The guide's method of one's own: its listing, as it stands there, computes what its comment says.
#include "method_case.h"

#include "guide_direction.c" // made of docs/guide.md by the build

enum { STEPS = 2, BATCH = 3, FEATURES = 4, STEP = BATCH * FEATURES };

static double by_hand(const double *student, const void *rest) {
  const float *teacher = rest;
  double total = 0;
  for (int n = 0; n < BATCH; n++) {
    double product = 0, s = 0, t = 0;
    for (int c = n * FEATURES; c < (n + 1) * FEATURES; c++) {
      const double mean = (student[c] + student[STEP + c]) / STEPS, other = (double)teacher[c];
      product += mean * other;
      s += mean * mean;
      t += other * other;
    }
    total += (1 - product / sqrt(s * t)) / BATCH;
  }
  return total;
}

static void begin(method_case *c, sst_context *context, int64_t teacher_features) {
  method_begin(c, context, "feature_kd", NULL); // lends the case its taps; the term is the guide's
  method_student(c, "features", sst_shape_make(STEPS, BATCH, 1, 1, FEATURES));
  method_teacher(c, "features", sst_shape_make(1, BATCH, 1, 1, teacher_features));
  const sst_distill_scene scene = {.student = "student", .teacher = "teacher", .target = SST_NONE};
  const direction_options defaults = {.taps = "features", .align = SSTI_ALIGN_NONE};
  c->loss = ssti_distill_direction.build(c->graph, &scene, &defaults);
}

static void test_value_and_gradient(void **state) {
  method_case c;
  begin(&c, *state, FEATURES);
  assert_ok(*state, sst_graph_compile(c.graph, c.loss));
  fill_uniform(method_student_data(&c, "features"), STEPS * STEP, 0, 1, 1);
  fill_normal(method_teacher_data(&c, "features"), STEP, 1, 2);
  method_check(&c, "features", by_hand, method_teacher_data(&c, "features"));
  for (int i = 0; i < STEPS * STEP; i++) { // the same direction, another length
    method_student_data(&c, "features")[i] = 3 * method_teacher_data(&c, "features")[i % STEP];
  }
  method_check_zero(&c, "features");
  method_end(&c);
}

static void test_what_does_not_fit_is_said(void **state) {
  method_case c;
  begin(&c, *state, FEATURES + 1);
  assert_fails(*state, SST_SHAPE, sst_graph_status(c.graph), "their channels must agree");
  method_end(&c);
}

static void test_its_options(void **state) {
  (void)state;
  assert_string_equal(ssti_distill_direction.name, "direction");
  assert_int_equal(ssti_distill_direction.option_count, 2);
  assert_string_equal(ssti_distill_direction.options[0].key, "taps");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_value_and_gradient), TEST(test_what_does_not_fit_is_said),
                                     TEST(test_its_options)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
