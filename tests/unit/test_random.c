// SPDX-License-Identifier: Apache-2.0
// The known answers are those of Random123 (D. E. Shaw Research), philox4x32_10 in its kat_vectors.
#include "base/random.h"
#include "support.h"

static void assert_words(uint64_t seed, uint64_t stream, uint64_t index, const uint32_t expected[4]) {
  uint32_t words[4];
  ssti_random_words(seed, stream, index, words);
  for (int i = 0; i < 4; i++) { assert_int_equal(words[i], expected[i]); }
}

static void test_known_answers(void **state) {
  (void)state;
  assert_words(0, 0, 0, (const uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  assert_words(UINT64_MAX, UINT64_MAX, UINT64_MAX, (const uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  // Counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0: tells the halves apart.
  assert_words(UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e), UINT64_C(0x85a308d3243f6a88),
               (const uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void test_uniform(void **state) {
  (void)state;
  enum { COUNT = 100000 };
  double sum = 0;
  int bins[16] = {0};
  for (uint64_t i = 0; i < COUNT; i++) {
    float u = ssti_random_uniform(3, 5, i);
    assert_true(u >= 0 && u < 1);
    sum += (double)u;
    bins[(int)(u * 16)]++;
  }
  assert_near(sum / COUNT, 0.5, 0, 5 * 0.2887 / sqrt(COUNT)); // five standard errors
  double chi_square = 0;
  for (int i = 0; i < 16; i++) { chi_square += pow(bins[i] - COUNT / 16.0, 2) / (COUNT / 16.0); }
  assert_true(chi_square < 50); // 15 degrees of freedom: exceeded once in 100,000
}

static void test_normal(void **state) {
  (void)state;
  enum { COUNT = 100000 };
  double sum = 0, squares = 0, fourth = 0;
  for (uint64_t i = 0; i < COUNT; i++) {
    double z = (double)ssti_random_normal(3, 6, i);
    assert_true(isfinite(z));
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  // A place where the word under the logarithm is 0.
  uint32_t words[4];
  ssti_random_words(1, 2, 3599290741, words);
  assert_int_equal(words[0], 0);
  assert_true(isfinite(ssti_random_normal(1, 2, 3599290741)));
  // Five standard errors of each moment.
  assert_near(sum / COUNT, 0, 0, 5 * 1 / sqrt(COUNT));
  assert_near(squares / COUNT, 1, 0, 5 * sqrt(2.0 / COUNT));
  assert_near(fourth / COUNT, 3, 0, 5 * sqrt(96.0 / COUNT));
}

static void test_below(void **state) {
  (void)state;
  int seen[7] = {0};
  for (uint64_t i = 0; i < 7000; i++) {
    uint64_t x = ssti_random_below(1, 2, i, 7);
    assert_true(x < 7);
    seen[x]++;
  }
  for (int i = 0; i < 7; i++) { assert_in_range(seen[i], 850, 1150); }
  for (uint64_t i = 0; i < 100; i++) { assert_int_equal(ssti_random_below(1, 2, i, 1), 0); }
}

// The upper half of a 128-bit product, against the compiler's own.
static void test_below_with_large_bounds(void **state) {
  (void)state;
  __extension__ typedef unsigned __int128 wide;
  const uint64_t bounds[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x100000001), UINT32_MAX,
                             UINT64_C(123456789012345)};
  for (size_t b = 0; b < 5; b++) {
    for (uint64_t i = 0; i < 1000; i++) {
      uint32_t words[4];
      ssti_random_words(9, 8, i, words);
      wide x = (wide)((uint64_t)words[1] << 32 | words[0]);
      assert_true(ssti_random_below(9, 8, i, bounds[b]) == (uint64_t)((x * bounds[b]) >> 64));
    }
  }
}

static void test_streams_differ(void **state) {
  (void)state;
  assert_true(ssti_random_stream("dropout") != ssti_random_stream("augment"));
  assert_true(ssti_random_stream("dropout") == ssti_random_stream("dropout"));
  uint64_t a = ssti_random_stream("a");
  assert_true(ssti_random_stream_with(a, 1) != ssti_random_stream_with(a, 2));
  assert_true(ssti_random_stream_with(1, 2) != ssti_random_stream_with(2, 1));
  assert_true(ssti_random_stream_with(ssti_random_stream_with(a, 1), 2) !=
              ssti_random_stream_with(ssti_random_stream_with(a, 2), 1));
}

// Runs depend on these: a change would make old seeds mean other runs.
static void test_streams_are_stable(void **state) {
  (void)state;
  assert_true(ssti_random_stream("dropout") == UINT64_C(0x16d053c301d1890a));
  assert_true(ssti_random_stream_with(1, 2) == UINT64_C(0x6970f857265900ec));
}

static void test_a_cursor_is_the_sequence(void **state) {
  (void)state;
  ssti_random r = ssti_random_begin(4, 5);
  assert_true(ssti_draw_uniform(&r) == ssti_random_uniform(4, 5, 0));
  assert_true(ssti_draw_normal(&r) == ssti_random_normal(4, 5, 1));
  assert_true(ssti_draw_below(&r, 100) == ssti_random_below(4, 5, 2, 100));
  for (int i = 0; i < 100; i++) {
    float x = ssti_draw_between(&r, -2, 3);
    assert_true(x >= -2 && x < 3);
  }
  assert_int_equal(r.next, 103);
}

static void test_permutation(void **state) {
  (void)state;
  enum { COUNT = 1000 };
  int32_t order[COUNT], again[COUNT];
  bool seen[COUNT] = {false};
  ssti_random_permutation(1, 2, COUNT, order);
  ssti_random_permutation(1, 2, COUNT, again);
  assert_memory_equal(order, again, sizeof order);
  int in_place = 0;
  for (int i = 0; i < COUNT; i++) {
    assert_in_range(order[i], 0, COUNT - 1);
    assert_false(seen[order[i]]);
    seen[order[i]] = true;
    in_place += order[i] == i;
  }
  assert_true(in_place < 10); // 1 is expected
  ssti_random_permutation(1, 3, COUNT, again);
  assert_memory_not_equal(order, again, sizeof order);
  ssti_random_permutation(1, 2, 0, NULL);
  ssti_random_permutation(1, 2, 1, order);
  assert_int_equal(order[0], 0);
}

// All 6 orders of 3 come equally often.
static void test_permutations_are_fair(void **state) {
  (void)state;
  int seen[27] = {0};
  for (uint64_t i = 0; i < 6000; i++) {
    int32_t order[3];
    ssti_random_permutation(i, 1, 3, order);
    seen[order[0] * 9 + order[1] * 3 + order[2]]++;
  }
  for (int i = 0; i < 27; i++) { assert_true(seen[i] == 0 || (seen[i] > 850 && seen[i] < 1150)); }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_known_answers),
      TEST(test_uniform),
      TEST(test_normal),
      TEST(test_below),
      TEST(test_below_with_large_bounds),
      TEST(test_streams_differ),
      TEST(test_streams_are_stable),
      TEST(test_a_cursor_is_the_sequence),
      TEST(test_permutation),
      TEST(test_permutations_are_fair),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
