// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"
#include "support.h"

static bool is_aligned(const void *block, size_t alignment) { return (uintptr_t)block % alignment == 0; }

static void test_blocks_are_aligned_and_zero(void **state) {
  sst_context *context = *state;
  const size_t sizes[] = {0, 1, 7, 63, 64, 65, 1000, 4096, 100000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    unsigned char *block = NULL;
    assert_ok(context, ssti_allocate(context, sizes[i], 1, &block));
    assert_non_null(block);
    assert_true(is_aligned(block, 64));
    for (size_t j = 0; j < sizes[i]; j++) { assert_int_equal(block[j], 0); }
    memset(block, 0xff, sizes[i]); // so that the next block of this memory has something to clear
    assert_int_equal(sst_context_bytes_in_use(context), sizes[i]);
    ssti_free(context, block);
  }
  ssti_free(context, NULL);
}

static void test_an_impossible_size_is_out_of_memory(void **state) {
  sst_context *context = *state;
  float *block = (float *)(uintptr_t)64;
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_allocate(context, SIZE_MAX / 2, 4, &block), "elements of 4 bytes");
  assert_null(block);
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_allocate_raw(context, SIZE_MAX, 1, &block), "bytes of memory");
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_allocate_raw(context, SIZE_MAX - 64, 1, &block), "bytes of memory");
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_allocate_tensors(context, SIZE_MAX - 100, &block), "bytes of memory");
  assert_null(block);
}

static void test_tensor_blocks(void **state) {
  sst_context *context = *state;
  const size_t mib = (size_t)1 << 20;
  const size_t sizes[] = {100, 4 * mib - 1, 4 * mib, 5 * mib + 3};
  for (size_t i = 0; i < 4; i++) {
    unsigned char *block = NULL;
    assert_ok(context, ssti_allocate_tensors(context, sizes[i], &block));
    assert_true(is_aligned(block, sizes[i] >= 4 * mib ? 2 * mib : 64));
    memset(block, 1, sizes[i]);
    assert_int_equal(sst_context_bytes_in_use(context), sizes[i]);
    ssti_free(context, block);
  }
}

static void test_tensor_blocks_of_a_callers_allocator(void **state) {
  (void)state;
  fault_plan plan = {0};
  sst_context *context = fault_context(&plan);
  unsigned char *block = NULL;
  assert_ok(context, ssti_allocate_tensors(context, (size_t)8 << 20, &block));
  assert_true(is_aligned(block, 64));
  memset(block, 1, (size_t)8 << 20);
  ssti_free(context, block);
  test_context_end(context);
}

static void test_grow_keeps_and_clears(void **state) {
  sst_context *context = *state;
  int *list = NULL;
  size_t capacity = 0;
  assert_ok(context, ssti_grow(context, &list, &capacity, 0, sizeof *list));
  assert_null(list);
  for (int i = 0; i < 1000; i++) {
    size_t before = capacity;
    assert_ok(context, ssti_grow(context, &list, &capacity, (size_t)i + 1, sizeof *list));
    for (size_t j = before; j < capacity; j++) { assert_int_equal(list[j], 0); }
    list[i] = i;
  }
  for (int i = 0; i < 1000; i++) { assert_int_equal(list[i], i); }
  assert_in_range(sst_context_allocation_count(context), 5, 20); // grows by half, not by one
  ssti_free(context, list);
}

static void test_grow_changes_nothing_when_it_fails(void **state) {
  (void)state;
  fault_plan plan = {.allocation = 2};
  sst_context *context = fault_context(&plan);
  char *list = NULL;
  size_t capacity = 0;
  assert_ok(context, ssti_grow(context, &list, &capacity, 3, 1));
  memcpy(list, "ab", 3);
  char *before = list;
  size_t capacity_before = capacity;
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_grow(context, &list, &capacity, 100, 1), "100 bytes");
  assert_ptr_equal(list, before);
  assert_int_equal(capacity, capacity_before);
  assert_string_equal(list, "ab");
  ssti_free(context, list);
  test_context_end(context);
}

static void test_copy_text(void **state) {
  sst_context *context = *state;
  char *copy = NULL;
  assert_ok(context, ssti_copy_text(context, "conv1.weight", &copy));
  assert_string_equal(copy, "conv1.weight");
  ssti_free(context, copy);
  assert_ok(context, ssti_copy_text(context, "", &copy));
  assert_string_equal(copy, "");
  ssti_free(context, copy);
}

static void test_counts(void **state) {
  sst_context *context = *state;
  void *a = NULL, *b = NULL;
  assert_ok(context, ssti_allocate(context, 3, 5, &a));
  assert_ok(context, ssti_allocate_raw(context, 1, 100, &b));
  assert_int_equal(sst_context_allocation_count(context), 2);
  assert_int_equal(sst_context_bytes_in_use(context), 115);
  ssti_free(context, a);
  assert_int_equal(sst_context_bytes_in_use(context), 100);
  ssti_free(context, b);
  assert_int_equal(sst_context_bytes_in_use(context), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_blocks_are_aligned_and_zero),
      TEST(test_an_impossible_size_is_out_of_memory),
      TEST(test_tensor_blocks),
      TEST(test_tensor_blocks_of_a_callers_allocator),
      TEST(test_grow_keeps_and_clears),
      TEST(test_grow_changes_nothing_when_it_fails),
      TEST(test_copy_text),
      TEST(test_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
