// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include <fcntl.h>

#include "base/file.h"
#include "data/frame_cache.h"

static const sst_framing FRAMING = {SST_FRAMING_SJ_TIME, 3, 0, 0};

static ssti_framed make(sst_context *context) {
  ssti_framed framed = {.count = 5, .timesteps = 3, .height = 4, .width = 2, .channels = 2};
  assert_ok(context, ssti_framed_allocate(context, &framed));
  for (int i = 0; i < 5; i++) { framed.labels[i] = 100 * i; }
  for (int i = 0; i < 5 * 48; i++) { framed.counts[i] = (uint8_t)(i * 7); }
  return framed;
}

static void check_same(const ssti_framed *found) {
  assert_int_equal(found->count, 5);
  assert_int_equal(found->timesteps * found->height * found->width * found->channels, 48);
  assert_int_equal(found->height, 4);
  for (int i = 0; i < 5; i++) { assert_int_equal(found->labels[i], 100 * i); }
  for (int i = 0; i < 5 * 48; i++) { assert_int_equal(found->counts[i], (uint8_t)(i * 7)); }
}

// Whether the folder has a usable cache for the key; the key is freed.
static bool has(sst_context *context, const char *folder, ssti_text key) {
  ssti_framed found;
  bool is = false;
  assert_ok(context, key.status);
  assert_ok(context, ssti_frame_cache_load(context, folder, &key, &found, &is));
  if (is) {
    check_same(&found);
  } else {
    assert_null(found.counts);
  }
  ssti_framed_free(context, &found);
  ssti_text_free(&key);
  return is;
}

static void store(sst_context *context, const char *folder, ssti_text key) {
  ssti_framed framed = make(context);
  assert_ok(context, ssti_frame_cache_store(context, folder, &key, &framed));
  ssti_framed_free(context, &framed);
  ssti_text_free(&key);
}

static ssti_text key_of(sst_context *context, const char *what, sst_framing framing, const char *file) {
  ssti_text key = ssti_frame_cache_key(context, what, &framing);
  if (file != NULL) { ssti_frame_cache_key_add_file(&key, file); }
  return key;
}

