// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "support.h"

static void test_defaults(void **state) {
  (void)state;
  sst_context *context = NULL;
  assert_int_equal(sst_context_create(NULL, &context), SST_OK);
  assert_string_equal(sst_context_message(context), "");
  assert_false(sst_context_stop_requested(context));
  assert_int_equal(sst_context_bytes_in_use(context), 0);
  cpu_set_t set;
  assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
  assert_int_equal(sst_context_threads(context), CPU_COUNT(&set));
  sst_context_destroy(context);
}

static void test_threads_follow_the_affinity(void **state) {
  (void)state;
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (size_t i = 0; i < CPU_SETSIZE; i++) {
    if (CPU_ISSET(i, &before)) {
      CPU_SET(i, &one);
      break;
    }
  }
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  sst_context *context = test_context_with_threads(0);
  int threads = sst_context_threads(context);
  sst_context_destroy(context);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
  assert_int_equal(threads, 1);
}

static void *refuse(void *user, size_t bytes) {
  (void)bytes;
  ++*(int *)user;
  return NULL;
}

static void never(void *user, void *memory) {
  (void)user;
  (void)memory;
  fail_msg("nothing was allocated, so nothing can be released");
}

static void test_bad_options_are_refused(void **state) {
  (void)state;
  sst_context *context = (sst_context *)(uintptr_t)64; // must become NULL
  assert_int_equal(sst_context_create(&(sst_context_options){.threads = -1}, &context), SST_INVALID_ARGUMENT);
  assert_null(context);
  assert_int_equal(sst_context_create(&(sst_context_options){.threads = 1025}, &context), SST_INVALID_ARGUMENT);
  const sst_context_options half = {.allocator = {.allocate = refuse}};
  assert_int_equal(sst_context_create(&half, &context), SST_INVALID_ARGUMENT);
  const sst_context_options other_half = {.allocator = {.release = never}};
  assert_int_equal(sst_context_create(&other_half, &context), SST_INVALID_ARGUMENT);
  assert_int_equal(sst_context_create(NULL, NULL), SST_INVALID_ARGUMENT);
}

static void test_no_memory_for_the_context(void **state) {
  (void)state;
  int calls = 0;
  sst_context *context = NULL;
  const sst_context_options options = {.allocator = {refuse, never, &calls}};
  assert_int_equal(sst_context_create(&options, &context), SST_OUT_OF_MEMORY);
  assert_null(context);
  assert_int_equal(calls, 1);
}

static void test_null_is_harmless(void **state) {
  (void)state;
  sst_context_destroy(NULL);
  sst_context_request_stop(NULL);
  assert_string_equal(sst_context_message(NULL), "");
  assert_int_equal(sst_context_threads(NULL), 1);
  assert_false(sst_context_stop_requested(NULL));
}

static sst_context *interrupted;
static void on_signal(int number) {
  (void)number;
  sst_context_request_stop(interrupted);
}

static void test_a_signal_handler_may_ask_to_stop(void **state) {
  interrupted = *state;
  struct sigaction action = {.sa_handler = on_signal}, before;
  assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
  assert_false(sst_context_stop_requested(interrupted));
  raise(SIGUSR1);
  assert_true(sst_context_stop_requested(interrupted));
  sigaction(SIGUSR1, &before, NULL);
}

typedef struct lines {
  int count, inside;
  sst_log_level level;
  char last[5000];
  bool overlapped;
} lines;

static void take_line(void *user, sst_log_level level, const char *line) {
  lines *l = user;
  l->overlapped = l->overlapped || l->inside != 0;
  l->inside++;
  l->count++;
  l->level = level;
  snprintf(l->last, sizeof l->last, "%s", line);
  sched_yield(); // gives another thread the chance to come in between
  l->inside--;
}

static void *log_much(void *arg) {
  for (int i = 0; i < 500; i++) { ssti_log(arg, SST_LOG_INFO, "line %d", i); }
  return NULL;
}

static void test_log_lines_come_one_at_a_time(void **state) {
  (void)state;
  lines l = {0};
  sst_context *context = NULL;
  assert_int_equal(sst_context_create(&(sst_context_options){.log = take_line, .log_user = &l}, &context), SST_OK);
  ssti_log(context, SST_LOG_WARNING, "loss is %.2f\nand more", 0.5);
  assert_string_equal(l.last, "loss is 0.50 and more");
  assert_int_equal(l.level, SST_LOG_WARNING);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) { assert_int_equal(pthread_create(&threads[i], NULL, log_much, context), 0); }
  for (int i = 0; i < 3; i++) { pthread_join(threads[i], NULL); }
  assert_int_equal(l.count, 1501);
  assert_false(l.overlapped);
  sst_context_destroy(context);
}

static void test_without_a_log_nothing_happens(void **state) {
  ssti_log(*state, SST_LOG_ERROR, "nobody reads %s", "this");
  ssti_log(NULL, SST_LOG_ERROR, "nor this");
}

static void *fail_much(void *arg) {
  for (int i = 0; i < 500; i++) { ssti_fail_within(arg, ssti_fail(arg, SST_IO, "aaaaaaaa"), "bbbbbbbb"); }
  return NULL;
}

static void test_threads_may_fail_at_once(void **state) {
  sst_context *context = *state;
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) { assert_int_equal(pthread_create(&threads[i], NULL, fail_much, context), 0); }
  for (int i = 0; i < 3; i++) { pthread_join(threads[i], NULL); }
  // Which of them is last is open; that it is made of whole sentences is not.
  const char *message = sst_context_message(context);
  assert_int_equal(strspn(message, "ab: "), strlen(message));
}

static void test_the_allocator_is_the_callers(void **state) {
  (void)state;
  fault_plan plan = {0};
  sst_context *context = fault_context(&plan);
  void *block = NULL;
  assert_ok(context, ssti_allocate(context, 10, 8, &block));
  assert_int_equal(plan.allocations, 1);
  assert_int_equal(sst_context_allocation_count(context), 1);
  assert_int_equal(sst_context_bytes_in_use(context), 80);
  ssti_free(context, block);
  assert_int_equal(sst_context_bytes_in_use(context), 0);
  assert_int_equal(sst_context_allocation_count(context), 1);
  test_context_end(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_defaults),
      TEST(test_threads_follow_the_affinity),
      TEST(test_bad_options_are_refused),
      TEST(test_no_memory_for_the_context),
      TEST(test_null_is_harmless),
      TEST(test_a_signal_handler_may_ask_to_stop),
      TEST(test_log_lines_come_one_at_a_time),
      TEST(test_without_a_log_nothing_happens),
      TEST(test_threads_may_fail_at_once),
      TEST(test_the_allocator_is_the_callers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
