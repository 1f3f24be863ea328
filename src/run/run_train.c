// SPDX-License-Identifier: Apache-2.0
// Training as a recipe says, into a run directory. The order of writing after an epoch makes a kill at any moment
// harmless: best parameters, then the history's line, then the checkpoint. A resumed run cuts the history back to the
// checkpoint's epoch and computes what is missing again, with the same bits.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "data/loader_plans.h"
#include "run/assemble.h"
#include "run/checkpoint.h"
#include "run/examine.h"
#include "run/run_folder.h"

typedef struct session {
  sst_context *context;
  const sst_recipe *recipe;
  const sst_run_options_train *options;
  ssti_run_folder folder;
  char *recipe_text;
  sst_dataset *train_data, *test_data;
  int32_t *train_indices, *validation_indices;
  int64_t train_count, validation_count;
  sst_loader *train_loader, *validation_loader, *test_loader;
  sst_network *teacher;
  sst_parameters *parameters;
  ssti_loss_graph loss;
  sst_recall *recall; // of what the teacher makes of pictures; NULL: computed in every step
  sst_evaluator *evaluator;
  sst_optimizer *optimizer;
  ssti_companions companions;
  sst_training_position position;
  ssti_run_memory memory;
  sst_evaluation validation; // of the epoch just finished; count 0 if it had none
} session;

static void close_session(session *s) {
  sst_optimizer_destroy(s->optimizer);
  sst_evaluator_destroy(s->evaluator);
  sst_graph_destroy(s->loss.graph);
  sst_recall_destroy(s->recall);
  ssti_companions_close(&s->companions);
  sst_parameters_destroy(s->parameters);
  sst_network_close(s->teacher);
  sst_loader_close(s->train_loader);
  sst_loader_close(s->validation_loader);
  sst_loader_close(s->test_loader);
  sst_dataset_close(s->train_data);
  sst_dataset_close(s->test_data);
  ssti_free(s->context, s->train_indices);
  ssti_free(s->context, s->validation_indices);
  sst_recipe_text_free(s->context, s->recipe_text);
  ssti_run_folder_close(&s->folder);
}

static sst_status open_loaders(session *s) {
  sst_context *context = s->context;
  const sst_recipe *recipe = s->recipe;
  SST_TRY(ssti_open_data(context, recipe, true, &s->train_data));
  SST_TRY(ssti_open_data(context, recipe, false, &s->test_data));
  int64_t count = sst_dataset_describe(s->train_data).count;
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof(int32_t), &s->train_indices));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof(int32_t), &s->validation_indices));
  sst_dataset_split(s->train_data, recipe->data.validation, recipe->seed, s->train_indices, &s->train_count,
                    s->validation_indices, &s->validation_count);
  if (s->train_count < recipe->train.batch) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "train.batch is %lld, but only %lld pictures are left for training after validation",
             (long long)recipe->train.batch, (long long)s->train_count);
  }
  SST_TRY(ssti_loader_for(context, recipe, s->train_data, s->train_indices, s->train_count, true, &s->train_loader));
  if (s->validation_count > 0) {
    SST_TRY(ssti_loader_for(context, recipe, s->train_data, s->validation_indices, s->validation_count, false,
                            &s->validation_loader));
  }
  return ssti_loader_for(context, recipe, s->test_data, NULL, sst_dataset_describe(s->test_data).count, false,
                         &s->test_loader);
}

typedef sst_status load_function(sst_context *context, const sst_safetensors *file, const char *path,
                                 sst_parameters *parameters);

// The student's parameters from a checkpoint.
static sst_status load_parameters(session *s, const char *path, load_function *load) {
  sst_safetensors *file = NULL;
  SST_TRY(sst_safetensors_open(s->context, path, &file));
  sst_status status = load(s->context, file, path, s->parameters);
  sst_safetensors_close(file);
  return status;
}

