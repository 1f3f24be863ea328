// SPDX-License-Identifier: Apache-2.0
// CIFAR10-DVS, DVS128 Gesture, SHD and SSC as their official downloads lie on the disk, in small, through the data set
// and the loader.
#include "support/support.h"

#include "base/file.h"
#include "spikestill/data.h"

enum { SIDE = 128, CLASSES = 10, FILES = 10 };

// A root folder, and options of the training part: two frames of the same number of events.
static sst_dataset_options begin(sst_dataset_kind kind, char root[TEST_PATH_SIZE]) {
  temp_folder_make(root);
  return (sst_dataset_options){.kind = kind, .root = root, .train = true, .framing = {SST_FRAMING_SJ_NUMBER, 2, 1, 1}};
}

static void write_text(sst_context *context, const char *root, const char *name, const char *text) {
  char path[TEST_PATH_SIZE];
  assert_ok(context, ssti_file_write(context, test_path(path, root, name), text, strlen(text)));
}

static void remove_file(const char *root, const char *name) {
  char path[TEST_PATH_SIZE];
  assert_int_equal(remove(test_path(path, root, name)), 0);
}

static sst_dataset *open_set(sst_context *context, const sst_dataset_options *options, int64_t count, int classes) {
  sst_dataset *dataset = NULL;
  assert_ok(context, sst_dataset_open(context, options, &dataset));
  sst_dataset_info info = sst_dataset_describe(dataset);
  assert_int_equal(info.count, count);
  assert_int_equal(info.classes, classes);
  assert_int_equal(info.frames, 2);
  return dataset;
}

static void assert_refused(sst_context *context, const sst_dataset_options *options, sst_status expected,
                           const char *part) {
  sst_dataset *dataset = (void *)1;
  assert_fails(context, expected, sst_dataset_open(context, options, &dataset), part);
  assert_null(dataset);
}

// The value of frame t at a pixel; every frame of these sets has two channels, or one where height is 1.
static int count_at(const sst_dataset *dataset, int64_t sample, int t, int x, int y, int p) {
  const sst_dataset_info info = sst_dataset_describe(dataset);
  const int64_t place = ((t * info.height + y) * info.width + x) * info.channels + p;
  return sst_dataset_picture(dataset, sample)[place];
}

static int64_t count_all(const sst_dataset *dataset, int64_t sample) {
  const sst_dataset_info info = sst_dataset_describe(dataset);
  int64_t total = 0;
  for (int64_t i = 0; i < sst_dataset_sample_bytes(&info); i++) { total += sst_dataset_picture(dataset, sample)[i]; }
  return total;
}

// The loader hands out all samples, in order: counts as numbers, labels as one-hot targets.
static void check_loader(sst_context *context, const sst_dataset *dataset) {
  const sst_dataset_info info = sst_dataset_describe(dataset);
  const int64_t size = info.height * info.width * info.channels;
  const sst_loader_options options = {
      .batch = 3, .encoding = SST_ENCODING_FRAMES, .deviation = {1, 1, 1, 1}, .timesteps = info.frames};
  sst_loader *loader = NULL;
  sst_batch batch;
  int64_t seen = 0;
  assert_ok(context, sst_loader_open(context, dataset, NULL, 0, &options, &loader));
  sst_loader_start(loader, 0, 0);
  while (sst_loader_next(loader, &batch)) {
    for (int64_t n = 0; n < batch.count; n++, seen++) {
      const int label = sst_dataset_label(dataset, seen);
      const uint8_t *counts = sst_dataset_picture(dataset, seen);
      assert_int_equal(batch.labels[n], label);
      assert_true(batch.target[n * info.classes + label] == 1.0f);
      for (int64_t t = 0; t < info.frames; t++) {
        for (int64_t i = 0; i < size; i++) {
          if (batch.input[(t * 3 + n) * size + i] != (float)counts[t * size + i]) { fail_msg("sample %d", (int)seen); }
        }
      }
    }
  }
  assert_ok(context, sst_loader_status(loader));
  assert_int_equal(seen, info.count);
  sst_loader_close(loader);
}

// ---- CIFAR10-DVS ----

static const char *const CIFAR_CLASSES[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                   "dog",      "frog",       "horse", "ship", "truck"};
static const int NUMBERS[FILES] = {0, 9, 99, 100, 500, 899, 900, 950, 998, 999}; // of the files of each class

static size_t put_big(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) { out[i] = (uint8_t)(value >> (24 - 8 * i)); }
  return 4;
}

