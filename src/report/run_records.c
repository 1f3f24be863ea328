// SPDX-License-Identifier: Apache-2.0
#include "report/run_records.h"

#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "report/run_records_check.h"

enum { MOST_RECORD_BYTES = 256 << 20, MOST_RUNS = 10000 };

double ssti_number_of(const json_t *object, const char *key) {
  const json_t *field = json_object_get(object, key);
  return json_is_number(field) ? json_number_value(field) : (double)NAN;
}

void ssti_label_copy(char out[SSTI_LABEL_SIZE], const char *text) {
  int length = (int)strnlen(text, SSTI_LABEL_SIZE);
  if (length < SSTI_LABEL_SIZE) {
    snprintf(out, SSTI_LABEL_SIZE, "%s", text);
    return;
  }
  length = SSTI_LABEL_SIZE - 4;
  while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) { length--; }
  snprintf(out, SSTI_LABEL_SIZE, "%.*s\xe2\x80\xa6", length, text);
}

sst_status ssti_lines_parse(sst_context *context, const char *name, const char *text, size_t size, json_t **out) {
  *out = json_array();
  if (*out == NULL) { SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the lines of %s", name); }
  sst_status status = SST_OK;
  long long line = 1;
  for (const char *at = text, *end; status == SST_OK && at < text + size; at = end + 1, line++) {
    end = memchr(at, '\n', (size_t)(text + size - at));
    if (end == NULL) { break; }
    json_t *value = NULL;
    status = ssti_json_parse(context, name, at, (size_t)(end - at), &value);
    if (status == SST_OK && !json_is_object(value)) {
      json_decref(value);
      status = ssti_fail(context, SST_FORMAT, "%s: is no JSON object, as a line of this record should be", name);
    }
    if (status == SST_FORMAT) { ssti_fail_within(context, status, "line %lld of the record", line); }
    if (status == SST_OK && json_array_append_new(*out, value) != 0) {
      status = ssti_fail(context, SST_OUT_OF_MEMORY, "no memory for line %lld of %s", line, name);
    }
  }
  if (status == SST_OK) { return SST_OK; }
  json_decref(*out);
  *out = NULL;
  return status;
}

// ---- one run

// A record of the folder as text; *data is NULL if there is none.
static sst_status read_record(sst_context *context, const char *folder, const char *name, char **path, char **data,
                              size_t *size) {
  *data = NULL;
  *size = 0;
  SST_TRY(ssti_path_join(context, folder, name, path));
  if (!ssti_file_exists(*path)) { return SST_OK; }
  return ssti_file_read(context, *path, MOST_RECORD_BYTES, data, size);
}

static sst_status read_json(sst_context *context, const char *folder, const char *name, bool lines, json_t **out) {
  char *path = NULL, *data = NULL;
  size_t size = 0;
  sst_status status = read_record(context, folder, name, &path, &data, &size);
  if (status == SST_OK && data != NULL && lines) { status = ssti_lines_parse(context, path, data, size, out); }
  if (status == SST_OK && data != NULL && !lines) {
    status = ssti_json_parse(context, path, data, size, out);
    if (status == SST_OK && !json_is_object(*out)) {
      status = ssti_fail(context, SST_FORMAT, "%s: is no JSON object, as the record should be", path);
    }
  }
  ssti_free(context, data);
  ssti_free(context, path);
  return status;
}

typedef sst_status check_function(sst_context *context, const char *path, const json_t *record);

static sst_status read_checked(sst_context *context, const char *folder, const char *name, check_function *check,
                               json_t **out) {
  char *path = NULL;
  SST_TRY(read_json(context, folder, name, false, out));
  if (*out == NULL) { return SST_OK; }
  sst_status status = ssti_path_join(context, folder, name, &path);
  if (status == SST_OK) { status = check(context, path, *out); }
  ssti_free(context, path);
  return status;
}

static sst_status read_recipe(sst_context *context, ssti_run_records *run) {
  char *path = NULL;
  size_t size = 0;
  sst_status status = read_record(context, run->folder, "recipe.yaml", &path, &run->recipe_text, &size);
  if (status == SST_OK && run->recipe_text == NULL) {
    status = ssti_fail(context, SST_NOT_FOUND,
                       "%s: holds neither a run nor a sweep: there is no recipe.yaml and no sweep.csv", run->folder);
  }
  if (status == SST_OK) { status = ssti_yaml_parse(context, path, run->recipe_text, size, &run->recipe); }
  if (status == SST_OK) {
    const ssti_yaml_node *student = ssti_yaml_get(ssti_yaml_root(run->recipe), "student");
    const ssti_yaml_node *kind = ssti_yaml_get(student, "kind");
    run->spiking = kind == NULL || strcmp(kind->text, "ann") != 0;
  }
  ssti_free(context, path);
  return status;
}

static sst_status estimate(sst_context *context, ssti_run_records *run) {
  sst_technology *technology = NULL;
  SST_TRY(sst_technology_create(context, &technology));
  sst_status status = SST_OK;
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT && status == SST_OK; m++) {
    status = sst_energy_estimate((sst_energy_model)m, run->costs, technology, &run->energy[m]);
    if (status == SST_UNSUPPORTED) { status = SST_OK; }
  }
  sst_technology_destroy(technology);
  return status;
}

