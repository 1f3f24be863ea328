// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include "data/idx.h"
#include "spikestill/data.h"

enum { ROOM = 1 << 14 };

static size_t put_u32(uint8_t *out, uint32_t value) {
  for (int i = 0; i < 4; i++) { out[i] = (uint8_t)(value >> (24 - 8 * i)); }
  return 4;
}

// A picture file of `count` pictures, which says that it holds `promised`.
static size_t make_pictures(uint8_t *out, uint32_t count, uint32_t promised, uint32_t side) {
  size_t size = put_u32(out, 0x803);
  size += put_u32(out + size, promised);
  size += put_u32(out + size, side);
  size += put_u32(out + size, side);
  for (uint32_t i = 0; i < count * side * side; i++) { out[size++] = (uint8_t)(7 * i); }
  return size;
}

static size_t make_labels(uint8_t *out, uint32_t count, uint32_t promised) {
  size_t size = put_u32(out, 0x801);
  size += put_u32(out + size, promised);
  for (uint32_t i = 0; i < count; i++) { out[size++] = (uint8_t)(i % 10); }
  return size;
}

static size_t pack(const uint8_t *data, size_t size, uint8_t *out) {
  z_stream stream = {0};
  assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = (z_const Bytef *)(uintptr_t)data;
  stream.avail_in = (uInt)size;
  stream.next_out = out;
  stream.avail_out = ROOM;
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  return ROOM - stream.avail_out;
}

static sst_status read_pictures(sst_context *context, const uint8_t *data, size_t size, int64_t limit, uint8_t **out,
                                int64_t *count) {
  return ssti_idx_read_pictures(context, "some.idx", data, size, 4, 4, limit, out, count);
}

static void check_pictures(sst_context *context, const uint8_t *data, size_t size, int64_t limit, int64_t expected) {
  uint8_t *out = NULL;
  int64_t count = 0;
  assert_ok(context, read_pictures(context, data, size, limit, &out, &count));
  assert_int_equal(count, expected);
  for (int64_t i = 0; i < count * 16; i++) { assert_int_equal(out[i], (uint8_t)(7 * i)); }
  ssti_free(context, out);
}

static void test_pictures_plain_and_packed(void **state) {
  uint8_t plain[ROOM], packed[ROOM];
  size_t size = make_pictures(plain, 5, 5, 4), packed_size = pack(plain, size, packed);
  check_pictures(*state, plain, size, 0, 5);
  check_pictures(*state, plain, size, 3, 3);
  check_pictures(*state, plain, size, 9, 5);
  check_pictures(*state, packed, packed_size, 0, 5);
  check_pictures(*state, packed, packed_size, 2, 2);
}

static void test_labels(void **state) {
  sst_context *context = *state;
  uint8_t plain[ROOM], packed[ROOM], *out = NULL;
  int64_t count = 0;
  size_t size = make_labels(plain, 25, 25), packed_size = pack(plain, size, packed);
  assert_ok(context, ssti_idx_read_labels(context, "labels", packed, packed_size, 10, 0, &out, &count));
  assert_int_equal(count, 25);
  for (int64_t i = 0; i < count; i++) { assert_int_equal(out[i], i % 10); }
  ssti_free(context, out);
  assert_fails(context, SST_FORMAT, ssti_idx_read_labels(context, "labels", plain, size, 9, 0, &out, &count),
               "labels: at byte 17: found label 9, expected 0 to 8");
  assert_null(out);
}

static void test_cut_off(void **state) {
  sst_context *context = *state;
  uint8_t plain[ROOM], packed[ROOM], *out = NULL;
  int64_t count = 0;
  size_t size = make_pictures(plain, 5, 5, 4), packed_size = pack(plain, size, packed);
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, size - 1, 0, &out, &count),
               "some.idx: at byte 4: the header promises 5 records, 80 bytes, but at most 79 follow");
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, 10, 0, &out, &count),
               "some.idx: ends at byte 10, in the middle of the header; expected 2 bytes more");
  // Every cut is noticed, in the packed data and in its checksum alike.
  for (size_t cut = 0; cut < size; cut++) {
    assert_int_equal(read_pictures(context, plain, cut, 0, &out, &count), SST_FORMAT);
  }
  for (size_t cut = 0; cut < packed_size; cut++) {
    assert_int_equal(read_pictures(context, packed, cut, 0, &out, &count), SST_FORMAT);
  }
  assert_fails(context, SST_FORMAT, read_pictures(context, packed, packed_size - 1, 0, &out, &count),
               "before its checksum");
}

