// SPDX-License-Identifier: Apache-2.0
// Stages one after another, each in a run directory of its own, so that resuming is resuming the stage that was
// stopped.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "run/assemble.h"
#include "run/run_folder.h"

typedef struct stages {
  sst_context *context;
  const sst_plan *plan;
  const sst_run_options_stages *options;
  ssti_run_folder folder;
} stages;

static sst_status stage_folder(const stages *s, int stage, char **out) {
  return ssti_path_join(s->context, s->folder.folder, s->plan->stages[stage].name, out);
}

// Puts the run directory in the place of "stage:<name>".
static sst_status resolve(const stages *s, char text[SST_RECIPE_TEXT_SIZE]) {
  const char *name = sst_stage_reference(text);
  if (!name) { return SST_OK; }
  char path[SST_RECIPE_TEXT_SIZE];
  int length = snprintf(path, sizeof path, "%s/%s", s->folder.folder, name);
  if (length < 0 || (size_t)length >= sizeof path) {
    SST_FAIL(s->context, SST_INVALID_ARGUMENT, "the path of stage '%s' is longer than %d characters", name,
             SST_RECIPE_TEXT_SIZE - 1);
  }
  strcpy(text, path);
  return SST_OK;
}

static sst_status train_stage(const stages *s, int stage, const char *out, sst_run_result *result) {
  sst_recipe *recipe = NULL;
  SST_TRY(ssti_allocate(s->context, 1, sizeof *recipe, &recipe));
  *recipe = *s->plan->stages[stage].recipe; // borrows what the plan owns
  sst_status status = resolve(s, recipe->teacher);
  if (status == SST_OK) { status = resolve(s, recipe->student.start); }
  if (status == SST_OK) {
    sst_run_options_train options = s->options->train;
    options.out = out;
    options.resume = s->options->resume;
    options.overwrite = s->options->overwrite;
    status = sst_run_train(s->context, recipe, &options, result);
  }
  ssti_free(s->context, recipe);
  return status;
}

// An ONNX file has its data and device from the stage, everything else its own.
static sst_status open_source(const stages *s, const sst_stage *what, const char *from, sst_network **out) {
  if (!what->data) { return sst_network_open(s->context, from, NULL, 0, out); }
  ssti_text data = ssti_text_begin(s->context), device = ssti_text_begin(s->context);
  ssti_text_append(&data, "data=%s", what->data);
  ssti_text_append(&device, "device=%s", sst_device_word(what->device));
  sst_status status = data.status != SST_OK ? data.status : device.status;
  const char *const overrides[] = {data.data, device.data};
  if (status == SST_OK) { status = sst_network_open(s->context, from, overrides, 2, out); }
  ssti_text_free(&data);
  ssti_text_free(&device);
  return status;
}

static sst_status convert_stage(const stages *s, int stage, const char *out) {
  const sst_stage *what = &s->plan->stages[stage];
  char from[SST_RECIPE_TEXT_SIZE];
  strcpy(from, what->from);
  SST_TRY(resolve(s, from));
  sst_network *ann = NULL;
  SST_TRY(open_source(s, what, from, &ann));
  sst_conversion_options options = what->conversion;
  if (!what->has_method) {
    bool learned = ann->recipe->student.options.activation != SST_ACTIVATION_RELU;
    options.method = learned ? SST_CONVERSION_QCFS : SST_CONVERSION_THRESHOLD_BALANCING;
  }
  sst_conversion_result result;
  // What a stage that was stopped left behind is made again: a conversion has no middle.
  bool overwrite = s->options->overwrite || s->options->resume;
  sst_status status =
      sst_run_convert(ann, &options, out, overwrite, s->options->progress, s->options->train.user, &result);
  sst_network_close(ann);
  return status;
}

static sst_status run_stage(const stages *s, int stage, sst_run_result *result) {
  const sst_stage *what = &s->plan->stages[stage];
  if (s->options->stage_begins) {
    s->options->stage_begins(s->options->train.user, what->name, stage, s->plan->stage_count);
  }
  char *out = NULL;
  ssti_run_folder folder = {0};
  sst_status status = SST_OK;
  SST_TRY_GOTO(stage_folder(s, stage, &out));
  SST_TRY_GOTO(ssti_run_folder_open(s->context, out, &folder));
  if (what->recipe) {
    SST_TRY_GOTO(train_stage(s, stage, out, result));
  } else {
    bool complete = s->options->resume && ssti_file_exists(folder.result);
    if (!complete) { SST_TRY_GOTO(convert_stage(s, stage, out)); }
    SST_TRY_GOTO(ssti_run_read_result(&folder, result));
  }
done:
  ssti_run_folder_close(&folder);
  ssti_free(s->context, out);
  return status == SST_OK ? status : ssti_fail_within(s->context, status, "stage '%s'", what->name);
}