// Parameters that a recipe starts from (student.start) instead of random ones.
static sst_status load_start(session *s) {
  const char *start = s->recipe->student.start;
  if (!start[0]) { return SST_OK; }
  char *path = NULL;
  sst_status status = ssti_folder_exists(start) ? ssti_path_join(s->context, start, "checkpoint.safetensors", &path)
                                                : ssti_copy_text(s->context, start, &path);
  if (status == SST_OK) { status = load_parameters(s, path, ssti_checkpoint_load_start); }
  ssti_free(s->context, path);
  return status == SST_OK ? status : ssti_fail_within(s->context, status, "student.start");
}

static sst_status build(session *s) {
  const sst_recipe *recipe = s->recipe;
  if (recipe->teacher[0]) {
    sst_status status = ssti_open_teacher(s->context, recipe, &s->teacher);
    if (status != SST_OK) { return ssti_fail_within(s->context, status, "teacher"); }
    if (!s->teacher->trained) {
      SST_FAIL(s->context, SST_INVALID_ARGUMENT,
               "teacher: %s: is a recipe, expected the run directory or checkpoint of a trained network",
               recipe->teacher);
    }
  }
  SST_TRY(sst_parameters_create(s->context, recipe->seed, &s->parameters));
  SST_TRY(ssti_companions_open(s->context, recipe, &s->companions));
  SST_TRY(ssti_build_loss(recipe, s->parameters, s->teacher, &s->companions, 0, &s->loss));
  SST_TRY(load_start(s));
  SST_TRY(ssti_companions_make_optimizers(recipe, &s->companions));
  return sst_optimizer_create(s->parameters, recipe->device, &recipe->optimizer, &s->optimizer);
}

// Room for what the teacher makes of pictures that are not augmented, if the recipe grants as much.
static sst_status open_recall(session *s) {
  const size_t bytes = sst_graph_settled_bytes(s->loss.graph);
  const int64_t samples = sst_loader_samples(s->train_loader);
  if (bytes == 0 || s->recipe->teacher_memory == 0) { return SST_OK; }
  const double wanted = (double)bytes * (double)samples / 1048576;
  if (wanted > (double)s->recipe->teacher_memory) {
    ssti_log(s->context, SST_LOG_INFO,
             "what the teacher makes of %lld pictures takes %.0f MiB, more than the %lld of teacher_memory: it is "
             "computed in every step",
             (long long)samples, wanted, (long long)s->recipe->teacher_memory);
    return SST_OK;
  }
  const int64_t numbers = sst_dataset_describe(s->train_data).count;
  return sst_recall_create(s->context, numbers, samples, bytes, &s->recall);
}

// Whether the checkpoint was written by this recipe: only then does going on from it make sense.
static sst_status check_recipe(const session *s, const sst_safetensors *file) {
  const char *theirs = sst_safetensors_metadata(file, "recipe"), *ours = s->recipe_text;
  if (!theirs) { SST_FAIL(s->context, SST_FORMAT, "%s: has no metadata 'recipe'", s->folder.checkpoint); }
  if (strcmp(theirs, ours) == 0) { return SST_OK; }
  int line = ssti_first_difference(&theirs, &ours);
  theirs += strspn(theirs, " ");
  ours += strspn(ours, " ");
  SST_FAIL(
      s->context, SST_MISMATCH,
      "%s: was trained with another recipe: line %d of its recipe.yaml is '%.*s', now it is '%.*s'; resume with the "
      "run's own recipe (--resume --out %s)",
      s->folder.checkpoint, line, (int)strcspn(theirs, "\n"), theirs, (int)strcspn(ours, "\n"), ours, s->folder.folder);
}

// The checkpoint to go on from, if there is one: state, and history cut back to it.
static sst_status resume(session *s) {
  sst_context *context = s->context;
  sst_safetensors *file = NULL;
  SST_TRY(ssti_run_folder_take(&s->folder));
  SST_TRY(sst_safetensors_open(context, s->folder.checkpoint, &file));
  sst_status status = SST_OK;
  SST_TRY_GOTO(check_recipe(s, file));
  SST_TRY_GOTO(ssti_checkpoint_load_parameters(context, file, s->folder.checkpoint, s->parameters));
  SST_TRY_GOTO(ssti_checkpoint_load_state(context, file, s->folder.checkpoint, s->optimizer, &s->companions,
                                          &s->position, &s->memory));
  SST_TRY_GOTO(ssti_run_cut_lines(context, s->folder.history, s->position.epoch));
  SST_TRY_GOTO(ssti_run_cut_lines(context, s->folder.timing, SSTI_ALL_LINES));
done:
  sst_safetensors_close(file);
  return status;
}

