// SPDX-License-Identifier: Apache-2.0
// Conversion of a trained ANN into a run directory of its own.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "convert/conversion.h"
#include "run/assemble.h"
#include "run/checkpoint.h"
#include "run/run_folder.h"

enum { STEPS_OF_A_FULL_BATCH = 32 };

typedef struct work {
  sst_context *context;
  sst_network *ann, *snn;
  const sst_conversion_options *options;
  ssti_run_folder folder;
  char *recipe_text; // of the snn
  char *onnx;        // the bytes of the ann's file; NULL where it is none
  size_t onnx_size;
  sst_dataset *train, *test;
  sst_loader *samples, *test_loader;
  sst_conversion_progress *progress;
  void *user;
} work;

static void close_work(work *w) {
  sst_loader_close(w->samples);
  sst_loader_close(w->test_loader);
  sst_dataset_close(w->train);
  sst_dataset_close(w->test);
  sst_network_close(w->snn);
  sst_recipe_text_free(w->context, w->recipe_text);
  ssti_free(w->context, w->onnx);
  ssti_run_folder_close(&w->folder);
}

static sst_status check_ann(sst_network *ann, const sst_conversion_options *options) {
  sst_context *context = ann->context;
  SST_TRY(ssti_conversion_check(context, options));
  if (!ann->trained) {
    SST_FAIL(context, SST_INVALID_ARGUMENT,
             "%s: is a recipe, expected the run directory or checkpoint of a trained network", ann->path);
  }
  if (ann->recipe->data.encoding != SST_ENCODING_DIRECT) {
    SST_FAIL(context, SST_UNSUPPORTED,
             "%s: was trained with data.encoding %s, but only a network that sees pictures as "
             "they are (direct) can be converted",
             ann->path, sst_encoding_word(ann->recipe->data.encoding));
  }
  if (ann->foreign && ann->foreign->nir) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s: is a NIR file and so spiking already, expected a trained ann", ann->path);
  }
  const sst_model_options *model = &ann->recipe->student.options;
  sst_status status = ann->foreign ? ssti_conversion_check_method(context, model, options->method)
                                   : ssti_conversion_check_model(context, model, options->method);
  if (status == SST_OK && ann->foreign) { status = sst_onnx_check_spiking(ann->foreign->onnx); }
  if (status != SST_OK) { return ssti_fail_within(context, status, "%s", ann->path); }
  return ssti_network_check_data(ann);
}

static float initial_membrane(const sst_conversion_options *options) {
  if (options->initial_membrane >= 0.0f) { return options->initial_membrane; }
  return options->method == SST_CONVERSION_QCFS ? 0.5f : 0.0f;
}

// What turns the ANN's recipe into the converted network's. It says how the network is, no longer how it was trained.
static void change_recipe(sst_recipe *recipe, const sst_conversion_options *options) {
  sst_recipe_network *student = &recipe->student;
  sst_model_options *model = &student->options;
  int64_t steps = options->timesteps[options->point_count - 1];
  student->spiking = model->spiking = true;
  student->start[0] = recipe->teacher[0] = '\0';
  recipe->term_count = 0;
  recipe->twin.enabled = false;
  model->timesteps = steps;
  model->activation = SST_ACTIVATION_RELU;
  model->layer_thresholds = true;
  model->norm = SST_NORM_NONE;
  model->readout = SST_READOUT_CURRENT;
  model->neuron.kind = SST_NEURON_IF;
  model->neuron.threshold = 1.0f;
  model->neuron.hard_reset = false;
  model->neuron.initial_membrane = initial_membrane(options);
  int64_t *batch = &recipe->train.evaluation_batch, most = *batch * STEPS_OF_A_FULL_BATCH / steps;
  if (most < *batch) { *batch = most < 1 ? 1 : most; }
  size_t length = strlen(recipe->name);
  snprintf(recipe->name + length, sizeof recipe->name - length, "_%s", sst_conversion_word(options->method));
}

static sst_status make_recipe(const work *w, sst_recipe **out) {
  *out = NULL;
  const sst_recipe *ann = w->ann->recipe;
  int count = ann->student.options.layer_count;
  sst_recipe *changed = NULL;
  sst_layer *layers = NULL;
  char *text = NULL;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(w->context, 1, sizeof *changed, &changed));
  SST_TRY_GOTO(ssti_allocate(w->context, (size_t)count, sizeof *layers, &layers));
  memcpy(layers, ann->student.options.layers, (size_t)count * sizeof *layers);
  for (int i = 0; i + 1 < count; i++) { // a folded norm needs a bias
    if (layers[i + 1].kind == SST_LAYER_NORM && ann->student.options.norm != SST_NORM_NONE) { layers[i].bias = 1; }
  }
  *changed = *ann; // borrows what the recipe owns
  changed->student.layers = layers;
  changed->student.options.layers = layers;
  change_recipe(changed, w->options);
  SST_TRY_GOTO(sst_recipe_text(w->context, changed, &text));
  SST_TRY_GOTO(sst_recipe_from_text(w->context, w->ann->path, text, NULL, 0, out));
