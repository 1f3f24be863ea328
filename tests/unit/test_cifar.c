// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "data/cifar.h"
#include "spikestill/data.h"

enum { ROOM = 5 * 3074 };

// Records whose bytes tell where they come from: record i, plane c, pixel p has 31 * i + 64 * c + p.
static size_t make_records(uint8_t *out, int count, ssti_cifar_kind kind) {
  size_t size = 0;
  for (int i = 0; i < count; i++) {
    if (kind == SSTI_CIFAR_100) { out[size++] = (uint8_t)(19 - i); }
    out[size++] = (uint8_t)(kind == SSTI_CIFAR_100 ? 99 - i : 9 - i);
    for (int c = 0; c < 3; c++) {
      for (int p = 0; p < SSTI_CIFAR_PIXELS; p++) { out[size++] = (uint8_t)(31 * i + 64 * c + p); }
    }
  }
  return size;
}

static void test_planes_become_channels(void **state) {
  sst_context *context = *state;
  static uint8_t data[ROOM], pixels[5 * SSTI_CIFAR_BYTES];
  for (int kind = SSTI_CIFAR_10; kind <= SSTI_CIFAR_100; kind++) {
    uint8_t labels[5];
    int64_t count = 0;
    size_t size = make_records(data, 3, (ssti_cifar_kind)kind);
    assert_ok(context, ssti_cifar_count(context, "some.bin", size, (ssti_cifar_kind)kind, &count));
    assert_int_equal(count, 3);
    assert_ok(context, ssti_cifar_read(context, "some.bin", data, count, (ssti_cifar_kind)kind, pixels, labels));
    for (int i = 0; i < 3; i++) {
      assert_int_equal(labels[i], (kind == SSTI_CIFAR_100 ? 99 : 9) - i);
      for (int p = 0; p < SSTI_CIFAR_PIXELS; p++) {
        for (int c = 0; c < 3; c++) {
          assert_int_equal(pixels[(i * SSTI_CIFAR_PIXELS + p) * 3 + c], (uint8_t)(31 * i + 64 * c + p));
        }
      }
    }
  }
}

static void test_bad_files(void **state) {
  sst_context *context = *state;
  static uint8_t data[ROOM], pixels[5 * SSTI_CIFAR_BYTES];
  uint8_t labels[5];
  int64_t count = 0;
  size_t size = make_records(data, 3, SSTI_CIFAR_10);
  assert_fails(context, SST_FORMAT, ssti_cifar_count(context, "some.bin", size - 1, SSTI_CIFAR_10, &count),
               "some.bin: ends at byte 9218, 3072 bytes into record 2; expected whole records of 3073 bytes");
  assert_fails(context, SST_FORMAT, ssti_cifar_count(context, "some.bin", 0, SSTI_CIFAR_10, &count), "is empty");
  data[3073] = 10;
  assert_fails(context, SST_FORMAT, ssti_cifar_read(context, "some.bin", data, 3, SSTI_CIFAR_10, pixels, labels),
               "some.bin: at byte 3073: found label 10, expected 0 to 9");
  make_records(data, 3, SSTI_CIFAR_100);
  data[2 * 3074 + 1] = 100;
  assert_fails(context, SST_FORMAT, ssti_cifar_read(context, "some.bin", data, 3, SSTI_CIFAR_100, pixels, labels),
               "at byte 6149: found fine label 100, expected 0 to 99");
  data[2 * 3074] = 20;
  assert_fails(context, SST_FORMAT, ssti_cifar_read(context, "some.bin", data, 3, SSTI_CIFAR_100, pixels, labels),
               "at byte 6148: found coarse label 20, expected 0 to 19");
}

static void write_records(const char *folder, const char *name, int count, ssti_cifar_kind kind) {
  static uint8_t data[ROOM];
  char path[TEST_PATH_SIZE];
  size_t size = make_records(data, count, kind);
  FILE *file = fopen(test_path(path, folder, name), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, size, file), size);
  fclose(file);
}

