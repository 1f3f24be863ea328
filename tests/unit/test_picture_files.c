// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include <sys/stat.h>

#include "base/file.h"
#include "data/picture_folder.h"
#include "spikestill/data.h"

enum { FIT_WIDTH = 9, FIT_HEIGHT = 7 };

static const char *const GOLDENS[] = {"colour.jpg", "grey.jpg",    "cmyk.jpg",  "progressive.jpg", "colour.png",
                                      "grey.png",   "palette.png", "alpha.png", "sixteen.png",     "small.png"};
enum { GOLDEN_COUNT = sizeof GOLDENS / sizeof *GOLDENS };

static void need_codecs(void) {
#ifndef SPIKESTILL_HAS_PICTURES
  skip_because("%s", "built without libjpeg and libpng");
#endif
}

static char *golden_file(sst_context *context, const char *name, const char *ending, size_t *size) {
  char relative[128], path[TEST_PATH_SIZE], *data = NULL;
  snprintf(relative, sizeof relative, "tests/golden/pictures/%s%s", name, ending);
  assert_ok(context, ssti_file_read(context, test_source_path(path, relative), 0, &data, size));
  return data;
}

// At most `most` apart in each byte.
static void assert_bytes_near(const char *name, const uint8_t *found, const uint8_t *expected, size_t count, int most) {
  for (size_t i = 0; i < count; i++) {
    int apart = abs((int)found[i] - (int)expected[i]);
    if (apart > most) { fail_msg("%s: byte %zu is %d, expected %d", name, i, found[i], expected[i]); }
  }
}

// PIL's decoder is another build of libjpeg, so colours may differ by rounding.
static void test_files_are_decoded_as_pil_does(void **state) {
  sst_context *context = *state;
  need_codecs();
  for (int i = 0; i < GOLDEN_COUNT; i++) {
    const char *name = GOLDENS[i];
    ssti_picture_room room = {0};
    uint8_t fitted[FIT_WIDTH * FIT_HEIGHT * 3];
    size_t size = 0, rgb_size = 0, fit_size = 0;
    char *data = golden_file(context, name, "", &size), *rgb = golden_file(context, name, ".rgb", &rgb_size);
    char *fit = golden_file(context, name, ".fit", &fit_size);
    // No JPEG is twice as large as what is asked for here, so none is shrunk by its decoder.
    assert_ok(context, ssti_picture_decode(context, name, (const uint8_t *)data, size, 20, 20, &room));
    assert_int_equal(room.width, (uint8_t)rgb[0]);
    assert_int_equal(room.height, (uint8_t)rgb[2]);
    assert_int_equal(rgb_size, 4 + room.width * room.height * 3);
    assert_bytes_near(name, room.pixels, (uint8_t *)rgb + 4, rgb_size - 4, strstr(name, ".jpg") ? 2 : 0);
    assert_ok(context, ssti_picture_fit(context, &room, FIT_WIDTH, FIT_HEIGHT, fitted));
    assert_int_equal(fit_size, sizeof fitted);
    assert_bytes_near(name, fitted, (uint8_t *)fit, fit_size, strstr(name, ".jpg") ? 3 : 1);
    ssti_picture_room_free(context, &room);
    ssti_free(context, data);
    ssti_free(context, rgb);
    ssti_free(context, fit);
  }
}

static void test_a_large_jpeg_is_shrunk_by_its_decoder(void **state) {
  sst_context *context = *state;
  need_codecs();
  ssti_picture_room room = {0};
  size_t size = 0;
  char *data = golden_file(context, "colour.jpg", "", &size); // 24 x 20
  assert_ok(context, ssti_picture_decode(context, "x", (const uint8_t *)data, size, 6, 5, &room));
  assert_int_equal(room.width, 6);
  assert_int_equal(room.height, 5);
  assert_ok(context, ssti_picture_decode(context, "x", (const uint8_t *)data, size, 7, 5, &room));
  assert_int_equal(room.width, 12);
  ssti_picture_room_free(context, &room);
  ssti_free(context, data);
}

