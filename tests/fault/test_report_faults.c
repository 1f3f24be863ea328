// SPDX-License-Identifier: Apache-2.0
// Every allocation and every file operation of reading a run's records and writing the page and the event files fails
// once: the status is right, *out is NULL, no memory is lost. The records are those of the fuzz corpus, whose first
// byte says which they are. And records that are not there are left out.
#include "../support/support.h"

#include <unistd.h>

#include "base/file.h"
#include "spikestill/report.h"

static const char *const records[][2] = {{"activity_whole", "activity.json"},       {"mistakes_whole", "mistakes.json"},
                                         {"history_two", "history.jsonl"},          {"timing_two", "timing.jsonl"},
                                         {"result_whole", "result.json"},           {"costs_whole", "costs.json"},
                                         {"environment_whole", "environment.json"}, {"recipe_ann", "recipe.yaml"}};
enum { RECORDS = sizeof records / sizeof *records };

typedef struct frame {
  char folder[TEST_PATH_SIZE], run[TEST_PATH_SIZE], page[TEST_PATH_SIZE], events[TEST_PATH_SIZE];
} frame;

static void frame_make(frame *f) {
  sst_context *context = test_context();
  temp_folder_make(f->folder);
  assert_ok(context, ssti_folder_make(context, test_path(f->run, f->folder, "run")));
  test_path(f->page, f->folder, "page.html");
  test_path(f->events, f->folder, "events");
  for (int i = 0; i < RECORDS; i++) {
    char from[TEST_PATH_SIZE], to[TEST_PATH_SIZE], *data = NULL;
    size_t size = 0;
    snprintf(from, sizeof from, "%s/tests/fuzz/corpus_run_records/%s", SPIKESTILL_SOURCE_DIR, records[i][0]);
    assert_ok(context, ssti_file_read(context, from, 0, &data, &size));
    assert_ok(context, ssti_file_write(context, test_path(to, f->run, records[i][1]), data + 1, size - 1));
    ssti_free(context, data);
  }
  test_context_end(context);
}

static sst_status read_and_write(sst_context *context, const frame *f) {
  sst_report *report = (sst_report *)&context;
  const char *paths[] = {f->run};
  sst_status status = sst_report_open(context, paths, 1, &report);
  if (status != SST_OK) {
    assert_null(report);
    return status;
  }
  status = sst_report_write(report, NULL, 0, f->page);
  if (status == SST_OK) { status = sst_report_write_events(report, f->events); }
  sst_report_close(report);
  return status;
}

static uint64_t try_faults(const frame *f, bool operations, sst_status expected) {
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.allocation = operations ? 0 : faults + 1, .operation = operations ? faults + 1 : 0};
    sst_context *context = fault_context(&plan);
    sst_status status = read_and_write(context, f);
    met = fault_met(&plan);
    assert_int_equal(status, met ? expected : SST_OK);
    test_context_end(context);
  }
  return faults;
}

static void test_memory(void **state) {
  (void)state;
  frame f;
  frame_make(&f);
  assert_in_range(try_faults(&f, false, SST_OUT_OF_MEMORY), 50, 100000);
  temp_folder_remove(f.folder);
}

static void test_operations(void **state) {
  (void)state;
  frame f;
  frame_make(&f);
  assert_in_range(try_faults(&f, true, SST_IO), 10, 100000);
  temp_folder_remove(f.folder);
}

// A run that is still going on, or was converted, has no more than its recipe.
static void test_missing_records(void **state) {
  frame f;
  frame_make(&f);
  for (int i = 0; i < RECORDS - 1; i++) {
    char path[TEST_PATH_SIZE];
    assert_int_equal(unlink(test_path(path, f.run, records[i][1])), 0);
    assert_ok(*state, read_and_write(*state, &f));
  }
  temp_folder_remove(f.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_memory), TEST(test_operations), TEST(test_missing_records)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
