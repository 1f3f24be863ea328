// SPDX-License-Identifier: Apache-2.0
// A whole training run in which memory runs out, a file operation is refused, the disk fills up or the process is
// killed, at every place where that can happen: it fails with the right status and a sentence, leaks nothing, leaves
// nothing half-written, and the resumed run ends with the bits of one that was left alone.
#include "support.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "spikestill/run.h"

// With all that a checkpoint must bring back: student, optimiser, companion. The reference backend: the fast one's
// libraries have threads and memory of their own.
static const char student_text[] =
    "name: student\ndevice: cpu-ref\n"
    "data: {name: digits, digits_train: 40, digits_test: 10, validation: 0.25, augment: {crop_padding: 1}}\n"
    "student: {timesteps: 2, layers: [linear: {out: 8}, norm, act, dropout: {rate: 0.1}, linear]}\n"
    "distill: [{method: kd, weight: 0.5}, {method: twin, weight: 0.005}]\n"
    "twin: {enabled: true}\n"
    "train: {epochs: 2, batch: 10, evaluation_batch: 10}\n";
static const char teacher_text[] = "name: teacher\ndevice: cpu-ref\n"
                                   "data: {name: digits, digits_train: 40, digits_test: 10, validation: 0.25}\n"
                                   "student: {kind: ann, model: mlp, hidden: 8}\n"
                                   "train: {epochs: 1, batch: 10, evaluation_batch: 10}\n";

// What is the same bits however a run went.
static const char *const records[] = {"history.jsonl", "checkpoint.safetensors", "best.safetensors", "recipe.yaml"};
enum { RECORD_COUNT = sizeof records / sizeof *records, STEP_COUNT = 6 };

typedef struct scene {
  char folder[TEST_PATH_SIZE], run[TEST_PATH_SIZE], whole[TEST_PATH_SIZE], teacher[TEST_PATH_SIZE + 16];
  char *expected[RECORD_COUNT];
  size_t sizes[RECORD_COUNT];
} scene;

// Opens the recipe and trains; `resume` goes on where a run is, else begins in an empty folder.
static sst_status train_text(sst_context *context, const char *text, const char *teacher, const char *out, bool resume,
                             sst_progress_function *progress, void *user) {
  sst_recipe *recipe = NULL;
  sst_status status = sst_recipe_from_text(context, "recipe.yaml", text, &teacher, teacher ? 1 : 0, &recipe);
  if (status != SST_OK) { return status; }
  sst_run_options_train options = {.out = out, .resume = resume, .progress = progress, .user = user};
  sst_run_result result;
  status = sst_run_train(context, recipe, &options, &result);
  sst_recipe_close(context, recipe);
  return status;
}

static sst_status train(sst_context *context, const scene *s, bool resume) {
  return train_text(context, student_text, s->teacher, s->run, resume, NULL, NULL);
}

static void read_records(const scene *s, const char *folder, char *data[RECORD_COUNT], size_t sizes[RECORD_COUNT]) {
  (void)s;
  for (int i = 0; i < RECORD_COUNT; i++) {
    char path[TEST_PATH_SIZE];
    sst_context *context = test_context_with_threads(1);
    char *block = NULL;
    assert_ok(context, ssti_file_read(context, test_path(path, folder, records[i]), 0, &block, &sizes[i]));
    data[i] = malloc(sizes[i] + 1);
    memcpy(data[i], block, sizes[i] + 1);
    ssti_free(context, block);
    test_context_end(context);
  }
}

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->folder);
  test_path(s->run, s->folder, "run");
  test_path(s->whole, s->folder, "whole");
  char teacher[TEST_PATH_SIZE];
  snprintf(s->teacher, sizeof s->teacher, "teacher=%s", test_path(teacher, s->folder, "teacher"));
  sst_context *context = test_context_with_threads(1);
  assert_ok(context, train_text(context, teacher_text, NULL, teacher, false, NULL, NULL));
  assert_ok(context, train_text(context, student_text, s->teacher, s->whole, false, NULL, NULL));
  test_context_end(context);
  read_records(s, s->whole, s->expected, s->sizes);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->folder);
  for (int i = 0; i < RECORD_COUNT; i++) { free(s->expected[i]); }
  free(s);
  return 0;
}

// No file that is none of a run's, that is: no temporary one.
static void assert_no_scraps(const char *folder) {
  DIR *entries = opendir(folder);
  if (!entries) { return; } // nothing was begun
  for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
    if (strstr(entry->d_name, ".tmp") != NULL) { fail_msg("%s was left in %s", entry->d_name, folder); }
  }
  closedir(entries);
}

static void assert_same_as_whole(const scene *s) {
  char *found[RECORD_COUNT];
  size_t sizes[RECORD_COUNT];
  read_records(s, s->run, found, sizes);
  for (int i = 0; i < RECORD_COUNT; i++) {
    if (sizes[i] != s->sizes[i] || memcmp(found[i], s->expected[i], sizes[i]) != 0) {
      fail_msg("%s differs from that of the undisturbed run", records[i]);
    }
    free(found[i]);
  }
}