// Cut anywhere, no file gives a picture or a crash; and every failure names the file.
static void test_files_that_are_cut_off(void **state) {
  sst_context *context = *state;
  need_codecs();
  for (int i = 0; i < GOLDEN_COUNT; i++) {
    ssti_picture_room room = {0};
    size_t size = 0;
    char *data = golden_file(context, GOLDENS[i], "", &size);
    for (size_t length = 0; length < size - 12; length += 7) {
      assert_fails(context, SST_FORMAT,
                   ssti_picture_decode(context, GOLDENS[i], (const uint8_t *)data, length, 9, 9, &room), GOLDENS[i]);
    }
    ssti_picture_room_free(context, &room);
    ssti_free(context, data);
  }
}

static void test_hostile_sizes_are_refused_before_allocating(void **state) {
  sst_context *context = *state;
  need_codecs();
  ssti_picture_room room = {0};
  size_t size = 0;
  char *data = golden_file(context, "colour.jpg", "", &size);
  for (size_t i = 0; i + 9 < size; i++) { // the frame header: height and width
    if ((uint8_t)data[i] == 0xff && (uint8_t)data[i + 1] == 0xc0) {
      memcpy(data + i + 5, "\x7f\xff\x7f\xff", 4);
      break;
    }
  }
  assert_fails(context, SST_FORMAT, ssti_picture_decode(context, "x.jpg", (const uint8_t *)data, size, 9, 9, &room),
               "x.jpg: is a picture of 32767 x 32767 pixels, expected sides of 1 to 16384");
  assert_null(room.pixels);
  ssti_free(context, data);
}

// ---- folders ----

// A PNG of one colour.
static void write_picture(sst_context *context, const char *folder, const char *name, uint8_t grey) {
  char path[TEST_PATH_SIZE];
  uint8_t pixels[8 * 6 * 3];
  memset(pixels, grey, sizeof pixels);
  assert_ok(context, sst_picture_write(context, test_path(path, folder, name), 8, 6, pixels));
}

// Two classes of three and two pictures, one of them a folder deeper; test/ has one each.
static void make_folders(sst_context *context, const char *root) {
  static const char *const FOLDERS[] = {"train/ant", "train/bee/deep", "test/ant", "test/bee"};
  char folder[TEST_PATH_SIZE];
  for (size_t i = 0; i < 4; i++) { assert_ok(context, ssti_folder_make(context, test_path(folder, root, FOLDERS[i]))); }
  test_path(folder, root, "train/ant");
  write_picture(context, folder, "1.png", 10);
  write_picture(context, folder, "2.PNG", 20);
  write_picture(context, folder, "3.png", 30);
  test_path(folder, root, "train/bee");
  write_picture(context, folder, "x.png", 110);
  write_picture(context, folder, "deep/y.png", 100);
  write_picture(context, test_path(folder, root, "test/ant"), "t.png", 50);
  write_picture(context, test_path(folder, root, "test/bee"), "t.png", 150);
}

static void put_file(sst_context *context, const char *root, const char *name, const char *text) {
  char path[TEST_PATH_SIZE];
  assert_ok(context, ssti_file_write(context, test_path(path, root, name), text, strlen(text)));
}

static void assert_sample(sst_context *context, const sst_dataset *dataset, int64_t index, int label, int grey) {
  uint8_t pixels[4 * 4 * 3];
  assert_int_equal(sst_dataset_label(dataset, index), label);
  assert_ok(context, sst_dataset_read(dataset, index, pixels));
  for (size_t i = 0; i < sizeof pixels; i++) { assert_int_equal(pixels[i], grey); }
}

