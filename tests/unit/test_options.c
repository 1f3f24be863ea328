// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include <float.h>

#include "support.h"

typedef enum color { RED, GREEN, BLUE } color;
static const char *const color_words[] = {"red", "green", "blue"};

typedef struct thing {
  float rate;
  double big;
  int count;
  int64_t steps;
  uint64_t seed;
  bool on;
  char name[SSTI_OPTION_TEXT_SIZE];
  color hue;
} thing;

static const ssti_option table[] = {
    {.key = "rate",
     .type = SSTI_OPTION_FLOAT,
     .offset = offsetof(thing, rate),
     .low = 0,
     .high = 1,
     .default_value = "0.1",
     .text = "a share"},
    {.key = "big",
     .type = SSTI_OPTION_DOUBLE,
     .offset = offsetof(thing, big),
     .low = -DBL_MAX,
     .high = DBL_MAX,
     .default_value = "1e10"},
    {.key = "count",
     .type = SSTI_OPTION_INT,
     .offset = offsetof(thing, count),
     .low = 1,
     .high = 1e12,
     .default_value = "3"},
    {.key = "steps",
     .type = SSTI_OPTION_INT64,
     .offset = offsetof(thing, steps),
     .low = -5,
     .high = 1e18,
     .default_value = "-5"},
    {.key = "seed",
     .type = SSTI_OPTION_UINT64,
     .offset = offsetof(thing, seed),
     .low = 0,
     .high = 1.8446744073709552e19,
     .default_value = "18446744073709551615"},
    {.key = "on", .type = SSTI_OPTION_BOOL, .offset = offsetof(thing, on), .default_value = "true"},
    {.key = "name", .type = SSTI_OPTION_TEXT, .offset = offsetof(thing, name), .default_value = ""},
    {.key = "hue",
     .type = SSTI_OPTION_WORD,
     .offset = offsetof(thing, hue),
     .default_value = "green",
     .words = color_words,
     .word_count = 3},
};
enum { COUNT = sizeof table / sizeof table[0] };

static const ssti_option *entry(const char *key) {
  const ssti_option *option = ssti_options_find(table, COUNT, key);
  assert_non_null(option);
  return option;
}

static void test_defaults(void **state) {
  (void)state;
  thing t;
  memset(&t, 0xee, sizeof t);
  ssti_options_set_defaults(table, COUNT, &t);
  assert_true(t.rate == 0.1f);
  assert_true(t.big == 1e10);
  assert_int_equal(t.count, 3);
  assert_int_equal(t.steps, -5);
  assert_true(t.seed == UINT64_MAX);
  assert_true(t.on);
  assert_string_equal(t.name, "");
  assert_int_equal(t.hue, GREEN);
}

static void test_find(void **state) {
  (void)state;
  assert_ptr_equal(ssti_options_find(table, COUNT, "count"), &table[2]);
  assert_null(ssti_options_find(table, COUNT, "cuont"));
  assert_null(ssti_options_find(table, COUNT, ""));
}

static void test_set(void **state) {
  sst_context *context = *state;
  thing t;
  ssti_options_set_defaults(table, COUNT, &t);
  assert_ok(context, ssti_option_set(context, entry("rate"), &t, "1"));
  assert_true(t.rate == 1);
  assert_ok(context, ssti_option_set(context, entry("count"), &t, "2147483647"));
  assert_int_equal(t.count, 2147483647);
  assert_ok(context, ssti_option_set(context, entry("on"), &t, "off"));
  assert_false(t.on);
  assert_ok(context, ssti_option_set(context, entry("hue"), &t, "blue"));
  assert_int_equal(t.hue, BLUE);
  assert_ok(context, ssti_option_set(context, entry("name"), &t, "runs/a b"));
  assert_string_equal(t.name, "runs/a b");
  assert_int_equal(t.steps, -5); // the neighbours are as they were
}

