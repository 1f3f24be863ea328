// SPDX-License-Identifier: Apache-2.0
// Every allocation (ours and the JSON library's) and every file operation of reading and writing fails once: the status
// is right, the file that was there stays as it was, nothing is left beside it and no memory is lost.
#include <jansson.h>

#include "../support/support.h"

#include "base/file.h"
#include "spikestill/safetensors.h"

static const float old_values[4] = {1, 2, 3, 4}, new_values[4] = {5, 6, 7, 8};
static const sst_safetensors_pair pairs[] = {{"recipe", "train: {epochs: 1}"}, {"epoch", "3"}};

static sst_status write_file(sst_context *context, const char *path, const float *values) {
  const sst_safetensors_entry entries[] = {{"a.weight", SST_SAFETENSORS_F32, 2, {1, 2}, values, 8},
                                           {"b.weight", SST_SAFETENSORS_F32, 2, {2, 1}, values + 2, 8}};
  return sst_safetensors_write(context, path, entries, 2, pairs, 2);
}

// Whether the file holds these values and the folder nothing else.
static void check_file(const char *folder, const char *path, const float *values) {
  sst_context *context = test_context();
  sst_safetensors *file = NULL;
  assert_ok(context, sst_safetensors_open(context, path, &file));
  assert_int_equal(sst_safetensors_count(file), 2);
  assert_memory_equal(sst_safetensors_at(file, 0).data, values, 8);
  assert_memory_equal(sst_safetensors_at(file, 1).data, values + 2, 8);
  sst_safetensors_close(file);
  assert_int_equal(temp_folder_entries(folder), 1);
  test_context_end(context);
}

static void put_old_file(const char *path) {
  sst_context *context = test_context();
  assert_ok(context, write_file(context, path, old_values));
  test_context_end(context);
}

static sst_status read_file(sst_context *context, const char *path) {
  sst_safetensors *file = (sst_safetensors *)&context;
  const sst_status status = sst_safetensors_open(context, path, &file);
  if (status != SST_OK) {
    assert_null(file);
    return status;
  }
  assert_memory_equal(sst_safetensors_at(file, 1).data, old_values + 2, 8);
  sst_safetensors_close(file);
  return SST_OK;
}

// One fault after the other, until a run meets none.
static void try_faults(bool writing, bool memory, bool stays) {
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "checkpoint.safetensors");
  uint64_t faults = 0;
  for (bool met = true; met; faults += met) {
    put_old_file(path);
    fault_plan plan = {.stays = stays};
    *(memory ? &plan.allocation : &plan.operation) = faults + 1;
    sst_context *context = fault_context(&plan);
    const sst_status status = writing ? write_file(context, path, new_values) : read_file(context, path);
    met = fault_met(&plan);
    if (status == SST_OK) {
      check_file(folder, path, writing ? new_values : old_values);
    } else {
      assert_true(met);
      assert_int_equal(status, memory ? SST_OUT_OF_MEMORY : SST_IO);
      assert_true(strlen(sst_context_message(context)) > 10);
      if (!memory) { assert_non_null(strstr(sst_context_message(context), folder)); }
    }
    test_context_end(context);
    if (status != SST_OK) {
      // The old file or the new one: the last step, a flush of the folder, comes after the rename.
      sst_context *plain = test_context();
      sst_safetensors *file = NULL;
      assert_ok(plain, sst_safetensors_open(plain, path, &file));
      const bool replaced = memcmp(sst_safetensors_at(file, 0).data, new_values, 8) == 0;
      sst_safetensors_close(file);
      test_context_end(plain);
      assert_true(writing || !replaced);
      check_file(folder, path, replaced ? new_values : old_values);
    }
  }
  assert_in_range(faults, 2, 1000);
  temp_folder_remove(folder);
}

static void test_write_memory(void **state) {
  (void)state;
  try_faults(true, true, false);
}
static void test_write_operations(void **state) {
  (void)state;
  try_faults(true, false, false);
  try_faults(true, false, true);
}
static void test_read_memory(void **state) {
  (void)state;
  try_faults(false, true, false);
}
static void test_read_operations(void **state) {
  (void)state;
  try_faults(false, false, false);
}

// ---- the JSON library's memory

static uint64_t json_calls, json_fault;
static int64_t json_blocks;
static void *json_allocate(size_t size) {
  if (++json_calls == json_fault) { return NULL; }
  json_blocks++;
  return malloc(size);
}
static void json_release(void *block) {
  if (block != NULL) { json_blocks--; }
  free(block);
}

static void test_json_memory(void **state) {
  (void)state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "checkpoint.safetensors");
  put_old_file(path);
  json_set_alloc_funcs(json_allocate, json_release);
  for (int writing = 0; writing < 2; writing++) {
    uint64_t k = 1;
    for (bool met = true; met; k++) {
      sst_context *context = test_context();
      json_calls = 0;
      json_fault = k;
      const sst_status status = writing ? write_file(context, path, old_values) : read_file(context, path);
      met = json_calls >= k;
      json_fault = 0;
      if (status != SST_OK) {
        assert_true(met);
        // The JSON library's parser tells some of its failures as an invalid token.
        assert_true(status == SST_OUT_OF_MEMORY || (status == SST_FORMAT && !writing));
      }
      test_context_end(context);
      assert_int_equal(json_blocks, 0);
      check_file(folder, path, old_values);
    }
    assert_in_range(k, 10, 10000);
  }
  json_set_alloc_funcs(malloc, free);
  temp_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write_memory), cmocka_unit_test(test_write_operations),
      cmocka_unit_test(test_read_memory),  cmocka_unit_test(test_read_operations),
      cmocka_unit_test(test_json_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
