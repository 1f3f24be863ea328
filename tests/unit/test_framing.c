// SPDX-License-Identifier: Apache-2.0
// Recordings on a sensor one pixel high: event i lies at column i, so that a frame shows which events it took.
#include "support/support.h"

#include "data/framing.h"

enum { ROOM = 512 };

static ssti_events make(sst_context *context, const int64_t *times, size_t count) {
  ssti_events events = ssti_events_begin(context, count > 0 ? (int)count : 1, 1, 1);
  for (size_t i = 0; i < count; i++) {
    assert_ok(context, ssti_events_append(&events, (ssti_event){times[i], (int16_t)i, 0, 0}));
  }
  return events;
}

// `expected` has a character for each event: the digit of its frame, or '.' where it is left out.
static void check(sst_context *context, const int64_t *times, size_t count, sst_framing framing, int64_t natural,
                  const char *expected) {
  ssti_events events = make(context, times, count);
  uint8_t frames[ROOM];
  assert_int_equal(strlen(expected), count);
  assert_true(framing.frames * (int64_t)events.width <= ROOM);
  assert_ok(context, ssti_framing_check(context, &framing));
  assert_int_equal(ssti_framing_natural(&events, &framing), natural);
  memset(frames, 7, sizeof frames);
  ssti_framing_count(&events, &framing, frames);
  for (int64_t t = 0; t < framing.frames; t++) {
    for (size_t i = 0; i < count; i++) {
      int wanted = expected[i] == '0' + (int)t;
      if (frames[t * (int64_t)count + (int64_t)i] != wanted) {
        fail_msg("%s: frame %d has %d of event %zu, expected %d", sst_framing_word(framing.mode), (int)t,
                 frames[t * (int64_t)count + (int64_t)i], i, wanted);
      }
    }
  }
  ssti_events_free(&events);
}

#define CHECK(times, natural, expected, ...)                                                                           \
  check(*state, times, sizeof(times) / sizeof *(times), (sst_framing){__VA_ARGS__}, natural, expected)

static void test_sj_number(void **state) {
  const int64_t t[] = {0, 0, 0, 5, 900, 901, 902, 903, 904, 905, 906};
  CHECK(t, 3, "00011122222", SST_FRAMING_SJ_NUMBER, 3, 0, 0); // 11 = 3 * 3 + 2: the last takes 5
  CHECK(t, 11, "0123456789:", SST_FRAMING_SJ_NUMBER, 11, 0, 0);
  const int64_t few[] = {1, 2};
  CHECK(few, 4, "33", SST_FRAMING_SJ_NUMBER, 4, 0, 0); // 2 / 4 = 0: all is remainder
}

static void test_sj_time(void **state) {
  // From 10 to 60 in 4: 12 us each, so borders at 10, 22, 34, 46; the bin from 22 to 34 is empty.
  const int64_t t[] = {10, 21, 34, 45, 46, 58, 60};
  CHECK(t, 4, "0022333", SST_FRAMING_SJ_TIME, 4, 0, 0);
  const int64_t together[] = {5, 5, 6};
  CHECK(together, 3, "222", SST_FRAMING_SJ_TIME, 3, 0, 0); // 1 us / 3 = 0: nothing comes before the last frame
}

static void test_sj_duration(void **state) {
  const int64_t t[] = {100, 109, 110, 119, 140, 149, 150};
  CHECK(t, 5, "0011444", SST_FRAMING_SJ_DURATION, 5, 10, 0); // 150 is just the end: it joins the last
  CHECK(t, 5, "0011444", SST_FRAMING_SJ_DURATION, 7, 10, 0); // frames 5 and 6 are zeros
  CHECK(t, 5, "0011...", SST_FRAMING_SJ_DURATION, 4, 10, 0); // the first 4 of 5
  const int64_t past[] = {0, 10, 11};
  CHECK(past, 2, "011", SST_FRAMING_SJ_DURATION, 2, 10, 0);
  const int64_t instant[] = {3, 3};
  CHECK(instant, 1, "00", SST_FRAMING_SJ_DURATION, 2, 10, 0);
}

static void test_tonic_time(void **state) {
  const int64_t t[] = {100, 109, 110, 119, 140, 149, 150};
  CHECK(t, 5, "001144.", SST_FRAMING_TONIC_TIME, 5, 10, 0);
  const int64_t part[] = {0, 10, 19, 20, 25};
  CHECK(part, 2, "011..", SST_FRAMING_TONIC_TIME, 3, 10, 0); // the window from 20 is not whole
  const int64_t shorter[] = {0, 5};
  CHECK(shorter, 1, "00", SST_FRAMING_TONIC_TIME, 2, 10, 0); // but one window there always is
}

