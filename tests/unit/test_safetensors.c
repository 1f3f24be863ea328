// SPDX-License-Identifier: Apache-2.0
// The safetensors container: what is written is read back, the bytes are what the format says and always the same, and
// every way in which a file can be wrong is refused with its place.
#include "../support/support.h"

#include "base/file.h"
#include "spikestill/safetensors.h"

typedef struct folder {
  char path[TEST_PATH_SIZE], file[TEST_PATH_SIZE];
} folder;

static folder make_folder(void) {
  folder f;
  temp_folder_make(f.path);
  test_path(f.file, f.path, "x.safetensors");
  return f;
}

// Writes a file with this header (its length is put in front) and `data_bytes` bytes of data.
static void write_raw(sst_context *context, const char *path, const char *header, size_t data_bytes) {
  const size_t length = strlen(header);
  char *bytes = calloc(1, 8 + length + data_bytes);
  assert_non_null(bytes);
  for (int i = 0; i < 8; i++) { bytes[i] = (char)(unsigned char)(length >> (8 * i) & 0xff); }
  memcpy(bytes + 8, header, length);
  assert_ok(context, ssti_file_write(context, path, bytes, 8 + length + data_bytes));
  free(bytes);
}

static const float weights[6] = {1, -2, 3.5f, 0, 1e-30f, -7};
static const int64_t counter[1] = {INT64_MAX};
static const uint8_t bytes5[5] = {0, 1, 254, 255, 7};

static const sst_safetensors_entry entries[] = {
    {"student.0.conv.weight", SST_SAFETENSORS_F32, 2, {2, 3}, weights, sizeof weights},
    {"step", SST_SAFETENSORS_I64, 0, {0}, counter, sizeof counter},
    {"nothing", SST_SAFETENSORS_F16, 3, {4, 0, 9}, NULL, 0},
    {"mask", SST_SAFETENSORS_U8, 1, {5}, bytes5, sizeof bytes5},
};
static const sst_safetensors_pair pairs[] = {{"format", "spikestill 1"}, {"recipe", "a: \"b\"\n\tc: \xc3\xa4\n"}};

static void test_round_trip(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  assert_ok(context, sst_safetensors_write(context, f.file, entries, 4, pairs, 2));
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_open(context, f.file, &file));
  assert_int_equal(sst_safetensors_count(file), 4);
  for (int i = 0; i < 4; i++) {
    const sst_safetensors_entry found = sst_safetensors_at(file, i);
    assert_string_equal(found.name, entries[i].name);
    assert_int_equal(found.type, entries[i].type);
    assert_int_equal(found.rank, entries[i].rank);
    for (int d = 0; d < found.rank; d++) { assert_int_equal(found.shape[d], entries[i].shape[d]); }
    assert_int_equal(found.bytes, entries[i].bytes);
    if (found.bytes > 0) { assert_memory_equal(found.data, entries[i].data, found.bytes); }
  }
  sst_safetensors_entry found;
  assert_true(sst_safetensors_find(file, "mask", &found));
  assert_int_equal(found.bytes, 5);
  assert_false(sst_safetensors_find(file, "mas", &found));
  assert_string_equal(sst_safetensors_metadata(file, "recipe"), pairs[1].value);
  assert_null(sst_safetensors_metadata(file, "other"));
  sst_safetensors_close(file);
  sst_safetensors_close(NULL);
  temp_folder_remove(f.path);
}

