// SPDX-License-Identifier: Apache-2.0
// Schedules against values worked out by hand.
#include "../support/support.h"

#include "spikestill/optim.h"

static void test_words_read_back(void **state) {
  (void)state;
  for (int i = 0; i < SST_SCHEDULE_COUNT; i++) {
    sst_schedule_kind kind = SST_SCHEDULE_COUNT;
    assert_true(sst_schedule_parse(sst_schedule_word((sst_schedule_kind)i), &kind));
    assert_int_equal(kind, i);
  }
  sst_schedule_kind kind = SST_SCHEDULE_STEP;
  assert_false(sst_schedule_parse("cosin", &kind));
  assert_int_equal(kind, SST_SCHEDULE_STEP); // untouched
}

static void test_constant(void **state) {
  (void)state;
  sst_schedule schedule = sst_schedule_default();
  schedule.kind = SST_SCHEDULE_CONSTANT;
  assert_near(sst_schedule_factor(&schedule, 0, 10), 1, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 9.99, 10), 1, 0, 0);
}

static void test_cosine(void **state) {
  (void)state;
  sst_schedule schedule = sst_schedule_default();
  assert_int_equal(schedule.kind, SST_SCHEDULE_COSINE);
  assert_near(sst_schedule_factor(&schedule, 0, 12), 1, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 2, 12), 0.9330127018922193, 1e-15, 0); // (1 + sqrt(3)/2) / 2
  assert_near(sst_schedule_factor(&schedule, 6, 12), 0.5, 1e-15, 0);
  assert_near(sst_schedule_factor(&schedule, 8, 12), 0.25, 1e-15, 0);
  assert_near(sst_schedule_factor(&schedule, 12, 12), 0, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 13, 12), 0, 0, 0); // past the end it stays
  schedule.final_factor = 0.2;
  assert_near(sst_schedule_factor(&schedule, 8, 12), 0.4, 1e-15, 0);
  assert_near(sst_schedule_factor(&schedule, 12, 12), 0.2, 0, 0);
}

static void test_warmup_comes_before_the_cosine(void **state) {
  (void)state;
  sst_schedule schedule = sst_schedule_default();
  schedule.warmup_epochs = 2;
  assert_near(sst_schedule_factor(&schedule, 0, 10), 0, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 0.5, 10), 0.25, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 2, 10), 1, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 6, 10), 0.5, 1e-15, 0); // half way through the eight epochs after it
  assert_near(sst_schedule_factor(&schedule, 10, 10), 0, 0, 0);
  schedule.warmup_epochs = 20; // longer than the run: it never gets to the top
  assert_near(sst_schedule_factor(&schedule, 10, 10), 0.5, 0, 0);
}

static void test_steps_at_milestones(void **state) {
  (void)state;
  sst_schedule schedule = sst_schedule_default();
  schedule.kind = SST_SCHEDULE_STEP;
  schedule.step_factor = 0.5;
  schedule.milestone_count = 2;
  schedule.milestones[0] = 3;
  schedule.milestones[1] = 5;
  assert_near(sst_schedule_factor(&schedule, 2.999, 10), 1, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 3, 10), 0.5, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 4.5, 10), 0.5, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 5, 10), 0.25, 0, 0);
  schedule.warmup_epochs = 1;
  assert_near(sst_schedule_factor(&schedule, 0.25, 10), 0.25, 0, 0);
  assert_near(sst_schedule_factor(&schedule, 3, 10), 0.5, 0, 0); // milestones count from the start, warm-up included
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_read_back),
      cmocka_unit_test(test_constant),
      cmocka_unit_test(test_cosine),
      cmocka_unit_test(test_warmup_comes_before_the_cosine),
      cmocka_unit_test(test_steps_at_milestones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
