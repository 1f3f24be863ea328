// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "spikestill/data.h"

enum { MOST = 1000 };

static void check(int64_t count, double share, int64_t expected) {
  static int32_t train[MOST], validation[MOST];
  static uint8_t seen[MOST];
  int64_t trained = -1, validated = -1;
  sst_split_validation(count, share, 5, train, &trained, validation, &validated);
  assert_int_equal(validated, expected);
  assert_int_equal(trained, count - expected);
  memset(seen, 0, sizeof seen);
  for (int64_t i = 0; i < trained; i++) { seen[train[i]]++; }
  for (int64_t i = 0; i < validated; i++) { seen[validation[i]]++; }
  for (int64_t i = 0; i < count; i++) { assert_int_equal(seen[i], 1); }
  for (int64_t i = 1; i < trained; i++) { assert_true(train[i - 1] < train[i]); }
  for (int64_t i = 1; i < validated; i++) { assert_true(validation[i - 1] < validation[i]); }
}

static void test_every_number_once_in_order(void **state) {
  (void)state;
  check(1000, 0.1, 100);
  check(7, 0.5, 4); // 3.5 is rounded up
  check(10, 0.0, 0);
  check(10, 1.0, 10);
  check(10, 2.0, 10);
  check(10, -1.0, 0);
  check(10, (double)NAN, 0);
  check(1, 0.1, 0);
  check(0, 0.5, 0);
}

// The seed decides, and it is the end of the permutation that is kept back.
static void test_seed(void **state) {
  (void)state;
  static int32_t train[MOST], a[MOST], b[MOST], order[MOST];
  int64_t trained = 0, validated = 0;
  sst_split_validation(MOST, 0.1, 1, train, &trained, a, &validated);
  sst_split_validation(MOST, 0.1, 2, train, &trained, b, &validated);
  assert_memory_not_equal(a, b, 100 * sizeof a[0]);
  sst_split_validation(MOST, 0.1, 1, train, &trained, b, &validated);
  assert_memory_equal(a, b, 100 * sizeof a[0]);
  ssti_random_permutation(1, ssti_random_stream("validation split"), MOST, order);
  int found = 0;
  for (int i = 0; i < 100; i++) { found += a[i] == order[999]; }
  assert_int_equal(found, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_number_once_in_order),
      cmocka_unit_test(test_seed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
