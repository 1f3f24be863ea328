// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "base/file.h"
#include "spikestill/data.h"

// An ATIS record: 40 bits.
static size_t put_event(uint8_t *out, int x, int y, int p, int t) {
  const uint8_t record[5] = {(uint8_t)x, (uint8_t)y, (uint8_t)(p << 7 | t >> 16), (uint8_t)(t >> 8), (uint8_t)t};
  memcpy(out, record, sizeof record);
  return sizeof record;
}

// A recording of four events on the diagonal, in the column `x` at first: 0 and 10 us, 20 and 30 us.
static void write_recording(sst_context *context, const char *folder, const char *name, int x) {
  char path[TEST_PATH_SIZE];
  uint8_t data[20];
  size_t size = 0;
  assert_ok(context, ssti_folder_make(context, folder));
  for (int i = 0; i < 4; i++) { size += put_event(data + size, x + i, i, i % 2, 10 * i); }
  assert_ok(context, ssti_file_write(context, test_path(path, folder, name), data, size));
}

static sst_dataset_options nmnist(const char *root, bool train) {
  return (sst_dataset_options){
      .kind = SST_DATASET_NMNIST, .root = root, .train = train, .framing = {SST_FRAMING_SJ_NUMBER, 2, 1, 1}};
}

static void make_nmnist(sst_context *context, const char *root) {
  char folder[TEST_PATH_SIZE], name[32];
  for (int digit = 0; digit < 10; digit++) {
    for (int train = 0; train < 2; train++) {
      snprintf(name, sizeof name, "N-MNIST/%s/%d", train ? "Train" : "Test", digit);
      write_recording(context, test_path(folder, root, name), "00001.bin", digit);
      if (train) { write_recording(context, folder, "00002.bin", 20); }
    }
  }
}

static void test_recordings_become_frames(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE];
  temp_folder_make(root);
  make_nmnist(context, root);
  sst_dataset *dataset = NULL;
  sst_dataset_options options = nmnist(root, true);
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  sst_dataset_info info = sst_dataset_describe(dataset);
  assert_int_equal(info.count, 20);
  assert_int_equal(info.frames, 2);
  assert_int_equal(sst_dataset_sample_bytes(&info), 2 * 34 * 34 * 2);
  for (int i = 0; i < 20; i++) {
    const int digit = i % 10, x = i < 10 ? digit : 20; // classes take turns
    assert_int_equal(sst_dataset_label(dataset, i), digit);
    const uint8_t *frames = sst_dataset_picture(dataset, i);
    int total = 0;
    for (int b = 0; b < 2 * 34 * 34 * 2; b++) { total += frames[b]; }
    assert_int_equal(total, 4);
    for (int e = 0; e < 4; e++) { assert_int_equal(frames[((e / 2 * 34 + e) * 34 + x + e) * 2 + e % 2], 1); }
  }
  sst_recording_info recording;
  assert_ok(context, sst_dataset_recording(dataset, 11, &recording));
  assert_int_equal(recording.events, 4);
  assert_int_equal(recording.brighter, 2);
  assert_int_equal(recording.duration_us, 30);
  sst_dataset_close(dataset);
  options = nmnist(root, false);
  options.height = options.width = 17; // two pixels become one
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_int_equal(sst_dataset_describe(dataset).count, 10);
  const uint8_t *frames = sst_dataset_picture(dataset, 4);
  for (int e = 0; e < 4; e++) { assert_int_equal(frames[((e / 2 * 17 + e / 2) * 17 + (4 + e) / 2) * 2 + e % 2], 1); }
  sst_dataset_close(dataset);
  temp_folder_remove(root);
}

// The cache is used, and not for other settings or changed recordings.
static void test_frames_are_kept(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], cache[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  temp_folder_make(root);
  make_nmnist(context, root);
  test_path(cache, root, "cache");
  const char *before = getenv("XDG_CACHE_HOME");
  char *kept = before != NULL ? strdup(before) : NULL;
  setenv("XDG_CACHE_HOME", cache, 1);
  sst_dataset *dataset = NULL;
  sst_dataset_options options = nmnist(root, true);
  options.cache = true;
  for (int i = 0; i < 4; i++) {
    static const int files[] = {1, 1, 2, 3}; // a second time from the cache, then other settings, then another file
    if (i == 2) { options.framing.mode = SST_FRAMING_SJ_TIME; }
    if (i == 3) { write_recording(context, test_path(folder, root, "N-MNIST/Train/3"), "00009.bin", 9); }
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, i < 3 ? 20 : 21);
    assert_int_equal(sst_dataset_picture(dataset, 5)[5 * 2], 1);
    assert_int_equal(sst_dataset_label(dataset, 5), 5);
    sst_dataset_close(dataset);
    assert_int_equal(temp_folder_entries(test_path(folder, cache, "spikestill")), files[i]);
  }
  if (kept != NULL) {
    setenv("XDG_CACHE_HOME", kept, 1);
  } else {
    unsetenv("XDG_CACHE_HOME");
  }
  free(kept);
  temp_folder_remove(root);
}