// File n of class k: a darker event at the sensor's x = n, y = k, and a brighter one at x = n, y = k + 20. Between them
// is what the camera writes for its own ends.
static void write_aedat2(sst_context *context, const char *folder, const char *name, int n, int k) {
  static const char HEADER[] = "#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# created by a test\r\n";
  const uint32_t records[][2] = {
      {(uint32_t)(k << 8 | n << 1), 7000}, {0x8001, 7500}, {(uint32_t)((k + 20) << 8 | n << 1 | 1), 9000}};
  char path[TEST_PATH_SIZE];
  uint8_t data[sizeof HEADER + sizeof records];
  size_t size = sizeof HEADER - 1;
  memcpy(data, HEADER, size);
  for (int i = 0; i < 3; i++) {
    size += put_big(data + size, records[i][0]);
    size += put_big(data + size, records[i][1]);
  }
  assert_ok(context, ssti_file_write(context, test_path(path, folder, name), data, size));
}

static void make_cifar(sst_context *context, const char *root) {
  for (int k = 0; k < CLASSES; k++) {
    char folder[TEST_PATH_SIZE], name[64];
    snprintf(name, sizeof name, "CIFAR10DVS/%s", CIFAR_CLASSES[k]);
    assert_ok(context, ssti_folder_make(context, test_path(folder, root, name)));
    for (int n = 0; n < FILES; n++) {
      snprintf(name, sizeof name, "cifar10_%s_%d.aedat", CIFAR_CLASSES[k], NUMBERS[n]);
      write_aedat2(context, folder, name, n, k);
    }
  }
}

// As the field reads the set, x' = 127 - y, y' = 127 - x and the polarity is turned round; so the pixel tells the file.
static int number_of_sample(const sst_dataset *dataset, int64_t sample) {
  const int k = sst_dataset_label(dataset, sample);
  assert_int_equal(count_all(dataset, sample), 2);
  for (int n = 0; n < FILES; n++) {
    if (count_at(dataset, sample, 0, 127 - k, 127 - n, 1) == 0) { continue; }
    assert_int_equal(count_at(dataset, sample, 1, 107 - k, 127 - n, 0), 1);
    return NUMBERS[n];
  }
  fail_msg("sample %d of class %d shows no file", (int)sample, k);
  return -1;
}

static bool is_for_test(sst_event_split split, int number) {
  switch (split) {
  case SST_SPLIT_FIRST_100: return number < 100;
  case SST_SPLIT_LAST_100: return number >= 900;
  default: return number == 999; // the last of ten in the order of names
  }
}

static void test_cifar10_dvs(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE];
  sst_dataset_options options = begin(SST_DATASET_CIFAR10_DVS, root);
  make_cifar(context, root);
  for (int split = 0; split < SST_EVENT_SPLIT_COUNT; split++) {
    static const int for_test[] = {[SST_SPLIT_PER_CLASS] = 1, [SST_SPLIT_FIRST_100] = 3, [SST_SPLIT_LAST_100] = 4};
    for (int train = 0; train < 2; train++) {
      options.split = (sst_event_split)split;
      options.train = train == 1;
      const int each = train ? FILES - for_test[split] : for_test[split];
      sst_dataset *dataset = open_set(context, &options, (int64_t)CLASSES * each, CLASSES);
      assert_int_equal(sst_dataset_describe(dataset).width, SIDE);
      for (int64_t i = 0; i < (int64_t)CLASSES * each; i++) {
        assert_int_equal(sst_dataset_label(dataset, i), i % CLASSES); // classes take turns
        assert_int_equal(is_for_test(options.split, number_of_sample(dataset, i)), train == 0);
      }
      assert_string_equal(sst_dataset_class_name(dataset, 9), "truck");
      if (!train) { check_loader(context, dataset); }
      sst_dataset_close(dataset);
    }
  }
  temp_folder_remove(root);
}

