// SPDX-License-Identifier: Apache-2.0
// The reader of HDF5 files against what h5py wrote in the oldest and the newest version of the format (the files are of
// tests/golden/make_hdf5_files.py, which says what is in them), and against files that lie.
#include "support/support.h"

#include "base/file.h"
#include "hdf5/hdf5_read.h"

static const char *const versions[] = {"earliest.h5", "latest.h5"};

static ssti_hdf5 *open_golden(sst_context *context, const char *name) {
  char path[TEST_PATH_SIZE], file[64];
  ssti_hdf5 *out = NULL;
  snprintf(file, sizeof file, "tests/golden/hdf5/%s", name);
  assert_ok(context, ssti_hdf5_open(context, test_source_path(path, file), &out));
  return out;
}

// The entries of a group right below the root.
static ssti_hdf5_links list_group(sst_context *context, ssti_hdf5 *file, const char *name) {
  ssti_hdf5_links root, links;
  ssti_hdf5_kind kind = SSTI_HDF5_OTHER;
  assert_ok(context, ssti_hdf5_list(file, "/", ssti_hdf5_root(file), &root));
  const ssti_hdf5_link *link = ssti_hdf5_find(&root, name);
  assert_non_null(link);
  assert_true(link->hard);
  assert_ok(context, ssti_hdf5_kind_of(file, name, link->address, &kind));
  assert_int_equal(kind, SSTI_HDF5_GROUP);
  assert_ok(context, ssti_hdf5_list(file, name, link->address, &links));
  ssti_hdf5_links_free(file, &root);
  return links;
}

// ---- numbers

static void check_numbers(const ssti_hdf5_number *number, const uint8_t *elements, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *element = elements + i * number->size;
    const int64_t whole = i * 7 % 11;
    double found = 0;
    ssti_hdf5_to_doubles(number, element, 1, &found);
    if (number->is_float) {
      assert_true(found == (double)(whole - 5) / 8);
    } else {
      int64_t integer = 0;
      ssti_hdf5_to_integers(number, element, 1, &integer);
      assert_int_equal(integer, number->is_signed ? whole - 5 : whole);
      assert_true(found == (double)integer);
    }
  }
}

static int check_sets(sst_context *context, const char *name) {
  ssti_hdf5 *file = open_golden(context, name);
  ssti_hdf5_links links = list_group(context, file, "numbers");
  for (size_t i = 0; i < links.count; i++) {
    ssti_hdf5_set set;
    uint8_t *elements = NULL;
    assert_ok(context, ssti_hdf5_describe(file, links.at[i].name, links.at[i].address, &set));
    assert_true(set.type.class == SSTI_HDF5_FLOATS || set.type.class == SSTI_HDF5_INTEGERS);
    assert_ok(context, ssti_hdf5_read(file, &set, &elements));
    check_numbers(&set.type.number, elements, set.count);
    ssti_free(context, elements);
  }
  const ssti_hdf5_link *link = ssti_hdf5_find(&links, "f4");
  ssti_hdf5_set set;
  assert_ok(context, ssti_hdf5_describe(file, "f4", link->address, &set));
  assert_int_equal(set.rank, 2);
  assert_int_equal(set.shape[0], 5);
  assert_int_equal(set.shape[1], 3);
  const int count = (int)links.count;
  ssti_hdf5_links_free(file, &links);
  ssti_hdf5_close(file);
  return count;
}

static void test_numbers(void **state) {
  for (int i = 0; i < 2; i++) { assert_int_equal(check_sets(*state, versions[i]), 32); }
}

static void test_what_comes_before_the_file(void **state) { assert_int_equal(check_sets(*state, "before.h5"), 1); }