done:
  sst_recipe_text_free(w->context, text);
  ssti_free(w->context, layers);
  ssti_free(w->context, changed);
  return status;
}

// The ONNX file once more: its bytes go into the checkpoint, and the network is made of just these.
static sst_status read_onnx(work *w, ssti_foreign **out) {
  *out = NULL;
  if (!w->ann->foreign) { return SST_OK; }
  SST_TRY(ssti_file_read(w->context, w->ann->path, 0, &w->onnx, &w->onnx_size));
  return ssti_foreign_from_onnx(w->context, w->ann->path, w->onnx, w->onnx_size, out);
}

static sst_status make_network(work *w) {
  sst_recipe *recipe = NULL;
  ssti_foreign *onnx = NULL;
  SST_TRY(read_onnx(w, &onnx));
  sst_status status = make_recipe(w, &recipe);
  if (status != SST_OK) {
    ssti_foreign_close(onnx);
    return status;
  }
  SST_TRY(ssti_network_from_recipe(w->context, recipe, onnx, w->folder.folder, &w->snn));
  SST_TRY(sst_recipe_text(w->context, w->snn->recipe, &w->recipe_text));
  if (onnx) { return ssti_foreign_load(onnx, w->snn->parameters); }
  return ssti_conversion_fold(w->context, &w->ann->recipe->student.options, w->ann->parameters, w->snn->parameters);
}

// Pictures of the training part, without those held out, evenly spread; nothing is augmented.
static sst_status open_samples(work *w) {
  const sst_recipe *recipe = w->ann->recipe;
  SST_TRY(ssti_open_data(w->context, recipe, true, &w->train));
  int64_t count = sst_dataset_describe(w->train).count, train_count = 0, validation_count = 0;
  int32_t *train = NULL, *validation = NULL;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(w->context, (size_t)count, sizeof *train, &train));
  SST_TRY_GOTO(ssti_allocate(w->context, (size_t)count, sizeof *validation, &validation));
  sst_dataset_split(w->train, recipe->data.validation, recipe->seed, train, &train_count, validation,
                    &validation_count);
  int64_t samples = w->options->samples < train_count ? w->options->samples : train_count;
  for (int64_t i = 0; i < samples; i++) { train[i] = train[i * train_count / samples]; }
  SST_TRY_GOTO(ssti_loader_for(w->context, recipe, w->train, train, samples, false, &w->samples));
done:
  ssti_free(w->context, train);
  ssti_free(w->context, validation);
  return status;
}

static sst_status open_test(work *w) {
  SST_TRY(ssti_open_data(w->context, w->ann->recipe, false, &w->test));
  int64_t count = sst_dataset_describe(w->test).count;
  return ssti_loader_for(w->context, w->ann->recipe, w->test, NULL, count, false, &w->test_loader);
}

static sst_value build_converted(const void *user, sst_graph *graph, bool spiking, int64_t steps, sst_value input) {
  const sst_network *snn = user;
  sst_model_options options = snn->recipe->student.options;
  options.spiking = spiking;
  options.timesteps = spiking ? steps : 1;
  options.activation = SST_ACTIVATION_CLIP;
  sst_value logits = SST_NO_VALUE;
  ssti_build_opened_as(graph, snn->recipe, snn->foreign, &options, input, &logits);
  return sst_graph_find(graph, "step_logits");
}

static sst_status measure(work *w, sst_conversion_result *result) {
  // The ANN's batch: the converted network's is cut for a graph of all steps at once, and here there is none.
  const sst_recipe *ann = w->ann->recipe;
  ssti_converted network = {.context = w->context,
                            .device = ann->device,
                            .parameters = w->snn->parameters,
                            .capped = w->snn->foreign != NULL,
                            .input = sst_recipe_input_shape(ann, ann->train.evaluation_batch),
                            .build = build_converted,
                            .user = w->snn,
                            .progress = w->progress,
                            .progress_user = w->user};
  if (w->options->method != SST_CONVERSION_QCFS) {
    SST_TRY(open_samples(w));
    SST_TRY(ssti_conversion_calibrate(&network, w->options, w->samples));
  }
  SST_TRY(ssti_conversion_check_thresholds(&network));
  sst_report report;
  SST_TRY(sst_network_evaluate(w->ann, SST_PART_TEST, &report));
  result->ann_accuracy = report.evaluation.accuracy;
  sst_report_free(w->context, &report);
  SST_TRY(open_test(w));
  result->point_count = w->options->point_count;
  return ssti_conversion_simulate(&network, w->options, w->test_loader, result->points, &result->pictures);
}

// Both give NULL if memory runs out, which the object that takes them notices: no entry is left out.
static json_t *points_json(const sst_conversion_result *result) {
  json_t *points = json_array();
  for (int i = 0; points && i < result->point_count; i++) {
    const sst_conversion_point *p = &result->points[i];
    json_t *point = json_pack("{s:I, s:f, s:f}", "timesteps", (json_int_t)p->timesteps, "accuracy", p->accuracy,
                              "spikes_per_inference", p->spikes_per_inference);
    if (json_array_append_new(points, point) != 0) {
      json_decref(points);
      points = NULL;
    }
  }
  return points;
}

