// SPDX-License-Identifier: Apache-2.0
// docs/recipes.md is what the tables say. After a change of the tables, run this test once with SPIKESTILL_UPDATE=1 in
// the environment: it writes the file.
#include "../support/support.h"

#include "base/file.h"
#include "distill/method.h"
#include "recipe/recipe_tables.h"

static void test_document(void **state) {
  sst_context *context = *state;
  char path[TEST_PATH_SIZE];
  test_source_path(path, "docs/recipes.md");
  char *expected = NULL, *found = NULL;
  size_t size = 0;
  assert_ok(context, sst_recipe_reference(context, &expected));
  if (getenv("SPIKESTILL_UPDATE") != NULL) {
    assert_ok(context, ssti_file_write(context, path, expected, strlen(expected)));
  }
  assert_ok(context, ssti_file_read(context, path, 0, &found, &size));
  if (strcmp(found, expected) != 0) {
    fail_msg("%s is not what the tables say; run this test with SPIKESTILL_UPDATE=1 to write it anew", path);
  }
  ssti_free(context, found);
  sst_recipe_text_free(context, expected);
}

// Every key of every table is in the reference, with its meaning.
static void test_complete(void **state) {
  sst_context *context = *state;
  char *text = NULL;
  assert_ok(context, sst_recipe_reference(context, &text));
  int keys = 0;
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const ssti_recipe_section *section = &ssti_recipe_sections[i];
    for (int j = 0; j < section->option_count; j++, keys++) {
      char line[128];
      snprintf(line, sizeof line, "| `%s` | ", section->options[j].key);
      assert_non_null(strstr(text, line));
      assert_non_null(strstr(text, section->options[j].text));
    }
  }
  assert_in_range(keys, 50, 1000);
  for (int i = 0; i < sst_distill_method_count(); i++) {
    char line[128];
    snprintf(line, sizeof line, "### method: %s\n", sst_distill_method_name(i));
    assert_non_null(strstr(text, line));
  }
  sst_recipe_text_free(context, text);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_document), TEST(test_complete)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