static sst_status save(session *s) {
  return ssti_checkpoint_save(s->context, s->folder.checkpoint, s->recipe_text, s->parameters, s->optimizer,
                              &s->companions, &s->position, &s->memory);
}

static sst_status begin(session *s) {
  s->memory = (ssti_run_memory){.best_validation_accuracy = -1};
  if (s->options->resume && ssti_file_exists(s->folder.checkpoint)) { return resume(s); }
  if (s->options->resume && ssti_file_exists(s->folder.recipe)) {
    // Killed before the first checkpoint: nothing to go on from but the recipe, so begin again in the same folder.
    SST_TRY(ssti_run_folder_begin(&s->folder, true));
  } else {
    SST_TRY(ssti_run_folder_begin(&s->folder, s->options->overwrite));
  }
  SST_TRY(ssti_file_write(s->context, s->folder.recipe, s->recipe_text, strlen(s->recipe_text)));
  SST_TRY(ssti_run_write_environment(&s->folder, s->recipe));
  return save(s);
}

static json_t *firing_rates(const sst_evaluation *evaluation) {
  json_t *rates = json_object();
  for (int i = 0; rates && i < evaluation->layer_count; i++) {
    json_object_set_new(rates, evaluation->layers[i].name, json_real(evaluation->layers[i].firing_rate));
  }
  return rates;
}

static json_t *history_line(const session *s) {
  const sst_training_position *p = &s->position;
  double batches = (double)p->batch;
  double factor = sst_schedule_factor(&s->recipe->schedule, (double)p->epoch, (double)s->recipe->train.epochs);
  json_t *parts = json_object();
  for (int i = 0; parts && i < s->loss.part_count; i++) {
    json_object_set_new(parts, s->loss.part_names[i], json_real(p->part_sum[i] / batches));
  }
  json_t *line = json_pack("{s:I, s:f, s:f, s:f, s:o}", "epoch", (json_int_t)p->epoch + 1, "learning_rate",
                           factor * (double)s->recipe->optimizer.learning_rate, "train_loss", p->loss_sum / batches,
                           "train_accuracy", (double)p->correct / (double)p->seen, "parts", parts);
  if (line && s->validation.count > 0) {
    json_object_set_new(line, "validation_accuracy", json_real(s->validation.accuracy));
    json_object_set_new(line, "validation_loss", json_real(s->validation.loss));
    json_object_set_new(line, "spikes_per_inference", json_real(s->validation.spikes_per_inference));
    json_object_set_new(line, "firing_rate", firing_rates(&s->validation));
  }
  return line;
}

// The evaluation's network is made when it is first wanted: the first training step does not wait for it.
static sst_status evaluate(session *s, sst_loader *loader, sst_evaluation *out) {
  if (s->evaluator == NULL) {
    SST_TRY(ssti_build_evaluator(s->context, s->recipe, s->parameters, NULL, &s->evaluator));
  }
  return sst_evaluate(s->evaluator, loader, out);
}

// Validation, and the best parameters kept when they are.
static sst_status validate(session *s) {
  s->validation = (sst_evaluation){0};
  int64_t epoch = s->position.epoch + 1;
  bool due = epoch % s->recipe->train.evaluate_every == 0 || epoch == s->recipe->train.epochs;
  if (!s->validation_loader || !due) { return SST_OK; }
  SST_TRY(evaluate(s, s->validation_loader, &s->validation));
  if (s->validation.accuracy <= s->memory.best_validation_accuracy) { return SST_OK; }
  s->memory.best_validation_accuracy = s->validation.accuracy;
  s->memory.best_epoch = epoch;
  return ssti_checkpoint_save_network(s->context, s->folder.best, s->recipe_text, s->parameters, NULL);
}

