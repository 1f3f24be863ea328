// SPDX-License-Identifier: Apache-2.0
// The input is a recipe; behind a zero byte, if there is one, stands an override. A recipe that is valid resolves to a
// text that reads back and resolves to itself.
#include <stdlib.h>
#include <string.h>

#include "spikestill/stages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_resolved(sst_context *context, const sst_recipe *recipe) {
  char *first = NULL, *second = NULL;
  sst_recipe *again = NULL;
  if (sst_recipe_text(context, recipe, &first) != SST_OK) { abort(); }
  if (sst_recipe_from_text(context, "resolved", first, NULL, 0, &again) != SST_OK) { abort(); }
  if (sst_recipe_text(context, again, &second) != SST_OK || strcmp(first, second) != 0) { abort(); }
  sst_recipe_close(context, again);
  sst_recipe_text_free(context, first);
  sst_recipe_text_free(context, second);
}

// The same for a recipe of stages.
static void check_plan(sst_context *context, const char *text, const char *const *overrides, int count) {
  sst_plan *plan = NULL, *again = NULL;
  const sst_status status = sst_plan_from_text(context, "/nowhere/x.yaml", text, overrides, count, &plan);
  if (status != SST_OK) {
    if (plan != NULL || sst_context_message(context)[0] == '\0') { abort(); }
    return;
  }
  if (sst_plan_from_text(context, "resolved", plan->text, NULL, 0, &again) != SST_OK) { abort(); }
  if (strcmp(plan->text, again->text) != 0) { abort(); }
  sst_plan_close(context, plan);
  sst_plan_close(context, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  sst_recipe *recipe = NULL;
  char *text = calloc(1, size + 2);
  if (text == NULL || sst_context_create(NULL, &context) != SST_OK) { abort(); }
  memcpy(text, data, size);
  const size_t length = strlen(text);
  const char *override = text + length + 1;
  const sst_status status = sst_recipe_from_text(context, "/nowhere/x.yaml", text, &override, length < size, &recipe);
  if (status == SST_OK) {
    check_resolved(context, recipe);
  } else if ((status != SST_RECIPE && status != SST_IO) || recipe != NULL || sst_context_message(context)[0] == '\0') {
    abort();
  }
  sst_recipe_close(context, recipe);
  check_plan(context, text, &override, length < size);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  free(text);
  return 0;
}
