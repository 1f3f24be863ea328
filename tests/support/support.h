// SPDX-License-Identifier: Apache-2.0
// What the test suites share. Includes cmocka; a suite includes this file first and needs nothing else for the frame:
//
//   static void test_something(void **state) {
//     sst_context *context = *state;
//     assert_ok(context, sst_something(context, ...));
//     assert_fails(context, SST_SHAPE, sst_something(context, ...), "expected 3"); // part of the sentence
//     assert_near(value, 0.25f, 1e-6f, 0);                                         // relative, absolute
//   }
//   int main(void) {
//     const struct CMUnitTest tests[] = {TEST(test_something)};
//     return cmocka_run_group_tests(tests, NULL, NULL);
//   }
//
// TEST gives the function a fresh context (2 threads) in *state, and fails it if it leaves memory behind.
#ifndef SPIKESTILL_TESTS_SUPPORT_H
#define SPIKESTILL_TESTS_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/random.h"
#include "spikestill/context.h"
#include "spikestill/tensor.h"

#ifndef SPIKESTILL_SOURCE_DIR
#error "compile tests with -DSPIKESTILL_SOURCE_DIR=\"the checkout\""
#endif

// ---- contexts ----

// A context of `threads` threads, without log. The caller destroys it.
static inline sst_context *test_context_with_threads(int threads) {
  sst_context *context = NULL;
  assert_int_equal(sst_context_create(&(sst_context_options){.threads = threads}, &context), SST_OK);
  return context;
}

static inline sst_context *test_context(void) { return test_context_with_threads(2); }

// Ends a context, and fails the test if something made with it was not given back.
static inline void test_context_end(sst_context *context) {
  uint64_t left = sst_context_bytes_in_use(context);
  sst_context_destroy(context);
  if (left != 0) { fail_msg("%llu bytes were not given back", (unsigned long long)left); }
}

static inline int test_setup(void **state) {
  *state = test_context();
  return 0;
}

static inline int test_teardown(void **state) {
  sst_context *context = *state;
  uint64_t left = sst_context_bytes_in_use(context);
  sst_context_destroy(context);
  if (left != 0) { print_error("%llu bytes were not given back\n", (unsigned long long)left); }
  return left == 0 ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, test_setup, test_teardown)

// ---- results ----

static inline void support_assert_ok(sst_context *context, sst_status status, const char *call, const char *file,
                                     int line) {
  if (status == SST_OK) { return; }
  print_error("%s\n  gave %s: %s\n", call, sst_status_name(status), sst_context_message(context));
  _fail(file, line);
}
#define assert_ok(context, call) support_assert_ok((context), (call), #call, __FILE__, __LINE__)

static inline void support_assert_fails(sst_context *context, sst_status expected, sst_status status, const char *part,
                                        const char *call, const char *file, int line) {
  if (status != expected) {
    print_error("%s\n  gave %s, expected %s; the message is: %s\n", call, sst_status_name(status),
                sst_status_name(expected), sst_context_message(context));
    _fail(file, line);
  }
  if (strstr(sst_context_message(context), part) == NULL) {
    print_error("%s\n  says \"%s\", expected to find \"%s\" there\n", call, sst_context_message(context), part);
    _fail(file, line);
  }
}
#define assert_fails(context, expected, call, part)                                                                    \
  support_assert_fails((context), (expected), (call), (part), #call, __FILE__, __LINE__)

// ---- numbers ----

static inline bool support_is_near(double found, double expected, double relative, double absolute) {
  return fabs(found - expected) <= absolute + relative * fabs(expected); // false for NaN
}

static inline void support_assert_near(double found, double expected, double relative, double absolute,
                                       const char *what, const char *file, int line) {
  if (support_is_near(found, expected, relative, absolute)) { return; }
  print_error("%s is %.9g, expected %.9g, difference %.3g; allowed %.3g relative + %.3g absolute\n", what, found,
              expected, fabs(found - expected), relative, absolute);
  _fail(file, line);
}
#define assert_near(found, expected, relative, absolute)                                                               \
  support_assert_near((double)(found), (double)(expected), (double)(relative), (double)(absolute), #found, __FILE__,   \
                      __LINE__)

static inline void support_assert_all_near(const float *found, const float *expected, int64_t count, double relative,
                                           double absolute, const char *what, const char *file, int line) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++) {
    if (support_is_near((double)found[i], (double)expected[i], relative, absolute)) { continue; }
    if (wrong++ < 8) {
      print_error("%s[%lld] is %.9g, expected %.9g\n", what, (long long)i, (double)found[i], (double)expected[i]);
    }
  }
  if (wrong == 0) { return; }
  print_error("%s: %lld of %lld differ by more than %.3g relative + %.3g absolute\n", what, (long long)wrong,
              (long long)count, relative, absolute);
  _fail(file, line);
}
#define assert_all_near(found, expected, count, relative, absolute)                                                    \
  support_assert_all_near((found), (expected), (count), (double)(relative), (double)(absolute), #found, __FILE__,      \
                          __LINE__)

