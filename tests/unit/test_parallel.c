// SPDX-License-Identifier: Apache-2.0
// Runs against the twin that the build has: OpenMP, or POSIX threads in the thread-sanitizer build.
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "support.h"

enum { MAX_COUNT = 5000 };

typedef struct visits {
  atomic_int seen[MAX_COUNT];
  atomic_int ranges;
  int64_t grain, count;
  atomic_bool wrong;
} visits;

static void visit(void *arg, int64_t begin, int64_t end) {
  visits *v = arg;
  atomic_fetch_add(&v->ranges, 1);
  if (begin < 0 || end > v->count || begin >= end) { atomic_store(&v->wrong, true); }
  if (end - begin < v->grain && end - begin != v->count) { atomic_store(&v->wrong, true); }
  for (int64_t i = begin; i < end; i++) { atomic_fetch_add(&v->seen[i], 1); }
}

static void check(sst_context *context, int64_t count, int64_t grain) {
  static visits v;
  memset(&v, 0, sizeof v);
  v.count = count;
  v.grain = grain;
  ssti_parallel_for(context, count, grain, visit, &v);
  assert_false(atomic_load(&v.wrong));
  for (int64_t i = 0; i < MAX_COUNT; i++) { assert_int_equal(atomic_load(&v.seen[i]), i < count ? 1 : 0); }
  int ranges = atomic_load(&v.ranges);
  assert_in_range(ranges, count > 0 ? 1 : 0, sst_context_threads(context));
  if (grain > 1 && count < 2 * grain) { assert_int_equal(ranges, count > 0 ? 1 : 0); }
}

static void test_every_index_once(void **state) {
  (void)state;
  const int64_t counts[] = {0, 1, 2, 3, 7, 64, 1000, 4999};
  const int64_t grains[] = {0, 1, 3, 64, 5000};
  for (int threads = 1; threads <= 5; threads++) {
    sst_context *context = test_context_with_threads(threads);
    for (size_t i = 0; i < 8; i++) {
      for (size_t j = 0; j < 5; j++) { check(context, counts[i], grains[j]); }
    }
    test_context_end(context);
  }
}

typedef struct places {
  cpu_set_t allowed;
  atomic_int together, elsewhere;
  int caller;
} places;

static void look_around(void *arg, int64_t begin, int64_t end) {
  (void)end;
  places *p = arg;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || !CPU_EQUAL(&allowed, &p->allowed)) {
    atomic_fetch_add(&p->elsewhere, 1);
  }
  if (begin > 0 && sched_getcpu() == p->caller) { atomic_fetch_add(&p->together, 1); }
}

// Threads that move off the caller's processor may still run wherever they might before.
static void test_threads_keep_their_processors(void **state) {
  (void)state;
  enum { ROUNDS = 300 };
  sst_context *context = test_context_with_threads(2);
  places p = {.caller = -1};
  assert_int_equal(sched_getaffinity(0, sizeof p.allowed, &p.allowed), 0);
  for (int i = 0; i < ROUNDS; i++) {
    p.caller = sched_getcpu();
    ssti_parallel_for(context, 2, 1, look_around, &p);
  }
  assert_int_equal(atomic_load(&p.elsewhere), 0);
  print_message("of %d loops %d had both threads on one processor\n", ROUNDS, atomic_load(&p.together));
  test_context_end(context);
}

static void test_a_small_count_stays_in_the_caller(void **state) {
  (void)state;
  sst_context *context = test_context_with_threads(4);
  check(context, 9, 5);
  check(context, -3, 1);
  test_context_end(context);
}

static void nest(void *arg, int64_t begin, int64_t end) {
  sst_context *context = arg;
  for (int64_t i = begin; i < end; i++) {
    visits *v = calloc(1, sizeof *v);
    v->count = 100;
    ssti_parallel_for(context, 100, 1, visit, v);
    // A loop inside a loop runs in its caller, whole.
    if (atomic_load(&v->ranges) != 1) { abort(); }
    free(v);
  }
}

static void test_a_loop_inside_a_loop(void **state) {
  (void)state;
  sst_context *context = test_context_with_threads(3);
  ssti_parallel_for(context, 12, 1, nest, context);
  test_context_end(context);
}

static void *loops_of_another_thread(void *arg) {
  for (int i = 0; i < 100; i++) {
    visits *v = calloc(1, sizeof *v);
    v->count = 1000;
    ssti_parallel_for(arg, 1000, 10, visit, v);
    for (int j = 0; j < 1000; j++) {
      if (atomic_load(&v->seen[j]) != 1) { abort(); }
    }
    free(v);
  }
  return NULL;
}

static void test_two_threads_loop_at_once(void **state) {
  (void)state;
  sst_context *context = test_context_with_threads(3);
  pthread_t other;
  assert_int_equal(pthread_create(&other, NULL, loops_of_another_thread, context), 0);
  loops_of_another_thread(context);
  pthread_join(other, NULL);
  test_context_end(context);
}

typedef struct sums {
  const double *x;
  double partial[8];
} sums;

static void add_up(void *arg, int64_t begin, int64_t end) {
  sums *s = arg;
  for (int64_t chunk = begin; chunk < end; chunk++) {
    double sum = 0;
    for (int64_t i = 0; i < 100; i++) { sum += s->x[chunk * 100 + i]; }
    s->partial[chunk] = sum;
  }
}

// The pattern that kernels use: fixed chunks, combined in order. Writes of the workers are seen by the caller.
static void test_results_are_the_same_for_any_number_of_threads(void **state) {
  (void)state;
  double x[800], expected = 0;
  for (uint64_t i = 0; i < 800; i++) { x[i] = (double)ssti_random_normal(1, 1, i); }
  for (int threads = 1; threads <= 4; threads++) {
    sst_context *context = test_context_with_threads(threads);
    for (int repeat = 0; repeat < 200; repeat++) {
      sums s = {.x = x};
      ssti_parallel_for(context, 8, 1, add_up, &s);
      double sum = 0;
      for (int i = 0; i < 8; i++) { sum += s.partial[i]; }
      if (threads == 1 && repeat == 0) { expected = sum; }
      assert_true(sum == expected);
    }
    test_context_end(context);
  }
}

static void test_without_memory_loops_still_run(void **state) {
  (void)state;
  fault_plan plan = {.allocation = 1, .stays = true};
  sst_context *context = fault_context(&plan);
  check(context, 1000, 1);
  test_context_end(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_index_once),
      TEST(test_threads_keep_their_processors),
      TEST(test_a_small_count_stays_in_the_caller),
      TEST(test_a_loop_inside_a_loop),
      TEST(test_two_threads_loop_at_once),
      TEST(test_results_are_the_same_for_any_number_of_threads),
      TEST(test_without_memory_loops_still_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