static json_t *thresholds_json(const sst_parameters *parameters) {
  json_t *thresholds = json_object();
  for (int i = 0; thresholds && i < sst_parameters_count(parameters); i++) {
    const sst_parameter *p = sst_parameters_at(parameters, i);
    if (ssti_is_threshold(p->name) && json_object_set_new(thresholds, p->name, json_real((double)*p->value)) != 0) {
      json_decref(thresholds);
      thresholds = NULL;
    }
  }
  return thresholds;
}

static json_t *conversion_json(const work *w, const sst_conversion_result *result) {
  const sst_conversion_options *o = w->options;
  return json_pack("{s:s, s:s, s:f, s:I, s:I, s:f, s:f, s:I, s:o, s:o}", "from", w->ann->path, "method",
                   sst_conversion_word(o->method), "percentile", o->percentile, "samples", (json_int_t)o->samples,
                   "calibration_steps", (json_int_t)o->calibration_steps, "initial_membrane",
                   (double)initial_membrane(o), "ann_accuracy", result->ann_accuracy, "pictures",
                   (json_int_t)result->pictures, "thresholds", thresholds_json(w->snn->parameters), "points",
                   points_json(result));
}

static sst_status write_csv(const work *w, const sst_conversion_result *result) {
  ssti_text text = ssti_text_begin(w->context);
  ssti_text_append(&text, "timesteps,accuracy,spikes_per_inference\n");
  for (int i = 0; i < result->point_count; i++) {
    const sst_conversion_point *p = &result->points[i];
    ssti_text_append(&text, "%" PRId64 ",%.17g,%.17g\n", p->timesteps, p->accuracy, p->spikes_per_inference);
  }
  sst_status status = text.status;
  if (status == SST_OK) { status = ssti_file_write(w->context, w->folder.conversion, text.data, text.length); }
  ssti_text_free(&text);
  return status;
}

// Who reads the recipe of an ONNX network must not take its layers for the network's.
static sst_status write_recipe(const work *w) {
  static const char note[] =
      "# The layers of this network are those of the ONNX file in checkpoint.safetensors; the layers"
      " here only stand in for them.\n";
  ssti_text text = ssti_text_begin(w->context);
  ssti_text_append(&text, "%s%s", w->onnx ? note : "", w->recipe_text);
  sst_status status = text.status;
  if (status == SST_OK) { status = ssti_file_write(w->context, w->folder.recipe, text.data, text.length); }
  ssti_text_free(&text);
  return status;
}

// The result last: a folder that has one is complete.
static sst_status write_files(work *w, const sst_conversion_result *result) {
  const sst_recipe *recipe = w->snn->recipe;
  const sst_conversion_point *last = &result->points[result->point_count - 1];
  SST_TRY(write_recipe(w));
  SST_TRY(ssti_run_write_environment(&w->folder, recipe));
  const ssti_checkpoint_onnx onnx = {w->onnx, w->onnx_size};
  SST_TRY(ssti_checkpoint_save_network(w->context, w->folder.checkpoint, w->recipe_text, w->snn->parameters,
                                       w->onnx ? &onnx : NULL));
  SST_TRY(write_csv(w, result));
  json_t *value =
      json_pack("{s:s, s:f, s:o, s:I, s:f, s:I, s:f, s:I, s:s, s:s}", "name", recipe->name, "test_accuracy",
                last->accuracy, "conversion", conversion_json(w, result), "timesteps", (json_int_t)last->timesteps,
                "spikes_per_inference", last->spikes_per_inference, "parameters",
                (json_int_t)sst_parameters_elements(w->snn->parameters), "seconds", result->seconds, "seed",
                (json_int_t)recipe->seed, "device", sst_device_word(recipe->device), "recipe", w->recipe_text);
  return ssti_run_write_json(w->context, w->folder.result, value);
}

static sst_status convert(work *w, const char *out, bool overwrite, sst_conversion_result *result) {
  double start = ssti_clock_seconds();
  SST_TRY(check_ann(w->ann, w->options));
  SST_TRY(ssti_run_folder_open(w->context, out, &w->folder));
  if (!overwrite) { SST_TRY(ssti_run_folder_vacant(&w->folder)); }
  SST_TRY(make_network(w));
  SST_TRY(measure(w, result));
  result->seconds = ssti_clock_seconds() - start;
  SST_TRY(ssti_run_folder_begin(&w->folder, overwrite));
  return write_files(w, result);
}

sst_status sst_run_convert(sst_network *ann, const sst_conversion_options *options, const char *out, bool overwrite,
                           sst_conversion_progress *progress, void *user, sst_conversion_result *result) {
  *result = (sst_conversion_result){0};
  work w = {.context = ann->context, .ann = ann, .options = options, .progress = progress, .user = user};
  sst_status status = convert(&w, out, overwrite, result);
  close_work(&w);
  return status;
}
