// SPDX-License-Identifier: Apache-2.0
// A run of stages, of which one trains an ann, one converts it and one goes on training: memory runs out, a file
// operation is refused, the disk fills up or the process is killed. It leaks nothing and leaves nothing half-written,
// and resumed it ends with the bits of a run that was left alone. A conversion by itself is whole or has no result.
#include "faults.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "spikestill/run.h"

static const char plan_text[] =
    "name: plan\ndevice: cpu-ref\n"
    "data: {name: digits, digits_train: 20, digits_test: 10, validation: 0.25}\n"
    "train: {epochs: 1, batch: 15, evaluation_batch: 10}\n"
    "stages:\n"
    "  - {name: ann, recipe: {student: {kind: ann, layers: [linear: {out: 6}, act, linear]}}}\n"
    "  - {name: converted, convert: {from: stage:ann, timesteps: [1, 4], samples: 5, calibration_steps: 2}}\n"
    "  - {name: snn, recipe: {student: {timesteps: 2, start: stage:converted, layer_thresholds: true,\n"
    "     layers: [linear: {out: 6}, act, linear]}}}\n";

// What is the same bits however a run went; result.json has times.
static const char *const records[] = {"recipe.yaml",
                                      "checkpoint.safetensors",
                                      "ann/checkpoint.safetensors",
                                      "converted/checkpoint.safetensors",
                                      "converted/conversion.csv",
                                      "snn/history.jsonl"};
enum { RECORD_COUNT = sizeof records / sizeof *records };

typedef struct scene {
  char folder[TEST_PATH_SIZE], run[TEST_PATH_SIZE], whole[TEST_PATH_SIZE], ann[TEST_PATH_SIZE], snn[TEST_PATH_SIZE];
  char *expected[RECORD_COUNT];
  size_t sizes[RECORD_COUNT];
  uint64_t looks;
} scene;

static sst_status run_plan(sst_context *context, const char *out, bool resume) {
  sst_plan *plan = NULL;
  SST_TRY(sst_plan_from_text(context, "plan.yaml", plan_text, NULL, 0, &plan));
  const sst_run_options_stages options = {.out = out, .resume = resume};
  sst_run_result result;
  sst_status status = sst_run_stages(context, plan, &options, &result);
  sst_plan_close(context, plan);
  return status;
}

static void read_record(const char *folder, const char *name, char **data, size_t *size) {
  char path[TEST_PATH_SIZE];
  sst_context *context = test_context();
  char *block = NULL;
  assert_ok(context, ssti_file_read(context, test_path(path, folder, name), 0, &block, size));
  *data = malloc(*size + 1);
  memcpy(*data, block, *size);
  ssti_free(context, block);
  test_context_end(context);
}

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->folder);
  test_path(s->run, s->folder, "run");
  test_path(s->whole, s->folder, "whole");
  test_path(s->ann, s->folder, "whole/ann");
  test_path(s->snn, s->folder, "snn");
  sst_context *context = test_context_with_threads(1);
  assert_ok(context, run_plan(context, s->run, false)); // in the same folder: checkpoints name where they began from
  test_context_end(context);
  for (int i = 0; i < RECORD_COUNT; i++) { read_record(s->run, records[i], &s->expected[i], &s->sizes[i]); }
  assert_int_equal(rename(s->run, s->whole), 0);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->folder);
  for (int i = 0; i < RECORD_COUNT; i++) { free(s->expected[i]); }
  free(s);
  return 0;
}

static void assert_no_scraps(const char *folder) {
  DIR *entries = opendir(folder);
  if (!entries) { return; } // nothing was begun
  for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
    if (strstr(entry->d_name, ".tmp") != NULL) { fail_msg("%s was left in %s", entry->d_name, folder); }
  }
  closedir(entries);
}

static void assert_clean(const char *run) {
  static const char *const folders[] = {".", "ann", "converted", "snn"};
  char path[TEST_PATH_SIZE];
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) { assert_no_scraps(test_path(path, run, folders[i])); }
}

// Goes on with the disturbed run, without faults, to the end.
static void resume_and_compare(const scene *s) {
  sst_context *context = test_context_with_threads(1);
  assert_ok(context, run_plan(context, s->run, true));
  test_context_end(context);
  for (int i = 0; i < RECORD_COUNT; i++) {
    char *found = NULL;
    size_t size = 0;
    read_record(s->run, records[i], &found, &size);
    if (size != s->sizes[i] || memcmp(found, s->expected[i], size) != 0) {
      fail_msg("%s differs from that of the undisturbed run", records[i]);
    }
    free(found);
  }
  assert_clean(s->run);
  temp_folder_remove(s->run);
}

// ---- all stages

static sst_status run_stages(sst_context *context, void *user) {
  const scene *s = user;
  return run_plan(context, s->run, false);
}