static void test_classes_take_turns(void **state) {
  sst_context *context = *state;
  need_codecs();
  char root[TEST_PATH_SIZE];
  temp_folder_make(root);
  make_folders(context, root);
  put_file(context, root, "train/ant/notes.txt", "no picture");
  for (int memory = 0; memory <= 1 << 20; memory += 1 << 20) { // decoded at each access, or kept
    sst_dataset *dataset = NULL;
    sst_dataset_options options = {
        .kind = SST_DATASET_FOLDER, .root = root, .train = true, .height = 4, .memory = memory};
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    sst_dataset_info info = sst_dataset_describe(dataset);
    assert_int_equal(info.count, 5);
    assert_int_equal(info.classes, 2);
    assert_int_equal(info.width, 4);
    assert_string_equal(sst_dataset_class_name(dataset, 1), "bee");
    assert_null(sst_dataset_class_name(dataset, 2));
    for (int again = 0; again < 2; again++) {
      assert_sample(context, dataset, 0, 0, 10);
      assert_sample(context, dataset, 1, 1, 100); // "deep/" stands before "x.png"
      assert_sample(context, dataset, 2, 0, 20);
      assert_sample(context, dataset, 3, 1, 110);
      assert_sample(context, dataset, 4, 0, 30);
    }
    sst_dataset_close(dataset);
    options.limit = 2;
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, 2);
    assert_sample(context, dataset, 1, 1, 100);
    sst_dataset_close(dataset);
    options.train = false;
    options.limit = 0;
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, 2);
    assert_sample(context, dataset, 1, 1, 150);
    sst_dataset_close(dataset);
  }
  temp_folder_remove(root);
}

static void test_broken_pictures(void **state) {
  sst_context *context = *state;
  need_codecs();
  char root[TEST_PATH_SIZE];
  temp_folder_make(root);
  make_folders(context, root);
  put_file(context, root, "train/ant/2b.png", "\x89PNG\r\n\x1a\n and no more");
  sst_dataset *dataset = NULL;
  sst_dataset_options options = {
      .kind = SST_DATASET_FOLDER, .root = root, .train = true, .height = 4, .memory = 1 << 20};
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_int_equal(sst_dataset_describe(dataset).count, 6);
  for (int workers = 0; workers <= 2; workers++) {
    sst_loader_options loading = {.batch = 2, .deviation = {1.f, 1.f, 1.f}, .workers = workers};
    sst_loader *loader = NULL;
    sst_batch batch;
    assert_ok(context, sst_loader_open(context, dataset, NULL, 0, &loading, &loader));
    for (int again = 0; again < 2; again++) {
      int64_t good = 0;
      sst_loader_start(loader, 0, 0);
      while (sst_loader_next(loader, &batch)) { good++; }
      assert_int_equal(good, 2); // it is picture 4, in the third batch
      assert_fails(context, SST_FORMAT, sst_loader_status(loader), "train/ant/2b.png: is not a whole PNG picture");
    }
    sst_loader_close(loader);
  }
  sst_dataset_close(dataset);
  for (int memory = 0; memory <= 1 << 20; memory += 1 << 20) {
    options.skip_broken = true;
    options.memory = memory;
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    assert_int_equal(sst_dataset_describe(dataset).count, 5);
    assert_int_equal(sst_dataset_describe(dataset).skipped, 1);
    assert_sample(context, dataset, 3, 1, 110);
    assert_sample(context, dataset, 4, 0, 30);
    sst_dataset_close(dataset);
  }
  temp_folder_remove(root);
}

static void test_folders_that_are_not_as_they_should(void **state) {
  sst_context *context = *state;
  need_codecs();
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  temp_folder_make(root);
  sst_dataset *dataset = NULL;
  sst_dataset_options options = {.kind = SST_DATASET_FOLDER, .root = root, .height = 4};
  assert_fails(context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset), "train: there is no such folder");
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "train")));
  assert_fails(context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset), "holds no folders");
  make_folders(context, root);
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "test/wasp")));
  assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset),
               "test/wasp: is a class that the training part does not have");
  options.train = true;
  options.classes = 3;
  assert_fails(context, SST_MISMATCH, sst_dataset_open(context, &options, &dataset),
               "3 classes are asked for, but it has 2");
  options.classes = 0;
  options.height = 0;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_dataset_open(context, &options, &dataset), "size must be told");
  assert_null(dataset);
  temp_folder_remove(root);
}