static void test_cifar10_dvs_refused(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  sst_dataset_options options = begin(SST_DATASET_CIFAR10_DVS, root);
  assert_refused(context, &options, SST_NOT_FOUND, "cifar10-dvs: is not there; cifar10-dvs has to be fetched by hand");
  make_cifar(context, root);
  test_path(folder, root, "CIFAR10DVS/cat");
  write_text(context, folder, "cifar10_cat_100.aedat", "#!AER-DAT3.1\r\n");
  assert_refused(context, &options, SST_FORMAT, "cat/cifar10_cat_100.aedat: at byte 0: expected #!AER-DAT2");
  write_text(context, folder, "cifar10_cat_100.aedat", "#!AER-DAT2.0\r\nabc");
  assert_refused(context, &options, SST_FORMAT,
                 "cat/cifar10_cat_100.aedat: ends at byte 17, in the middle of a record");
  write_aedat2(context, folder, "cifar10_cat_100.aedat", 0, 0);
  write_aedat2(context, folder, "cat.aedat", 0, 0);
  options.split = SST_SPLIT_FIRST_100;
  assert_refused(context, &options, SST_FORMAT, "cat/cat.aedat: has no number in its name, by which data.split goes");
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "CIFAR10DVS/plane")));
  options.split = SST_SPLIT_PER_CLASS;
  assert_refused(context, &options, SST_MISMATCH, "cifar10-dvs: 10 classes are expected, but its folders are 11");
  temp_folder_remove(root);
  options = begin(SST_DATASET_CIFAR10_DVS, root);
  for (int k = 0; k < CLASSES; k++) {
    char name[64];
    snprintf(name, sizeof name, "cifar10-dvs/%s", CIFAR_CLASSES[k]);
    assert_ok(context, ssti_folder_make(context, test_path(folder, root, name)));
  }
  assert_refused(context, &options, SST_NOT_FOUND, "cifar10-dvs/.: holds no .aedat files of this part");
  temp_folder_remove(root);
}

// ---- DVS128 Gesture ----

static size_t put_little(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) { out[i] = (uint8_t)(value >> 8 * i); }
  return 4;
}

static size_t put_packet(uint8_t *out, uint32_t type, const uint32_t records[][2], uint32_t number) {
  const uint32_t header[] = {type | 1U << 16, 8, 4, 0, number, number, number};
  size_t size = 0;
  for (int i = 0; i < 7; i++) { size += put_little(out + size, header[i]); }
  for (uint32_t i = 0; i < number; i++) {
    size += put_little(out + size, records[i][0]);
    size += put_little(out + size, records[i][1]);
  }
  return size;
}

static uint32_t polarity_event(int x, int y, int p) { return (uint32_t)(x << 17 | y << 2 | p << 1 | 1); }

// Two stretches of labels, from 100 to 200 us and from 300 to 400 us: four events in the first, two in the second, in
// the column x at first, and some that belong to neither.
static void write_trial(sst_context *context, const char *folder, const char *trial, int x, const char *labels) {
  static const char HEADER[] = "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n";
  const uint32_t events[][2] = {{polarity_event(9, 9, 0), 99},      {polarity_event(x, 0, 1), 100},
                                {polarity_event(x, 0, 1), 110},     {polarity_event(x, 1, 0), 150},
                                {polarity_event(x + 1, 2, 1), 199}, {polarity_event(9, 9, 0), 200},
                                {polarity_event(x + 2, 3, 0), 300}, {polarity_event(x + 3, 4, 1), 399},
                                {polarity_event(9, 9, 0), 400},     {polarity_event(9, 9, 0) & ~1U, 401}};
  char path[TEST_PATH_SIZE], name[64];
  uint8_t data[512];
  size_t size = sizeof HEADER - 1;
  memcpy(data, HEADER, size);
  size += put_packet(data + size, 0, events, 2); // special events of the camera
  size += put_packet(data + size, 1, events, 6);
  size += put_packet(data + size, 1, events + 6, 4);
  snprintf(name, sizeof name, "%s.aedat", trial);
  assert_ok(context, ssti_file_write(context, test_path(path, folder, name), data, size));
  snprintf(name, sizeof name, "%s_labels.csv", trial);
  write_text(context, folder, name, labels);
}

static void make_gesture(sst_context *context, const char *root, char folder[TEST_PATH_SIZE]) {
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "DvsGesture")));
  write_text(context, folder, "README.txt", "about the set");
  write_text(context, folder, "gesture_mapping.csv", "action,label\nhand_clapping,1\n");
  write_text(context, folder, "trials_to_train.txt", "user01_fluorescent.aedat\r\nuser02_led.aedat\r\n\r\n");
  write_text(context, folder, "trials_to_test.txt", "user24_lab.aedat\n");
  write_trial(context, folder, "user01_fluorescent", 10,
              "class,startTime_usec,endTime_usec\r\n1,100,200\r\n11,300,400\r\n");
  write_trial(context, folder, "user02_led", 20, "class,startTime_usec,endTime_usec\n5,100,200\n");
  write_trial(context, folder, "user24_lab", 30, "class,startTime_usec,endTime_usec\n8,100,200\n2,300,400\n");
}