static void test_what_was_kept_comes_back(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  temp_folder_make(root);
  test_path(folder, root, "not/there/yet");
  assert_false(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  store(context, folder, key_of(context, "a", FRAMING, NULL));
  assert_true(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  store(context, folder, key_of(context, "a", FRAMING, NULL)); // again, in place of the old one
  assert_int_equal(temp_folder_entries(folder), 1);
  assert_true(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  temp_folder_remove(root);
}

static void test_other_settings_are_noticed(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  store(context, folder, key_of(context, "a", FRAMING, NULL));
  sst_framing other = FRAMING;
  assert_false(has(context, folder, key_of(context, "b", FRAMING, NULL)));
  other.frames = 4;
  assert_false(has(context, folder, key_of(context, "a", other, NULL)));
  other = FRAMING;
  other.mode = SST_FRAMING_TONIC_NBINS;
  assert_false(has(context, folder, key_of(context, "a", other, NULL)));
  other = FRAMING;
  other.window_us = 9;
  assert_false(has(context, folder, key_of(context, "a", other, NULL)));
  other = FRAMING;
  other.count = 9;
  assert_false(has(context, folder, key_of(context, "a", other, NULL)));
  assert_true(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  store(context, folder, key_of(context, "b", FRAMING, NULL)); // beside the other
  assert_int_equal(temp_folder_entries(folder), 2);
  assert_true(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  temp_folder_remove(folder);
}

static void test_other_files_are_noticed(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], one[TEST_PATH_SIZE], two[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(one, folder, "one");
  test_path(two, folder, "two");
  assert_ok(context, ssti_file_write(context, one, "abc", 3));
  assert_ok(context, ssti_file_write(context, two, "abc", 3));
  store(context, folder, key_of(context, "a", FRAMING, one));
  assert_true(has(context, folder, key_of(context, "a", FRAMING, one)));
  assert_false(has(context, folder, key_of(context, "a", FRAMING, two)));
  assert_false(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  struct stat about;
  assert_int_equal(stat(one, &about), 0);
  struct timespec times[2] = {about.st_atim, about.st_mtim};
  times[1].tv_nsec = (times[1].tv_nsec + 1) % 1000000000;
  assert_int_equal(utimensat(AT_FDCWD, one, times, 0), 0); // changed a nanosecond later
  assert_false(has(context, folder, key_of(context, "a", FRAMING, one)));
  times[1] = about.st_mtim;
  assert_int_equal(utimensat(AT_FDCWD, one, times, 0), 0);
  assert_true(has(context, folder, key_of(context, "a", FRAMING, one)));
  assert_ok(context, ssti_file_append(context, one, "d", 1)); // longer, and the old time
  assert_int_equal(utimensat(AT_FDCWD, one, times, 0), 0);
  assert_false(has(context, folder, key_of(context, "a", FRAMING, one)));
  assert_int_equal(remove(one), 0);
  assert_false(has(context, folder, key_of(context, "a", FRAMING, one)));
  temp_folder_remove(folder);
}

static void find_cache(sst_context *context, const char *folder, const char *what, char path[TEST_PATH_SIZE]) {
  char name[64];
  ssti_text key = key_of(context, what, FRAMING, NULL);
  snprintf(name, sizeof name, "%016llx.frames", (unsigned long long)ssti_random_stream(key.data));
  ssti_text_free(&key);
  test_path(path, folder, name);
  assert_true(ssti_file_exists(path));
}

static void test_a_damaged_file_is_not_used(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], *data = NULL;
  size_t size = 0;
  temp_folder_make(folder);
  store(context, folder, key_of(context, "a", FRAMING, NULL));
  find_cache(context, folder, "a", path);
  assert_ok(context, ssti_file_read(context, path, 0, &data, &size));
  size_t key_end = 0;
  for (size_t i = 0; i < size; i++) { // any byte; those that fill up the key mean nothing
    data[i] ^= 0x41;
    assert_ok(context, ssti_file_write(context, path, data, size));
    bool used = has(context, folder, key_of(context, "a", FRAMING, NULL));
    data[i] ^= 0x41;
    if (used) {
      assert_true(i > 64 && i < 200 && data[i] == 0 && (key_end == 0 || i < key_end + 8));
      key_end = key_end == 0 ? i : key_end;
    }
  }
  for (size_t cut = 0; cut < size; cut += 3) {
    assert_ok(context, ssti_file_write(context, path, data, cut));
    assert_false(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  }
  assert_ok(context, ssti_file_write(context, path, data, size));
  assert_true(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  assert_ok(context, ssti_file_append(context, path, "x", 1));
  assert_false(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  // A file of other settings under this one's name, as if the two had the same hash.
  char other[TEST_PATH_SIZE];
  assert_int_equal(remove(path), 0);
  store(context, folder, key_of(context, "b", FRAMING, NULL));
  find_cache(context, folder, "b", other);
  assert_int_equal(rename(other, path), 0);
  assert_false(has(context, folder, key_of(context, "a", FRAMING, NULL)));
  ssti_free(context, data);
  temp_folder_remove(folder);
}

static void test_sizes_are_bounded(void **state) {
  sst_context *context = *state;
  const ssti_framed wrong[] = {
      {.count = 0, .timesteps = 1, .height = 1, .width = 1, .channels = 1},
      {.count = 1, .timesteps = -1, .height = 1, .width = 1, .channels = 1},
      {.count = 1, .timesteps = 1, .height = 70000, .width = 1, .channels = 1},
      {.count = INT32_MAX, .timesteps = 65536, .height = 65536, .width = 65536, .channels = 2}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ssti_framed framed = wrong[i];
    assert_fails(context, SST_INVALID_ARGUMENT, ssti_framed_allocate(context, &framed), "cannot hold");
    assert_null(framed.counts);
  }
}

static void test_the_folder(void **state) {
  sst_context *context = *state;
  char *folder = NULL;
  assert_int_equal(setenv("HOME", "/home/somebody", 1), 0);
  assert_int_equal(setenv("XDG_CACHE_HOME", "/var/kept", 1), 0);
  assert_ok(context, ssti_frame_cache_folder(context, &folder));
  assert_string_equal(folder, "/var/kept/spikestill");
  ssti_free(context, folder);
  assert_int_equal(setenv("XDG_CACHE_HOME", "relative", 1), 0);
  assert_ok(context, ssti_frame_cache_folder(context, &folder));
  assert_string_equal(folder, "/home/somebody/.cache/spikestill");
  ssti_free(context, folder);
  assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
  assert_int_equal(unsetenv("HOME"), 0);
  assert_fails(context, SST_NOT_FOUND, ssti_frame_cache_folder(context, &folder), "neither XDG_CACHE_HOME nor HOME");
  assert_null(folder);
}

// Each allocation and each file operation fails in turn: loading never gives half of something, storing leaves the old
// file or the new one.
static void test_faults(void **state) {
  (void)state;
  char folder[TEST_PATH_SIZE];
  temp_folder_make(folder);
  bool met = true;
  for (uint64_t k = 1; met; k++) {
    fault_plan plan = {.allocation = k % 2 == 1 ? k / 2 + 1 : 0, .operation = k % 2 == 0 ? k / 2 : 0};
    sst_context *context = fault_context(&plan);
    ssti_text key = ssti_frame_cache_key(context, "a", &FRAMING);
    ssti_framed framed = {.count = 5, .timesteps = 3, .height = 4, .width = 2, .channels = 2}, found = {0};
    bool is = false;
    sst_status status = ssti_framed_allocate(context, &framed);
    if (status == SST_OK) { status = ssti_frame_cache_store(context, folder, &key, &framed); }
    if (status == SST_OK) { status = ssti_frame_cache_load(context, folder, &key, &found, &is); }
    assert_true(is == (found.counts != NULL));
    assert_true(status == SST_OK || !is);
    ssti_framed_free(context, &found);
    ssti_framed_free(context, &framed);
    ssti_text_free(&key);
    met = fault_met(&plan) || k < 40;
    test_context_end(context);
    assert_true(temp_folder_entries(folder) <= 1);
  }
  temp_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_what_was_kept_comes_back),
      TEST(test_other_settings_are_noticed),
      TEST(test_other_files_are_noticed),
      TEST(test_a_damaged_file_is_not_used),
      TEST(test_sizes_are_bounded),
      TEST(test_the_folder),
      TEST(test_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