static void test_damage(void **state) {
  sst_context *context = *state;
  uint8_t plain[ROOM], packed[ROOM], *out = NULL;
  int64_t count = 0;
  size_t size = make_pictures(plain, 5, 5, 4), packed_size = pack(plain, size, packed);
  packed[packed_size - 6] ^= 1; // the checksum
  assert_fails(context, SST_FORMAT, read_pictures(context, packed, packed_size, 0, &out, &count),
               "incorrect data check");
  plain[3] = 1;
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, size, 0, &out, &count),
               "at byte 0: found 0x00000801, expected 0x00000803");
  size = make_pictures(plain, 5, 5, 5);
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, size, 0, &out, &count),
               "at byte 8: found a height of 5, expected 4");
  size = make_pictures(plain, 5, 4, 4);
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, size, 0, &out, &count),
               "there is more after byte 80");
  size = make_pictures(plain, 0, 0, 4);
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, size, 0, &out, &count), "found a count of 0");
}

// A header may promise what no memory can hold; nothing of that size is asked for.
static void test_promise_is_checked_before_allocation(void **state) {
  uint8_t plain[ROOM], packed[ROOM], *out = NULL;
  int64_t count = 0;
  (void)state;
  fault_plan plan = {0};
  sst_context *context = fault_context(&plan);
  size_t size = make_pictures(plain, 5, UINT32_MAX, 4);
  uint64_t before = plan.allocations;
  assert_fails(context, SST_FORMAT, read_pictures(context, plain, size, 0, &out, &count),
               "promises 4294967295 records");
  assert_int_equal(plan.allocations, before);
  size_t packed_size = pack(plain, size, packed);
  assert_fails(context, SST_FORMAT, read_pictures(context, packed, packed_size, 0, &out, &count),
               "promises 4294967295");
  test_context_end(context);
}

static void test_allocation_failures(void **state) {
  (void)state;
  uint8_t plain[ROOM], packed[ROOM];
  size_t size = make_pictures(plain, 5, 5, 4), packed_size = pack(plain, size, packed);
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    uint8_t *out = NULL;
    int64_t count = 0;
    sst_status status = read_pictures(context, packed, packed_size, 0, &out, &count);
    bool met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    ssti_free(context, out);
    test_context_end(context);
    if (!met) { break; }
  }
}

// ---- as data sets ----

static void write_file(const char *folder, const char *name, const uint8_t *data, size_t size) {
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_path(path, folder, name), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, size, file), size);
  fclose(file);
}

static void test_dataset_in_a_folder(void **state) {
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  uint8_t data[ROOM], packed[ROOM];
  sst_dataset *dataset = NULL;
  temp_folder_make(root);
  sst_dataset_options options = {.kind = SST_DATASET_MNIST, .root = root, .train = false};
  assert_fails(
      context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset),
      "there is no file t10k-images-idx3-ubyte (plain or .gz); get the data set with: spikestill data get mnist");
  assert_null(dataset);
  assert_int_equal(mkdir(test_path(folder, root, "mnist"), 0777), 0);
  write_file(folder, "t10k-images-idx3-ubyte", data, make_pictures(data, 3, 3, 28));
  assert_fails(context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset),
               "t10k-labels-idx1-ubyte: missing");
  write_file(folder, "t10k-labels-idx1-ubyte.gz", packed, pack(data, make_labels(data, 4, 4), packed));
  assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset), "found 4 labels, expected 3 as in");
  write_file(folder, "t10k-labels-idx1-ubyte.gz", packed, pack(data, make_labels(data, 3, 3), packed));
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  sst_dataset_info info = sst_dataset_describe(dataset);
  assert_int_equal(info.count, 3);
  assert_int_equal(info.classes, 10);
  assert_int_equal(info.height * 10000 + info.width * 100 + info.channels, 282801);
  assert_int_equal(sst_dataset_label(dataset, 2), 2);
  assert_int_equal(sst_dataset_picture(dataset, 1)[3], (uint8_t)(7 * (784 + 3)));
  sst_dataset_close(dataset);
  options.limit = 2;
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_int_equal(sst_dataset_describe(dataset).count, 2);
  sst_dataset_close(dataset);
  temp_folder_remove(root);
}

static void write_packed(const char *path, const uint8_t *data, size_t size) {
  gzFile file = gzopen(path, "wb1");
  assert_non_null(file);
  assert_int_equal(gzwrite(file, data, (unsigned)size), size);
  assert_int_equal(gzclose(file), Z_OK);
}

