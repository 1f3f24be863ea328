// SPDX-License-Identifier: Apache-2.0
// Event recordings, their cache of frames, and folders of pictures, while memory runs out or a file operation is
// refused: the data set is whole or not there, nothing leaks, and a cache is complete or not there. A cache that cannot
// be read or written costs time, not the data set.
#include "faults.h"

#include <unistd.h>

#include "base/file.h"
#include "data/frame_cache.h"
#include "spikestill/data.h"

typedef struct scene {
  char root[TEST_PATH_SIZE], cache[TEST_PATH_SIZE];
  bool keep_cache;
} scene;

// A recording of three events, in ATIS records of 40 bits.
static void write_recording(sst_context *context, const char *folder, const char *name, uint8_t x) {
  char path[TEST_PATH_SIZE];
  uint8_t data[15] = {0};
  assert_ok(context, ssti_folder_make(context, folder));
  for (int i = 0; i < 3; i++) {
    data[i * 5] = data[i * 5 + 1] = (uint8_t)(x + i);
    data[i * 5 + 4] = (uint8_t)(10 * i);
  }
  assert_ok(context, ssti_file_write(context, test_path(path, folder, name), data, sizeof data));
}

static void write_pictures(sst_context *context, const char *root, const char *part) {
#ifdef SPIKESTILL_HAS_PICTURES
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE], name[64];
  uint8_t pixels[8 * 6 * 3];
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "pictures/%s/%s", part, i % 2 ? "ant" : "bee");
    assert_ok(context, ssti_folder_make(context, test_path(folder, root, name)));
    memset(pixels, 10 * i, sizeof pixels);
    snprintf(name, sizeof name, "%d.png", i);
    assert_ok(context, sst_picture_write(context, test_path(path, folder, name), 8, 6, pixels));
  }
#else
  (void)context, (void)root, (void)part;
#endif
}

static int scene_begin(void **state) {
  scene *s = calloc(1, sizeof *s);
  *state = s;
  temp_folder_make(s->root);
  sst_context *context = test_context();
  for (int digit = 0; digit < 10; digit++) {
    char folder[TEST_PATH_SIZE], name[32];
    snprintf(name, sizeof name, "N-MNIST/Train/%d", digit);
    write_recording(context, test_path(folder, s->root, name), "00001.bin", (uint8_t)digit);
  }
  write_pictures(context, s->root, "train");
  write_pictures(context, s->root, "test");
  test_context_end(context);
  setenv("XDG_CACHE_HOME", test_path(s->cache, s->root, "cache"), 1);
  return 0;
}

static int scene_end(void **state) {
  scene *s = *state;
  temp_folder_remove(s->root);
  free(s);
  return 0;
}

// Opens the data set and looks at its first sample.
static sst_status open_and_read(sst_context *context, const sst_dataset_options *options, uint8_t *sample) {
  sst_dataset *dataset = (sst_dataset *)&context; // a failure has to overwrite it
  sst_status status = sst_dataset_open(context, options, &dataset);
  if (status != SST_OK) {
    assert_null(dataset);
    return status;
  }
  status = sst_dataset_read(dataset, 0, sample);
  sst_dataset_close(dataset);
  return status;
}

// ---- events

static sst_dataset_options events_of(const scene *s, bool cache) {
  return (sst_dataset_options){.kind = SST_DATASET_NMNIST,
                               .root = s->root,
                               .train = true,
                               .cache = cache,
                               .framing = {SST_FRAMING_SJ_NUMBER, 2, 1, 1}};
}

static void check_events(const uint8_t *frames) {
  int total = 0;
  for (int i = 0; i < 2 * 34 * 34 * 2; i++) { total += frames[i]; }
  assert_int_equal(total, 3);
  assert_int_equal(frames[0], 1); // the first event of class 0: place 0, darker
}