// A sitting's share of an epoch: what a resumed run took in all is the sum.
static sst_status record_time(session *s, double train_seconds, int64_t samples, double seconds) {
  json_t *line = json_pack("{s:I, s:f, s:I, s:f}", "epoch", (json_int_t)s->position.epoch + 1, "train_seconds",
                           train_seconds, "samples", (json_int_t)samples, "seconds", seconds);
  const char *why_not = NULL;
  const bool planned = ssti_loader_planned(s->train_loader, &why_not);
  if (planned || why_not != NULL) {
    json_object_set_new(line, "batches_made_by", json_string(planned ? "card" : "host"));
  }
  if (why_not != NULL) { json_object_set_new(line, "because", json_string(why_not)); }
  return ssti_run_append_json(s->context, s->folder.timing, line);
}

static void report_epoch(const session *s, double seconds) {
  if (!s->options->epoch_done) { return; }
  const sst_training_position *p = &s->position;
  bool validated = s->validation.count > 0;
  s->options->epoch_done(s->options->user, p->epoch + 1, s->recipe->train.epochs, p->loss_sum / (double)p->batch,
                         (double)p->correct / (double)p->seen, validated ? s->validation.accuracy : (double)NAN,
                         validated ? s->validation.spikes_per_inference : (double)NAN, seconds);
}

// One epoch with everything that is written after it. A stop request saves the position in the middle of the epoch.
static sst_status run_epoch(session *s, const sst_training *training) {
  double start = ssti_clock_seconds();
  int64_t seen_before = s->position.seen;
  sst_status status = sst_train_epoch(s->context, training, &s->position, s->options->progress, s->options->user);
  double train_seconds = ssti_clock_seconds() - start;
  if (status == SST_OK) { status = validate(s); }
  if (status == SST_INTERRUPTED) {
    SST_TRY(save(s));
    SST_TRY(record_time(s, train_seconds, s->position.seen - seen_before, ssti_clock_seconds() - start));
    SST_FAIL(s->context, SST_INTERRUPTED, "stopped in epoch %lld of %lld; what was done is saved in %s",
             (long long)s->position.epoch + 1, (long long)s->recipe->train.epochs, s->folder.folder);
  }
  SST_TRY(status);
  SST_TRY(record_time(s, train_seconds, s->position.seen - seen_before, ssti_clock_seconds() - start));
  SST_TRY(ssti_run_append_json(s->context, s->folder.history, history_line(s)));
  report_epoch(s, ssti_clock_seconds() - start);
  sst_training_next_epoch(&s->position);
  bool last = s->position.epoch == s->recipe->train.epochs;
  if (last || s->position.epoch % s->recipe->train.checkpoint_every == 0) { return save(s); }
  return SST_OK;
}

static sst_training make_training(const session *s) {
  sst_training training = {.graph = s->loss.graph,
                           .input = s->loss.input,
                           .target = s->loss.target,
                           .loss = s->loss.loss,
                           .logits = s->loss.logits,
                           .part_count = s->loss.part_count,
                           .optimizers = {s->optimizer},
                           .optimizer_count = 1,
                           .schedule = s->recipe->schedule,
                           .loader = s->train_loader,
                           .epochs = s->recipe->train.epochs,
                           .seed = s->recipe->seed,
                           .recall = s->recall,
                           .step_by_step = !s->recipe->speed.record};
  memcpy(training.parts, s->loss.parts, sizeof training.parts);
  for (int i = 0; i < s->companions.count; i++) {
    training.optimizers[training.optimizer_count++] = s->companions.items[i].optimizer;
  }
  return training;
}

// The loss graph of the epoch under way, made anew where a term begins or ends to count.
static sst_status follow_terms(session *s) {
  if (s->loss.counting == ssti_terms_counting(s->recipe, s->position.epoch)) { return SST_OK; }
  sst_graph_destroy(s->loss.graph);
  return ssti_build_loss(s->recipe, s->parameters, s->teacher, &s->companions, s->position.epoch, &s->loss);
}

