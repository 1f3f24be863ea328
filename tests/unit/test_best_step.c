// SPDX-License-Identifier: Apache-2.0
// Steps of least squared error.
#include "support.h"

#include "quantize/best_step.h"
#include "quantize/grid.h"

static void test_numbers_on_a_grid_keep_it(void **state) {
  (void)state;
  const float x[] = {0.5f, -1.5f, 3.5f, 0, 2};
  assert_true(ssti_best_step(x, 5, 4) == 0.5f);
  const float zeros[3] = {0};
  assert_true(ssti_best_step(zeros, 3, 4) == 1.0f);
}

// With 2 bits one large number among many small ones is clipped; with 8 bits it is not worth it.
static void test_clips_where_it_pays(void **state) {
  (void)state;
  float x[101];
  for (int i = 0; i < 100; i++) { x[i] = i % 2 ? 0.4f : -0.4f; }
  x[100] = 1.0f;
  assert_near(ssti_best_step(x, 101, 2), 0.4f, 0.05, 0);
  assert_true(ssti_best_step(x, 101, 8) > 0.9f / 127);
}

static double error_of(const float *x, int64_t count, float step, float largest) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) {
    const double e = (double)(x[i] - ssti_code(x[i] / step, largest) * step);
    sum += e * e;
  }
  return sum;
}

static void test_no_other_candidate_is_better(void **state) {
  (void)state;
  float x[300], most = 0.0f;
  fill_normal(x, 300, 1.0f, 3);
  for (int i = 0; i < 300; i++) { most = fmaxf(most, fabsf(x[i])); }
  for (int bits = 2; bits <= 8; bits++) {
    const float largest = ssti_largest_code(bits);
    const double found = error_of(x, 300, ssti_best_step(x, 300, bits), largest);
    for (int i = 10; i <= 100; i++) {
      assert_true(found <= error_of(x, 300, most / largest * (float)i / 100.0f, largest) + 1e-12);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_numbers_on_a_grid_keep_it), TEST(test_clips_where_it_pays),
                                     TEST(test_no_other_candidate_is_better)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