// Equal numbers, 0 and -0 alike; for arithmetic that is exact.
#define assert_all_equal(found, expected, count) assert_all_near(found, expected, count, 0, 0)

// Equal bits.
static inline void support_assert_same_bits(const float *found, const float *expected, int64_t count, const char *what,
                                            const char *file, int line) {
  for (int64_t i = 0; i < count; i++) {
    if (memcmp(&found[i], &expected[i], sizeof(float)) == 0) { continue; }
    print_error("%s[%lld] is %a, expected the bits of %a\n", what, (long long)i, (double)found[i], (double)expected[i]);
    _fail(file, line);
  }
}
#define assert_same_bits(found, expected, count)                                                                       \
  support_assert_same_bits((found), (expected), (count), #found, __FILE__, __LINE__)

// Whole numbers in [-bound, bound]: sums of products of such are exact in f32, in any order.
static inline void fill_integers(float *data, int64_t count, int bound, uint64_t stream) {
  for (int64_t i = 0; i < count; i++) {
    data[i] = (float)((int64_t)ssti_random_below(1, stream, (uint64_t)i, 2 * (uint64_t)bound + 1) - bound);
  }
}

static inline void fill_normal(float *data, int64_t count, float deviation, uint64_t stream) {
  for (int64_t i = 0; i < count; i++) { data[i] = deviation * ssti_random_normal(1, stream, (uint64_t)i); }
}

static inline void fill_uniform(float *data, int64_t count, float low, float high, uint64_t stream) {
  for (int64_t i = 0; i < count; i++) { data[i] = low + (high - low) * ssti_random_uniform(1, stream, (uint64_t)i); }
}

// ---- files ----

enum { TEST_PATH_SIZE = 1024 };

// "<folder>/<name>" in `path`.
static inline const char *test_path(char path[TEST_PATH_SIZE], const char *folder, const char *name) {
  int length = snprintf(path, TEST_PATH_SIZE, "%s/%s", folder, name);
  assert_in_range(length, 1, TEST_PATH_SIZE - 1);
  return path;
}

// A file of the checkout, "tests/golden/ops.bin".
static inline const char *test_source_path(char path[TEST_PATH_SIZE], const char *name) {
  return test_path(path, SPIKESTILL_SOURCE_DIR, name);
}

// Leaves the test as skipped, and says why.
#define skip_because(...)                                                                                              \
  do {                                                                                                                 \
    print_message("SKIP: " __VA_ARGS__);                                                                               \
    print_message("\n");                                                                                               \
    skip();                                                                                                            \
  } while (0)

// A folder of real data, "<$SPIKESTILL_DATA>/<name>"; the test is skipped, visibly, where it is not there.
static inline const char *test_data_path(char path[TEST_PATH_SIZE], const char *name) {
  const char *root = getenv("SPIKESTILL_DATA");
  if (root == NULL || root[0] == '\0') {
    skip_because("SPIKESTILL_DATA is not set, so there is no %s to test with", name);
  }
  test_path(path, root, name);
  struct stat about;
  if (stat(path, &about) != 0) { skip_because("%s does not exist", path); }
  return path;
}

// A fresh folder for the test's files, and its end with all that is in it.
static inline void temp_folder_make(char path[TEST_PATH_SIZE]) {
  const char *root = getenv("TMPDIR");
  test_path(path, root == NULL || root[0] == '\0' ? "/tmp" : root, "spikestill-test-XXXXXX");
  assert_non_null(mkdtemp(path));
}

// Number of entries in a folder, to see that nothing half-written is left. Defined in support.c, as is the removal.
int temp_folder_entries(const char *path);
void temp_folder_remove(const char *path);

// ---- faults ----

// An allocator whose k-th call fails (0: none), and a gate that refuses the k-th operation. Both count on afterwards,
// so that a test tries k = 1, 2, ... until a run ends without having met its fault:
//
//   for (uint64_t k = 1;; k++) {
//     fault_plan plan = {.allocation = k};
//     sst_context *context = fault_context(&plan);
//     sst_status status = something(context);
//     ... on failure: nothing leaked, nothing half-done, the message is not empty ...
//     bool met = fault_met(&plan);
//     test_context_end(context);
//     if (!met) { break; }
//   }
typedef struct fault_plan {
  uint64_t allocation;              // the number of the call that fails, counted after the context was made; 0: none
  uint64_t operation;               // of the file operation that is refused; 0: none
  bool stays;                       // every later one fails too, as on a full disk
  uint64_t allocations, operations; // how many there were
  bool armed;
} fault_plan;

sst_context *fault_context(fault_plan *plan);
bool fault_met(const fault_plan *plan);

#endif
