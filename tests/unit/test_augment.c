// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "data/augment.h"

enum { H = 3, W = 5, C = 2, BYTES = H * W * C };

static void fill(uint8_t *bytes) {
  for (int i = 0; i < BYTES; i++) { bytes[i] = (uint8_t)(i + 1); }
}

static void test_shift(void **state) {
  (void)state;
  uint8_t source[BYTES], bytes[BYTES], room[BYTES];
  fill(source);
  for (int dy = -4; dy <= 4; dy++) {
    for (int dx = -6; dx <= 6; dx++) {
      fill(bytes);
      ssti_picture_shift(&(ssti_byte_picture){bytes, room, H, W, C}, dx, dy);
      for (int i = 0; i < BYTES; i++) {
        int c = i % C, x = i / C % W + dx, y = i / C / W + dy;
        bool inside = x >= 0 && x < W && y >= 0 && y < H;
        assert_int_equal(bytes[i], inside ? source[(y * W + x) * C + c] : 0);
      }
    }
  }
}

static void test_flip(void **state) {
  (void)state;
  uint8_t source[BYTES], bytes[BYTES];
  fill(source);
  fill(bytes);
  ssti_picture_flip(&(ssti_byte_picture){bytes, NULL, H, W, C});
  for (int i = 0; i < BYTES; i++) {
    int c = i % C, x = i / C % W, y = i / C / W;
    assert_int_equal(bytes[i], source[(y * W + W - 1 - x) * C + c]);
  }
}

static void augment(ssti_byte_picture *picture, const sst_augmentation *options, ssti_random *random) {
  ssti_picture_plan plan = ssti_picture_plan_plain(0);
  ssti_picture_plan_draw(options, picture->height, picture->width, random, &plan);
  ssti_picture_follow(picture, &plan);
}

// Every shift of a crop comes up, about as often as every other.
static void test_crop_is_uniform(void **state) {
  (void)state;
  enum { PADDING = 2, DRAWS = 5000, PLACES = 25, SIDE = 9 };
  int counts[PLACES] = {0};
  sst_augmentation options = {.crop_padding = PADDING};
  ssti_random random = ssti_random_begin(1, 2);
  for (int i = 0; i < DRAWS; i++) {
    uint8_t bytes[SIDE * SIDE] = {0}, room[SIDE * SIDE];
    bytes[4 * SIDE + 4] = 1; // one point in the middle shows the shift
    augment(&(ssti_byte_picture){bytes, room, SIDE, SIDE, 1}, &options, &random);
    for (int p = 0; p < SIDE * SIDE; p++) {
      if (bytes[p] != 0) { counts[(p / SIDE - 2) * 5 + p % SIDE - 2]++; }
    }
  }
  for (int i = 0; i < PLACES; i++) { assert_in_range(counts[i], 140, 260); } // 200 expected, deviation 14
}

static void test_nothing_asked_nothing_done(void **state) {
  (void)state;
  uint8_t source[BYTES], bytes[BYTES], room[BYTES];
  fill(source);
  fill(bytes);
  ssti_random random = ssti_random_begin(1, 2);
  augment(&(ssti_byte_picture){bytes, room, H, W, C}, &(sst_augmentation){0}, &random);
  assert_memory_equal(bytes, source, BYTES);
  assert_int_equal(random.next, 0);
}

// The square lies around its centre and is cut at the edges; each pixel is a centre sometimes.
static void test_cutout(void **state) {
  (void)state;
  enum { SIDE = 8, SQUARE = 4, DRAWS = 4000 };
  int whole = 0, corner = 0;
  ssti_random random = ssti_random_begin(3, 4);
  for (int i = 0; i < DRAWS; i++) {
    ssti_cutout c = ssti_cutout_draw(SIDE, SIDE, SQUARE, &random);
    assert_in_range(c.bottom - c.top, SQUARE / 2, SQUARE);
    assert_in_range(c.right - c.left, SQUARE / 2, SQUARE);
    assert_in_range(c.top, 0, SIDE - 1);
    assert_in_range(c.right, 1, SIDE);
    whole += c.bottom - c.top == SQUARE && c.right - c.left == SQUARE;
    corner += c.bottom == SQUARE / 2 && c.right == SQUARE / 2; // the centre is pixel (0, 0)
  }
  // Along an axis, centres 2 to 6 leave the square whole.
  assert_in_range(whole, DRAWS * 25 / 64 - 150, DRAWS * 25 / 64 + 150);
  assert_in_range(corner, DRAWS / 64 - 30, DRAWS / 64 + 30);
}

// Mean 1/2 and variance 1 / (4 (2 alpha + 1)) of Beta(alpha, alpha), on both sides of the switch between the methods.
static void test_beta(void **state) {
  (void)state;
  enum { DRAWS = 40000 };
  const double alphas[] = {0.05, 0.2, 0.9999, 1.0, 4.0};
  for (size_t k = 0; k < sizeof alphas / sizeof alphas[0]; k++) {
    ssti_random random = ssti_random_begin(5, k);
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
      double share = ssti_beta_draw(alphas[k], &random);
      assert_true(share >= 0 && share <= 1);
      sum += share;
      squares += (share - 0.5) * (share - 0.5);
    }
    assert_near(sum / DRAWS, 0.5, 0, 0.01);
    assert_near(squares / DRAWS, 1 / (4 * (2 * alphas[k] + 1)), 0.03, 0);
  }
  ssti_random random = ssti_random_begin(5, 99);
  for (int i = 0; i < 100; i++) {
    double share = ssti_beta_draw(1e-6, &random); // nearly always 0 or 1, never anything that is not a number
    assert_true(share >= 0 && share <= 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shift),           cmocka_unit_test(test_flip),
      cmocka_unit_test(test_crop_is_uniform), cmocka_unit_test(test_nothing_asked_nothing_done),
      cmocka_unit_test(test_cutout),          cmocka_unit_test(test_beta),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
