// SPDX-License-Identifier: Apache-2.0
// Every allocation and every file operation of planning a sweep, reading its results and writing its tables fails once:
// the status is right, *out is NULL, no memory is lost.
#include "../support/support.h"

#include "base/file.h"
#include "spikestill/sweep.h"

static const char recipe[] = "data: {name: digits}\nstudent: {model: mlp, hidden: 16}\n";
static const char list[] = "student.timesteps=2 loss.weight=0.5\ndata.mean=[0.5]\n";
static const char *const vary[] = {"student.timesteps=1,2", "data.mean=[0.1],0.2"};

typedef struct frame {
  char folder[TEST_PATH_SIZE], recipe[TEST_PATH_SIZE], list[TEST_PATH_SIZE], out[TEST_PATH_SIZE];
} frame;

static void frame_make(frame *f) {
  sst_context *context = test_context();
  temp_folder_make(f->folder);
  test_path(f->out, f->folder, "out");
  assert_ok(context, ssti_file_write(context, test_path(f->recipe, f->folder, "x.yaml"), recipe, strlen(recipe)));
  assert_ok(context, ssti_file_write(context, test_path(f->list, f->folder, "list"), list, strlen(list)));
  test_context_end(context);
}

// The whole way with results that are given rather than trained.
static sst_status plan_and_write(sst_context *context, const frame *f, bool grid) {
  sst_sweep *sweep = (sst_sweep *)&context;
  sst_sweep_options options = {.recipe = f->recipe, .out = f->out, .seeds = 2, .list = grid ? NULL : f->list};
  if (grid) {
    options.vary = vary;
    options.vary_count = 2;
  }
  sst_status status = sst_sweep_plan(context, &options, &sweep);
  if (status != SST_OK) {
    assert_null(sweep);
    return status;
  }
  sst_sweep_summary summaries[4];
  bool drawable = false;
  for (int i = 0; status == SST_OK && i < sweep->run_count; i++) {
    status = sst_sweep_read(sweep, i);
    sweep->runs[i].complete = true;
    sweep->runs[i].result = (sst_run_result){.test_accuracy = 0.1 * i, .spikes_per_inference = i};
  }
  if (status == SST_OK) { status = sst_sweep_summarize(sweep, summaries); }
  if (status == SST_OK) { status = sst_sweep_write(sweep, summaries, &drawable); }
  sst_sweep_close(sweep);
  return status;
}

static void try_faults(bool grid, bool operations, sst_status expected, uint64_t fewest) {
  frame f;
  frame_make(&f);
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.allocation = operations ? 0 : faults + 1, .operation = operations ? faults + 1 : 0};
    sst_context *context = fault_context(&plan);
    sst_status status = plan_and_write(context, &f, grid);
    met = fault_met(&plan);
    assert_int_equal(status, met ? expected : SST_OK);
    test_context_end(context);
  }
  assert_in_range(faults, fewest, 100000);
  temp_folder_remove(f.folder);
}

static void test_memory(void **state) {
  (void)state;
  try_faults(true, false, SST_OUT_OF_MEMORY, 100);
  try_faults(false, false, SST_OUT_OF_MEMORY, 100);
}

static void test_operations(void **state) {
  (void)state;
  try_faults(true, true, SST_IO, 10);
  try_faults(false, true, SST_IO, 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_memory), TEST(test_operations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