static sst_status open_events(sst_context *context, void *user) {
  const scene *s = user;
  uint8_t frames[2 * 34 * 34 * 2];
  sst_dataset_options options = events_of(s, false);
  sst_status status = open_and_read(context, &options, frames);
  if (status == SST_OK) { check_events(frames); }
  return status;
}

static sst_status open_cached_events(sst_context *context, void *user) {
  const scene *s = user;
  uint8_t frames[2 * 34 * 34 * 2];
  sst_dataset_options options = events_of(s, true);
  sst_status status = open_and_read(context, &options, frames);
  if (status == SST_OK) { check_events(frames); }
  return status;
}

// What lies in the cache gives the same frames, and no temporary file lies beside it. Without `keep_cache` the next
// attempt finds none.
static void look_at_cache(void *user, sst_status status) {
  (void)status;
  const scene *s = user;
  char folder[TEST_PATH_SIZE];
  test_path(folder, s->cache, "spikestill");
  if (access(folder, F_OK) == 0) { assert_in_range(temp_folder_entries(folder), 0, 1); }
  sst_context *context = test_context();
  assert_ok(context, open_cached_events(context, user));
  test_context_end(context);
  assert_int_equal(temp_folder_entries(folder), 1);
  if (!s->keep_cache) { temp_folder_remove(s->cache); }
}

// A recording that a thread could not read is read once more, for its message; that may succeed.
static void test_events(void **state) {
  fault_trial trial = {.action = open_events, .scene = *state, .kind = FAULT_MEMORY, .shrugs = true};
  assert_in_range(try_every_fault(&trial), 20, 5000);
  trial.kind = FAULT_OPERATION;
  assert_in_range(try_every_fault(&trial), 10, 1000);
}

static void test_frames_are_kept(void **state) {
  scene *s = *state;
  fault_trial trial = {.action = open_cached_events, .look = look_at_cache, .scene = s, .shrugs = true};
  static const fault_kind kinds[] = {FAULT_MEMORY, FAULT_OPERATION, FAULT_FULL_DISK};
  for (int kept = 0; kept < 2; kept++) {
    s->keep_cache = kept != 0;
    for (int i = 0; i < 3; i++) {
      trial.kind = kinds[i];
      assert_in_range(try_every_fault(&trial), kinds[i] == FAULT_MEMORY ? 15 : 1, 5000);
    }
  }
  temp_folder_remove(s->cache);
}

// ---- pictures

static sst_status open_pictures(sst_context *context, void *user) {
  const scene *s = user;
  for (int64_t memory = 0; memory <= 1 << 20; memory += 1 << 20) { // decoded at each access, or kept
    char root[TEST_PATH_SIZE];
    uint8_t pixels[4 * 4 * 3];
    sst_dataset_options options = {.kind = SST_DATASET_FOLDER,
                                   .root = test_path(root, s->root, "pictures"),
                                   .train = true,
                                   .height = 4,
                                   .memory = memory};
    sst_status status = open_and_read(context, &options, pixels);
    if (status != SST_OK) { return status; }
    assert_int_equal(pixels[0], 10); // the first of class 0, ant
  }
  return SST_OK;
}

static void test_pictures(void **state) {
#ifndef SPIKESTILL_HAS_PICTURES
  skip_because("%s", "built without libjpeg and libpng");
#endif
  fault_trial trial = {.action = open_pictures, .scene = *state, .kind = FAULT_MEMORY};
  assert_in_range(try_every_fault(&trial), 20, 5000);
  trial.kind = FAULT_OPERATION;
  assert_in_range(try_every_fault(&trial), 4, 1000);
}

int main(void) {
  // Hundreds of flushes to a disk take their time.
  if (access("/dev/shm", W_OK) == 0) { setenv("TMPDIR", "/dev/shm", 1); }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_frames_are_kept),
      cmocka_unit_test(test_pictures),
  };
  return cmocka_run_group_tests(tests, scene_begin, scene_end);
}
