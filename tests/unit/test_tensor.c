// SPDX-License-Identifier: Apache-2.0
#include "support.h"

static void test_count(void **state) {
  (void)state;
  assert_int_equal(sst_shape_count(sst_shape_make(4, 64, 32, 32, 3)), 4 * 64 * 32 * 32 * 3);
  assert_int_equal(sst_shape_count(sst_shape_make(1, 1, 1, 1, 1)), 1);
  assert_int_equal(sst_shape_count(sst_shape_make(4, 0, 32, 32, 3)), 0);
}

static void test_equal(void **state) {
  (void)state;
  sst_shape a = sst_shape_make(1, 2, 3, 4, 5);
  assert_true(sst_shape_equal(a, sst_shape_make(1, 2, 3, 4, 5)));
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    sst_shape b = a;
    b.dim[i]++;
    assert_false(sst_shape_equal(a, b));
  }
}

static void test_axes_are_in_order(void **state) {
  (void)state;
  sst_shape a = sst_shape_make(1, 2, 3, 4, 5);
  assert_int_equal(a.dim[SST_AXIS_T], 1);
  assert_int_equal(a.dim[SST_AXIS_N], 2);
  assert_int_equal(a.dim[SST_AXIS_H], 3);
  assert_int_equal(a.dim[SST_AXIS_W], 4);
  assert_int_equal(a.dim[SST_AXIS_C], 5);
  assert_int_equal(SST_AXES_T | SST_AXES_N | SST_AXES_H | SST_AXES_W | SST_AXES_C, SST_AXES_ALL);
}

static void test_text(void **state) {
  (void)state;
  char text[SST_SHAPE_TEXT_SIZE];
  assert_string_equal(sst_shape_text(sst_shape_make(4, 64, 32, 32, 3), text, sizeof text), "[4,64,32,32,3]");
  assert_string_equal(sst_shape_text(sst_shape_make(1, 2, 3, 4, 5), text, sizeof text), "[1,2,3,4,5]");
  sst_shape widest = sst_shape_make(INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN);
  assert_int_equal(strlen(sst_shape_text(widest, text, sizeof text)), 5 * 20 + 4 + 2);
  char little[5];
  assert_string_equal(sst_shape_text(sst_shape_make(4, 64, 32, 32, 3), little, sizeof little), "[4,6");
  char one = 'x';
  sst_shape_text(widest, &one, 0);
  assert_int_equal(one, 'x');
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_count), TEST(test_equal), TEST(test_axes_are_in_order), TEST(test_text)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