// Goes on with the disturbed run, without faults, to the end.
static void resume_and_compare(const scene *s) {
  sst_context *context = test_context_with_threads(1);
  assert_ok(context, train(context, s, true));
  test_context_end(context);
  assert_same_as_whole(s);
  assert_no_scraps(s->run);
  temp_folder_remove(s->run);
}

// ---- failures ----

static bool try_fault(const scene *s, fault_plan *plan, sst_status expected) {
  sst_context *context = fault_context(plan);
  sst_status status = train(context, s, false);
  bool met = fault_met(plan);
  if (met && status != expected) {
    fail_msg("allocation %llu, operation %llu: gave %s (%s), expected %s", (unsigned long long)plan->allocation,
             (unsigned long long)plan->operation, sst_status_name(status), sst_context_message(context),
             sst_status_name(expected));
  }
  if (!met) { assert_ok(context, status); }
  if (met) { assert_true(strlen(sst_context_message(context)) > 10); }
  assert_no_scraps(s->run);
  test_context_end(context);
  return met;
}

// Every one of the first failures, then one in so many: building a graph allocates alike again and again.
static void test_memory(void **state) {
  const scene *s = *state;
  uint64_t k = 1, tries = 0;
  for (bool met = true; met; tries++) {
    fault_plan plan = {.allocation = k};
    met = try_fault(s, &plan, SST_OUT_OF_MEMORY);
    if (tries % 10 == 0) {
      resume_and_compare(s);
    } else {
      temp_folder_remove(s->run);
    }
    k += k < 100 ? 1 : 7;
  }
  assert_in_range(k, 300, 100000);
}

static void test_operations(void **state) {
  const scene *s = *state;
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.operation = faults + 1};
    met = try_fault(s, &plan, SST_IO);
    resume_and_compare(s);
  }
  assert_in_range(faults, 30, 1000);
}

// From one operation on nothing can be written any more.
static void test_full_disk(void **state) {
  const scene *s = *state;
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan plan = {.operation = faults + 1, .stays = true};
    met = try_fault(s, &plan, SST_IO);
    resume_and_compare(s);
  }
  assert_in_range(faults, 30, 1000);
}

// A failure while resuming costs nothing that was saved.
static void test_operations_while_resuming(void **state) {
  const scene *s = *state;
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    fault_plan first = {.operation = 40, .stays = true}; // somewhere in the first epoch
    assert_true(try_fault(s, &first, SST_IO));
    fault_plan plan = {.operation = faults + 1};
    sst_context *context = fault_context(&plan);
    sst_status status = train(context, s, true);
    met = fault_met(&plan);
    assert_int_equal(status, met ? SST_IO : SST_OK);
    test_context_end(context);
    assert_no_scraps(s->run);
    resume_and_compare(s);
  }
  assert_in_range(faults, 20, 1000);
}

// ---- ends ----

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

// Trains in a process of its own, which is killed right before its k-th file operation. False if it came to its end.
static bool killed_at(const scene *s, uint64_t at) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    killer k = {.at = at};
    sst_context *context = NULL;
    sst_context_options options = {.io_gate = kill_at, .io_gate_user = &k, .threads = 1};
    sst_status status = sst_context_create(&options, &context);
    if (status == SST_OK) { status = train(context, s, true); }
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

// Killed again and again, each time a little later than it had to resume: it still gets to the end.
static void test_killed_again_and_again(void **state) {
  const scene *s = *state;
  int sittings = 1;
  while (killed_at(s, 55)) { assert_true(++sittings < 20); }
  assert_in_range(sittings, 2, 20);
  assert_same_as_whole(s);
  temp_folder_remove(s->run);
}

static void stop_after_batch(void *user, const sst_progress *progress) {
  (void)progress;
  sst_context_request_stop(user);
}

// A stop after every single batch, each sitting in a context of its own.
static void test_stopped_after_every_batch(void **state) {
  const scene *s = *state;
  int stops = 0;
  for (sst_status status = SST_INTERRUPTED; status == SST_INTERRUPTED; stops++) {
    sst_context *context = test_context_with_threads(1);
    status = train_text(context, student_text, s->teacher, s->run, true, stop_after_batch, context);
    if (status == SST_INTERRUPTED) {
      assert_non_null(strstr(sst_context_message(context), s->run));
    } else {
      assert_ok(context, status);
    }
    test_context_end(context);
    assert_no_scraps(s->run);
    assert_in_range(stops, 0, STEP_COUNT); // each sitting gets further; the last one only evaluates
  }
  assert_int_equal(stops, STEP_COUNT + 1);
  assert_same_as_whole(s);
  temp_folder_remove(s->run);
}

int main(void) {
  // Thousands of flushes to a disk take their time, and nothing here pulls the plug.
  if (access("/dev/shm", W_OK) == 0) { setenv("TMPDIR", "/dev/shm", 1); }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_operations),
      cmocka_unit_test(test_full_disk),
      cmocka_unit_test(test_operations_while_resuming),
      cmocka_unit_test(test_killed),
      cmocka_unit_test(test_killed_again_and_again),
      cmocka_unit_test(test_stopped_after_every_batch),
  };
  return cmocka_run_group_tests(tests, scene_begin, scene_end);
}
