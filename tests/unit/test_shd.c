// SPDX-License-Identifier: Apache-2.0
// The files are of tests/golden/make_shd_files.py, which says what is in them.
#include "support/support.h"

#include "base/file.h"
#include "data/event_readers.h"

enum { COUNT = 7 };

static ssti_events begin(sst_context *context) { return ssti_events_begin(context, SSTI_SHD_UNITS, 1, 1); }

static const char *shd_path(char path[TEST_PATH_SIZE], const char *name) {
  char file[64];
  snprintf(file, sizeof file, "tests/golden/shd/%s", name);
  return test_source_path(path, file);
}

static void check_recordings(sst_context *context, ssti_shd *file) {
  ssti_events events = begin(context);
  assert_int_equal(ssti_shd_count(file), COUNT);
  for (int i = COUNT - 1; i >= 0; i--) {
    assert_int_equal(ssti_shd_label(file, i), 3 * i % 20);
    assert_ok(context, ssti_shd_read(file, i, &events));
    assert_int_equal(events.count, 3 * i);
    for (int k = 0; k < 3 * i; k++) {
      assert_int_equal(events.items[k].t, (3 * k + i) * 15625);
      assert_int_equal(events.items[k].x, (37 * k + 11 * i) % 700);
      assert_int_equal(events.items[k].y, 0);
      assert_int_equal(events.items[k].p, 0);
    }
  }
  ssti_events_free(&events);
}

static void test_every_way_of_storing(void **state) {
  sst_context *context = *state;
  const char *const names[] = {"plain.h5", "chunked.h5", "grows.h5", "double.h5", "packed.h5", "modern.h5"};
  for (int i = 0; i < 6; i++) {
    char path[TEST_PATH_SIZE], *data = NULL;
    size_t size = 0;
    ssti_shd *file = NULL;
    assert_ok(context, ssti_shd_open(context, shd_path(path, names[i]), 20, &file));
    check_recordings(context, file);
    ssti_shd_close(file);
    assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
    assert_ok(context, ssti_shd_open_bytes(context, names[i], data, size, 20, &file));
    check_recordings(context, file);
    ssti_shd_close(file);
    ssti_free(context, data);
  }
}

static void test_files_that_are_refused(void **state) {
  sst_context *context = *state;
  const char *const cases[][2] = {
      {"label_20.h5", "recording 3: found label 20, expected 0 to 19"},
      {"six_labels.h5", "spikes/times is not what it should be: 6 sequences of floats"},
      {"link.h5", "there is no spikes/units in it"},
      {"without_units.h5", "there is no spikes/units in it"},
      {"flat_times.h5", "spikes/times is not what it should be: 7 sequences of floats"},
      {"../make_shd_files.py", "is not an HDF5 file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[TEST_PATH_SIZE];
    ssti_shd *file = (void *)1;
    assert_fails(context, SST_FORMAT, ssti_shd_open(context, shd_path(path, cases[i][0]), 20, &file), cases[i][1]);
    assert_null(file);
    assert_non_null(strstr(sst_context_message(context), path));
  }
  ssti_shd *file = NULL;
  assert_fails(context, SST_NOT_FOUND, ssti_shd_open(context, "/nowhere/at.h5", 20, &file), "/nowhere/at.h5");
  assert_null(file);
}

static void test_recordings_that_are_refused(void **state) {
  sst_context *context = *state;
  const struct {
    const char *name, *says;
    int recording;
  } cases[] = {{"fewer_units.h5", "recording 3: found 9 times, but 2 units", 3},
               {"unit_700.h5", "recording 2: spike 4 is of unit 700 at", 2},
               {"negative_time.h5", "recording 2: spike 1 is of unit 59 at -1 s", 2}};
  ssti_events events = begin(context);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[TEST_PATH_SIZE];
    ssti_shd *file = NULL;
    assert_ok(context, ssti_shd_open(context, shd_path(path, cases[i].name), 20, &file));
    assert_ok(context, ssti_shd_read(file, 1, &events));
    assert_int_equal(events.count, 3);
    assert_fails(context, SST_FORMAT, ssti_shd_read(file, cases[i].recording, &events), cases[i].says);
    assert_int_equal(events.count, 0);
    ssti_shd_close(file);
  }
  ssti_events_free(&events);
}

// A heap whose object is shorter than the list says: the library would read on.
static void test_a_heap_that_lies(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE], *data = NULL;
  size_t size = 0, heaps = 0;
  assert_ok(context, ssti_file_read(context, shd_path(path, "plain.h5"), 0, &data, &size));
  for (size_t i = 0; i + 32 < size; i++) {
    if (memcmp(data + i, "GCOL\1", 5) != 0) { continue; }
    data[i + 24] = 1; // bytes of the first object
    data[i + 25] = 0;
    heaps++;
  }
  assert_true(heaps > 0);
  ssti_events events = begin(context);
  ssti_shd *file = NULL;
  int refused = 0;
  assert_ok(context, ssti_shd_open_bytes(context, "f", data, size, 20, &file));
  for (int i = 0; i < COUNT; i++) {
    sst_status status = ssti_shd_read(file, i, &events);
    if (status == SST_OK) { continue; }
    assert_int_equal(status, SST_FORMAT);
    assert_non_null(strstr(sst_context_message(context), "the heap at byte "));
    refused++;
  }
  assert_true(refused > 0);
  ssti_shd_close(file);
  ssti_events_free(&events);
  ssti_free(context, data);
}

static void test_failing_memory(void **state) {
  (void)state;
  char path[TEST_PATH_SIZE];
  shd_path(path, "chunked.h5");
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    ssti_events events = begin(context);
    ssti_shd *file = NULL;
    sst_status status = ssti_shd_open(context, path, 20, &file);
    if (status == SST_OK) { status = ssti_shd_read(file, 5, &events); }
    assert_true(status == SST_OK || status == SST_OUT_OF_MEMORY);
    ssti_shd_close(file);
    ssti_events_free(&events);
    bool met = fault_met(&plan);
    assert_true(met == (status != SST_OK));
    test_context_end(context);
    if (!met) { break; }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_way_of_storing), TEST(test_files_that_are_refused), TEST(test_recordings_that_are_refused),
      TEST(test_a_heap_that_lies),     TEST(test_failing_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
