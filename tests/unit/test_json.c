// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "support.h"

static json_t *parse(sst_context *context, const char *text) {
  json_t *root = NULL;
  assert_ok(context, ssti_json_parse(context, "test", text, strlen(text), &root));
  return root;
}

static void assert_text(sst_context *context, const char *source, bool pretty, const char *expected) {
  json_t *root = parse(context, source);
  char *text = NULL;
  assert_ok(context, ssti_json_text(context, root, pretty, &text));
  assert_string_equal(text, expected);
  ssti_free(context, text);
  json_decref(root);
}

static void test_parse(void **state) {
  json_t *root = parse(*state, "{\"a\": [1, 2.5, \"x\"], \"b\": null}");
  assert_int_equal(json_integer_value(json_array_get(json_object_get(root, "a"), 0)), 1);
  assert_true(json_is_null(json_object_get(root, "b")));
  json_decref(root);
}

static void test_only_the_given_bytes_are_read(void **state) {
  sst_context *context = *state;
  json_t *root = NULL;
  assert_ok(context, ssti_json_parse(context, "test", "{}garbage", 2, &root));
  json_decref(root);
}

static void test_failures_name_line_and_column(void **state) {
  sst_context *context = *state;
  json_t *root = (json_t *)(uintptr_t)64;
  const char *bad = "{\"a\": 1,\n \"b\": }";
  assert_fails(context, SST_FORMAT, ssti_json_parse(context, "result.json", bad, strlen(bad), &root),
               "result.json: line 2, column 7: not valid JSON");
  assert_null(root);
  const char *const others[] = {"",    "{",    "{\"a\": 1} x", "{\"a\": 1, \"a\": 2}",
                                "nan", "[1,]", "{\"a\": 01}",  "\"\xff\""};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_fails(context, SST_FORMAT, ssti_json_parse(context, "t", others[i], strlen(others[i]), &root), "t: line 1");
    assert_null(root);
  }
}

static void test_text_on_one_line(void **state) {
  assert_text(*state, "{\"z\": 1, \"a\": [true, false, null], \"m\": {}, \"e\": []}", false,
              "{\"z\": 1, \"a\": [true, false, null], \"m\": {}, \"e\": []}");
}

static void test_text_spread(void **state) {
  assert_text(*state, "{\"z\": 1, \"rates\": [0.5, 1.0], \"layers\": [{\"a\": 1}, {\"b\": {}}]}", true,
              "{\n"
              "  \"z\": 1,\n"
              "  \"rates\": [0.5, 1.0],\n"
              "  \"layers\": [\n"
              "    {\n"
              "      \"a\": 1\n"
              "    },\n"
              "    {\n"
              "      \"b\": {}\n"
              "    }\n"
              "  ]\n"
              "}");
}

static void test_strings_are_escaped(void **state) {
  assert_text(*state, "[\"a\\\"b\\\\c\\n\\t\\u0001\\u007f/\xc3\xa4\"]", false,
              "[\"a\\\"b\\\\c\\n\\t\\u0001\\u007f/\xc3\xa4\"]");
}

static void test_numbers_read_back_the_same(void **state) {
  sst_context *context = *state;
  const double values[] = {0.1, 1, -0.0, 1e300, 5e-324, 1.0 / 3, 100000, 0.9931};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    json_t *list = json_pack("[f]", values[i]);
    char *text = NULL;
    assert_ok(context, ssti_json_text(context, list, false, &text));
    json_t *back = parse(context, text);
    const json_t *number = json_array_get(back, 0);
    assert_true(json_is_real(number)); // still a real, not an integer
    double value = json_real_value(number);
    assert_memory_equal(&value, &values[i], sizeof value);
    json_decref(back);
    ssti_free(context, text);
    json_decref(list);
  }
  assert_text(context, "[0.1, -9223372036854775808]", false, "[0.1, -9223372036854775808]");
}

static void test_a_missing_value_is_a_lack_of_memory(void **state) {
  sst_context *context = *state;
  char *text = NULL;
  assert_fails(context, SST_OUT_OF_MEMORY, ssti_json_text(context, NULL, false, &text), "no memory");
}

static void test_faults(void **state) {
  sst_context *plain = *state;
  json_t *list = json_array();
  for (int i = 0; i < 200; i++) { json_array_append_new(list, json_integer(i)); }
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    char *text = NULL;
    sst_status status = ssti_json_text(context, list, true, &text);
    bool met = fault_met(&plan);
    assert_int_equal(status, met ? SST_OUT_OF_MEMORY : SST_OK);
    assert_true((text == NULL) == met);
    ssti_free(context, text);
    test_context_end(context);
    if (!met) { break; }
  }
  json_decref(list);
  assert_string_equal(sst_context_message(plain), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_parse),
      TEST(test_only_the_given_bytes_are_read),
      TEST(test_failures_name_line_and_column),
      TEST(test_text_on_one_line),
      TEST(test_text_spread),
      TEST(test_strings_are_escaped),
      TEST(test_numbers_read_back_the_same),
      TEST(test_a_missing_value_is_a_lack_of_memory),
      TEST(test_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