// Large packed files are unpacked once: the second time the packed pictures are not looked at, as long as their size
// and time of change are the same.
static void test_packed_pictures_are_kept(void **state) {
  enum { COUNT = 22000 };
  sst_context *context = *state;
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE], pictures[TEST_PATH_SIZE], labels[TEST_PATH_SIZE];
  char cache[TEST_PATH_SIZE];
  uint8_t *data = NULL;
  temp_folder_make(root);
  assert_int_equal(mkdir(test_path(folder, root, "mnist"), 0777), 0);
  setenv("XDG_CACHE_HOME", test_path(cache, root, "cache"), 1);
  test_path(pictures, folder, "train-images-idx3-ubyte.gz");
  test_path(labels, folder, "train-labels-idx1-ubyte.gz");
  assert_ok(context, ssti_allocate_raw(context, 16 + COUNT * 784, 1, &data));
  write_packed(pictures, data, make_pictures(data, COUNT, COUNT, 28));
  write_packed(labels, data, make_labels(data, COUNT, COUNT));
  const sst_dataset_options options = {.kind = SST_DATASET_MNIST, .root = root, .train = true, .cache = true};
  for (int run = 0; run < 3; run++) {
    sst_dataset *dataset = NULL;
    struct stat before;
    if (run == 1) { // damaged, with the size and the time that they had
      assert_int_equal(stat(pictures, &before), 0);
      FILE *file = fopen(pictures, "r+b");
      assert_non_null(file);
      assert_int_equal(fseek(file, 200, SEEK_SET), 0);
      assert_int_equal(fwrite("damaged", 1, 7, file), 7);
      assert_int_equal(fclose(file), 0);
      const struct timespec times[] = {before.st_atim, before.st_mtim};
      assert_int_equal(utimensat(AT_FDCWD, pictures, times, 0), 0);
    }
    if (run == 2) { // changed: looked at again
      const struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
      assert_int_equal(utimensat(AT_FDCWD, pictures, times, 0), 0);
      assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset), pictures);
      break;
    }
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, COUNT);
    assert_int_equal(sst_dataset_label(dataset, COUNT - 1), (COUNT - 1) % 10);
    assert_int_equal(sst_dataset_picture(dataset, 21999)[5], (uint8_t)(7 * (21999 * 784 + 5)));
    sst_dataset_close(dataset);
  }
  ssti_free(context, data);
  unsetenv("XDG_CACHE_HOME");
  temp_folder_remove(root);
}

static void test_real_mnist(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE];
  test_data_path(path, "mnist");
  for (int train = 0; train < 2; train++) {
    sst_dataset *dataset = NULL;
    assert_ok(context, sst_dataset_open(context, &(sst_dataset_options){.kind = SST_DATASET_MNIST, .train = train == 1},
                                        &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, train ? 60000 : 10000);
    assert_int_equal(sst_dataset_label(dataset, 0), train ? 5 : 7); // as everybody knows them
    int64_t sum = 0;
    const uint8_t *pixels = sst_dataset_picture(dataset, 0);
    for (int64_t i = 0; i < sst_dataset_describe(dataset).count * 784; i++) { sum += pixels[i]; }
    // The mean of all training pixels is known as 0.1307.
    if (train) { assert_near((double)sum / 255 / 60000 / 784, 0.1307, 0, 5e-5); }
    sst_dataset_close(dataset);
  }
}

static void test_words(void **state) {
  (void)state;
  for (int i = 0; i < SST_DATASET_COUNT; i++) {
    sst_dataset_kind kind = SST_DATASET_COUNT;
    assert_true(sst_dataset_parse(sst_dataset_word((sst_dataset_kind)i), &kind));
    assert_int_equal(kind, i);
  }
  sst_dataset_kind kind = SST_DATASET_COUNT;
  assert_false(sst_dataset_parse("emnist", &kind));
  assert_string_equal(sst_dataset_word(SST_DATASET_COUNT), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_pictures_plain_and_packed),
      TEST(test_labels),
      TEST(test_cut_off),
      TEST(test_damage),
      cmocka_unit_test(test_promise_is_checked_before_allocation),
      cmocka_unit_test(test_allocation_failures),
      TEST(test_dataset_in_a_folder),
      TEST(test_real_mnist),
      TEST(test_packed_pictures_are_kept),
      cmocka_unit_test(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
