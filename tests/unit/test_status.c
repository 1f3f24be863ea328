// SPDX-License-Identifier: Apache-2.0
#include "base/fail.h"
#include "spikestill/version.h"
#include "support.h"

static void test_every_status_has_a_name_and_a_text(void **state) {
  (void)state;
#define CHECK(name, text)                                                                                              \
  assert_string_equal(sst_status_name(SST_##name), #name);                                                             \
  assert_string_equal(sst_status_text(SST_##name), text);
  SST_STATUS_LIST(CHECK)
#undef CHECK
}

static void test_values_are_stable(void **state) {
  (void)state;
  assert_int_equal(SST_OK, 0);
  assert_int_equal(SST_INVALID_ARGUMENT, 1);
  assert_int_equal(SST_IO, 4);
  assert_int_equal(SST_INTERRUPTED, 11);
}

static void test_a_value_outside_the_list_is_unknown(void **state) {
  (void)state;
  sst_status outside = SST_OK;
  const int number = 77;
  memcpy(&outside, &number, sizeof outside); // as a newer library might answer to an older program
  assert_string_equal(sst_status_name(outside), "UNKNOWN");
  assert_string_not_equal(sst_status_text(outside), "");
}

static void test_the_version_is_the_headers(void **state) {
  (void)state;
  char expected[32];
  snprintf(expected, sizeof expected, "%d.%d.%d", SST_VERSION_MAJOR, SST_VERSION_MINOR, SST_VERSION_PATCH);
  assert_string_equal(sst_version(), expected);
}

static sst_status fail_with(sst_context *context, int found) {
  SST_FAIL(context, SST_SHAPE, "found %d, expected %d", found, 3);
}

static sst_status pass_on(sst_context *context, int *reached) {
  SST_TRY(fail_with(context, 5));
  *reached = 1;
  return SST_OK;
}

static sst_status pass_on_and_clean(sst_context *context, int *cleaned) {
  sst_status status = SST_OK;
  SST_TRY_GOTO(fail_with(context, 6));
  *cleaned = -1;
done:
  (*cleaned)++;
  return status;
}

static void test_a_failure_travels_with_its_sentence(void **state) {
  sst_context *context = *state;
  assert_string_equal(sst_context_message(context), "");
  int reached = 0, cleaned = 0;
  assert_int_equal(pass_on(context, &reached), SST_SHAPE);
  assert_int_equal(reached, 0);
  assert_string_equal(sst_context_message(context), "found 5, expected 3");
  assert_int_equal(pass_on_and_clean(context, &cleaned), SST_SHAPE);
  assert_int_equal(cleaned, 1);
  assert_string_equal(sst_context_message(context), "found 6, expected 3");
}

static void test_a_place_is_put_before_the_sentence(void **state) {
  sst_context *context = *state;
  assert_int_equal(ssti_fail_within(context, fail_with(context, 4), "layer %s", "conv1"), SST_SHAPE);
  assert_string_equal(sst_context_message(context), "layer conv1: found 4, expected 3");
  assert_int_equal(ssti_fail_within(context, SST_SHAPE, "%s:%d", "a.yaml", 7), SST_SHAPE);
  assert_string_equal(sst_context_message(context), "a.yaml:7: layer conv1: found 4, expected 3");
}

static void test_a_sentence_may_quote_the_one_before(void **state) {
  sst_context *context = *state;
  fail_with(context, 1);
  ssti_fail(context, SST_IO, "after \"%s\"", sst_context_message(context));
  assert_string_equal(sst_context_message(context), "after \"found 1, expected 3\"");
}

static void test_a_sentence_too_long_is_cut_visibly(void **state) {
  sst_context *context = *state;
  char *word = malloc(10001);
  assert_non_null(word);
  memset(word, 'x', 10000);
  word[10000] = '\0';
  ssti_fail(context, SST_IO, "%s", word);
  const char *message = sst_context_message(context);
  size_t length = strlen(message);
  assert_in_range(length, 1000, 9999);
  assert_string_equal(message + length - 3, "...");
  ssti_fail_within(context, SST_IO, "%s", word);
  assert_string_equal(sst_context_message(context) + strlen(sst_context_message(context)) - 3, "...");
  free(word);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_status_has_a_name_and_a_text),  TEST(test_values_are_stable),
      TEST(test_a_value_outside_the_list_is_unknown), TEST(test_the_version_is_the_headers),
      TEST(test_a_failure_travels_with_its_sentence), TEST(test_a_place_is_put_before_the_sentence),
      TEST(test_a_sentence_may_quote_the_one_before), TEST(test_a_sentence_too_long_is_cut_visibly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