// Numbers that no golden file has: the largest, the smallest, what is none.
static void test_numbers_by_hand(void **state) {
  (void)state;
  const ssti_hdf5_number half = {.is_float = true,
                                 .is_signed = true,
                                 .size = 2,
                                 .exponent_at = 10,
                                 .exponent_bits = 5,
                                 .mantissa_bits = 10,
                                 .sign_at = 15,
                                 .bias = 15};
  const uint8_t halves[] = {0xff, 0x7b, 0x01, 0x00, 0x00, 0xfc, 0x00, 0x7e, 0x00, 0x80};
  double doubles[5];
  ssti_hdf5_to_doubles(&half, halves, 5, doubles);
  assert_true(doubles[0] == 65504 && doubles[1] == ldexp(1, -24) && isinf(doubles[2]) && doubles[2] < 0 &&
              isnan(doubles[3]) && doubles[4] == 0 && signbit(doubles[4]));
  const ssti_hdf5_number wide = {.size = 8};
  const uint8_t largest[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  int64_t integer = 0;
  ssti_hdf5_to_integers(&wide, largest, 1, &integer);
  assert_true(integer == INT64_MAX);
  ssti_hdf5_to_integers(&(ssti_hdf5_number){.size = 8, .is_signed = true}, largest, 1, &integer);
  assert_int_equal(integer, -1);
}

// ---- texts and sequences

static void check_text(sst_context *context, ssti_hdf5 *file, const ssti_hdf5_link *link) {
  ssti_hdf5_set set;
  uint8_t *elements = NULL;
  assert_ok(context, ssti_hdf5_describe(file, link->name, link->address, &set));
  const bool variable = strcmp(link->name, "variable") == 0 || strcmp(link->name, "packed") == 0;
  assert_int_equal(set.type.class, variable ? SSTI_HDF5_LONG_TEXTS : SSTI_HDF5_TEXTS);
  assert_ok(context, ssti_hdf5_read(file, &set, &elements));
  for (int64_t i = 0; i < set.count; i++) {
    char *text = NULL, expected[32];
    snprintf(expected, sizeof expected, strstr(link->name, "ascii") ? "text %d" : "text %d \xc3\xa9", (int)i);
    assert_ok(context, ssti_hdf5_text(file, &set, elements, i, &text));
    assert_string_equal(text, expected);
    ssti_free(context, text);
  }
  ssti_free(context, elements);
}

static void test_texts(void **state) {
  sst_context *context = *state;
  for (int i = 0; i < 2; i++) {
    ssti_hdf5 *file = open_golden(context, versions[i]);
    ssti_hdf5_links links = list_group(context, file, "texts");
    assert_int_equal(links.count, 5);
    for (size_t k = 0; k < links.count; k++) { check_text(context, file, &links.at[k]); }
    ssti_hdf5_links_free(file, &links);
    ssti_hdf5_close(file);
  }
}

static void test_sequences(void **state) {
  sst_context *context = *state;
  for (int i = 0; i < 2; i++) {
    ssti_hdf5 *file = open_golden(context, versions[i]);
    ssti_hdf5_links links = list_group(context, file, "sequences");
    assert_int_equal(links.count, 3);
    for (size_t k = 0; k < links.count; k++) {
      ssti_hdf5_set set;
      uint8_t *elements = NULL;
      assert_ok(context, ssti_hdf5_describe(file, links.at[k].name, links.at[k].address, &set));
      assert_int_equal(set.type.class, SSTI_HDF5_SEQUENCES);
      assert_ok(context, ssti_hdf5_read(file, &set, &elements));
      for (int64_t s = 0; s < set.count; s++) {
        ssti_hdf5_sequence sequence;
        assert_ok(context, ssti_hdf5_sequence_read(file, &set, elements + s * 16, &sequence));
        assert_int_equal(sequence.count, 3 * s);
        check_numbers(&set.type.number, sequence.elements, sequence.count);
        ssti_hdf5_sequence_free(file, &sequence);
      }
      ssti_free(context, elements);
    }
    ssti_hdf5_links_free(file, &links);
    ssti_hdf5_close(file);
  }
}

// ---- groups

static void check_order(const ssti_hdf5_links *links, bool falling) {
  enum { LINKS = 700 };
  int met = 0;
  for (size_t i = 0; i < links->count; i++) {
    int number = -1;
    if (!links->at[i].hard) { continue; }
    assert_int_equal(sscanf(links->at[i].name, "entry %d", &number), 1);
    assert_int_equal(number, falling ? LINKS - 1 - met : met);
    assert_int_equal(strlen(links->at[i].name), 10 + (size_t)number % 37);
    assert_true(links->at[i].address == links->at[0].address);
    met++;
  }
  assert_int_equal(met, LINKS);
}

static void test_large_groups(void **state) {
  sst_context *context = *state;
  for (int i = 0; i < 2; i++) {
    ssti_hdf5 *file = open_golden(context, versions[i]);
    ssti_hdf5_links links = list_group(context, file, "order");
    check_order(&links, true);
    assert_int_equal(links.count, 702);
    assert_false(ssti_hdf5_find(&links, "soft")->hard);
    assert_false(ssti_hdf5_find(&links, "external")->hard);
    ssti_hdf5_links_free(file, &links);
    links = list_group(context, file, "named");
    check_order(&links, false);
    ssti_hdf5_links_free(file, &links);
    ssti_hdf5_close(file);
  }
}

// ---- what is refused

static void test_refuses_by_name(void **state) {
  sst_context *context = *state;
  const int expected[] = {7, 9};
  for (int i = 0; i < 2; i++) {
    ssti_hdf5 *file = open_golden(context, versions[i]);
    ssti_hdf5_links links = list_group(context, file, "refused");
    assert_int_equal(links.count, expected[i]);
    for (size_t k = 0; k < links.count; k++) {
      ssti_hdf5_set set;
      uint8_t *elements = NULL;
      sst_status status = ssti_hdf5_describe(file, "/refused/it", links.at[k].address, &set);
      if (strcmp(links.at[k].name, "neither") == 0) {
        assert_ok(context, status);
        assert_int_equal(set.type.class, SSTI_HDF5_STRANGE);
        continue;
      }
      if (status == SST_OK) { status = ssti_hdf5_read(file, &set, &elements); }
      assert_fails(context, SST_FORMAT, status, links.at[k].name);
      assert_non_null(strstr(sst_context_message(context), versions[i]));
      assert_non_null(strstr(sst_context_message(context), ": /refused/it: "));
      assert_null(elements);
    }
    const ssti_hdf5_link *set = ssti_hdf5_find(&links, "neither");
    ssti_hdf5_links none;
    assert_fails(context, SST_FORMAT, ssti_hdf5_list(file, "/x", set->address, &none), "/x: is not a group");
    ssti_hdf5_set group;
    assert_fails(context, SST_FORMAT, ssti_hdf5_describe(file, "/x", ssti_hdf5_root(file), &group), "is a group");
    ssti_hdf5_links_free(file, &links);
    ssti_hdf5_close(file);
  }
}

static void test_files_that_are_none(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE], *data = NULL;
  size_t size = 0;
  ssti_hdf5 *file = NULL;
  assert_fails(context, SST_NOT_FOUND, ssti_hdf5_open(context, "/nowhere/a.h5", &file), "/nowhere/a.h5");
  assert_fails(context, SST_FORMAT, ssti_hdf5_open_bytes(context, "a.h5", "", 0, &file), "a.h5: is not an HDF5 file");
  assert_ok(context, ssti_file_read(context, test_source_path(path, "tests/golden/hdf5/latest.h5"), 0, &data, &size));
  assert_fails(context, SST_FORMAT, ssti_hdf5_open_bytes(context, "cut", data, size - 1, &file),
               "cut: is cut off: it says that it has ");
  assert_fails(context, SST_FORMAT, ssti_hdf5_open_bytes(context, "cut", data, 40, &file),
               "ends inside its superblock");
  data[9] = 4;
  assert_fails(context, SST_FORMAT, ssti_hdf5_open_bytes(context, "four", data, size, &file), "addresses of 4");
  assert_null(file);
  ssti_free(context, data);
}

