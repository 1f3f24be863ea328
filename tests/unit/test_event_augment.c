// SPDX-License-Identifier: Apache-2.0
#include "support/support.h"

#include "data/event_augment.h"

enum { T = 4, H = 6, W = 8, C = 2, SIZE = T * H * W * C };

typedef struct clip {
  uint8_t counts[SIZE], room[H * W * C];
  ssti_frames frames;
} clip;

static void clip_begin(clip *c) {
  c->frames = (ssti_frames){T, H, W, C, c->counts, c->room};
  for (int i = 0; i < SIZE; i++) { c->counts[i] = (uint8_t)(1 + (i * 37) % 251); }
}

static int count_at(const clip *c, int t, int y, int x, int p) { return c->counts[((t * H + y) * W + x) * C + p]; }

static int original_at(int t, int y, int x, int p) { return 1 + (((t * H + y) * W + x) * C + p) * 37 % 251; }

static void augment(clip *c, sst_event_augmentation options, uint64_t stream) {
  ssti_random random = ssti_random_begin(3, stream);
  clip_begin(c);
  ssti_event_augment(&c->frames, &options, &random);
}

// Whether every pixel of every frame comes from (x + dx, y + dy) around the borders.
static bool is_rolled(const clip *c, int dx, int dy) {
  for (int i = 0; i < SIZE; i++) {
    int p = i % C, x = i / C % W, y = i / C / W % H, t = i / C / W / H;
    if (c->counts[i] != original_at(t, (y + dy + H) % H, (x + dx + W) % W, p)) { return false; }
  }
  return true;
}

static bool is_flipped(const clip *c) {
  for (int i = 0; i < SIZE; i++) {
    int p = i % C, x = i / C % W, y = i / C / W % H, t = i / C / W / H;
    if (c->counts[i] != original_at(t, y, W - 1 - x, p)) { return false; }
  }
  return true;
}

static void test_nothing_changes_nothing(void **state) {
  clip c;
  (void)state;
  augment(&c, (sst_event_augmentation){0}, 1);
  assert_true(is_rolled(&c, 0, 0));
}

static void test_flip_is_made_half_of_the_time(void **state) {
  clip c;
  int flipped = 0;
  (void)state;
  for (uint64_t i = 0; i < 400; i++) {
    augment(&c, (sst_event_augmentation){.flip = true}, i);
    assert_true(is_flipped(&c) || is_rolled(&c, 0, 0));
    flipped += is_flipped(&c);
  }
  assert_in_range(flipped, 160, 240); // 4 deviations
}

static void test_roll_goes_around_and_everywhere(void **state) {
  clip c;
  int seen[5][5] = {{0}};
  (void)state;
  for (uint64_t i = 0; i < 400; i++) {
    int ways = 0;
    augment(&c, (sst_event_augmentation){.roll = 2}, i);
    for (int dy = -2; dy <= 2; dy++) {
      for (int dx = -2; dx <= 2; dx++) {
        int is = is_rolled(&c, dx, dy);
        ways += is;
        seen[dy + 2][dx + 2] += is;
      }
    }
    assert_int_equal(ways, 1);
  }
  for (int i = 0; i < 25; i++) { assert_true(seen[i / 5][i % 5] > 0); }
  augment(&c, (sst_event_augmentation){.roll = 1000}, 1); // farther than the picture is wide
  int ways = 0;
  for (int i = 0; i < H * W; i++) { ways += is_rolled(&c, i % W, i / W); }
  assert_int_equal(ways, 1);
}

// How far a row is moved to the right; -100 if it is not the old row moved, with zeros.
static int row_shift(const clip *c, int t, int y) {
  for (int shift = -W; shift <= W; shift++) {
    bool fits = true;
    for (int i = 0; i < W * C && fits; i++) {
      int from = i / C - shift;
      int expected = from >= 0 && from < W ? original_at(t, y, from, i % C) : 0;
      fits = count_at(c, t, y, i / C, i % C) == expected;
    }
    if (fits) { return shift; }
  }
  return -100;
}

static void test_shear_moves_rows_by_a_slope(void **state) {
  clip c;
  int most = 0, least = 0;
  (void)state;
  for (uint64_t i = 0; i < 200; i++) {
    augment(&c, (sst_event_augmentation){.shear = 45.f}, i);
    int top = row_shift(&c, 0, 0);
    for (int t = 0; t < T; t++) {
      for (int y = 0; y < H; y++) {
        int shift = row_shift(&c, t, y);
        assert_in_range(shift + 3, 0, 6); // a slope of 1 at most, over 2.5 rows
        assert_int_equal(row_shift(&c, t, H - 1 - y), -shift);
        assert_true(abs(shift) <= abs(top));
      }
    }
    most = top > most ? top : most;
    least = top < least ? top : least;
  }
  assert_in_range(most, 2, 3);
  assert_in_range(-least, 2, 3);
  augment(&c, (sst_event_augmentation){.shear = 60.f}, 9);
  assert_true(row_shift(&c, 3, 0) != -100);
}