static void test_failures_say_what_is_allowed(void **state) {
  sst_context *context = *state;
  thing t, before;
  memset(&t, 0, sizeof t);
  ssti_options_set_defaults(table, COUNT, &t);
  before = t;
  const struct {
    const char *key, *word, *says;
  } cases[] = {
      {"rate", "1.5", "found \"1.5\", expected a number from 0 to 1"},
      {"rate", "-0.1", "found \"-0.1\", expected a number from 0 to 1"},
      {"rate", "much", "found \"much\", expected a number from 0 to 1"},
      {"rate", "nan", "expected a number"},
      {"big", "x", "found \"x\", expected a number"},
      {"count", "0", "expected a whole number from 1 to 1000000000000"},
      {"count", "2147483648", "expected a whole number"}, // in the table's range, but not in an int's
      {"count", "1.5", "expected a whole number"},
      {"steps", "-6", "found \"-6\", expected a whole number from -5"},
      {"seed", "-1", "expected a whole number, at least 0"},
      {"seed", "18446744073709551616", "expected a whole number"},
      {"on", "1", "found \"1\", expected true or false"},
      {"hue", "geen", "found \"geen\", expected one of red, green, blue; did you mean \"green\"?"},
      {"hue", "purple", "found \"purple\", expected one of red, green, blue"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_fails(context, SST_RECIPE, ssti_option_set(context, entry(cases[i].key), &t, cases[i].word), cases[i].says);
    assert_memory_equal(&t, &before, sizeof t);
  }
  char longest[SSTI_OPTION_TEXT_SIZE + 1];
  memset(longest, 'x', sizeof longest);
  longest[SSTI_OPTION_TEXT_SIZE] = '\0';
  assert_fails(context, SST_RECIPE, ssti_option_set(context, entry("name"), &t, longest),
               "512 bytes, expected at most 511");
  longest[SSTI_OPTION_TEXT_SIZE - 1] = '\0';
  assert_ok(context, ssti_option_set(context, entry("name"), &t, longest));
}

static void assert_printed(sst_context *context, const char *key, const char *word, const char *expected) {
  thing t;
  ssti_options_set_defaults(table, COUNT, &t);
  assert_ok(context, ssti_option_set(context, entry(key), &t, word));
  ssti_text text = ssti_text_begin(context);
  ssti_option_print(entry(key), &t, &text);
  assert_int_equal(text.status, SST_OK);
  assert_string_equal(text.data, expected);
  ssti_text_free(&text);
}

static void test_print(void **state) {
  sst_context *context = *state;
  assert_printed(context, "rate", "0.1", "0.1"); // not 0.100000001
  assert_printed(context, "rate", "0.0833", "0.0833");
  assert_printed(context, "rate", "1", "1");
  assert_printed(context, "rate", "5e-4", "0.0005");
  assert_printed(context, "big", "-2.5e-7", "-2.5e-07");
  assert_printed(context, "count", "64", "64");
  assert_printed(context, "steps", "-5", "-5");
  assert_printed(context, "seed", "18446744073709551615", "18446744073709551615");
  assert_printed(context, "on", "yes", "true");
  assert_printed(context, "hue", "red", "red");
  assert_printed(context, "name", "runs/mnist_cnn", "runs/mnist_cnn");
  assert_printed(context, "name", "", "\"\"");
  assert_printed(context, "name", "a: b # \"c\"\n", "\"a: b # \\\"c\\\"\\x0a\"");
  assert_printed(context, "name", "true", "\"true\"");
  assert_printed(context, "name", "12", "\"12\"");
  assert_printed(context, "name", "- x", "\"- x\"");
}

static void test_print_reads_back(void **state) {
  sst_context *context = *state;
  thing t, back;
  ssti_options_set_defaults(table, COUNT, &t);
  ssti_options_set_defaults(table, COUNT, &back);
  for (uint64_t i = 0; i < 2000; i++) {
    uint32_t words[4];
    ssti_random_words(1, 1, i, words);
    t.rate = ssti_random_uniform(1, 2, i) * powf(10, (float)(words[0] % 40) - 38.0f);
    t.big = ldexp((double)words[1], (int)(words[2] % 2000) - 1030);
    if (!isfinite(t.big)) { continue; }
    const char *const keys[] = {"rate", "big"};
    for (int j = 0; j < 2; j++) {
      ssti_text text = ssti_text_begin(context);
      ssti_option_print(entry(keys[j]), &t, &text);
      assert_in_range(text.length, 1, j == 0 ? 14 : 23); // 9 digits tell floats apart, 17 doubles
      if (t.rate <= 1) { assert_ok(context, ssti_option_set(context, entry(keys[j]), &back, text.data)); }
      ssti_text_free(&text);
    }
    if (t.rate <= 1) { assert_memory_equal(&back.rate, &t.rate, sizeof t.rate); }
    assert_true(back.big == t.big || t.rate > 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_defaults), TEST(test_find),
      TEST(test_set),      TEST(test_failures_say_what_is_allowed),
      TEST(test_print),    TEST(test_print_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