static void check_first_stretch(const sst_dataset *dataset, int64_t sample, int label, int x) {
  assert_int_equal(sst_dataset_label(dataset, sample), label);
  assert_int_equal(count_all(dataset, sample), 4);
  assert_int_equal(count_at(dataset, sample, 0, x, 0, 1), 2);
  assert_int_equal(count_at(dataset, sample, 1, x, 1, 0), 1);
  assert_int_equal(count_at(dataset, sample, 1, x + 1, 2, 1), 1);
}

static void check_second_stretch(const sst_dataset *dataset, int64_t sample, int label, int x) {
  assert_int_equal(sst_dataset_label(dataset, sample), label);
  assert_int_equal(count_all(dataset, sample), 2);
  assert_int_equal(count_at(dataset, sample, 0, x + 2, 3, 0), 1);
  assert_int_equal(count_at(dataset, sample, 1, x + 3, 4, 1), 1);
}

static void test_dvs128_gesture(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  sst_dataset_options options = begin(SST_DATASET_DVS128_GESTURE, root);
  make_gesture(context, root, folder);
  sst_dataset *dataset = open_set(context, &options, 3, 11);
  check_first_stretch(dataset, 0, 0, 10);
  check_second_stretch(dataset, 1, 10, 10);
  check_first_stretch(dataset, 2, 4, 20);
  check_loader(context, dataset);
  sst_recording_info recording;
  assert_ok(context, sst_dataset_recording(dataset, 2, &recording));
  assert_int_equal(recording.events, 4);
  assert_int_equal(recording.brighter, 3);
  assert_int_equal(recording.duration_us, 99);
  sst_dataset_close(dataset);
  options.limit = 1; // ends within a file
  dataset = open_set(context, &options, 1, 11);
  check_first_stretch(dataset, 0, 0, 10);
  sst_dataset_close(dataset);
  options.limit = 0;
  options.train = false;
  dataset = open_set(context, &options, 2, 11);
  check_first_stretch(dataset, 0, 7, 30);
  check_second_stretch(dataset, 1, 1, 30);
  sst_dataset_close(dataset);
  temp_folder_remove(root);
}

static void test_dvs128_gesture_refused(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  sst_dataset_options options = begin(SST_DATASET_DVS128_GESTURE, root);
  assert_refused(context, &options, SST_NOT_FOUND, "dvs128-gesture/trials_to_train.txt: is not there");
  make_gesture(context, root, folder);
  write_text(context, folder, "user02_led_labels.csv", "class,startTime_usec,endTime_usec\n12,100,200\n");
  assert_refused(context, &options, SST_FORMAT, "user02_led_labels.csv:2: at byte 34: found class 12 from 100 to 200");
  write_text(context, folder, "user02_led_labels.csv", "class,startTime_usec,endTime_usec\n5,200,100\n");
  assert_refused(context, &options, SST_FORMAT, "and an end after the start");
  remove_file(folder, "user02_led_labels.csv");
  assert_refused(context, &options, SST_NOT_FOUND, "DvsGesture/user02_led_labels.csv");
  write_text(context, folder, "user02_led_labels.csv", "class,startTime_usec,endTime_usec\n5,100,200\n");
  remove_file(folder, "user02_led.aedat");
  assert_refused(context, &options, SST_NOT_FOUND, "DvsGesture/user02_led.aedat");
  write_text(context, folder, "trials_to_train.txt", "user01_fluorescent\n");
  assert_refused(context, &options, SST_FORMAT,
                 "trials_to_train.txt: found 'user01_fluorescent', expected names that end in .aedat");
  write_text(context, folder, "trials_to_train.txt", "user24_lab.aedat\nuser24_lab.aedat\n");
  assert_refused(context, &options, SST_FORMAT, "trials_to_train.txt: 'user24_lab.aedat' is in it twice");
  write_text(context, folder, "trials_to_train.txt", "\n");
  assert_refused(context, &options, SST_FORMAT, "trials_to_train.txt: is empty, expected a name on each line");
  temp_folder_remove(root);
}

// ---- SHD and SSC ----

// A file of tests/golden/make_shd_files.py, which says what is in it, under the name of the official one.
static void copy_spikes(sst_context *context, const char *root, const char *name, const char *golden) {
  char path[TEST_PATH_SIZE], source[64], *data = NULL;
  size_t size = 0;
  snprintf(source, sizeof source, "tests/golden/shd/%s", golden);
  assert_ok(context, ssti_file_read(context, test_source_path(path, source), 0, &data, &size));
  assert_ok(context, ssti_file_write(context, test_path(path, root, name), data, size));
  ssti_free(context, data);
}