static sst_status read_costs(sst_context *context, ssti_run_records *run) {
  char *path = NULL, *data = NULL;
  size_t size = 0;
  sst_status status = read_record(context, run->folder, "costs.json", &path, &data, &size);
  if (status == SST_OK && data != NULL) { status = sst_cost_record_parse(context, path, data, size, &run->costs); }
  if (status == SST_OK && run->costs != NULL) { status = estimate(context, run); }
  ssti_free(context, data);
  ssti_free(context, path);
  return status;
}

static sst_status read_seconds(sst_context *context, ssti_run_records *run) {
  run->seconds = (double)NAN;
  SST_TRY(read_json(context, run->folder, "timing.jsonl", true, &run->timing));
  for (size_t i = 0; i < json_array_size(run->timing); i++) {
    double seconds = ssti_number_of(json_array_get(run->timing, i), "seconds");
    if (isfinite(seconds)) { run->seconds = (isfinite(run->seconds) ? run->seconds : 0) + seconds; }
  }
  return SST_OK;
}

static sst_status begin_run(sst_context *context, const char *folder, ssti_run_records *run) {
  SST_TRY(ssti_copy_text(context, folder, &run->folder));
  for (size_t length = strlen(run->folder); length > 1 && run->folder[length - 1] == '/'; length--) {
    run->folder[length - 1] = '\0';
  }
  return read_recipe(context, run);
}

static sst_status read_run(sst_context *context, ssti_run_records *run) {
  SST_TRY(read_json(context, run->folder, "result.json", false, &run->result));
  SST_TRY(read_json(context, run->folder, "environment.json", false, &run->environment));
  SST_TRY(read_checked(context, run->folder, "mistakes.json", ssti_mistakes_check, &run->mistakes));
  SST_TRY(read_checked(context, run->folder, "activity.json", ssti_activity_check, &run->activity));
  SST_TRY(read_json(context, run->folder, "history.jsonl", true, &run->history));
  SST_TRY(read_seconds(context, run));
  return read_costs(context, run);
}

static void free_run(sst_context *context, ssti_run_records *run) {
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT; m++) { sst_energy_destroy(run->energy[m]); }
  sst_cost_record_destroy(run->costs);
  json_decref(run->result);
  json_decref(run->environment);
  json_decref(run->mistakes);
  json_decref(run->activity);
  json_decref(run->timing);
  json_decref(run->history);
  ssti_yaml_destroy(run->recipe);
  ssti_free(context, run->recipe_text);
  ssti_free(context, run->folder);
}

// A place at the list's end, cleared.
static sst_status add_place(ssti_run_list *list, const char *folder, ssti_run_records **out) {
  if (list->count == MOST_RUNS) {
    SST_FAIL(list->context, SST_INVALID_ARGUMENT, "%s: is one run too many, a report takes %d", folder, (int)MOST_RUNS);
  }
  SST_TRY(ssti_grow(list->context, &list->runs, &list->capacity, (size_t)list->count + 1, sizeof *list->runs));
  *out = &list->runs[list->count++];
  **out = (ssti_run_records){0};
  return SST_OK;
}

static sst_status add_run(ssti_run_list *list, const char *folder) {
  ssti_run_records *run = NULL;
  SST_TRY(add_place(list, folder, &run));
  SST_TRY(begin_run(list->context, folder, run));
  return read_run(list->context, run);
}

// The folder of a recipe of stages repeats what its last stage has: the stages that have begun stand for it.
static sst_status add_stages(ssti_run_list *list, const char *folder, const ssti_yaml_node *stages) {
  int before = list->count;
  sst_status status = SST_OK;
  for (const ssti_yaml_node *stage = stages->first; stage != NULL && status == SST_OK; stage = stage->next) {
    const ssti_yaml_node *name = ssti_yaml_get(stage, "name");
    char *path = NULL, *recipe = NULL;
    if (name == NULL || !*name->text || strchr(name->text, '/') != NULL) {
      SST_FAIL(list->context, SST_FORMAT, "%s/recipe.yaml:%d: the stage has no name", folder, stage->line);
    }
    status = ssti_path_join(list->context, folder, name->text, &path);
    if (status == SST_OK) { status = ssti_path_join(list->context, path, "recipe.yaml", &recipe); }
    if (status == SST_OK && ssti_file_exists(recipe)) { status = add_run(list, path); }
    ssti_free(list->context, recipe);
    ssti_free(list->context, path);
  }
  if (status == SST_OK && list->count == before) {
    status = ssti_fail(list->context, SST_NOT_FOUND, "%s: no stage of this recipe has begun", folder);
  }
  return status;
}