// Ten recordings a class, numbered 95 to 104, or 895 to 904.
static void make_caltech(sst_context *context, const char *root, int first) {
  char folder[TEST_PATH_SIZE], name[32];
  for (int k = 0; k < 2; k++) {
    for (int i = first; i < first + 10; i++) {
      snprintf(name, sizeof name, "image_%d.bin", i);
      write_recording(context, test_path(folder, root, k ? "ncaltech101/bee" : "ncaltech101/ant"), name, i - first);
    }
  }
}

static int64_t count_part(sst_context *context, const char *root, sst_event_split split, bool train) {
  sst_dataset *dataset = NULL;
  sst_dataset_options options = nmnist(root, train);
  options.kind = SST_DATASET_NCALTECH101;
  options.split = split;
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  const sst_dataset_info info = sst_dataset_describe(dataset);
  assert_int_equal(info.classes, 2);
  assert_int_equal(info.width, 240);
  assert_string_equal(sst_dataset_class_name(dataset, 0), "ant");
  if (split == SST_SPLIT_FIRST_100 && !train) { assert_int_equal(sst_dataset_picture(dataset, 8)[4 * 2], 1); }
  sst_dataset_close(dataset);
  return info.count;
}

static void test_splits(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE];
  temp_folder_make(root);
  make_caltech(context, root, 95); // by name 100 to 104 come before 95
  assert_int_equal(count_part(context, root, SST_SPLIT_PER_CLASS, true), 18);
  assert_int_equal(count_part(context, root, SST_SPLIT_PER_CLASS, false), 2);
  assert_int_equal(count_part(context, root, SST_SPLIT_FIRST_100, true), 10);
  assert_int_equal(count_part(context, root, SST_SPLIT_FIRST_100, false), 10);
  temp_folder_remove(root);
  temp_folder_make(root);
  make_caltech(context, root, 897);
  assert_int_equal(count_part(context, root, SST_SPLIT_LAST_100, true), 6);
  assert_int_equal(count_part(context, root, SST_SPLIT_LAST_100, false), 14);
  temp_folder_remove(root);
}

static void test_folders_that_are_not_as_they_should(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(root);
  sst_dataset *dataset = NULL;
  sst_dataset_options options = nmnist(root, false);
  assert_fails(context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset), "nmnist/Test: is not there");
  make_nmnist(context, root);
  assert_ok(context, ssti_file_write(context, test_path(path, root, "N-MNIST/Test/7/00001.bin"), "1234567", 7));
  assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset), "Test/7/00001.bin");
  options.height = 35;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_dataset_open(context, &options, &dataset),
               "a height of 35 is asked for");
  options.height = 0;
  options.framing.frames = 0;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_dataset_open(context, &options, &dataset), "frames");
  assert_ok(context, ssti_folder_make(context, test_path(path, root, "N-MNIST/Test/ten")));
  options = nmnist(root, false);
  assert_fails(context, SST_MISMATCH, sst_dataset_open(context, &options, &dataset),
               "10 classes are expected, but its folders are 11");
  assert_null(dataset);
  temp_folder_remove(root);
}

static void test_moving_digits(void **state) {
  sst_context *context = *state;
  sst_dataset *some = NULL, *more = NULL;
  sst_dataset_options options = {.kind = SST_DATASET_MOVING_DIGITS,
                                 .train = true,
                                 .digits_seed = 3,
                                 .digits_count = 20,
                                 .framing = {SST_FRAMING_SJ_TIME, 5, 1, 1}};
  assert_ok(context, sst_dataset_open(context, &options, &more));
  options.limit = 10;
  assert_ok(context, sst_dataset_open(context, &options, &some));
  sst_dataset_info info = sst_dataset_describe(some);
  assert_int_equal(info.count, 10);
  assert_int_equal(info.frames, 5);
  int classes = 0;
  for (int i = 0; i < 10; i++) { classes |= 1 << sst_dataset_label(some, i); }
  assert_int_equal(classes, 1023);
  assert_memory_equal(sst_dataset_picture(some, 0), sst_dataset_picture(more, 0),
                      (size_t)(10 * sst_dataset_sample_bytes(&info)));
  sst_dataset_close(some);
  sst_dataset_close(more);
}

static void test_real_nmnist(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE];
  test_data_path(root, "nmnist-1100");
  for (int train = 0; train < 2; train++) {
    sst_dataset *dataset = NULL;
    sst_dataset_options options = nmnist(root, train == 1);
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, train ? 1000 : 100);
    sst_dataset_close(dataset);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_recordings_become_frames),
      TEST(test_frames_are_kept),
      TEST(test_splits),
      TEST(test_folders_that_are_not_as_they_should),
      TEST(test_moving_digits),
      TEST(test_real_nmnist),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
