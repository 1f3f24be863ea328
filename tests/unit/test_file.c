// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support.h"

static void assert_content(const char *path, const char *expected) {
  sst_context *context = test_context();
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
  assert_int_equal(size, strlen(expected));
  assert_memory_equal(data, expected, size);
  assert_int_equal(data[size], 0);
  ssti_free(context, data);
  test_context_end(context);
}

static void test_write_and_read(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "a.txt");
  assert_false(ssti_file_exists(path));
  assert_ok(context, ssti_file_write(context, path, "one", 3));
  assert_content(path, "one");
  assert_ok(context, ssti_file_write(context, path, "another one", 11));
  assert_content(path, "another one");
  assert_ok(context, ssti_file_write(context, path, NULL, 0));
  assert_content(path, "");
  assert_int_equal(temp_folder_entries(folder), 1); // no scraps
  temp_folder_remove(folder);
}

static void test_read_of_many_sizes(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "sizes");
  const size_t sizes[] = {1, 65535, 65536, 65537, 300000};
  for (size_t i = 0; i < 5; i++) {
    unsigned char *content = malloc(sizes[i]);
    assert_non_null(content);
    for (size_t j = 0; j < sizes[i]; j++) { content[j] = (unsigned char)(j * 7 + j / 251); }
    assert_ok(context, ssti_file_write(context, path, content, sizes[i]));
    char *data = NULL;
    size_t size = 0;
    assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
    assert_int_equal(size, sizes[i]);
    assert_memory_equal(data, content, size);
    assert_int_equal(data[size], 0);
    ssti_free(context, data);
    free(content);
  }
  temp_folder_remove(folder);
}

// Its size is told as 0, and it has content all the same.
static void test_read_of_a_file_without_size(void **state) {
  sst_context *context = *state;
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, "/proc/self/status", 0, &data, &size));
  assert_true(size > 10);
  assert_memory_equal(data, "Name:", 5);
  ssti_free(context, data);
}

static void test_limit(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "limit");
  assert_ok(context, ssti_file_write(context, path, "12345", 5));
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, path, 5, &data, &size));
  ssti_free(context, data);
  assert_fails(context, SST_FORMAT, ssti_file_read(context, path, 4, &data, &size), "has 5 bytes");
  assert_null(data);
  assert_fails(context, SST_FORMAT, ssti_file_read(context, "/proc/self/status", 4, &data, &size), "larger than the 4");
  assert_null(data);
  temp_folder_remove(folder);
}

static void test_read_failures_name_path_and_reason(void **state) {
  sst_context *context = *state;
  char *data = (char *)(uintptr_t)64;
  size_t size = 1;
  assert_fails(context, SST_NOT_FOUND, ssti_file_read(context, "/nowhere/at/all", 0, &data, &size),
               "/nowhere/at/all: cannot open: No such file or directory");
  assert_null(data);
  assert_int_equal(size, 0);
  assert_fails(context, SST_IO, ssti_file_read(context, "/tmp", 0, &data, &size), "/tmp: cannot read: Is a directory");
  assert_fails(context, SST_IO, ssti_file_read(context, "/dev/null/x", 0, &data, &size), "Not a directory");
}

static void test_write_failures(void **state) {
  sst_context *context = *state;
  ssti_writer *writer = (ssti_writer *)(uintptr_t)64;
  assert_fails(context, SST_NOT_FOUND, ssti_writer_open(context, "/nowhere/file", &writer), "/nowhere/file");
  assert_null(writer);
  assert_fails(context, SST_IO, ssti_file_append(context, "/tmp", "x", 1), "Is a directory");
  // A device without space stands for a full disk.
  assert_fails(context, SST_IO, ssti_file_append(context, "/dev/full", "x", 1),
               "/dev/full: cannot write: No space left");
}

static void test_the_target_is_untouched_until_the_commit(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "target");
  assert_ok(context, ssti_file_write(context, path, "old", 3));
  ssti_writer *writer = NULL;
  assert_ok(context, ssti_writer_open(context, path, &writer));
  assert_ok(context, ssti_writer_write(writer, "ne", 2));
  assert_ok(context, ssti_writer_write(writer, "w", 1));
  assert_content(path, "old");
  ssti_writer_abandon(writer);
  assert_content(path, "old");
  assert_int_equal(temp_folder_entries(folder), 1);
  assert_ok(context, ssti_writer_open(context, path, &writer));
  assert_ok(context, ssti_writer_write(writer, "new", 3));
  assert_ok(context, ssti_writer_commit(writer));
  assert_content(path, "new");
  ssti_writer_abandon(NULL);
  temp_folder_remove(folder);
}