static void test_tonic_count(void **state) {
  const int64_t t[] = {0, 0, 1, 2, 3, 4, 9};
  CHECK(t, 2, "000111.", SST_FRAMING_TONIC_COUNT, 4, 0, 3);
  CHECK(t, 2, "000....", SST_FRAMING_TONIC_COUNT, 1, 0, 3);
  CHECK(t, 1, "0000000", SST_FRAMING_TONIC_COUNT, 2, 0, 8); // fewer than a frame's: one frame
}

static void test_tonic_nbins(void **state) {
  const int64_t t[] = {10, 21, 34, 45, 46, 57, 58, 60}; // 12 us each: to 58
  CHECK(t, 4, "002233..", SST_FRAMING_TONIC_NBINS, 4, 0, 0);
  const int64_t together[] = {5, 5, 6};
  CHECK(together, 3, "...", SST_FRAMING_TONIC_NBINS, 3, 0, 0);
}

static void test_nothing_gives_zeros(void **state) {
  for (int mode = 0; mode < SST_FRAMING_COUNT; mode++) {
    sst_framing framing = {(sst_framing_mode)mode, 3, 10, 10};
    bool fixed = mode == SST_FRAMING_SJ_NUMBER || mode == SST_FRAMING_SJ_TIME || mode == SST_FRAMING_TONIC_NBINS;
    check(*state, NULL, 0, framing, fixed ? 3 : 0, "");
  }
}

static void test_layout_and_saturation(void **state) {
  sst_context *context = *state;
  ssti_events events = ssti_events_begin(context, 3, 2, 2);
  uint8_t frames[2 * 2 * 3 * 2];
  for (int i = 0; i < 300; i++) { assert_ok(context, ssti_events_append(&events, (ssti_event){i, 2, 1, 0})); }
  for (int i = 300; i < 600; i++) {
    assert_ok(context, ssti_events_append(&events, (ssti_event){i, (int16_t)(i % 3), 0, 1}));
  }
  ssti_framing_count(&events, &(sst_framing){SST_FRAMING_SJ_NUMBER, 2, 0, 0}, frames);
  for (int i = 0; i < 24; i++) {
    int place = i % 12; // [y][x][p]
    int expected = i < 12 ? (place == 10 ? 255 : 0) : (place == 1 || place == 3 || place == 5 ? 100 : 0);
    assert_int_equal(frames[i], expected);
  }
  ssti_events_free(&events);
}

static void test_words_and_ranges(void **state) {
  sst_context *context = *state;
  sst_framing_mode mode = SST_FRAMING_COUNT;
  assert_true(sst_framing_parse("tonic-count", &mode));
  assert_int_equal(mode, SST_FRAMING_TONIC_COUNT);
  assert_false(sst_framing_parse("time", &mode));
  assert_false(sst_framing_parse(NULL, &mode));
  assert_string_equal(sst_framing_word(SST_FRAMING_SJ_TIME), "sj-time");
  assert_string_equal(sst_framing_word(SST_FRAMING_COUNT), "unknown");
  assert_fails(context, SST_INVALID_ARGUMENT, ssti_framing_check(context, &(sst_framing){SST_FRAMING_COUNT, 1, 1, 1}),
               "mode 6");
  assert_fails(context, SST_INVALID_ARGUMENT, ssti_framing_check(context, &(sst_framing){0, 0, 1, 1}), "0 frames");
  assert_fails(context, SST_INVALID_ARGUMENT,
               ssti_framing_check(context, &(sst_framing){SST_FRAMING_SJ_DURATION, 1, 0, 1}), "sj-duration");
  assert_fails(context, SST_INVALID_ARGUMENT,
               ssti_framing_check(context, &(sst_framing){SST_FRAMING_TONIC_COUNT, 1, 1, 0}), "0 events a frame");
  assert_ok(context, ssti_framing_check(context, &(sst_framing){SST_FRAMING_SJ_TIME, 4096, 0, 0}));
}

// ---- the list of events ----

