// SPDX-License-Identifier: Apache-2.0
// What the runs of a sweep came to.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "spikestill/sweep.h"

static double number_of(const json_t *value, const char *key) {
  const json_t *field = json_object_get(value, key);
  return json_is_number(field) ? json_number_value(field) : (double)NAN; // null: there is no such number
}

static sst_status take_result(sst_sweep *sweep, sst_sweep_run *run, const char *path, const json_t *value) {
  const char *recipe = json_string_value(json_object_get(value, "recipe"));
  double accuracy = number_of(value, "test_accuracy");
  if (!recipe || !isfinite(accuracy)) {
    SST_FAIL(sweep->context, SST_FORMAT, "%s: has no '%s', so it is no run's result", path,
             recipe ? "test_accuracy" : "recipe");
  }
  const char *stages = json_string_value(json_object_get(value, "plan")); // then `recipe` is the last stage's
  if (strcmp(stages ? stages : recipe, run->recipe) != 0) {
    SST_FAIL(sweep->context, SST_MISMATCH,
             "%s: holds a run of another recipe than this sweep's; choose another folder (--out)", run->folder);
  }
  run->result = (sst_run_result){
      .test_accuracy = accuracy,
      .test_accuracy_best = number_of(value, "test_accuracy_best_by_validation"),
      .validation_accuracy = number_of(value, "validation_accuracy"),
      .best_validation_accuracy = number_of(value, "best_validation_accuracy"),
      .best_epoch = json_integer_value(json_object_get(value, "best_epoch")),
      .spikes_per_inference = number_of(value, "spikes_per_inference"),
      .parameters = json_integer_value(json_object_get(value, "parameters")),
      .seconds = number_of(value, "seconds"),
      .samples_per_second = number_of(value, "samples_per_second"),
      .seed = run->seed,
  };
  if (!sweep->combinations[run->combination].spiking) { run->result.spikes_per_inference = (double)NAN; }
  run->complete = true;
  return SST_OK;
}

sst_status sst_sweep_read(sst_sweep *sweep, int index) {
  sst_context *context = sweep->context;
  sst_sweep_run *run = &sweep->runs[index];
  char *path = NULL, *data = NULL;
  json_t *value = NULL;
  size_t size = 0;
  run->complete = false;
  SST_TRY(ssti_path_join(context, run->folder, "result.json", &path));
  sst_status status = SST_OK;
  if (!ssti_file_exists(path)) { goto done; }
  SST_TRY_GOTO(ssti_file_read(context, path, 0, &data, &size));
  SST_TRY_GOTO(ssti_json_parse(context, path, data, size, &value));
  SST_TRY_GOTO(take_result(sweep, run, path, value));
done:
  json_decref(value);
  ssti_free(context, data);
  ssti_free(context, path);
  return status;
}

void sst_sweep_statistics(const double *values, int count, double *mean, double *deviation) {
  double sum = 0, squares = 0;
  for (int i = 0; i < count; i++) { sum += values[i]; }
  *mean = count > 0 ? sum / count : (double)NAN;
  for (int i = 0; i < count; i++) { squares += (values[i] - *mean) * (values[i] - *mean); }
  *deviation = count > 1 ? sqrt(squares / (count - 1)) : (double)NAN;
}

static bool is_point(const double *accuracy, const double *spikes, int i) {
  return isfinite(accuracy[i]) && isfinite(spikes[i]);
}

void sst_sweep_front(const double *accuracy, const double *spikes, int count, bool *on_front) {
  for (int i = 0; i < count; i++) {
    on_front[i] = is_point(accuracy, spikes, i);
    for (int j = 0; j < count && on_front[i]; j++) {
      bool as_good = is_point(accuracy, spikes, j) && accuracy[j] >= accuracy[i] && spikes[j] <= spikes[i];
      on_front[i] = !(as_good && (accuracy[j] > accuracy[i] || spikes[j] < spikes[i]));
    }
  }
}

static void summarize_one(const sst_sweep *sweep, int combination, sst_sweep_summary *out) {
  double accuracy[SST_SWEEP_MOST_SEEDS] = {0}, spikes[SST_SWEEP_MOST_SEEDS] = {0};
  *out = (sst_sweep_summary){0};
  for (int s = 0; s < sweep->seeds; s++) {
    const sst_sweep_run *run = &sweep->runs[combination * sweep->seeds + s];
    if (!run->complete) { continue; }
    accuracy[out->count] = run->result.test_accuracy;
    spikes[out->count++] = run->result.spikes_per_inference;
  }
  sst_sweep_statistics(accuracy, out->count, &out->accuracy, &out->accuracy_deviation);
  sst_sweep_statistics(spikes, out->count, &out->spikes, &out->spikes_deviation);
}

sst_status sst_sweep_summarize(const sst_sweep *sweep, sst_sweep_summary *out) {
  int count = sweep->combination_count;
  double *means = NULL;
  bool *on_front = NULL;
  SST_TRY(ssti_allocate(sweep->context, 2 * (size_t)count, sizeof *means, &means));
  sst_status status = ssti_allocate(sweep->context, (size_t)count, sizeof *on_front, &on_front);
  if (status == SST_OK) {
    for (int i = 0; i < count; i++) {
      summarize_one(sweep, i, &out[i]);
      means[i] = out[i].accuracy;
      means[count + i] = out[i].spikes;
    }
    sst_sweep_front(means, means + count, count, on_front);
    for (int i = 0; i < count; i++) { out[i].on_front = on_front[i]; }
  }
  ssti_free(sweep->context, on_front);
  ssti_free(sweep->context, means);
  return status;
}
