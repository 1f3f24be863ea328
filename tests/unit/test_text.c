// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <locale.h>

#include "base/text.h"
#include "support.h"

static void test_append(void **state) {
  ssti_text text = ssti_text_begin(*state);
  assert_null(text.data);
  ssti_text_append(&text, "%s=%d", "T", 4);
  ssti_text_append_bytes(&text, "", 0);
  ssti_text_append_bytes(&text, ";xyz", 2);
  assert_string_equal(text.data, "T=4;x");
  assert_int_equal(text.length, 5);
  ssti_text_free(&text);
  assert_null(text.data);
  ssti_text_append_bytes(&text, "", 0); // terminated once something was appended, were it nothing
  assert_string_equal(text.data, "");
  ssti_text_free(&text);
}

static void test_append_around_the_internal_sizes(void **state) {
  // One call formats into a small buffer first; lengths around its end take the other way.
  for (int length = 250; length < 262; length++) {
    ssti_text text = ssti_text_begin(*state);
    ssti_text_append(&text, "<%*d>", length - 2, 7);
    assert_int_equal(text.status, SST_OK);
    assert_int_equal(text.length, length);
    assert_int_equal(strlen(text.data), length);
    assert_string_equal(text.data + length - 2, "7>");
    ssti_text_free(&text);
  }
}

static void test_appends_after_a_failure_do_nothing(void **state) {
  (void)state;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    ssti_text text = ssti_text_begin(context);
    for (int i = 0; i < 200; i++) { ssti_text_append(&text, "%d,%300s", i, "x"); }
    bool met = fault_met(&plan);
    assert_int_equal(text.status, met ? SST_OUT_OF_MEMORY : SST_OK);
    if (met) { assert_string_not_equal(sst_context_message(context), ""); }
    ssti_text_free(&text);
    test_context_end(context);
    if (!met) { break; }
  }
}

static void test_parse_double(void **state) {
  (void)state;
  double value = -1;
  const struct {
    const char *word;
    double value;
  } good[] = {{"0", 0},       {"-0.5", -0.5}, {"1e3", 1000},      {"+2", 2},          {".25", 0.25},   {"5.", 5},
              {"5e-4", 5e-4}, {"1E+2", 100},  {"0.0833", 0.0833}, {"1e-320", 1e-320}, {"1e308", 1e308}};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(ssti_parse_double(good[i].word, &value));
    assert_true(value == good[i].value);
  }
  const char *const bad[] = {"",      " 1",  "1 ", "1x",  "x",     "inf", "-inf", "nan", "0x10",
                             "1e999", "1,5", "1e", "--1", "1.2.3", "e5",  ".",    "+",   "1e400"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    value = 42;
    if (ssti_parse_double(bad[i], &value)) { fail_msg("\"%s\" was taken for %g", bad[i], value); }
    assert_true(value == 42);
  }
}

static void test_parse_int64(void **state) {
  (void)state;
  int64_t value = 0;
  assert_true(ssti_parse_int64("9223372036854775807", &value));
  assert_true(value == INT64_MAX);
  assert_true(ssti_parse_int64("-9223372036854775808", &value));
  assert_true(value == INT64_MIN);
  assert_true(ssti_parse_int64("+12", &value));
  assert_int_equal(value, 12);
  assert_true(ssti_parse_int64("010", &value));
  assert_int_equal(value, 10); // decimal always
  const char *const bad[] = {"", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808", "-", "+-1", "one"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    value = 42;
    if (ssti_parse_int64(bad[i], &value)) { fail_msg("\"%s\" was taken for a whole number", bad[i]); }
    assert_int_equal(value, 42);
  }
}

