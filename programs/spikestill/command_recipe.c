// SPDX-License-Identifier: Apache-2.0
#include "spikestill/stages.h"

#include <stdio.h>

#include "command.h"

static int print_plan(sst_context *context, const arguments *a) {
  sst_plan *plan;
  sst_status status = sst_plan_open(context, a->words[0], a->overrides, a->override_count, &plan);
  if (status != SST_OK) { return report_failure(context, status); }
  fputs(plan->text, stdout);
  sst_plan_close(context, plan);
  return EXIT_DONE;
}

int command_recipe(sst_context *context, const arguments *a) {
  char *text = NULL;
  sst_status status;
  if (a->word_count) {
    bool stages = false;
    status = sst_plan_has_stages(context, a->words[0], &stages);
    if (status != SST_OK) { return report_failure(context, status); }
    if (stages) { return print_plan(context, a); }
    sst_recipe *recipe;
    status = sst_recipe_open(context, a->words[0], a->overrides, a->override_count, &recipe);
    if (status != SST_OK) { return report_failure(context, status); }
    status = sst_recipe_text(context, recipe, &text);
    sst_recipe_close(context, recipe);
  } else {
    status = sst_recipe_reference(context, &text);
  }
  if (status != SST_OK) { return report_failure(context, status); }
  fputs(text, stdout);
  sst_recipe_text_free(context, text);
  return EXIT_DONE;
}