static void test_scraps_of_a_dead_process_are_no_obstacle(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], scrap[TEST_PATH_SIZE + 32];
  temp_folder_make(folder);
  test_path(path, folder, "target");
  snprintf(scrap, sizeof scrap, "%s.tmp-%ld", path, (long)getpid());
  assert_int_equal(symlink("/dev/full", scrap), 0); // not followed either
  assert_ok(context, ssti_file_write(context, path, "new", 3));
  assert_content(path, "new");
  assert_int_equal(temp_folder_entries(folder), 1);
  temp_folder_remove(folder);
}

static void test_a_target_that_is_a_folder(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "sub");
  assert_ok(context, ssti_folder_make(context, path));
  assert_fails(context, SST_IO, ssti_file_write(context, path, "x", 1), "put the finished file in place");
  assert_int_equal(temp_folder_entries(folder), 1);
  temp_folder_remove(folder);
}

static void test_a_target_in_the_working_folder(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  int back = open(".", O_RDONLY | O_DIRECTORY);
  assert_int_equal(chdir(folder), 0);
  sst_status status = ssti_file_write(context, "plain", "x", 1);
  assert_int_equal(fchdir(back), 0);
  close(back);
  assert_int_equal(status, SST_OK);
  assert_int_equal(temp_folder_entries(folder), 1);
  temp_folder_remove(folder);
}

static void test_append(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "log");
  assert_ok(context, ssti_file_append(context, path, "a\n", 2));
  assert_ok(context, ssti_file_append(context, path, "b\n", 2));
  assert_content(path, "a\nb\n");
  temp_folder_remove(folder);
}

// The disk is full in the middle of a record: what was written of it goes away again.
static void test_append_leaves_no_half_record(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "log");
  assert_ok(context, ssti_file_append(context, path, "first\n", 6));
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN); // so that the limit is an error and not the end
  const struct rlimit little = {.rlim_cur = 10, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
  sst_status status = ssti_file_append(context, path, "the second record\n", 18);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_DFL);
  assert_int_equal(status, SST_IO);
  assert_non_null(strstr(sst_context_message(context), "File too large"));
  assert_content(path, "first\n");
  temp_folder_remove(folder);
}

static void test_folders(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "a/b//c/");
  assert_ok(context, ssti_folder_make(context, path));
  assert_true(ssti_folder_exists(path));
  assert_false(ssti_file_exists(path));
  assert_ok(context, ssti_folder_make(context, path));
  test_path(path, folder, "file");
  assert_ok(context, ssti_file_write(context, path, "", 0));
  assert_true(ssti_file_exists(path));
  assert_false(ssti_folder_exists(path));
  assert_fails(context, SST_IO, ssti_folder_make(context, path), "cannot make the folder: File exists");
  test_path(path, folder, "file/below");
  assert_fails(context, SST_IO, ssti_folder_make(context, path), "cannot make the folder");
  assert_ok(context, ssti_folder_make(context, "/"));
  temp_folder_remove(folder);
}

static void test_join(void **state) {
  sst_context *context = *state;
  const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
  for (size_t i = 0; i < 4; i++) {
    char *path = NULL;
    assert_ok(context, ssti_path_join(context, cases[i][0], cases[i][1], &path));
    assert_string_equal(path, cases[i][2]);
    ssti_free(context, path);
  }
}

// ---- every allocation and every file operation may fail ----

typedef sst_status action(sst_context *context, const char *folder, const char *path);

static sst_status write_action(sst_context *context, const char *folder, const char *path) {
  (void)folder;
  ssti_writer *writer = NULL;
  SST_TRY(ssti_writer_open(context, path, &writer));
  // Ends the writer in every case; a write after a failure must not bring it back to life.
  sst_status first = ssti_writer_write(writer, "ne", 2);
  sst_status second = ssti_writer_write(writer, "w", 1);
  assert_true(first == SST_OK || second == first);
  sst_status status = ssti_writer_commit(writer);
  assert_true(second == SST_OK || status == second);
  return status;
}

