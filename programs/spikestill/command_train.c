// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "command.h"
#include "progress.h"
#include "results.h"

static sst_status open_recipe(sst_context *context, const arguments *a, sst_recipe **out) {
  if (a->word_count) { return sst_recipe_open(context, a->words[0], a->overrides, a->override_count, out); }
  return sst_run_recipe(context, a->out, a->overrides, a->override_count, out);
}

int command_train(sst_context *context, const arguments *a) {
  if (!a->word_count && !(a->resume && a->out)) {
    return usage_error("train needs a RECIPE, or --resume with --out DIR; see 'spikestill help train'");
  }
  if (a->resume && a->overwrite) { return usage_error("--resume and --overwrite exclude each other"); }
  sst_recipe *recipe = NULL;
  sst_status status = open_recipe(context, a, &recipe);
  if (status != SST_OK) { return report_failure(context, status); }
  char folder[SST_RECIPE_TEXT_SIZE + 16];
  snprintf(folder, sizeof folder, "%s%s", a->out ? "" : "runs/", a->out ? a->out : recipe->name);
  stop_on_signals(context);
  progress_display display = progress_begin(a->quiet, "");
  sst_run_options_train options = {.out = folder,
                                   .resume = a->resume,
                                   .overwrite = a->overwrite,
                                   .progress = progress_batch,
                                   .epoch_done = progress_epoch,
                                   .user = &display};
  sst_run_result result;
  status = sst_run_train(context, recipe, &options, &result);
  sst_recipe_close(context, recipe);
  progress_end(&display);
  if (status != SST_OK) {
    int code = report_failure(context, status);
    if (status == SST_INTERRUPTED) { fprintf(stderr, "go on with: spikestill train --resume --out %s\n", folder); }
    return code;
  }
  int code = a->json ? print_result_json(folder) : print_result(folder, &result);
  return code == EXIT_DONE ? check_accuracy(a, result.test_accuracy) : code;
}