static void test_parse_bool(void **state) {
  (void)state;
  bool value = false;
  assert_true(ssti_parse_bool("true", &value) && value);
  assert_true(ssti_parse_bool("no", &value) && !value);
  assert_true(ssti_parse_bool("on", &value) && value);
  assert_true(ssti_parse_bool("off", &value) && !value);
  assert_true(ssti_parse_bool("yes", &value) && value);
  assert_true(ssti_parse_bool("false", &value) && !value);
  assert_false(ssti_parse_bool("1", &value));
  assert_false(ssti_parse_bool("True ", &value));
  assert_false(ssti_parse_bool("", &value));
}

static void assert_number(double value, const char *expected) {
  char text[SSTI_NUMBER_TEXT_SIZE];
  assert_string_equal(ssti_number_text(value, text), expected);
}

static void test_number_text_is_short(void **state) {
  (void)state;
  assert_number(0, "0");
  assert_number(0.1, "0.1");
  assert_number(100000, "100000");
  assert_number(-3, "-3");
  assert_number(1e22, "1e+22");
  assert_number(5e-4, "0.0005");
  assert_number(1.0 / 3, "0.3333333333333333");
}

static void test_number_text_reads_back(void **state) {
  (void)state;
  char text[SSTI_NUMBER_TEXT_SIZE];
  const double corners[] = {DBL_MAX,     -DBL_MAX,           DBL_MIN, 5e-324,
                            DBL_EPSILON, 9007199254740993.0, 1e15,    123456789012345678.0};
  double back = 0;
  for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++) {
    assert_true(ssti_parse_double(ssti_number_text(corners[i], text), &back));
    assert_true(back == corners[i]);
  }
  for (uint64_t i = 0; i < 5000; i++) {
    uint32_t words[4];
    ssti_random_words(1, 2, i, words);
    uint64_t bits = (uint64_t)words[0] << 32 | words[1];
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) { continue; }
    assert_true(ssti_parse_double(ssti_number_text(value, text), &back));
    assert_true(back == value);
    assert_true(strlen(text) < SSTI_NUMBER_TEXT_SIZE);
  }
}

static void test_numbers_ignore_the_locale(void **state) {
  (void)state;
  const char *const with_comma[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "de_AT.UTF-8"};
  bool found = false;
  for (size_t i = 0; i < 4 && !found; i++) { found = setlocale(LC_NUMERIC, with_comma[i]) != NULL; }
  if (!found) { skip_because("no locale with a decimal comma is installed"); }
  double value = 0;
  bool parsed = ssti_parse_double("0.5", &value);
  char text[SSTI_NUMBER_TEXT_SIZE];
  ssti_number_text(0.25, text);
  setlocale(LC_NUMERIC, "C");
  assert_true(parsed && value == 0.5);
  assert_string_equal(text, "0.25");
}

static void test_nearest_name(void **state) {
  (void)state;
  const char *const names[] = {"momentum", "nesterov", "learning_rate", "weight_decay", "kind"};
  assert_int_equal(ssti_nearest_name("momentun", names, 5), 0);
  assert_int_equal(ssti_nearest_name("momenutm", names, 5), 0); // neighbours swapped
  assert_int_equal(ssti_nearest_name("learningrate", names, 5), 2);
  assert_int_equal(ssti_nearest_name("Kind", names, 5), 4);
  assert_int_equal(ssti_nearest_name("knid", names, 5), 4); // one swap is one mistake, not two
  assert_int_equal(ssti_nearest_name("wieght_decya", names, 5), 3);
  assert_int_equal(ssti_nearest_name("epochs", names, 5), -1);
  assert_int_equal(ssti_nearest_name("", names, 5), -1);
  assert_int_equal(ssti_nearest_name("kind", names, 0), -1);
  char longest[200];
  memset(longest, 'm', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_int_equal(ssti_nearest_name(longest, names, 5), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_append),
      TEST(test_append_around_the_internal_sizes),
      TEST(test_appends_after_a_failure_do_nothing),
      TEST(test_parse_double),
      TEST(test_parse_int64),
      TEST(test_parse_bool),
      TEST(test_number_text_is_short),
      TEST(test_number_text_reads_back),
      TEST(test_numbers_ignore_the_locale),
      TEST(test_nearest_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