// A run that is resumed must be of this plan: stages that are complete would otherwise be those of another.
static sst_status check_plan(const stages *s) {
  char *text = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(s->context, s->folder.recipe, 0, &text, &size));
  const char *theirs = text, *ours = s->plan->text;
  sst_status status = SST_OK;
  if (strcmp(theirs, ours) != 0) {
    int line = ssti_first_difference(&theirs, &ours);
    theirs += strspn(theirs, " ");
    ours += strspn(ours, " ");
    status = ssti_fail(s->context, SST_MISMATCH,
                       "%s: was begun with other stages: line %d of its recipe.yaml is '%.*s', now it is '%.*s'; "
                       "resume with the run's own recipe (--resume --out %s)",
                       s->folder.folder, line, (int)strcspn(theirs, "\n"), theirs, (int)strcspn(ours, "\n"), ours,
                       s->folder.folder);
  }
  ssti_free(s->context, text);
  return status;
}

// Removes what an earlier run left in the stages' folders: resuming would take it for this one's.
static sst_status clear_stages(const stages *s) {
  for (int i = 0; i < s->plan->stage_count; i++) {
    char *path = NULL;
    ssti_run_folder old = {0};
    sst_status status = stage_folder(s, i, &path);
    if (status == SST_OK && ssti_folder_exists(path)) {
      status = ssti_run_folder_open(s->context, path, &old);
      if (status == SST_OK) { status = ssti_run_folder_begin(&old, true); }
      ssti_run_folder_close(&old);
    }
    ssti_free(s->context, path);
    SST_TRY(status);
  }
  return SST_OK;
}

static sst_status begin(stages *s) {
  if (s->options->resume && ssti_file_exists(s->folder.recipe)) {
    SST_TRY(check_plan(s));
    return ssti_run_folder_take(&s->folder);
  }
  SST_TRY(ssti_run_folder_begin(&s->folder, s->options->overwrite));
  if (s->options->overwrite) { SST_TRY(clear_stages(s)); }
  return ssti_file_write(s->context, s->folder.recipe, s->plan->text, strlen(s->plan->text));
}

static sst_status copy_file(sst_context *context, const char *from, const char *to) {
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, from, 0, &data, &size));
  sst_status status = ssti_file_write(context, to, data, size);
  ssti_free(context, data);
  return status;
}

static json_t *number_or_null(double value) { return isfinite(value) ? json_real(value) : json_null(); }

// The last stage's result with a summary of all.
static sst_status write_result(const stages *s, const ssti_run_folder *last, const sst_run_result *results) {
  char *data = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(s->context, last->result, 0, &data, &size));
  json_t *value = NULL;
  sst_status status = ssti_json_parse(s->context, last->result, data, size, &value);
  ssti_free(s->context, data);
  SST_TRY(status);
  json_t *summary = json_object();
  bool good = summary != NULL;
  for (int i = 0; good && i < s->plan->stage_count; i++) {
    json_t *numbers =
        json_pack("{s:o, s:o, s:o}", "test_accuracy", number_or_null(results[i].test_accuracy), "spikes_per_inference",
                  number_or_null(results[i].spikes_per_inference), "seconds", number_or_null(results[i].seconds));
    good = json_object_set_new(summary, s->plan->stages[i].name, numbers) == 0;
  }
  good = json_object_set_new(value, "plan", json_string(s->plan->text)) == 0 && good;
  if (json_object_set_new(value, "stages", summary) != 0 || !good) {
    json_decref(value);
    value = NULL; // which is told as a lack of memory
  }
  return ssti_run_write_json(s->context, s->folder.result, value);
}

// The folder becomes a run directory like the last stage's, so that every command takes it.
static sst_status conclude(const stages *s, const sst_run_result *results) {
  char *out = NULL;
  ssti_run_folder last = {0};
  sst_status status = SST_OK;
  SST_TRY_GOTO(stage_folder(s, s->plan->stage_count - 1, &out));
  SST_TRY_GOTO(ssti_run_folder_open(s->context, out, &last));
  SST_TRY_GOTO(copy_file(s->context, last.environment, s->folder.environment));
  SST_TRY_GOTO(copy_file(s->context, last.checkpoint, s->folder.checkpoint));
  SST_TRY_GOTO(write_result(s, &last, results));
done:
  ssti_run_folder_close(&last);
  ssti_free(s->context, out);
  return status;
}

static sst_status run(stages *s, sst_run_result *out) {
  char default_folder[SST_RECIPE_TEXT_SIZE + 8];
  snprintf(default_folder, sizeof default_folder, "runs/%s", s->plan->name);
  SST_TRY(ssti_run_folder_open(s->context, s->options->out ? s->options->out : default_folder, &s->folder));
  SST_TRY(begin(s));
  sst_run_result *results = NULL;
  SST_TRY(ssti_allocate(s->context, (size_t)s->plan->stage_count, sizeof *results, &results));
  sst_status status = SST_OK;
  for (int i = 0; i < s->plan->stage_count && status == SST_OK; i++) { status = run_stage(s, i, &results[i]); }
  if (status == SST_OK) { status = conclude(s, results); }
  if (status == SST_OK) { *out = results[s->plan->stage_count - 1]; }
  ssti_free(s->context, results);
  return status;
}

sst_status sst_run_stages(sst_context *context, const sst_plan *plan, const sst_run_options_stages *options,
                          sst_run_result *out) {
  *out = (sst_run_result){0};
  stages s = {.context = context, .plan = plan, .options = options};
  sst_status status = run(&s, out);
  ssti_run_folder_close(&s.folder);
  return status;
}
