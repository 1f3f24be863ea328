// SPDX-License-Identifier: Apache-2.0
// Frames against SpikingJelly's and Tonic's own, count for count. The recordings and results come from
// make_framing_goldens.py, beside this file.
#include "support/support.h"

#include "data/framing.h"

enum { MAX_RECORDINGS = 16, MAX_FRAMES = 64, MAX_PIXELS = 64 };

static int64_t read_int(FILE *file, size_t bytes) {
  uint8_t b[8];
  uint64_t value = 0;
  assert_int_equal(fread(b, 1, bytes, file), bytes);
  for (size_t i = 0; i < bytes; i++) { value |= (uint64_t)b[i] << (8 * i); }
  uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
  return (int64_t)((value ^ sign) - sign);
}

static void read_recording(FILE *file, ssti_events *events) {
  int64_t count = read_int(file, 4);
  for (int64_t i = 0; i < count; i++) {
    ssti_event event = {.t = read_int(file, 8)};
    event.x = (int16_t)read_int(file, 2);
    event.y = (int16_t)read_int(file, 2);
    event.p = (int8_t)read_int(file, 2);
    read_int(file, 2);
    assert_ok(events->context, ssti_events_append(events, event));
  }
}

// Returns the mode of the case.
static sst_framing_mode check_case(FILE *file, const ssti_events *recordings) {
  uint8_t expected[MAX_FRAMES * MAX_PIXELS], found[MAX_FRAMES * MAX_PIXELS];
  const ssti_events *events = &recordings[read_int(file, 4)];
  sst_framing framing = {.mode = (sst_framing_mode)read_int(file, 4)};
  framing.frames = read_int(file, 4);
  framing.window_us = read_int(file, 4);
  framing.count = read_int(file, 4);
  int64_t frames = read_int(file, 4);
  size_t size = (size_t)(frames * events->height * events->width * 2);
  assert_true(frames <= MAX_FRAMES && size <= sizeof expected);
  assert_int_equal(fread(expected, 1, size, file), size);
  assert_ok(events->context, ssti_framing_check(events->context, &framing));
  assert_int_equal(ssti_framing_natural(events, &framing), frames);
  framing.frames = frames;
  ssti_framing_count(events, &framing, found);
  for (size_t i = 0; i < size; i++) {
    if (found[i] == expected[i]) { continue; }
    fail_msg("%s, %zu events, %d frames, %d us, %d: place %zu holds %d, expected %d", sst_framing_word(framing.mode),
             events->count, (int)frames, (int)framing.window_us, (int)framing.count, i, found[i], expected[i]);
  }
  return framing.mode;
}

static void test_frames_are_those_of_the_tools(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_source_path(path, "tests/golden/framing_goldens.bin"), "rb");
  assert_non_null(file);
  ssti_events recordings[MAX_RECORDINGS];
  int cases_of[SST_FRAMING_COUNT] = {0};
  int width = (int)read_int(file, 4), height = (int)read_int(file, 4);
  int64_t count = read_int(file, 4), cases = read_int(file, 4);
  assert_in_range(count, 1, MAX_RECORDINGS);
  for (int64_t i = 0; i < count; i++) {
    recordings[i] = ssti_events_begin(context, width, height, 2);
    read_recording(file, &recordings[i]);
  }
  for (int64_t i = 0; i < cases; i++) { cases_of[check_case(file, recordings)]++; }
  for (int mode = 0; mode < SST_FRAMING_COUNT; mode++) { assert_true(cases_of[mode] >= 15); }
  for (int64_t i = 0; i < count; i++) { ssti_events_free(&recordings[i]); }
  fclose(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_frames_are_those_of_the_tools)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