// The same content gives the same bytes; what was read and is written again too.
static void test_stable_bytes(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  char *first = NULL, *second = NULL;
  size_t first_size = 0, second_size = 0;
  assert_ok(context, sst_safetensors_write(context, f.file, entries, 4, pairs, 2));
  assert_ok(context, ssti_file_read(context, f.file, 0, &first, &first_size));
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_open(context, f.file, &file));
  sst_safetensors_entry again[4];
  for (int i = 0; i < 4; i++) { again[i] = sst_safetensors_at(file, i); }
  const sst_safetensors_pair same[] = {{"format", sst_safetensors_metadata(file, "format")},
                                       {"recipe", sst_safetensors_metadata(file, "recipe")}};
  assert_ok(context, sst_safetensors_write(context, f.file, again, 4, same, 2));
  sst_safetensors_close(file);
  assert_ok(context, ssti_file_read(context, f.file, 0, &second, &second_size));
  assert_int_equal(first_size, second_size);
  assert_memory_equal(first, second, first_size);
  ssti_free(context, first);
  ssti_free(context, second);
  assert_int_equal(temp_folder_entries(f.path), 1);
  temp_folder_remove(f.path);
}

// The bytes as the format's description has them.
static void test_layout(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  const sst_safetensors_entry one = {"a", SST_SAFETENSORS_U8, 1, {5}, bytes5, 5};
  assert_ok(context, sst_safetensors_write(context, f.file, &one, 1, NULL, 0));
  char *data = NULL;
  size_t size = 0;
  assert_ok(context, ssti_file_read(context, f.file, 0, &data, &size));
  size_t length = 0;
  for (int i = 7; i >= 0; i--) { length = length << 8 | (unsigned char)data[i]; }
  assert_int_equal(length % 8, 0);
  assert_int_equal(size, 8 + length + 5);
  assert_memory_equal(data + 8 + length, bytes5, 5);
  static const char expected[] = "{\"a\": {\"dtype\": \"U8\", \"shape\": [5], \"data_offsets\": [0, 5]}}";
  assert_memory_equal(data + 8, expected, sizeof expected - 1);
  for (size_t i = sizeof expected - 1; i < length; i++) { assert_int_equal(data[8 + i], ' '); }
  ssti_free(context, data);

  // No tensors at all.
  assert_ok(context, sst_safetensors_write(context, f.file, NULL, 0, pairs, 1));
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_open(context, f.file, &file));
  assert_int_equal(sst_safetensors_count(file), 0);
  assert_string_equal(sst_safetensors_metadata(file, "format"), "spikestill 1");
  sst_safetensors_close(file);
  temp_folder_remove(f.path);
}

// A file made by another program: another order in the header, unpadded, names with escapes.
static void test_foreign_file(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  write_raw(context, f.file,
            "{\"b\":{\"data_offsets\":[4,6],\"dtype\":\"BF16\",\"shape\":[1,1]},"
            "\"caf\\u00e9\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
            "\"__metadata__\":{\"format\":\"pt\"}}",
            6);
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_open(context, f.file, &file));
  assert_int_equal(sst_safetensors_count(file), 2);
  assert_string_equal(sst_safetensors_at(file, 0).name, "caf\xc3\xa9"); // in the order of the data
  assert_string_equal(sst_safetensors_at(file, 1).name, "b");
  assert_string_equal(sst_safetensors_metadata(file, "format"), "pt");
  sst_safetensors_close(file);
  temp_folder_remove(f.path);
}

#define TENSOR(name, type, shape, range)                                                                               \
  "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" range "}"

