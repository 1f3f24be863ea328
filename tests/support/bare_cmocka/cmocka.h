// SPDX-License-Identifier: Apache-2.0
// As much of cmocka as the engine's property test takes, for machines that a cross compiler knows and cmocka does not:
// a test that fails says why and ends the program.
#ifndef SPIKESTILL_TESTS_BARE_CMOCKA_H
#define SPIKESTILL_TESTS_BARE_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
  const char *name;
  void (*run)(void **state);
  int (*setup)(void **state);
  int (*teardown)(void **state);
};
#define cmocka_unit_test_setup_teardown(function, setup, teardown)                                                     \
  { #function, (function), (setup), (teardown) }

#define print_error(...) ((void)fprintf(stderr, __VA_ARGS__))

static inline void _fail(const char *file, int line) {
  print_error("%s:%d: failed\n", file, line);
  exit(1);
}
#define fail() _fail(__FILE__, __LINE__)
#define fail_msg(...)                                                                                                  \
  do {                                                                                                                 \
    print_error(__VA_ARGS__);                                                                                          \
    print_error("\n");                                                                                                 \
    fail();                                                                                                            \
  } while (0)
#define assert_true(condition) ((condition) ? (void)0 : _fail(__FILE__, __LINE__))
#define assert_false(condition) assert_true(!(condition))
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_int_not_equal(a, b) assert_true((long long)(a) != (long long)(b))
#define assert_null(pointer) assert_true((pointer) == NULL)
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_string_equal(a, b) assert_true(strcmp((a), (b)) == 0)
#define assert_memory_equal(a, b, size) assert_true(memcmp((a), (b), (size)) == 0)
#define skip()                                                                                                         \
  do {                                                                                                                 \
    print_error("%s:%d: skipped\n", __FILE__, __LINE__);                                                               \
    exit(77);                                                                                                          \
  } while (0)

static inline int bare_run_tests(const struct CMUnitTest *tests, size_t count) {
  for (size_t i = 0; i < count; i++) {
    void *state = NULL;
    if (tests[i].setup != NULL && tests[i].setup(&state) != 0) { return 1; }
    tests[i].run(&state);
    if (tests[i].teardown != NULL && tests[i].teardown(&state) != 0) { return 1; }
    printf("%s passed\n", tests[i].name);
  }
  return 0;
}
#define cmocka_run_group_tests(tests, setup, teardown) bare_run_tests((tests), sizeof(tests) / sizeof *(tests))

#endif
