// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "data/encode.h"

enum { T = 5, STRIDE = 300 };

static void test_latency(void **state) {
  (void)state;
  // value and the step it spikes at, of 5; -1: never
  const struct {
    int byte, step;
  } cases[] = {{255, 0}, {254, 0}, {205, 0}, {204, 1}, {153, 2}, {154, 1}, {102, 3}, {51, 4}, {50, 4}, {1, 4}, {0, -1}};
  enum { CASES = sizeof cases / sizeof cases[0] };
  float values[CASES], out[T * STRIDE];
  for (int i = 0; i < CASES; i++) { values[i] = (float)cases[i].byte / 255.f; }
  for (int i = 0; i < T * STRIDE; i++) { out[i] = 9.f; }
  ssti_encode_latency(values, CASES, T, STRIDE, out);
  for (int i = 0; i < CASES; i++) {
    for (int t = 0; t < T; t++) {
      if (out[t * STRIDE + i] != (t == cases[i].step ? 1.f : 0.f)) {
        fail_msg("byte %d: step %d has %g", cases[i].byte, t, (double)out[t * STRIDE + i]);
      }
    }
  }
  assert_true(out[CASES] == 9.f); // beyond the values nothing is written
}

// Brighter is never later.
static void test_latency_is_monotonic(void **state) {
  (void)state;
  for (int steps = 1; steps <= 64; steps *= 2) {
    int before = steps;
    for (int byte = 1; byte < 256; byte++) {
      float value = (float)byte / 255.f, out[64];
      ssti_encode_latency(&value, 1, steps, 1, out);
      int at = 0;
      while (at < steps && out[at] == 0.f) { at++; }
      assert_in_range(at, 0, steps - 1);
      assert_true(at <= before);
      before = at;
    }
    assert_int_equal(before, 0);
  }
}

static void test_poisson_rates(void **state) {
  (void)state;
  enum { STEPS = 4000, COUNT = 6 };
  const float values[COUNT] = {0.f, 0.1f, 0.25f, 0.5f, 0.9f, 1.f};
  static float out[STEPS * COUNT];
  ssti_encode_poisson(values, COUNT, STEPS, COUNT, 1, 2, out);
  for (int i = 0; i < COUNT; i++) {
    double sum = 0;
    for (int t = 0; t < STEPS; t++) {
      float spike = out[t * COUNT + i];
      assert_true(spike == 0.f || spike == 1.f);
      sum += (double)spike;
    }
    // Four deviations; exact for 0 and 1.
    double p = (double)values[i];
    assert_near(sum / STEPS, p, 0, 4 * sqrt(p * (1 - p) / STEPS) + 1e-12);
  }
}

// Steps and pixels do not repeat one another, and the draws do not depend on where the spikes go.
static void test_poisson_draws(void **state) {
  (void)state;
  enum { COUNT = 64 };
  float values[COUNT], a[T * COUNT], b[T * STRIDE];
  for (int i = 0; i < COUNT; i++) { values[i] = 0.5f; }
  ssti_encode_poisson(values, COUNT, T, COUNT, 1, 2, a);
  ssti_encode_poisson(values, COUNT, T, STRIDE, 1, 2, b);
  for (int t = 0; t < T; t++) { assert_memory_equal(a + t * COUNT, b + t * STRIDE, COUNT * sizeof a[0]); }
  for (int t = 1; t < T; t++) { assert_memory_not_equal(a, a + t * COUNT, COUNT * sizeof a[0]); }
  ssti_encode_poisson(values, COUNT, T, STRIDE, 1, 3, b);
  assert_memory_not_equal(a, b, COUNT * sizeof a[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_latency),
      cmocka_unit_test(test_latency_is_monotonic),
      cmocka_unit_test(test_poisson_rates),
      cmocka_unit_test(test_poisson_draws),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
