// SPDX-License-Identifier: Apache-2.0
#include "graph/memory_plan.h"
#include "support.h"

static void assert_plan_is_sound(const ssti_plan_buffer *buffers, int count, size_t total) {
  for (int i = 0; i < count; i++) {
    const ssti_plan_buffer *a = &buffers[i];
    assert_int_equal(a->offset % SSTI_PLAN_ALIGNMENT, 0);
    assert_true(a->offset + a->bytes <= total);
    for (int j = 0; j < i; j++) {
      const ssti_plan_buffer *b = &buffers[j];
      bool together = a->first <= b->last && b->first <= a->last;
      bool overlap = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
      if (together && overlap && a->bytes && b->bytes) { fail_msg("buffers %d and %d overlap", i, j); }
    }
  }
}

static void test_chain_reuses_memory(void **state) {
  // A chain in which each buffer lives while the next is made needs two places.
  ssti_plan_buffer buffers[5];
  for (int i = 0; i < 5; i++) { buffers[i] = (ssti_plan_buffer){.bytes = 640, .first = i, .last = i + 1}; }
  size_t total;
  assert_ok(*state, ssti_memory_plan(*state, buffers, 5, &total));
  assert_plan_is_sound(buffers, 5, total);
  assert_int_equal(total, 2 * 640);
}

static void test_random_plans_are_sound(void **state) {
  enum { COUNT = 60 };
  for (uint64_t round = 0; round < 200; round++) {
    ssti_plan_buffer buffers[COUNT];
    ssti_random random = ssti_random_begin(round, 5);
    size_t largest_moment = 0;
    size_t at_moment[64] = {0};
    for (int i = 0; i < COUNT; i++) {
      int first = (int)ssti_draw_below(&random, 50), length = (int)ssti_draw_below(&random, 12);
      buffers[i] = (ssti_plan_buffer){
          .bytes = (size_t)ssti_draw_below(&random, 40) * 50, .first = first, .last = first + length};
      for (int t = first; t <= first + length; t++) { at_moment[t] += buffers[i].bytes; }
    }
    for (int t = 0; t < 64; t++) {
      if (at_moment[t] > largest_moment) { largest_moment = at_moment[t]; }
    }
    size_t total;
    assert_ok(*state, ssti_memory_plan(*state, buffers, COUNT, &total));
    assert_plan_is_sound(buffers, COUNT, total);
    assert_true(total < 2 * largest_moment); // far from the bound would mean that nothing is reused
  }
}

static void test_nothing_to_plan(void **state) {
  ssti_plan_buffer empty = {.bytes = 0, .first = 0, .last = 3};
  size_t total = 1;
  assert_ok(*state, ssti_memory_plan(*state, &empty, 1, &total));
  assert_int_equal(total, 0);
  assert_ok(*state, ssti_memory_plan(*state, NULL, 0, &total));
  assert_int_equal(total, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_chain_reuses_memory), TEST(test_random_plans_are_sound),
                                     TEST(test_nothing_to_plan)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