static void test_sort_keeps_equal_ones_in_order(void **state) {
  sst_context *context = *state;
  ssti_events events = ssti_events_begin(context, 1000, 1, 2);
  for (int i = 0; i < 777; i++) {
    int64_t t = (int64_t)ssti_random_below(1, 2, (uint64_t)i, 50);
    assert_ok(context, ssti_events_append(&events, (ssti_event){t, (int16_t)i, 0, (int8_t)(i & 1)}));
  }
  assert_false(ssti_events_are_sorted(&events));
  assert_ok(context, ssti_events_sort(&events));
  assert_true(ssti_events_are_sorted(&events));
  assert_int_equal(events.count, 777);
  int64_t seen = 0;
  for (size_t i = 0; i < events.count; i++) {
    const ssti_event *e = &events.items[i];
    assert_int_equal(e->t, ssti_random_below(1, 2, (uint64_t)e->x, 50));
    assert_int_equal(e->p, e->x & 1);
    if (i > 0 && e[-1].t == e->t) { assert_true(e[-1].x < e->x); }
    seen += e->x;
  }
  assert_int_equal(seen, 777 * 776 / 2);
  ssti_events_free(&events);
}

static void test_cut_takes_the_begin_and_not_the_end(void **state) {
  sst_context *context = *state;
  const int64_t times[] = {1, 5, 5, 6, 9, 9, 12};
  ssti_events events = make(context, times, 7), part = ssti_events_begin(context, 7, 1, 1);
  assert_ok(context, ssti_events_cut(&events, 5, 9, &part));
  assert_int_equal(part.count, 3);
  assert_int_equal(part.items[0].x, 1);
  assert_ok(context, ssti_events_cut(&events, 9, 100, &part)); // appends
  assert_int_equal(part.count, 6);
  assert_int_equal(part.items[5].x, 6);
  ssti_events_clear(&part);
  assert_ok(context, ssti_events_cut(&events, 7, 9, &part));
  assert_ok(context, ssti_events_cut(&events, 9, 5, &part));
  assert_int_equal(part.count, 0);
  ssti_events_free(&part);
  ssti_events_free(&events);
}

static void test_picture(void **state) {
  (void)state;
  // Two frames of three pixels: none; 1 darker and 1 brighter; 4 brighter, the most.
  const uint8_t counts[] = {0, 0, 1, 0, 0, 3, 0, 0, 0, 1, 0, 1};
  uint8_t rgb[9];
  ssti_frames_picture(counts, 2, 1, 3, 2, rgb);
  const uint8_t expected[] = {255, 255, 255, 192, 128, 192, 0, 0, 255};
  assert_memory_equal(rgb, expected, 9);
  const uint8_t grey[] = {0, 2, 1};
  ssti_frames_picture(grey, 1, 1, 3, 1, rgb);
  const uint8_t expected_grey[] = {255, 255, 255, 0, 0, 0, 128, 128, 128};
  assert_memory_equal(rgb, expected_grey, 9);
}

// The table of docs/events.md.
static void test_the_example_of_the_documents(void **state) {
  const int64_t t[] = {0, 10, 20, 30, 40, 50, 100};
  CHECK(t, 3, "0011222", SST_FRAMING_SJ_NUMBER, 3, 50, 3);
  CHECK(t, 3, "0000112", SST_FRAMING_SJ_TIME, 3, 50, 3);
  CHECK(t, 3, "000011.", SST_FRAMING_TONIC_NBINS, 3, 50, 3);
  CHECK(t, 2, "0000011", SST_FRAMING_SJ_DURATION, 3, 50, 3);
  CHECK(t, 2, "000001.", SST_FRAMING_TONIC_TIME, 3, 50, 3);
  CHECK(t, 2, "000111.", SST_FRAMING_TONIC_COUNT, 3, 50, 3);
  const int64_t brief[] = {0, 10}; // too short for one frame
  CHECK(brief, 1, "00", SST_FRAMING_TONIC_TIME, 3, 50, 3);
  CHECK(brief, 1, "00", SST_FRAMING_TONIC_COUNT, 3, 50, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_sj_number),
      TEST(test_sj_time),
      TEST(test_sj_duration),
      TEST(test_tonic_time),
      TEST(test_tonic_count),
      TEST(test_tonic_nbins),
      TEST(test_the_example_of_the_documents),
      TEST(test_nothing_gives_zeros),
      TEST(test_layout_and_saturation),
      TEST(test_words_and_ranges),
      TEST(test_sort_keeps_equal_ones_in_order),
      TEST(test_cut_takes_the_begin_and_not_the_end),
      TEST(test_picture),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
