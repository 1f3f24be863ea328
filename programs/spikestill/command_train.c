// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "progress.h"
#include "results.h"

// What is to be trained: one recipe, or a plan of stages.
typedef struct job {
  sst_recipe *recipe;
  sst_plan *plan;
} job;

static sst_status open_job(sst_context *context, const arguments *a, job *out) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s", a->word_count ? a->words[0] : a->out, a->word_count ? "" : "/recipe.yaml");
  bool stages = false;
  sst_status status = a->word_count || access(path, F_OK) == 0 ? sst_plan_has_stages(context, path, &stages) : SST_OK;
  if (status != SST_OK) { return status; }
  if (stages) { return sst_plan_open(context, path, a->overrides, a->override_count, &out->plan); }
  if (a->word_count) { return sst_recipe_open(context, path, a->overrides, a->override_count, &out->recipe); }
  return sst_run_recipe(context, a->out, a->overrides, a->override_count, &out->recipe);
}

static void begin_stage(void *user, const char *name, int stage, int stages) {
  progress_display *display = user;
  display->title = name;
  if (!display->quiet) { fprintf(stderr, "stage %d/%d  %s\n", stage + 1, stages, name); }
}

static sst_status run_job(sst_context *context, const arguments *a, const job *what, const char *folder,
                          progress_display *display, sst_run_result *result) {
  const sst_run_options_train options = {.out = folder,
                                         .resume = a->resume,
                                         .overwrite = a->overwrite,
                                         .progress = progress_batch,
                                         .epoch_done = progress_epoch,
                                         .user = display};
  if (what->recipe) { return sst_run_train(context, what->recipe, &options, result); }
  const sst_run_options_stages stages = {
      .out = folder, .resume = a->resume, .overwrite = a->overwrite, .train = options, .stage_begins = begin_stage};
  return sst_run_stages(context, what->plan, &stages, result);
}

int command_train(sst_context *context, const arguments *a) {
  if (!a->word_count && !(a->resume && a->out)) {
    return usage_error("train needs a RECIPE, or --resume with --out DIR; see 'spikestill help train'");
  }
  if (a->resume && a->overwrite) { return usage_error("--resume and --overwrite exclude each other"); }
  job what = {0};
  sst_status status = open_job(context, a, &what);
  if (status != SST_OK) { return report_failure(context, status); }
  char folder[SST_RECIPE_TEXT_SIZE + 16];
  const char *name = what.recipe ? what.recipe->name : what.plan->name;
  snprintf(folder, sizeof folder, "%s%s", a->out ? "" : "runs/", a->out ? a->out : name);
  stop_on_signals(context);
  progress_display display = progress_begin(a->quiet, "");
  sst_run_result result;
  status = run_job(context, a, &what, folder, &display, &result);
  progress_end(&display); // while the plan's names are there
  sst_recipe_close(context, what.recipe);
  sst_plan_close(context, what.plan);
  if (status != SST_OK) {
    int code = report_failure(context, status);
    if (status == SST_INTERRUPTED) { fprintf(stderr, "go on with: spikestill train --resume --out %s\n", folder); }
    return code;
  }
  int code = a->json ? print_result_json(folder) : print_result(folder, &result);
  return code == EXIT_DONE ? check_accuracy(a, result.test_accuracy) : code;
}