static void look_at_stages(void *user, sst_status status) {
  scene *s = user;
  (void)status;
  assert_clean(s->run);
  resume_and_compare(s);
}

// Resuming after each would take long, and allocations fail alike.
static void look_at_some_stages(void *user, sst_status status) {
  scene *s = user;
  if (s->looks++ % 10 == 0) {
    look_at_stages(user, status);
  } else {
    assert_clean(s->run);
    temp_folder_remove(s->run);
  }
}

static void test_memory(void **state) {
  const fault_trial trial = {
      .action = run_stages, .look = look_at_some_stages, .scene = *state, .kind = FAULT_MEMORY, .dense = 60};
  assert_in_range(try_every_fault(&trial), 100, 100000);
}

static void test_operations(void **state) {
  fault_trial trial = {.action = run_stages, .look = look_at_stages, .scene = *state, .kind = FAULT_OPERATION};
  assert_in_range(try_every_fault(&trial), 30, 1000);
  trial.kind = FAULT_FULL_DISK;
  assert_in_range(try_every_fault(&trial), 30, 1000);
}

typedef struct killer {
  uint64_t at, count;
} killer;

static bool kill_at(void *user, const char *operation, const char *path) {
  (void)operation;
  (void)path;
  killer *k = user;
  if (__atomic_add_fetch(&k->count, 1, __ATOMIC_SEQ_CST) == k->at) { kill(getpid(), SIGKILL); }
  return true;
}

// Runs in a process of its own, which is killed right before its k-th file operation. False if it came to its end.
static bool killed_at(const scene *s, uint64_t at) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    killer k = {.at = at};
    sst_context *context = NULL;
    sst_context_options options = {.io_gate = kill_at, .io_gate_user = &k, .threads = 1};
    sst_status status = sst_context_create(&options, &context);
    if (status == SST_OK) { status = run_plan(context, s->run, true); }
    _exit(status == SST_OK ? 0 : 1);
  }
  int end = 0;
  assert_int_equal(waitpid(child, &end, 0), child);
  if (WIFEXITED(end)) { assert_int_equal(WEXITSTATUS(end), 0); }
  return WIFSIGNALED(end);
}

static void test_killed(void **state) {
  const scene *s = *state;
  uint64_t kills = 0;
  while (killed_at(s, kills + 1)) {
    kills++;
    resume_and_compare(s);
  }
  assert_in_range(kills, 30, 1000);
  temp_folder_remove(s->run);
}

// ---- a conversion by itself

static sst_status convert(sst_context *context, void *user) {
  const scene *s = user;
  sst_network *ann = NULL;
  SST_TRY(sst_network_open(context, s->ann, NULL, 0, &ann));
  sst_conversion_options options = sst_conversion_default();
  options.point_count = 2;
  options.timesteps[1] = 4;
  options.samples = 5;
  options.calibration_steps = 2;
  sst_conversion_result result;
  sst_status status = sst_run_convert(ann, &options, s->snn, false, NULL, NULL, &result);
  sst_network_close(ann);
  return status;
}

// A folder with a result is whole; any other can be converted into again.
static void look_at_conversion(void *user, sst_status status) {
  scene *s = user;
  char path[TEST_PATH_SIZE], *found = NULL;
  size_t size = 0;
  assert_no_scraps(s->snn);
  const bool complete = access(test_path(path, s->snn, "result.json"), F_OK) == 0;
  assert_true(complete || status != SST_OK);
  if (complete) {
    read_record(s->snn, "conversion.csv", &found, &size);
    assert_int_equal(size, s->sizes[4]);
    assert_memory_equal(found, s->expected[4], size);
    free(found);
    sst_context *context = test_context();
    sst_network *network = NULL;
    assert_ok(context, sst_network_open(context, s->snn, NULL, 0, &network));
    sst_network_close(network);
    test_context_end(context);
  }
  temp_folder_remove(s->snn);
}

static void test_conversion(void **state) {
  fault_trial trial = {
      .action = convert, .look = look_at_conversion, .scene = *state, .kind = FAULT_MEMORY, .dense = 100};
  assert_in_range(try_every_fault(&trial), 100, 100000);
  trial.kind = FAULT_OPERATION;
  trial.dense = 0;
  assert_in_range(try_every_fault(&trial), 10, 1000);
  trial.kind = FAULT_FULL_DISK;
  assert_in_range(try_every_fault(&trial), 10, 1000);
}

int main(void) {
  // Thousands of flushes to a disk take their time, and nothing here pulls the plug.
  if (access("/dev/shm", W_OK) == 0) { setenv("TMPDIR", "/dev/shm", 1); }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_operations),
      cmocka_unit_test(test_killed),
      cmocka_unit_test(test_conversion),
  };
  return cmocka_run_group_tests(tests, scene_begin, scene_end);
}