// The pixels that are empty in all frames, which must be a box or nothing and the rest as it was; returns its area.
static int emptied_box(const clip *c, int *height, int *width) {
  int top = H, bottom = 0, left = W, right = 0, area = 0;
  for (int i = 0; i < H * W; i++) {
    int y = i / W, x = i % W, zeros = 0;
    for (int k = 0; k < T * C; k++) {
      int found = count_at(c, k / C, y, x, k % C);
      assert_true(found == 0 || found == original_at(k / C, y, x, k % C));
      zeros += found == 0;
    }
    assert_true(zeros == 0 || zeros == T * C);
    if (zeros == 0) { continue; }
    area++;
    top = y < top ? y : top;
    bottom = y + 1 > bottom ? y + 1 : bottom;
    left = x < left ? x : left;
    right = x + 1 > right ? x + 1 : right;
  }
  *height = area > 0 ? bottom - top : 0;
  *width = area > 0 ? right - left : 0;
  assert_int_equal(area, *height * *width);
  return area;
}

static void test_cutout_empties_a_square(void **state) {
  clip c;
  int height = 0, width = 0, whole = 0;
  (void)state;
  for (uint64_t i = 0; i < 100; i++) {
    augment(&c, (sst_event_augmentation){.cutout = 3}, i);
    assert_in_range(emptied_box(&c, &height, &width), 1, 9);
    whole += height == 3 && width == 3;
  }
  assert_in_range(whole, 20, 90); // the others stick out
}

static void test_drop_area_empties_a_box(void **state) {
  clip c;
  int height = 0, width = 0, largest = 0, none = 0;
  (void)state;
  for (uint64_t i = 0; i < 200; i++) {
    augment(&c, (sst_event_augmentation){.drop_area = 0.5f}, i);
    int area = emptied_box(&c, &height, &width);
    assert_true(height <= 3 && width <= 4);
    largest = area > largest ? area : largest;
    none += area == 0;
  }
  assert_int_equal(largest, 12);
  assert_in_range(none, 1, 60);
  augment(&c, (sst_event_augmentation){.drop_area = 1.f}, 4);
}

static void test_drop_time_empties_a_stretch(void **state) {
  clip c;
  double lost = 0.0;
  int64_t all = 0, mostly = 0;
  (void)state;
  for (uint64_t i = 0; i < 400; i++) {
    double share[T];
    augment(&c, (sst_event_augmentation){.drop_time = 0.6f}, i);
    for (int t = 0; t < T; t++) {
      int64_t before = 0, after = 0;
      for (int k = 0; k < H * W * C; k++) {
        int old = original_at(t, k / C / W, k / C % W, k % C), now = count_at(&c, t, k / C / W, k / C % W, k % C);
        assert_true(now <= old);
        before += old;
        after += now;
      }
      share[t] = 1.0 - (double)after / (double)before;
      lost += share[t];
      mostly += share[t] > 0.55 && share[t] < 0.95; // a frame covered in part keeps the other part
      all++;
    }
    // One stretch: frames that lost a part lie at its ends only.
    for (int t = 1; t + 1 < T; t++) {
      if (share[t - 1] > 0.0 && share[t + 1] > 0.0) { assert_near(share[t], 1.0, 0, 0); }
    }
  }
  assert_true(mostly > 50);
  assert_near(lost / (double)all, 0.3, 0, 0.03); // half of the most on average
}

static void test_drop_point_loses_single_events(void **state) {
  clip c;
  double lost = 0.0;
  (void)state;
  for (uint64_t i = 0; i < 100; i++) {
    int64_t before = 0, after = 0;
    augment(&c, (sst_event_augmentation){.drop_point = 0.8f}, i);
    for (int k = 0; k < SIZE; k++) {
      int old = 1 + k * 37 % 251;
      assert_true(c.counts[k] <= old);
      before += old;
      after += c.counts[k];
    }
    double share = 1.0 - (double)after / (double)before;
    assert_true(share < 0.82);
    lost += share;
  }
  assert_near(lost / 100.0, 0.4, 0, 0.08);
}

static void test_the_same_draws_give_the_same_frames(void **state) {
  clip a, b;
  const sst_event_augmentation all = {true, 3, 30.f, 2, 0.3f, 0.3f, 0.3f};
  (void)state;
  augment(&a, all, 5);
  augment(&b, all, 5);
  assert_memory_equal(a.counts, b.counts, SIZE);
  augment(&b, all, 6);
  assert_memory_not_equal(a.counts, b.counts, SIZE);
}

static void test_ranges(void **state) {
  sst_context *context = *state;
  const sst_event_augmentation wrong[] = {{.roll = -1},       {.roll = 1025},      {.cutout = -1},
                                          {.shear = 61.f},    {.shear = -1.f},     {.drop_time = NAN},
                                          {.drop_area = 2.f}, {.drop_point = -.1f}};
  const char *const says[] = {"roll of -1",  "roll of 1025", "cutout of -1",      "shear of 61",
                              "shear of -1", "drop by time", "drop by area of 2", "drop by point of -0.1"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_fails(context, SST_INVALID_ARGUMENT, ssti_event_augmentation_check(context, &wrong[i]), says[i]);
  }
  assert_ok(context,
            ssti_event_augmentation_check(context, &(sst_event_augmentation){true, 5, 60.f, 8, 1.f, 1.f, 1.f}));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_nothing_changes_nothing),
      TEST(test_flip_is_made_half_of_the_time),
      TEST(test_roll_goes_around_and_everywhere),
      TEST(test_shear_moves_rows_by_a_slope),
      TEST(test_cutout_empties_a_square),
      TEST(test_drop_area_empties_a_box),
      TEST(test_drop_time_empties_a_stretch),
      TEST(test_drop_point_loses_single_events),
      TEST(test_the_same_draws_give_the_same_frames),
      TEST(test_ranges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