static sst_status read_action(sst_context *context, const char *folder, const char *path) {
  (void)folder;
  char *data = NULL;
  size_t size = 0;
  sst_status status = ssti_file_read(context, path, 0, &data, &size);
  assert_true((data != NULL) == (status == SST_OK));
  if (status == SST_OK) { assert_string_equal(data, "old"); }
  ssti_free(context, data);
  return status;
}

static sst_status append_action(sst_context *context, const char *folder, const char *path) {
  (void)folder;
  return ssti_file_append(context, path, "new", 3);
}

static sst_status folder_action(sst_context *context, const char *folder, const char *path) {
  (void)path;
  char *below = NULL;
  SST_TRY(ssti_path_join(context, folder, "x/y", &below));
  sst_status status = ssti_folder_make(context, below);
  ssti_free(context, below);
  return status;
}

// Runs the action with the k-th allocation or operation failing, for every k. After a failure nothing is leaked, the
// sentence is there, and the file has its old content or (once renamed) the new one, whole, with no scrap beside it.
static void try_every_fault(action *run, bool operations, uint64_t expected_faults, const char *new_content) {
  uint64_t k = 1;
  for (;; k++) {
    char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
    temp_folder_make(folder);
    test_path(path, folder, "target");
    sst_context *plain = test_context();
    assert_ok(plain, ssti_file_write(plain, path, "old", 3));
    fault_plan plan = {.allocation = operations ? 0 : k, .operation = operations ? k : 0};
    sst_context *context = fault_context(&plan);
    sst_status status = run(context, folder, path);
    bool met = fault_met(&plan);
    assert_int_equal(status, !met ? SST_OK : (operations ? SST_IO : SST_OUT_OF_MEMORY));
    if (met) { assert_string_not_equal(sst_context_message(context), ""); }
    if (met && operations) { assert_non_null(strstr(sst_context_message(context), "Permission denied")); }
    char *data = NULL;
    size_t size = 0;
    assert_ok(plain, ssti_file_read(plain, path, 0, &data, &size));
    if (strcmp(data, "old") != 0) { assert_string_equal(data, new_content); }
    if (!met) { assert_string_equal(data, new_content); }
    ssti_free(plain, data);
    if (run != folder_action) { assert_int_equal(temp_folder_entries(folder), 1); }
    test_context_end(context);
    test_context_end(plain);
    temp_folder_remove(folder);
    if (!met) { break; }
  }
  assert_true(k > expected_faults); // the faults were really met
}

static void test_faults_of_the_writer(void **state) {
  (void)state;
  try_every_fault(write_action, true, 7, "new"); // open, write, write, flush, rename, open folder, flush folder
  try_every_fault(write_action, false, 4, "new");
}

static void test_faults_of_reading(void **state) {
  (void)state;
  try_every_fault(read_action, true, 3, "old"); // open, read, read the end
  try_every_fault(read_action, false, 1, "old");
}

static void test_faults_of_appending(void **state) {
  (void)state;
  try_every_fault(append_action, true, 3, "oldnew");
  try_every_fault(append_action, false, 0, "oldnew");
}

static void test_faults_of_making_folders(void **state) {
  (void)state;
  try_every_fault(folder_action, true, 2, "old");
  try_every_fault(folder_action, false, 2, "old");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_write_and_read),
      TEST(test_read_of_many_sizes),
      TEST(test_read_of_a_file_without_size),
      TEST(test_limit),
      TEST(test_read_failures_name_path_and_reason),
      TEST(test_write_failures),
      TEST(test_the_target_is_untouched_until_the_commit),
      TEST(test_scraps_of_a_dead_process_are_no_obstacle),
      TEST(test_a_target_that_is_a_folder),
      TEST(test_a_target_in_the_working_folder),
      TEST(test_append),
      TEST(test_append_leaves_no_half_record),
      TEST(test_folders),
      TEST(test_join),
      TEST(test_faults_of_the_writer),
      TEST(test_faults_of_reading),
      TEST(test_faults_of_appending),
      TEST(test_faults_of_making_folders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
