// SPDX-License-Identifier: Apache-2.0
// self_distillation: value and gradient by hand, after the readout and at each step; which run it asks for; no gradient
// into that run; its optimum; what it refuses.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, CLASSES = 4, STEP = BATCH * CLASSES };

typedef struct longer_run {
  const float *logits;
  double temperature, factor;
  int steps; // of the student that are compared
} longer_run;

static double by_hand(const double *z, const void *rest) {
  const longer_run *longer = rest;
  double total = 0;
  for (int row = 0; row < longer->steps * BATCH; row++) {
    double p[CLASSES], q[CLASSES], sum_p = 0, sum_q = 0;
    for (int c = 0; c < CLASSES; c++) {
      sum_p += p[c] = exp((double)longer->logits[row % BATCH * CLASSES + c] / longer->temperature);
      sum_q += q[c] = exp(z[row * CLASSES + c] / longer->temperature);
    }
    for (int c = 0; c < CLASSES; c++) { total += p[c] / sum_p * log(p[c] / sum_p / (q[c] / sum_q)); }
  }
  return longer->factor * total / (longer->steps * BATCH);
}

static float *longer_data(const method_case *c) { return sst_parameters_find(c->store, "parameter.longer")->value; }

static void begin(method_case *c, sst_context *context, const char *const *options) {
  method_begin(c, context, "self_distillation", options);
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_student(c, "logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_longer(c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
}

static void fill(method_case *c) {
  method_compile(c);
  fill_normal(method_student_data(c, "step_logits"), STEPS * STEP, 2, 1);
  fill_normal(method_student_data(c, "logits"), STEP, 2, 2);
  fill_normal(longer_data(c), STEP, 2, 3);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_by_hand(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  fill(&c);
  assert_int_equal(c.longer_steps, 2 * STEPS);
  method_check(&c, "logits", by_hand, &(longer_run){longer_data(&c), 4, 16, 1});
  for (int i = 0; i < STEP; i++) { assert_true(sst_parameters_find(c.store, "parameter.longer")->gradient[i] == 0.0f); }
  method_end(&c);
  begin(&c, *state, OPTIONS("per_step", "true", "temperature", "2", "scale", "none", "timesteps", "7"));
  fill(&c);
  assert_int_equal(c.longer_steps, 7);
  method_check(&c, "step_logits", by_hand, &(longer_run){longer_data(&c), 2, 1, STEPS});
  method_end(&c);
}

static void test_optimum(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  fill(&c);
  for (int i = 0; i < STEP; i++) { method_student_data(&c, "logits")[i] = longer_data(&c)[i] - 2; }
  method_check_zero(&c, "logits");
  method_end(&c);
}

static void refuse(sst_context *context, const char *const *options, bool longer, const char *message) {
  method_case c;
  begin(&c, context, options);
  if (!longer) { c.longer = SST_NO_VALUE; }
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_graph_status(c.graph), message);
  method_end(&c);
}

static void test_what_cannot_teach_is_said(void **state) {
  refuse(*state, OPTIONS("timesteps", "3"), true, "timesteps is 3, expected more than the 3 of the student");
  refuse(*state, NULL, false, "the scene has no way to do so");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_optimum), TEST(test_what_cannot_teach_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