// Spike k of recording i is of unit (37 * k + 11 * i) % 700, so recording 2 has 22, 59, 96, 133, 170, 207.
static void check_recording_2(const sst_dataset *dataset) {
  static const int units[] = {22, 59, 96, 133, 170, 207};
  assert_int_equal(sst_dataset_describe(dataset).width, 700);
  assert_int_equal(sst_dataset_describe(dataset).height, 1);
  assert_int_equal(count_all(dataset, 2), 6);
  for (int k = 0; k < 6; k++) { assert_int_equal(count_at(dataset, 2, k / 3, units[k], 0, 0), 1); }
}

static void test_shd(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  sst_dataset_options options = begin(SST_DATASET_SHD, root);
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "SHD")));
  copy_spikes(context, folder, "shd_train.h5", "chunked.h5");
  sst_dataset *dataset = open_set(context, &options, 7, 20);
  for (int i = 0; i < 7; i++) { assert_int_equal(sst_dataset_label(dataset, i), 3 * i); }
  check_recording_2(dataset);
  check_loader(context, dataset);
  sst_dataset_close(dataset);
  options.train = false;
  assert_refused(context, &options, SST_NOT_FOUND, "shd/shd_test.h5: is not there; shd has to be fetched by hand");
  copy_spikes(context, folder, "shd_test.h5", "spoken_words.h5");
  assert_refused(context, &options, SST_FORMAT, "SHD/shd_test.h5: recording 0: found label 34, expected 0 to 19");
  copy_spikes(context, folder, "shd_test.h5", "fewer_units.h5");
  assert_refused(context, &options, SST_FORMAT, "SHD/shd_test.h5: recording 3: found 9 times, but 2 units");
  copy_spikes(context, folder, "shd_test.h5", "plain.h5");
  options.limit = 3;
  dataset = open_set(context, &options, 3, 20);
  check_recording_2(dataset);
  sst_dataset_close(dataset);
  temp_folder_remove(root);
}

static void test_ssc(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE];
  sst_dataset_options options = begin(SST_DATASET_SSC, root);
  copy_spikes(context, root, "ssc_train.h5", "plain.h5"); // files in the root itself are found as well
  copy_spikes(context, root, "ssc_test.h5", "spoken_words.h5");
  sst_dataset *dataset = open_set(context, &options, 7, 35);
  assert_int_equal(sst_dataset_label(dataset, 6), 18);
  sst_dataset_close(dataset);
  int32_t train[14], validation[14];
  int64_t trained = 0, held = 0;
  copy_spikes(context, root, "ssc_valid.h5", "spoken_words.h5");
  dataset = open_set(context, &options, 11, 35);
  assert_int_equal(sst_dataset_describe(dataset).validation, 4);
  assert_int_equal(sst_dataset_label(dataset, 6), 18);
  assert_int_equal(sst_dataset_label(dataset, 7), 34);
  assert_int_equal(sst_dataset_label(dataset, 10), 34);
  check_recording_2(dataset);
  assert_int_equal(count_all(dataset, 9), 6); // recording 2 of the validation part
  sst_dataset_split(dataset, 0.1, 1, train, &trained, validation, &held);
  assert_int_equal(trained, 7);
  assert_int_equal(held, 4);
  assert_int_equal(train[6], 6);
  assert_int_equal(validation[0], 7);
  sst_dataset_split(dataset, 0.0, 1, train, &trained, validation, &held);
  assert_int_equal(trained, 7);
  assert_int_equal(held, 0);
  sst_dataset_close(dataset);
  options.limit = 3;
  dataset = open_set(context, &options, 6, 35);
  assert_int_equal(sst_dataset_describe(dataset).validation, 3);
  assert_int_equal(sst_dataset_label(dataset, 3), 34);
  sst_dataset_close(dataset);
  options.limit = 0;
  options.train = false;
  dataset = open_set(context, &options, 4, 35);
  assert_int_equal(sst_dataset_describe(dataset).validation, 0);
  static const int labels[] = {34, 0, 7, 34};
  for (int i = 0; i < 4; i++) { assert_int_equal(sst_dataset_label(dataset, i), labels[i]); }
  check_recording_2(dataset);
  check_loader(context, dataset);
  sst_dataset_close(dataset);
  temp_folder_remove(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_cifar10_dvs),
      TEST(test_cifar10_dvs_refused),
      TEST(test_dvs128_gesture),
      TEST(test_dvs128_gesture_refused),
      TEST(test_shd),
      TEST(test_ssc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