static sst_status add_run_or_stages(ssti_run_list *list, const char *folder) {
  ssti_run_records whole = {0};
  sst_status status = begin_run(list->context, folder, &whole);
  const ssti_yaml_node *stages = status == SST_OK ? ssti_yaml_get(ssti_yaml_root(whole.recipe), "stages") : NULL;
  if (status == SST_OK) { status = stages ? add_stages(list, folder, stages) : add_run(list, folder); }
  free_run(list->context, &whole);
  return status;
}

// ---- sweeps

// The last field of each line of sweep.csv is the run's directory below the sweep's folder; it needs no quotes.
static sst_status add_sweep_runs(ssti_run_list *list, const char *folder, char *lines) {
  bool head = true;
  for (char *line = lines, *end; *line; line = end + 1) {
    end = strchr(line, '\n');
    if (end == NULL) { break; }
    *end = '\0';
    const char *comma = strrchr(line, ',');
    if (comma == NULL || (!head && strncmp(comma + 1, "runs/", 5) != 0)) {
      SST_FAIL(list->context, SST_FORMAT, "%s/sweep.csv: '%.80s' does not end in a run's directory", folder, line);
    }
    if (!head) {
      char *path = NULL;
      SST_TRY(ssti_path_join(list->context, folder, comma + 1, &path));
      sst_status status = add_run(list, path);
      ssti_free(list->context, path);
      SST_TRY(status);
    }
    head = false;
  }
  return SST_OK;
}

static sst_status add_summary(ssti_run_list *list, char **summary) {
  if (*summary == NULL) { return SST_OK; }
  SST_TRY(ssti_grow(list->context, &list->summaries, &list->summary_capacity, (size_t)list->summary_count + 1,
                    sizeof *list->summaries));
  list->summaries[list->summary_count++] = *summary;
  *summary = NULL;
  return SST_OK;
}

sst_status ssti_run_list_add(ssti_run_list *list, const char *path) {
  sst_context *context = list->context;
  if (!ssti_folder_exists(path)) {
    SST_FAIL(context, SST_NOT_FOUND, "%s: is no folder, expected a run directory or a sweep's folder", path);
  }
  char *file = NULL, *lines = NULL, *summary = NULL;
  size_t size = 0;
  sst_status status = read_record(context, path, "sweep.csv", &file, &lines, &size);
  ssti_free(context, file);
  file = NULL;
  if (status == SST_OK && lines == NULL) { return add_run_or_stages(list, path); }
  int before = list->count;
  if (status == SST_OK) { status = add_sweep_runs(list, path, lines); }
  if (status == SST_OK && list->count == before) {
    status = ssti_fail(context, SST_NOT_FOUND, "%s: no run of this sweep is complete yet", path);
  }
  if (status == SST_OK) { status = read_record(context, path, "summary.csv", &file, &summary, &size); }
  if (status == SST_OK) { status = add_summary(list, &summary); }
  ssti_free(context, summary);
  ssti_free(context, file);
  ssti_free(context, lines);
  return status;
}

// ---- all runs

static const char *last_name(const char *folder) {
  const char *slash = strrchr(folder, '/');
  return slash != NULL && slash[1] != '\0' ? slash + 1 : folder;
}

sst_status ssti_run_list_label(ssti_run_list *list) {
  for (int i = 0; i < list->count; i++) {
    const char *name = last_name(list->runs[i].folder);
    bool alone = true;
    for (int j = 0; j < list->count && alone; j++) {
      if (j == i) { continue; }
      if (strcmp(list->runs[j].folder, list->runs[i].folder) == 0) {
        SST_FAIL(list->context, SST_INVALID_ARGUMENT, "%s: is given twice", list->runs[i].folder);
      }
      alone = strcmp(last_name(list->runs[j].folder), name) != 0;
    }
    const char *label = alone ? name : list->runs[i].folder;
    size_t length = strlen(label), most = SSTI_LABEL_SIZE - 4;
    if (length > most) { // of a long path the end tells runs apart
      const char *from = label + length - most;
      while (((unsigned char)*from & 0xc0) == 0x80) { from++; }
      snprintf(list->runs[i].label, SSTI_LABEL_SIZE, "\xe2\x80\xa6%s", from);
    } else {
      ssti_label_copy(list->runs[i].label, label);
    }
  }
  return SST_OK;
}

void ssti_run_list_free(ssti_run_list *list) {
  for (int i = 0; i < list->count; i++) { free_run(list->context, &list->runs[i]); }
  for (int i = 0; i < list->summary_count; i++) { ssti_free(list->context, list->summaries[i]); }
  ssti_free(list->context, list->runs);
  ssti_free(list->context, list->summaries);
  *list = (ssti_run_list){0};
}