static sst_status run_epochs(session *s) {
  while (s->position.epoch < s->recipe->train.epochs) {
    SST_TRY(follow_terms(s));
    const sst_training training = make_training(s);
    SST_TRY(run_epoch(s, &training));
  }
  return SST_OK;
}

// Test accuracy of the best-by-validation parameters; the last ones are put back from the checkpoint.
static sst_status test_best(session *s, double *accuracy) {
  sst_evaluation evaluation;
  SST_TRY(load_parameters(s, s->folder.best, ssti_checkpoint_load_parameters));
  SST_TRY(evaluate(s, s->test_loader, &evaluation));
  *accuracy = evaluation.accuracy;
  return load_parameters(s, s->folder.checkpoint, ssti_checkpoint_load_parameters);
}

static json_t *number_or_null(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static sst_status write_result(session *s, const sst_evaluation *test, const sst_run_result *result) {
  json_t *value = json_pack(
      "{s:s, s:f, s:o, s:o, s:o, s:I, s:f, s:o, s:f, s:f, s:s, s:I, s:f, s:f, s:I, s:I, s:I, s:s, s:s}", "name",
      s->recipe->name, "test_accuracy", result->test_accuracy, "test_accuracy_best_by_validation",
      number_or_null(result->test_accuracy_best), "validation_accuracy", number_or_null(result->validation_accuracy),
      "best_validation_accuracy", number_or_null(result->best_validation_accuracy), "best_epoch",
      (json_int_t)result->best_epoch, "test_loss", test->loss, "firing_rate", firing_rates(test),
      "spikes_per_inference", result->spikes_per_inference, "energy_pj", result->energy_pj, "energy_model",
      sst_energy_model_word(SST_ENERGY_OPERATIONS), "parameters", (json_int_t)result->parameters, "seconds",
      result->seconds, "samples_per_second", result->samples_per_second, "teacher_kept_bytes",
      (json_int_t)result->teacher_kept_bytes, "seed", (json_int_t)result->seed, "epochs",
      (json_int_t)s->recipe->train.epochs, "device", sst_device_word(s->recipe->device), "recipe", s->recipe_text);
  return ssti_run_write_json(s->context, s->folder.result, value);
}

// The record of what the network does for an inference, and the usual estimate from it.
static sst_status write_costs(session *s, const sst_cost_record *record, double *energy_pj) {
  sst_technology *technology = NULL;
  sst_energy *energy = NULL;
  char *text = NULL;
  sst_status status = SST_OK;
  SST_TRY_GOTO(sst_technology_create(s->context, &technology));
  SST_TRY_GOTO(sst_energy_estimate(SST_ENERGY_OPERATIONS, record, technology, &energy));
  *energy_pj = energy->energy_pj;
  SST_TRY_GOTO(sst_cost_record_text(record, &text));
  status = ssti_file_write(s->context, s->folder.costs, text, strlen(text));
done:
  sst_energy_text_free(s->context, text);
  sst_energy_destroy(energy);
  sst_technology_destroy(technology);
  return status;
}

// What one pass over the test data tells about the last epoch's network; the result last: with it the run is complete.
static sst_status examine(session *s, ssti_examination *e, sst_run_result *out) {
  SST_TRY(
      ssti_examine(s->context, s->recipe, s->parameters, s->test_loader, sst_dataset_describe(s->test_data).count, e));
  out->test_accuracy = e->evaluation.accuracy;
  out->spikes_per_inference = e->evaluation.spikes_per_inference;
  SST_TRY(write_costs(s, e->costs, &out->energy_pj));
  SST_TRY(ssti_run_write_json(s->context, s->folder.mistakes, json_incref(e->mistakes)));
  SST_TRY(ssti_run_write_json(s->context, s->folder.activity, json_incref(e->activity)));
  return write_result(s, &e->evaluation, out);
}

static sst_status conclude(session *s, sst_run_result *out) {
  *out = (sst_run_result){
      .test_accuracy_best = (double)NAN, .validation_accuracy = (double)NAN, .best_validation_accuracy = (double)NAN};
  if (s->memory.best_epoch > 0) {
    // The last validation again where this sitting did not make it (a run resumed after its last epoch).
    if (s->validation.count == 0) { SST_TRY(evaluate(s, s->validation_loader, &s->validation)); }
    out->validation_accuracy = s->validation.accuracy;
    out->best_validation_accuracy = s->memory.best_validation_accuracy;
    out->best_epoch = s->memory.best_epoch;
  }
  double samples = 0;
  SST_TRY(ssti_run_sum_field(s->context, s->folder.timing, "train_seconds", &out->seconds));
  SST_TRY(ssti_run_sum_field(s->context, s->folder.timing, "samples", &samples));
  out->samples_per_second = out->seconds > 0 ? samples / out->seconds : 0;
  out->seed = s->recipe->seed;
  if (s->recall != NULL) {
    out->teacher_kept_bytes = (int64_t)sst_graph_settled_bytes(s->loss.graph) * sst_loader_samples(s->train_loader);
  }
  out->parameters = sst_parameters_elements(s->parameters);
  // Of the networks only the evaluation's are needed from here on, and the examination's needs room.
  sst_graph_destroy(s->loss.graph);
  s->loss.graph = NULL;
  sst_recall_destroy(s->recall);
  s->recall = NULL;
  if (out->best_epoch > 0) { SST_TRY(test_best(s, &out->test_accuracy_best)); }
  ssti_examination examination;
  sst_status status = examine(s, &examination, out);
  ssti_examination_close(&examination);
  return status;
}

static sst_status read_result(session *s, sst_run_result *out) {
  sst_safetensors *file = NULL;
  SST_TRY(sst_safetensors_open(s->context, s->folder.checkpoint, &file));
  sst_status same = check_recipe(s, file);
  sst_safetensors_close(file);
  SST_TRY(same);
  return ssti_run_read_result(&s->folder, out);
}

static sst_status train(session *s, sst_run_result *out) {
  char default_folder[SST_RECIPE_TEXT_SIZE + 8];
  snprintf(default_folder, sizeof default_folder, "runs/%s", s->recipe->name);
  SST_TRY(ssti_run_folder_open(s->context, s->options->out ? s->options->out : default_folder, &s->folder));
  SST_TRY(sst_recipe_text(s->context, s->recipe, &s->recipe_text));
  if (s->options->resume && ssti_file_exists(s->folder.result)) { return read_result(s, out); }
  // Said before the data is read; asked again once the folder is ours.
  if (!s->options->resume && !s->options->overwrite) { SST_TRY(ssti_run_folder_vacant(&s->folder)); }
  SST_TRY(open_loaders(s));
  SST_TRY(build(s));
  SST_TRY(open_recall(s));
  SST_TRY(begin(s));
  SST_TRY(run_epochs(s));
  sst_status status = conclude(s, out);
  if (status != SST_INTERRUPTED) { return status; }
  SST_FAIL(s->context, SST_INTERRUPTED, "stopped in the evaluation at the end; what was done is saved in %s",
           s->folder.folder);
}

sst_status sst_run_train(sst_context *context, const sst_recipe *recipe, const sst_run_options_train *options,
                         sst_run_result *out) {
  *out = (sst_run_result){0};
  session *s = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *s, &s));
  s->context = context;
  s->recipe = recipe;
  s->options = options;
  sst_status status = train(s, out);
  close_session(s);
  ssti_free(context, s);
  return status;
}

sst_status sst_run_recipe(sst_context *context, const char *folder, const char *const *overrides, int override_count,
                          sst_recipe **out) {
  ssti_run_folder run;
  *out = NULL;
  SST_TRY(ssti_run_folder_open(context, folder, &run));
  sst_status status = SST_OK;
  if (!ssti_file_exists(run.recipe)) {
    status =
        ssti_fail(context, SST_NOT_FOUND, "%s: holds no run that could be resumed: there is no recipe.yaml", folder);
  }
  if (status == SST_OK) { status = sst_recipe_open(context, run.recipe, overrides, override_count, out); }
  ssti_run_folder_close(&run);
  return status;
}
