// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "data/autoaugment.h"

enum { MAX_BYTES = 4096, GOLDEN_LIMIT = 1 << 20 };

static const char *const NAMES[SSTI_AUTOAUGMENT_OPERATION_COUNT] = {
#define OPERATION_NAME(name, is_signed) #name,
    SSTI_AUTOAUGMENT_OPERATIONS(OPERATION_NAME)
#undef OPERATION_NAME
};

// Every operation gives the bytes that Pillow gives: tests/golden/make_autoaugment_goldens.py.
static void test_operations_equal_pillow(void **state) {
  (void)state;
  static uint8_t golden[GOLDEN_LIMIT];
  char path[TEST_PATH_SIZE];
  FILE *file = fopen(test_source_path(path, "tests/golden/autoaugment_goldens.bin"), "rb");
  assert_non_null(file);
  size_t size = fread(golden, 1, sizeof golden, file);
  fclose(file);
  int height = golden[0], width = golden[1], pictures = golden[2], bytes = height * width * 3, cases = 0, wrong = 0;
  unsigned seen = 0;
  for (size_t at = 3 + (size_t)(pictures * bytes); at < size; at += 4 + (size_t)bytes, cases++) {
    const uint8_t *head = &golden[at], *expected = head + 4;
    uint8_t work[MAX_BYTES], room[MAX_BYTES];
    memcpy(work, golden + 3 + head[0] * bytes, (size_t)bytes);
    ssti_byte_picture picture = {work, room, height, width, 3};
    const ssti_picture_operation operation =
        ssti_autoaugment_operation_of((ssti_autoaugment_operation)head[1], head[2], head[3] ? -1 : 1, height, width);
    ssti_picture_operate(&picture, &operation);
    seen |= 1u << head[1];
    int different = 0;
    for (int i = 0; i < bytes; i++) { different += work[i] != expected[i]; }
    if (different > 0) {
      print_error("picture %d, %s, magnitude %d, sign %c: %d of %d bytes differ\n", head[0], NAMES[head[1]], head[2],
                  head[3] ? '-' : '+', different, bytes);
      wrong++;
    }
  }
  assert_int_equal(wrong, 0);
  assert_int_equal(cases, 3 * (9 * 4 * 2 + 2 * 4 + 3));
  assert_int_equal(seen, (1u << SSTI_AUTOAUGMENT_OPERATION_COUNT) - 1);
}

// Spot checks of the published table: probabilities and magnitudes are where the paper has them.
static void test_policy_is_the_published_one(void **state) {
  (void)state;
  double probabilities = 0;
  int magnitudes = 0;
  for (int i = 0; i < SSTI_AUTOAUGMENT_POLICIES; i++) {
    for (int k = 0; k < 2; k++) {
      probabilities += (double)ssti_autoaugment_cifar[i][k].probability;
      magnitudes += ssti_autoaugment_cifar[i][k].magnitude;
    }
  }
  // Sums over the table; operations without a magnitude count 0.
  assert_near(probabilities, 26.5, 1e-6, 0);
  assert_int_equal(magnitudes, 187);
  assert_int_equal(ssti_autoaugment_cifar[3][1].operation, SSTI_AUTOAUGMENT_TRANSLATE_Y);
  assert_int_equal(ssti_autoaugment_cifar[24][1].operation, SSTI_AUTOAUGMENT_AUTOCONTRAST);
}

static void apply(ssti_byte_picture *picture, ssti_random *random) {
  ssti_picture_plan plan = ssti_picture_plan_plain(0);
  ssti_autoaugment_draw(picture->height, picture->width, random, &plan);
  ssti_picture_follow(picture, &plan);
}

static void test_apply_depends_on_the_draws_alone(void **state) {
  (void)state;
  enum { BYTES = 32 * 32 * 3 };
  static uint8_t source[BYTES], first[BYTES], second[BYTES], room[BYTES];
  for (int i = 0; i < BYTES; i++) { source[i] = (uint8_t)ssti_random_below(1, 2, (uint64_t)i, 256); }
  int changed = 0;
  for (uint64_t stream = 0; stream < 200; stream++) {
    memcpy(first, source, BYTES);
    memcpy(second, source, BYTES);
    ssti_random a = ssti_random_begin(7, stream), b = a;
    apply(&(ssti_byte_picture){first, room, 32, 32, 3}, &a);
    memset(room, 0xAA, BYTES);
    apply(&(ssti_byte_picture){second, room, 32, 32, 3}, &b);
    assert_memory_equal(first, second, BYTES);
    assert_int_equal(a.next, 5); // whatever came out, so that later draws stay where they are
    changed += memcmp(first, source, BYTES) != 0;
  }
  assert_in_range(changed, 120, 199);
}

// Grey pictures of odd sizes go through every operation without reaching outside.
static void test_small_and_grey(void **state) {
  (void)state;
  for (int operation = 0; operation < SSTI_AUTOAUGMENT_OPERATION_COUNT; operation++) {
    for (int side = 1; side <= 3; side++) {
      uint8_t *bytes = malloc((size_t)(side * side)), *room = malloc((size_t)(side * side));
      for (int i = 0; i < side * side; i++) { bytes[i] = (uint8_t)(20 * i); }
      ssti_byte_picture picture = {bytes, room, side, side, 1};
      const ssti_picture_operation changed =
          ssti_autoaugment_operation_of((ssti_autoaugment_operation)operation, 9, -1, side, side);
      ssti_picture_operate(&picture, &changed);
      free(bytes);
      free(room);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_operations_equal_pillow),
      cmocka_unit_test(test_policy_is_the_published_one),
      cmocka_unit_test(test_apply_depends_on_the_draws_alone),
      cmocka_unit_test(test_small_and_grey),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