static void test_tiny_imagenet_layout(void **state) {
  sst_context *context = *state;
  need_codecs();
  char root[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
  temp_folder_make(root);
  sst_dataset *dataset = NULL;
  sst_dataset_options options = {.kind = SST_DATASET_TINY_IMAGENET, .root = root, .height = 4};
  assert_fails(context, SST_NOT_FOUND, sst_dataset_open(context, &options, &dataset), "holds no wnids.txt");
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "tiny-imagenet-200/train/n1/images")));
  write_picture(context, folder, "a.png", 1);
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "tiny-imagenet-200/train/n2/images")));
  write_picture(context, folder, "b.png", 2);
  assert_ok(context, ssti_folder_make(context, test_path(folder, root, "tiny-imagenet-200/val/images")));
  write_picture(context, folder, "v0.png", 3);
  write_picture(context, folder, "v1.png", 4);
  put_file(context, root, "tiny-imagenet-200/wnids.txt", "n2\nn1\n"); // classes go by name
  put_file(context, root, "tiny-imagenet-200/val/val_annotations.txt",
           "v0.png\tn2\t0\t0\t3\t3\nv1.png\tn1\t0\t0\t3\t3\n");
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_sample(context, dataset, 0, 1, 3);
  assert_sample(context, dataset, 1, 0, 4);
  sst_dataset_close(dataset);
  options.train = true;
  assert_ok(context, sst_dataset_open(context, &options, &dataset));
  assert_sample(context, dataset, 1, 1, 2);
  sst_dataset_close(dataset);
  options.train = false;
  put_file(context, root, "tiny-imagenet-200/val/val_annotations.txt", "v0.png\tn2\nv1.png n1\n");
  assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset),
               "val_annotations.txt: line 2: expected a file's name, a tabulator and its class");
  put_file(context, root, "tiny-imagenet-200/val/val_annotations.txt", "\nv0.png\tn3\t0\n");
  assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset), "line 2: found class 'n3'");
  put_file(context, root, "tiny-imagenet-200/wnids.txt", "n2\nn1\nn2\n");
  assert_fails(context, SST_FORMAT, sst_dataset_open(context, &options, &dataset), ": 'n2' is in it twice");
  temp_folder_remove(root);
}

static void test_real_tiny_imagenet(void **state) {
  sst_context *context = *state;
  need_codecs();
  char root[TEST_PATH_SIZE];
  test_data_path(root, "tiny-imagenet-mini");
  for (int train = 0; train < 2; train++) {
    sst_dataset *dataset = NULL;
    sst_dataset_options options = {
        .kind = SST_DATASET_TINY_IMAGENET, .root = root, .train = train == 1, .skip_broken = true};
    assert_ok(context, sst_dataset_open(context, &options, &dataset));
    sst_dataset_info info = sst_dataset_describe(dataset);
    assert_int_equal(info.count, train ? 150 : 50);
    assert_int_equal(info.skipped, 0);
    assert_int_equal(info.classes, 5);
    assert_int_equal(info.height, 64);
    sst_dataset_close(dataset);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_files_are_decoded_as_pil_does),
      TEST(test_a_large_jpeg_is_shrunk_by_its_decoder),
      TEST(test_files_that_are_cut_off),
      TEST(test_hostile_sizes_are_refused_before_allocating),
      TEST(test_classes_take_turns),
      TEST(test_broken_pictures),
      TEST(test_folders_that_are_not_as_they_should),
      TEST(test_tiny_imagenet_layout),
      TEST(test_real_tiny_imagenet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
