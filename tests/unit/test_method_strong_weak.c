// SPDX-License-Identifier: Apache-2.0
// strong_weak: the chosen steps and both directions by hand with their gradients, agreement, bad input.
#include "method_case.h"

enum { STEPS = 3, BATCH = 2, CLASSES = 3, STEP = BATCH * CLASSES };

typedef struct by_hand_case {
  int strong[BATCH], weak[BATCH]; // steps
  bool to_weak, to_strong;
  double tau, factor;
} by_hand_case;

// Sample 0: step 1 has the largest probability, step 2 the smallest maximum; its label 0 is most likely at step 0.
// Sample 1: step 0 is sure, of class 2; step 2 the least.
static const int labels[BATCH] = {0, 1};
static const float logits[STEPS * STEP] = {2, 0, 1, 0, 0, 4, 0, 5, 0, 0, 2, 0, 1, 1, 0.5f, 1, 0.8f, 1};

// The teaching step is a constant: it is read from the fixed logits, not from z.
static double one_way(const double *z, int teacher, int student, int n, double tau) {
  double sum_p = 0, sum_q = 0, kl = 0;
  for (int c = 0; c < CLASSES; c++) {
    sum_p += exp((double)logits[teacher * STEP + n * CLASSES + c] / tau);
    sum_q += exp(z[student * STEP + n * CLASSES + c] / tau);
  }
  for (int c = 0; c < CLASSES; c++) {
    const double log_p = (double)logits[teacher * STEP + n * CLASSES + c] / tau - log(sum_p);
    kl += exp(log_p) * (log_p - z[student * STEP + n * CLASSES + c] / tau + log(sum_q));
  }
  return kl;
}

static double by_hand(const double *z, const void *rest) {
  const by_hand_case *k = rest;
  double total = 0;
  for (int n = 0; n < BATCH; n++) {
    if (k->to_weak) { total += one_way(z, k->strong[n], k->weak[n], n, k->tau); }
    if (k->to_strong) { total += one_way(z, k->weak[n], k->strong[n], n, k->tau); }
  }
  return k->factor * total / BATCH;
}

static void begin(method_case *c, sst_context *context, const char *const *options) {
  method_begin(c, context, "strong_weak", options);
  method_student(c, "step_logits", sst_shape_make(STEPS, BATCH, 1, 1, CLASSES));
  method_target(c, sst_shape_make(1, BATCH, 1, 1, CLASSES));
  method_compile(c);
  memcpy(method_student_data(c, "step_logits"), logits, sizeof logits);
  memset(method_target_data(c), 0, STEP * sizeof(float));
  for (int n = 0; n < BATCH; n++) { method_target_data(c)[n * CLASSES + labels[n]] = 1; }
}

static void test_by_hand(void **state) {
  const struct {
    const char *direction, *confidence, *temperature, *scale;
    by_hand_case hand;
  } cases[] = {
      {"strong_to_weak", "largest", "2", "squared", {{1, 0}, {2, 2}, true, false, 2, 4}},
      {"weak_to_strong", "largest", "2", "none", {{1, 0}, {2, 2}, false, true, 2, 1}},
      {"both", "largest", "3", "squared", {{1, 0}, {2, 2}, true, true, 3, 9}},
      {"strong_to_weak", "label", "2", "squared", {{0, 1}, {1, 0}, true, false, 2, 4}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    method_case c;
    begin(&c, *state,
          (const char *const[]){"direction", cases[i].direction, "confidence", cases[i].confidence, "temperature",
                                cases[i].temperature, "scale", cases[i].scale, NULL});
    method_check(&c, "step_logits", by_hand, &cases[i].hand);
    method_end(&c);
  }
}

static void test_defaults(void **state) {
  method_case c;
  begin(&c, *state, NULL);
  const by_hand_case k = {{1, 0}, {2, 2}, true, false, 2, 4};
  method_check(&c, "step_logits", by_hand, &k);
  method_end(&c);
}

// Steps that agree have nothing to teach each other, though all of them tie for the strongest and the weakest.
static void test_agreement_gives_zero(void **state) {
  method_case c;
  begin(&c, *state, (const char *const[]){"direction", "both", NULL});
  for (int t = 1; t < STEPS; t++) {
    memcpy(method_student_data(&c, "step_logits") + t * STEP, logits, STEP * sizeof(float));
  }
  method_check_zero(&c, "step_logits");
  method_end(&c);
}

static void test_bad_input_is_said(void **state) {
  sst_context *context = *state;
  method_case c;
  method_begin(&c, context, "strong_weak", NULL);
  method_student(&c, "step_logits", sst_shape_make(1, BATCH, 1, 1, CLASSES));
  assert_int_equal(method_build(&c), SST_NO_VALUE);
  assert_fails(context, SST_SHAPE, sst_graph_status(c.graph), "at least 2");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "direction", "strong_to_week"), "strong_to_weak");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "confidence", "max"), "largest");
  assert_fails(context, SST_RECIPE, sst_distill_term_set(c.term, "temperature", "0"), "0.001");
  method_end(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_by_hand), TEST(test_defaults), TEST(test_agreement_gives_zero),
                                     TEST(test_bad_input_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