// Five training files follow one another; the official folder's name is known too.
static void test_files_in_a_row(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  sst_dataset *dataset = NULL;
  temp_folder_make(root);
  assert_int_equal(mkdir(test_path(folder, root, "cifar-10-batches-bin"), 0777), 0);
  for (int i = 1; i <= 4; i++) {
    char name[32];
    snprintf(name, sizeof name, "data_batch_%d.bin", i);
    write_records(folder, name, i, SSTI_CIFAR_10);
  }
  sst_dataset_options options = {.kind = SST_DATASET_CIFAR10, .root = root, .train = true};
  assert_fails(context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset), "data_batch_5.bin: missing");
  write_records(folder, "data_batch_5.bin", 5, SSTI_CIFAR_10);
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_int_equal(sst_dataset_describe(dataset).count, 15);
  assert_int_equal(sst_dataset_label(dataset, 6), 9); // the fourth file has pictures 6 to 9
  assert_int_equal(sst_dataset_label(dataset, 14), 5);
  assert_int_equal(sst_dataset_picture(dataset, 14)[0], 31 * 4);
  sst_dataset_close(dataset);
  options.limit = 4; // ends inside the third file
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_int_equal(sst_dataset_describe(dataset).count, 4);
  assert_int_equal(sst_dataset_label(dataset, 3), 9);
  sst_dataset_close(dataset);
  temp_folder_remove(root);
}

static void test_faults(void **state) {
  (void)state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  temp_folder_make(root);
  assert_int_equal(mkdir(test_path(folder, root, "cifar100"), 0777), 0);
  write_records(folder, "train.bin", 5, SSTI_CIFAR_100);
  for (int kind = 0; kind < 2; kind++) {
    for (uint64_t k = 1;; k++) {
      fault_plan plan = {.allocation = kind == 0 ? k : 0, .operation = kind == 1 ? k : 0};
      sst_context *context = fault_context(&plan);
      sst_dataset *dataset = NULL;
      sst_dataset_options options = {.kind = SST_DATASET_CIFAR100, .root = root, .train = true};
      sst_status status = sst_dataset_open(context, &options, &dataset);
      bool met = fault_met(&plan);
      assert_int_equal(status == SST_OK, !met);
      assert_int_equal(dataset == NULL, met);
      assert_true(!met || sst_context_message(context)[0] != '\0');
      sst_dataset_close(dataset);
      test_context_end(context);
      if (!met) { break; }
    }
  }
  temp_folder_remove(root);
}

static void test_real_cifar10(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE];
  test_data_path(path, "cifar10");
  sst_dataset *dataset = NULL;
  sst_dataset_options options = {.kind = SST_DATASET_CIFAR10, .train = true};
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_int_equal(sst_dataset_describe(dataset).count, 50000);
  int64_t counts[10] = {0};
  double sums[3] = {0};
  for (int64_t i = 0; i < 50000; i++) {
    const uint8_t *pixels = sst_dataset_picture(dataset, i);
    int64_t picture[3] = {0};
    counts[sst_dataset_label(dataset, i)]++;
    for (int p = 0; p < SSTI_CIFAR_BYTES; p++) { picture[p % 3] += pixels[p]; }
    for (int c = 0; c < 3; c++) { sums[c] += (double)picture[c]; }
  }
  // The known means of the training pixels; mixed-up planes would give others.
  const double means[3] = {0.4914, 0.4822, 0.4465};
  for (int c = 0; c < 3; c++) { assert_near(sums[c] / 255 / 50000 / 1024, means[c], 0, 5e-5); }
  for (int i = 0; i < 10; i++) { assert_int_equal(counts[i], 5000); }
  sst_dataset_close(dataset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_planes_become_channels), TEST(test_bad_files),    TEST(test_files_in_a_row),
      cmocka_unit_test(test_faults),     TEST(test_real_cifar10),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
