// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "data/digits.h"
#include "data/event_digits.h"
#include "data/framing.h"

enum { SIDE = SSTI_EVENT_DIGIT_SIDE, RECORDINGS = 60 };

static ssti_events begin(sst_context *context) { return ssti_events_begin(context, SIDE, SIDE, 2); }

static void test_recordings_are_in_order_and_inside(void **state) {
  sst_context *context = *state;
  ssti_events events = begin(context);
  int64_t total = 0, brighter = 0;
  for (int i = 0; i < RECORDINGS; i++) {
    int label = -1;
    assert_ok(context, ssti_event_digits_record(1, i % 2 == 0, i, &events, &label));
    assert_in_range(label, 0, 9);
    assert_true(ssti_events_are_sorted(&events));
    assert_in_range(events.count, 300, 20000);
    for (size_t k = 0; k < events.count; k++) {
      ssti_event e = events.items[k];
      assert_true(e.t >= 0 && e.t <= 300000 && e.x >= 0 && e.x < SIDE && e.y >= 0 && e.y < SIDE && (e.p & 1) == e.p);
      brighter += e.p;
    }
    total += (int64_t)events.count;
  }
  print_message("%d events a recording, %d %% brighter\n", (int)(total / RECORDINGS), (int)(100 * brighter / total));
  assert_in_range(total / RECORDINGS, 1500, 6000); // N-MNIST: about 4,100
  assert_in_range(100 * brighter / total, 35, 65);
  ssti_events_free(&events);
}

static void test_labels_are_those_of_the_pictures(void **state) {
  sst_context *context = *state;
  uint8_t pixels[20 * SSTI_DIGIT_PIXELS], labels[20], one[SSTI_DIGIT_PIXELS];
  ssti_events events = begin(context);
  ssti_digits_draw(context, 7, false, 20, pixels, labels);
  for (int i = 0; i < 20; i++) {
    int label = -1;
    assert_int_equal(ssti_digits_draw_one(7, false, i, one), labels[i]);
    assert_memory_equal(one, pixels + (ptrdiff_t)i * SSTI_DIGIT_PIXELS, sizeof one);
    assert_ok(context, ssti_event_digits_record(7, false, i, &events, &label));
    assert_int_equal(label, labels[i]);
  }
  ssti_events_free(&events);
}

// A number that another event anywhere changes.
static uint64_t fingerprint(sst_context *context, uint64_t seed, bool train, int64_t index) {
  ssti_events events = begin(context);
  int label = 0;
  uint64_t sum = 0;
  assert_ok(context, ssti_event_digits_record(seed, train, index, &events, &label));
  for (size_t i = 0; i < events.count; i++) {
    ssti_event e = events.items[i];
    sum = sum * UINT64_C(6364136223846793005) + (uint64_t)e.t * 4096 + (uint64_t)(e.x * 64 + e.y * 2 + e.p) + 1;
  }
  ssti_events_free(&events);
  return sum;
}

static void test_a_recording_depends_on_seed_part_and_index(void **state) {
  sst_context *context = *state;
  uint64_t one = fingerprint(context, 1, true, 3);
  assert_true(one == fingerprint(context, 1, true, 3));
  assert_true(one != fingerprint(context, 2, true, 3));
  assert_true(one != fingerprint(context, 1, false, 3));
  assert_true(one != fingerprint(context, 1, true, 13));
}

// Another path, and other events without cause: hardly an event of one part is in the other.
static void test_parts_share_nothing(void **state) {
  sst_context *context = *state;
  ssti_events train = begin(context), test = begin(context);
  int label = 0, shared = 0;
  assert_ok(context, ssti_event_digits_record(1, true, 3, &train, &label));
  assert_ok(context, ssti_event_digits_record(1, false, 3, &test, &label));
  for (size_t i = 0; i < train.count; i++) {
    for (size_t k = 0; k < test.count; k++) {
      ssti_event a = train.items[i], b = test.items[k];
      shared += a.t == b.t && a.x == b.x && a.y == b.y && a.p == b.p;
    }
  }
  assert_in_range(shared, 0, 20);
  ssti_events_free(&train);
  ssti_events_free(&test);
}

// Something happens in each of the three jumps, and little between them, where the camera stands still.
static void test_activity_follows_the_jumps(void **state) {
  sst_context *context = *state;
  ssti_events events = begin(context);
  int64_t moving[3] = {0}, still = 0;
  for (int i = 0; i < RECORDINGS; i++) {
    int label = 0;
    assert_ok(context, ssti_event_digits_record(1, true, i, &events, &label));
    for (size_t k = 0; k < events.count; k++) {
      int64_t t = events.items[k].t, within = t % 100000;
      if (within > 30000 && within < 70000) { moving[t / 100000]++; }
      if (within < 4000 || within > 96000) { still++; }
    }
  }
  for (int jump = 0; jump < 3; jump++) { assert_true(moving[jump] > 300 * RECORDINGS); }
  assert_true(8 * still < moving[0] + moving[1] + moving[2]);
  ssti_events_free(&events);
}

// The nearest mean frame of the training part knows digits of the test part better than chance, and not perfectly: the
// recordings hold the classes, and leave something to learn.
static void test_recordings_hold_the_digits(void **state) {
  sst_context *context = *state;
  enum { TRAIN = 600, TEST_COUNT = 100, CELLS = SIDE * SIDE * 2 };
  const sst_framing framing = {SST_FRAMING_SJ_TIME, 1, 0, 0};
  static double means[10][CELLS];
  uint8_t frame[CELLS];
  ssti_events events = begin(context);
  int label = 0, right = 0;
  memset(means, 0, sizeof means);
  for (int i = 0; i < TRAIN; i++) {
    assert_ok(context, ssti_event_digits_record(1, true, i, &events, &label));
    ssti_framing_count(&events, &framing, frame);
    for (int k = 0; k < CELLS; k++) { means[label][k] += (double)frame[k] * 10 / TRAIN; }
  }
  for (int i = 0; i < TEST_COUNT; i++) {
    int best = 0;
    double least = 1e300;
    assert_ok(context, ssti_event_digits_record(1, false, i, &events, &label));
    ssti_framing_count(&events, &framing, frame);
    for (int c = 0; c < 10; c++) {
      double distance = 0.0;
      for (int k = 0; k < CELLS; k++) { distance += (means[c][k] - frame[k]) * (means[c][k] - frame[k]); }
      if (distance < least) {
        least = distance;
        best = c;
      }
    }
    right += best == label;
  }
  print_message("nearest mean: %d of %d\n", right, TEST_COUNT);
  assert_in_range(right, 25, 85);
  ssti_events_free(&events);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_recordings_are_in_order_and_inside),
      TEST(test_labels_are_those_of_the_pictures),
      TEST(test_a_recording_depends_on_seed_part_and_index),
      TEST(test_parts_share_nothing),
      TEST(test_activity_follows_the_jumps),
      TEST(test_recordings_hold_the_digits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