// Headers that must be refused, over 16 bytes of data, and a part of the sentence that says so.
static const struct {
  const char *header, *part;
} bad_headers[] = {
    {"[]", "byte 8: the header does not begin with '{'"},
    {"", "does not begin with '{'"},
    {"{\"a\":", "not valid JSON"},
    {"{} x", "not valid JSON"},
    {"{\"a\":1}", "byte 9: tensor 'a' is not described by an object"},
    {"{" TENSOR("a", "F32", "[4]", "[0,16]") "," TENSOR("a", "F32", "[4]", "[0,16]") "}", "duplicate"},
    {"{\"a\":{\"shape\":[4],\"data_offsets\":[0,16]}}", "tensor 'a' has no dtype"},
    {"{\"a\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,16]}}", "tensor 'a' has a strange dtype"},
    {"{" TENSOR("a", "F33", "[4]", "[0,16]") "}", "dtype \"F33\", expected one of F64 F32"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", "has no shape"},
    {"{" TENSOR("a", "F32", "4", "[0,16]") "}", "has a strange shape"},
    {"{" TENSOR("a", "F32", "[4.0]", "[0,16]") "}", "not an integer >= 0"},
    {"{" TENSOR("a", "F32", "[-4]", "[0,16]") "}", "not an integer >= 0"},
    {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,4]", "[0,16]") "}", "9 dimensions, expected at most 8"},
    {"{" TENSOR("a", "F32", "[4294967296,4294967296,4]", "[0,16]") "}", "shape too large"},
    {"{" TENSOR("a", "F32", "[4611686018427387904]", "[0,0]") "}", "shape too large"},
    {"{" TENSOR("a", "F32", "[5]", "[0,16]") "}", "takes 16 bytes, expected 20"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", "no data_offsets"},
    {"{" TENSOR("a", "F32", "[4]", "[16]") "}", "other data_offsets"},
    {"{" TENSOR("a", "F32", "[4]", "[-16,0]") "}", "other data_offsets"},
    {"{" TENSOR("a", "F32", "[4]", "[16,0]") "}", "other data_offsets"},
    {"{" TENSOR("a", "F32", "[4]", "[0.0,16.0]") "}", "other data_offsets"},
    {"{" TENSOR("a", "F32", "[5]", "[0,20]") "}", "ends at byte 20 of the data, which are only 16 bytes"},
    {"{" TENSOR("a", "F32", "[4]", "[9223372036854775800,9223372036854775807]") "}", "which are only 16 bytes"},
    {"{" TENSOR("a", "F32", "[4]", "[99999999999999999999,0]") "}", "not valid JSON"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[3]", "[4,16]") "}", "the two overlap"},
    {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[2]", "[8,16]") "}",
     "4 bytes before tensor 'b' belong to no tensor"},
    {"{" TENSOR("a", "F32", "[3]", "[0,12]") "}", "the last 4 bytes belong to no tensor"},
    {"{}", "the last 16 bytes belong to no tensor"},
    {"{\"__metadata__\":[]," TENSOR("a", "F32", "[4]", "[0,16]") "}", "__metadata__ is not an object of texts"},
    {"{\"__metadata__\":{\"n\":1}," TENSOR("a", "F32", "[4]", "[0,16]") "}", "the value of 'n' in __metadata__"},
    {"{" TENSOR("", "F32", "[4]", "[0,16]") "}", "empty name"},
};

static void test_bad_headers(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
    write_raw(context, f.file, bad_headers[i].header, 16);
    sst_safetensors *file = (sst_safetensors *)&f;
    assert_fails(context, SST_FORMAT, sst_safetensors_open(context, f.file, &file), bad_headers[i].part);
    assert_null(file);
    assert_non_null(strstr(sst_context_message(context), f.file));
    assert_non_null(strstr(sst_context_message(context), "byte "));
  }
  temp_folder_remove(f.path);
}