// A tree that leads back to its root, and a header that goes on in itself.
static void test_circles_end(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE], *data = NULL;
  size_t size = 0, trees = 0;
  assert_ok(context, ssti_file_read(context, test_source_path(path, "tests/golden/hdf5/earliest.h5"), 0, &data, &size));
  for (size_t i = 0; i + 48 < size; i++) {
    if (memcmp(data + i, "TREE\0", 5) != 0 || data[i + 5] == 0) { continue; }
    const uint64_t address = i;
    memcpy(data + i + 32, &address, sizeof address); // the first child
    trees++;
  }
  assert_true(trees > 0);
  ssti_hdf5 *file = NULL;
  assert_ok(context, ssti_hdf5_open_bytes(context, "circle", data, size, &file));
  ssti_hdf5_links root, links;
  assert_ok(context, ssti_hdf5_list(file, "/", ssti_hdf5_root(file), &root));
  assert_fails(context, SST_FORMAT, ssti_hdf5_list(file, "/named", ssti_hdf5_find(&root, "named")->address, &links),
               "expected a node of a tree");
  ssti_hdf5_links_free(file, &root);
  // Whatever one group is asked for, again and again, ends.
  sst_status status = SST_OK;
  for (int i = 0; i < 100000000 && status == SST_OK; i++) {
    ssti_hdf5_kind kind;
    status = ssti_hdf5_kind_of(file, "/", ssti_hdf5_root(file), &kind);
  }
  assert_fails(context, SST_FORMAT, status, "it leads to the same places again and again");
  ssti_hdf5_close(file);
  ssti_free(context, data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_numbers),         TEST(test_what_comes_before_the_file),
      TEST(test_numbers_by_hand), TEST(test_texts),
      TEST(test_sequences),       TEST(test_large_groups),
      TEST(test_refuses_by_name), TEST(test_files_that_are_none),
      TEST(test_circles_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
