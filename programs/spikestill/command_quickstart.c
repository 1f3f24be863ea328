// SPDX-License-Identifier: Apache-2.0
// The main job in one command: an ANN teacher, a plain spiking student and a distilled one, on drawn digits.
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "embedded_recipes.h"
#include "json_output.h"
#include "progress.h"
#include "spikestill/run.h"

typedef struct stage {
  const char *title, *recipe;
  char folder[1024], teacher[1100];
  sst_run_result result;
} stage;

static sst_status run_stage(sst_context *context, const arguments *a, stage *s) {
  const char *overrides[MOST_OVERRIDES + 1];
  int count = 0;
  for (; count < a->override_count; count++) { overrides[count] = a->overrides[count]; }
  if (s->teacher[0]) { overrides[count++] = s->teacher; }
  sst_recipe *recipe;
  sst_status status = sst_recipe_from_text(context, s->title, s->recipe, overrides, count, &recipe);
  if (status != SST_OK) { return status; }
  progress_display display = progress_begin(a->quiet, s->title);
  sst_run_options_train options = {.out = s->folder,
                                   .resume = a->resume,
                                   .overwrite = !a->resume,
                                   .progress = progress_batch,
                                   .epoch_done = progress_epoch,
                                   .user = &display};
  status = sst_run_train(context, recipe, &options, &s->result);
  sst_recipe_close(context, recipe);
  progress_end(&display);
  return status;
}

static void print_table(const stage *stages, int count) {
  printf("\n%-22s %12s %20s %12s %9s\n", "network", "accuracy", "spikes/inference", "parameters", "seconds");
  for (int i = 0; i < count; i++) {
    const sst_run_result *r = &stages[i].result;
    char spikes[32] = "-";
    if (r->spikes_per_inference > 0) { snprintf(spikes, sizeof spikes, "%.0f", r->spikes_per_inference); }
    printf("%-22s %10.2f %% %20s %12" PRId64 " %9.1f\n", stages[i].title, 100 * r->test_accuracy, spikes, r->parameters,
           r->seconds);
  }
  printf("\nrun directories:\n");
  for (int i = 0; i < count; i++) { printf("  %-22s %s\n", stages[i].title, stages[i].folder); }
}

static int print_stages_json(const stage *stages, int count) {
  json_t *rows = json_array();
  for (int i = 0; i < count; i++) {
    const sst_run_result *r = &stages[i].result;
    json_array_append_new(rows,
                          json_pack("{s:s, s:f, s:f, s:I, s:f, s:s}", "network", stages[i].title, "test_accuracy",
                                    r->test_accuracy, "spikes_per_inference", r->spikes_per_inference, "parameters",
                                    (json_int_t)r->parameters, "seconds", r->seconds, "run", stages[i].folder));
  }
  return print_json(rows);
}

int command_quickstart(sst_context *context, const arguments *a) {
  stage stages[] = {{.title = "ANN teacher", .recipe = embedded_quickstart_teacher},
                    {.title = "plain spiking", .recipe = embedded_quickstart_plain},
                    {.title = "distilled spiking", .recipe = embedded_quickstart_distilled}};
  static const char *const names[] = {"teacher", "plain", "distilled"};
  const char *base = a->out ? a->out : "runs/quickstart";
  for (int i = 0; i < 3; i++) { snprintf(stages[i].folder, sizeof stages[i].folder, "%s/%s", base, names[i]); }
  snprintf(stages[2].teacher, sizeof stages[2].teacher, "teacher=%s", stages[0].folder);
  stop_on_signals(context);
  for (int i = 0; i < 3; i++) {
    sst_status status = run_stage(context, a, &stages[i]);
    if (status == SST_OK) { continue; }
    int code = report_failure(context, status);
    if (status == SST_INTERRUPTED) { fprintf(stderr, "go on with: spikestill quickstart --resume --out %s\n", base); }
    return code;
  }
  if (a->json) { return print_stages_json(stages, 3); }
  print_table(stages, 3);
  return EXIT_DONE;
}