static void test_bad_lengths(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  sst_safetensors *file = NULL;
  static const struct {
    const char *bytes;
    size_t size;
    const char *part;
  } cases[] = {
      {"", 0, "ends inside the header's length"},
      {"\x02\0\0\0\0\0\0", 7, "byte 7: the file ends inside the header's length"},
      {"\x03\0\0\0\0\0\0\0{}", 10, "the header's length is 3 bytes, but only 2 follow"},
      {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "expected at most 100000000"},
      {"PK\x03\x04 some archive", 17, "not a safetensors file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_ok(context, ssti_file_write(context, f.file, cases[i].bytes, cases[i].size));
    assert_fails(context, SST_FORMAT, sst_safetensors_open(context, f.file, &file), cases[i].part);
  }
  char missing[TEST_PATH_SIZE];
  test_path(missing, f.path, "missing");
  assert_fails(context, SST_NOT_FOUND, sst_safetensors_open(context, missing, &file), "missing");
  temp_folder_remove(f.path);
}

// A file cut at any place is refused, and a bit turned over anywhere in front of the data is refused or changes a name
// or a text, but never crashes.
static void test_truncation_and_damage(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  char *bytes = NULL;
  size_t size = 0;
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_write(context, f.file, entries, 4, pairs, 2));
  assert_ok(context, ssti_file_read(context, f.file, 0, &bytes, &size));
  for (size_t cut = 0; cut < size; cut++) {
    assert_ok(context, ssti_file_write(context, f.file, bytes, cut));
    assert_fails(context, SST_FORMAT, sst_safetensors_open(context, f.file, &file), "byte");
  }
  for (size_t bit = 0; bit < 8 * (size - 45); bit += 3) {
    bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    assert_ok(context, ssti_file_write(context, f.file, bytes, size));
    const sst_status status = sst_safetensors_open(context, f.file, &file);
    assert_true(status == SST_OK || status == SST_FORMAT);
    sst_safetensors_close(file);
    bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
  }
  ssti_free(context, bytes);
  temp_folder_remove(f.path);
}

static void test_bad_writes(void **state) {
  sst_context *context = *state;
  folder f = make_folder();
  static const struct {
    sst_safetensors_entry entry;
    const char *part;
  } cases[] = {
      {{"", SST_SAFETENSORS_U8, 1, {5}, bytes5, 5}, "'' cannot be a tensor's name"},
      {{NULL, SST_SAFETENSORS_U8, 1, {5}, bytes5, 5}, "'' cannot be a tensor's name"},
      {{"__metadata__", SST_SAFETENSORS_U8, 1, {5}, bytes5, 5}, "'__metadata__' cannot be a tensor's name"},
      {{"first", SST_SAFETENSORS_U8, 1, {5}, bytes5, 5}, "tensor 'first' is given twice"},
      {{"b", SST_SAFETENSORS_TYPE_COUNT, 1, {5}, bytes5, 5}, "has type 10"},
      {{"b", SST_SAFETENSORS_U8, 9, {5}, bytes5, 5}, "rank 9"},
      {{"b", SST_SAFETENSORS_U8, 1, {-5}, bytes5, 5}, "size -5 in dimension 0"},
      {{"b", SST_SAFETENSORS_F32, 1, {5}, bytes5, 5}, "has 5 bytes, but type F32 and shape make 20"},
      {{"b\xff", SST_SAFETENSORS_U8, 1, {5}, bytes5, 5}, "is not UTF-8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const sst_safetensors_entry two[] = {{"first", SST_SAFETENSORS_U8, 1, {5}, bytes5, 5}, cases[i].entry};
    assert_fails(context, SST_INVALID_ARGUMENT, sst_safetensors_write(context, f.file, two, 2, NULL, 0), cases[i].part);
  }
  const sst_safetensors_pair twice[] = {{"k", "1"}, {"k", "2"}}, odd[] = {{"k", "\xc3("}};
  assert_fails(context, SST_INVALID_ARGUMENT, sst_safetensors_write(context, f.file, NULL, 0, twice, 2), "given twice");
  assert_fails(context, SST_INVALID_ARGUMENT, sst_safetensors_write(context, f.file, NULL, 0, odd, 1), "not UTF-8");
  assert_int_equal(temp_folder_entries(f.path), 0);
  char nowhere[TEST_PATH_SIZE];
  test_path(nowhere, f.path, "no/such/folder");
  assert_fails(context, SST_NOT_FOUND, sst_safetensors_write(context, nowhere, entries, 4, NULL, 0), nowhere);
  temp_folder_remove(f.path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_round_trip),
      TEST(test_stable_bytes),
      TEST(test_layout),
      TEST(test_foreign_file),
      TEST(test_bad_headers),
      TEST(test_bad_lengths),
      TEST(test_truncation_and_damage),
      TEST(test_bad_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
