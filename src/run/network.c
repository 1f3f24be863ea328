// SPDX-License-Identifier: Apache-2.0
// Opening a model from a run directory, a checkpoint, a recipe or a foreign file, and evaluating it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "run/assemble.h"
#include "run/checkpoint.h"
#include "run/part_data.h"
#include "run/run_folder.h"

static bool has_ending(const char *text, const char *ending) {
  size_t length = strlen(text), tail = strlen(ending);
  return length >= tail && strcmp(text + length - tail, ending) == 0;
}

// A foreign network says itself what it takes; at how many steps, its recipe.
static sst_shape input_shape(const sst_network *network, int64_t batch) {
  sst_shape shape = sst_recipe_input_shape(network->recipe, batch);
  if (!network->foreign) { return shape; }
  const ssti_foreign_info info = ssti_foreign_describe(network->foreign);
  return sst_shape_make(shape.dim[SST_AXIS_T], batch, info.height, info.width, info.channels);
}

// The parameters of a network come into being when a graph over them is compiled; the smallest one does.
static sst_status make_parameters(sst_network *network) {
  SST_TRY(sst_parameters_create(network->context, network->recipe->seed, &network->parameters));
  sst_graph *graph = NULL;
  SST_TRY(ssti_create_graph(network->recipe, network->parameters, &graph));
  sst_value input = sst_graph_input(graph, "input", input_shape(network, 1));
  sst_value logits = SST_NO_VALUE;
  ssti_build_opened(graph, network->recipe, network->foreign, input, &logits);
  sst_status status = sst_graph_status(graph);
  sst_graph_destroy(graph);
  SST_TRY(status);
  return sst_parameters_seal(network->parameters);
}

sst_status ssti_network_from_recipe(sst_context *context, sst_recipe *recipe, ssti_foreign *foreign, const char *path,
                                    sst_network **out) {
  sst_status status = ssti_allocate(context, 1, sizeof **out, out);
  if (status != SST_OK) {
    ssti_foreign_close(foreign);
    sst_recipe_close(context, recipe);
    return status;
  }
  (*out)->context = context;
  (*out)->recipe = recipe;
  (*out)->foreign = foreign;
  status = ssti_copy_text(context, path, &(*out)->path);
  if (status == SST_OK) { status = make_parameters(*out); }
  if (status == SST_OK) { return SST_OK; }
  sst_network_close(*out);
  *out = NULL;
  return status;
}

// The ONNX file in a checkpoint, if there is one.
static sst_status open_onnx_within(sst_network *network, const sst_safetensors *file, const char *path) {
  sst_safetensors_entry entry;
  if (!sst_safetensors_find(file, SSTI_CHECKPOINT_ONNX, &entry)) { return SST_OK; }
  ssti_text name = ssti_text_begin(network->context);
  ssti_text_append(&name, "%s: tensor '" SSTI_CHECKPOINT_ONNX "'", path);
  sst_status status = name.status;
  if (status == SST_OK) {
    status = ssti_foreign_from_onnx(network->context, name.data, entry.data, entry.bytes, &network->foreign);
  }
  ssti_text_free(&name);
  return status;
}

static sst_status open_checkpoint(sst_network *network, const char *path, const char *const *overrides,
                                  int override_count) {
  sst_context *context = network->context;
  sst_safetensors *file = NULL;
  SST_TRY(sst_safetensors_open(context, path, &file));
  sst_status status = SST_OK;
  const char *text = sst_safetensors_metadata(file, "recipe");
  if (!text) {
    status =
        ssti_fail(context, SST_FORMAT, "%s: has no metadata 'recipe', so it is not a checkpoint of this program", path);
    goto done;
  }
  SST_TRY_GOTO(sst_recipe_from_text(context, path, text, overrides, override_count, &network->recipe));
  SST_TRY_GOTO(open_onnx_within(network, file, path));
  SST_TRY_GOTO(make_parameters(network));
  SST_TRY_GOTO(ssti_checkpoint_load_parameters(context, file, path, network->parameters));
  network->trained = true;
done:
  sst_safetensors_close(file);
  return status;
}

// Whether a data set looks like what the network takes and tells apart.
static bool fits_data(const ssti_foreign_info *info, int64_t classes, int64_t height, int64_t width, int64_t channels) {
  const bool same = height == info->height && width == info->width && channels == info->channels;
  const bool as_row = info->rows && channels == 1 && height * width == info->channels;
  return classes == info->classes && (same || as_row);
}

// The first data set of that kind; for a network that fits none, any does until it is evaluated.
static const char *guess_data(const ssti_foreign_info *info) {
  static const struct {
    const char *word;
    int64_t classes, height, width, channels;
  } sets[] = {
#define SET_ROW(name, word, form, classes, height, width, channels, text) {word, classes, height, width, channels},
      SST_DATASET_LIST(SET_ROW)
#undef SET_ROW
  };
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    if (fits_data(info, sets[i].classes, sets[i].height, sets[i].width, sets[i].channels)) { return sets[i].word; }
  }
  return sets[0].word;
}

// A foreign file has no recipe; this one says what its data are. Its layers stand in for the file's.
static sst_status open_foreign(sst_network *network, const char *path, const sst_nir_import_options *nir,
                               const char *const *overrides, int override_count) {
  sst_context *context = network->context;
  SST_TRY(ssti_foreign_open(context, path, nir, &network->foreign));
  const ssti_foreign_info info = ssti_foreign_describe(network->foreign);
  ssti_text text = ssti_text_begin(context);
  ssti_text_append(&text, "data: {name: %s%s}\nstudent: {kind: %s, layers: [flatten, linear]%s}\n",
                   info.data ? info.data : guess_data(&info), info.data_keys, info.spiking ? "snn" : "ann",
                   info.student_keys);
  sst_status status = text.status;
  if (status == SST_OK) {
    status = sst_recipe_from_text(context, path, text.data, overrides, override_count, &network->recipe);
  }
  ssti_text_free(&text);
  SST_TRY(status);
  if (network->recipe->student.spiking && !info.spiking) {
    SST_FAIL(context, SST_UNSUPPORTED,
             "%s: is an ann, but student.kind is snn; 'spikestill convert' makes a spiking network of it", path);
  }
  SST_TRY(make_parameters(network));
  network->trained = true;
  return ssti_foreign_load(network->foreign, network->parameters);
}

sst_status ssti_network_check_data(const sst_network *network) {
  if (!network->foreign) { return SST_OK; }
  const ssti_foreign_info info = ssti_foreign_describe(network->foreign);
  const sst_recipe_data *data = &network->recipe->data;
  if (fits_data(&info, data->classes, data->height, data->width, data->channels)) { return SST_OK; }
  SST_FAIL(network->context, SST_SHAPE,
           "%s: takes %lldx%lldx%lld and tells %lld classes apart, but %s has %lldx%lldx%lld and %d; name fitting data"
           " with --data NAME",
           network->path, (long long)info.height, (long long)info.width, (long long)info.channels,
           (long long)info.classes, sst_dataset_word(data->kind), (long long)data->height, (long long)data->width,
           (long long)data->channels, data->classes);
}

// "data.mean=[0.5, 0.5]"
static void append_numbers(ssti_text *text, const char *key, const float *values, int count) {
  ssti_text_append(text, "data.%s=[", key);
  for (int i = 0; i < count; i++) {
    char number[SSTI_NUMBER_TEXT_SIZE];
    ssti_text_append(text, "%s%s", i ? ", " : "", ssti_number_text((double)values[i], number));
  }
  ssti_text_append(text, "]");
}

sst_status ssti_open_teacher(sst_context *context, const sst_recipe *recipe, sst_network **out) {
  if (!has_ending(recipe->teacher, ".onnx")) { return sst_network_open(context, recipe->teacher, NULL, 0, out); }
  *out = NULL;
  enum { COUNT = 7 };
  const sst_recipe_data *data = &recipe->data;
  const sst_recipe_input *input = &recipe->teacher_input;
  ssti_text texts[COUNT];
  const char *overrides[COUNT];
  sst_status status = SST_OK;
  for (int i = 0; i < COUNT; i++) { texts[i] = ssti_text_begin(context); }
  ssti_text_append(&texts[0], "data.name=%s", sst_dataset_word(data->kind));
  ssti_text_append(&texts[1], "data.classes=%d", data->classes);
  ssti_text_append(&texts[2], "data.height=%lld", (long long)data->height);
  ssti_text_append(&texts[3], "data.width=%lld", (long long)data->width);
  append_numbers(&texts[4], "mean", input->mean, input->mean_count);
  append_numbers(&texts[5], "deviation", input->deviation, input->deviation_count);
  ssti_text_append(&texts[6], "device=%s", sst_device_word(recipe->device));
  for (int i = 0; i < COUNT; i++) {
    overrides[i] = texts[i].data;
    if (status == SST_OK) { status = texts[i].status; }
  }
  if (status == SST_OK) { status = sst_network_open(context, recipe->teacher, overrides, COUNT, out); }
  for (int i = 0; i < COUNT; i++) { ssti_text_free(&texts[i]); }
  if (status == SST_OK) { status = ssti_network_check_data(*out); }
  if (status != SST_OK) {
    sst_network_close(*out);
    *out = NULL;
  }
  return status;
}

static sst_status open_path(sst_network *network, const char *path, const sst_nir_import_options *nir,
                            const char *const *overrides, int override_count) {
  sst_context *context = network->context;
  if (ssti_folder_exists(path)) {
    ssti_run_folder run;
    SST_TRY(ssti_run_folder_open(context, path, &run));
    sst_status status = SST_OK;
    if (ssti_file_exists(run.checkpoint)) {
      status = open_checkpoint(network, run.checkpoint, overrides, override_count);
    } else {
      status =
          ssti_fail(context, SST_NOT_FOUND, "%s: holds no checkpoint.safetensors, so it is not a run directory", path);
    }
    ssti_run_folder_close(&run);
    return status;
  }
  if (has_ending(path, ".yaml") || has_ending(path, ".yml")) {
    SST_TRY(sst_recipe_open(context, path, overrides, override_count, &network->recipe));
    return make_parameters(network);
  }
  if (sst_integer_network_recognize(path)) {
    SST_FAIL(context, SST_UNSUPPORTED,
             "%s: is an integer network, which no float network can be made of again; eval, inspect and export take it",
             path);
  }
  if (ssti_foreign_knows(path)) { return open_foreign(network, path, nir, overrides, override_count); }
  return open_checkpoint(network, path, overrides, override_count);
}

sst_status sst_network_open(sst_context *context, const char *path, const char *const *overrides, int override_count,
                            sst_network **out) {
  return sst_network_open_nir(context, path, NULL, overrides, override_count, out);
}

sst_status sst_network_open_nir(sst_context *context, const char *path, const sst_nir_import_options *nir,
                                const char *const *overrides, int override_count, sst_network **out) {
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  sst_status status = ssti_copy_text(context, path, &(*out)->path);
  if (status == SST_OK) { status = open_path(*out, path, nir, overrides, override_count); }
  if (status != SST_OK) {
    sst_network_close(*out);
    *out = NULL;
  }
  return status;
}

void sst_network_close(sst_network *network) {
  if (!network) { return; }
  sst_evaluator_destroy(network->evaluator);
  sst_parameters_destroy(network->parameters);
  ssti_foreign_close(network->foreign);
  sst_recipe_close(network->context, network->recipe);
  ssti_free(network->context, network->path);
  ssti_free(network->context, network);
}

const sst_recipe *sst_network_recipe(const sst_network *network) { return network->recipe; }
sst_parameters *sst_network_parameters(sst_network *network) { return network->parameters; }

sst_status sst_network_graph(sst_network *network, int64_t batch, sst_value *input, sst_value *logits,
                             sst_graph **out) {
  *out = NULL;
  sst_graph *graph = NULL;
  SST_TRY(ssti_create_graph(network->recipe, network->parameters, &graph));
  *input = sst_graph_input(graph, "input", input_shape(network, batch));
  ssti_build_opened(graph, network->recipe, network->foreign, *input, logits);
  sst_graph_keep(graph, *logits);
  sst_status status = sst_graph_compile(graph, SST_NO_VALUE);
  if (status != SST_OK) {
    sst_graph_destroy(graph);
    return status;
  }
  *out = graph;
  return SST_OK;
}

// The layers with names of their own, so that the report outlives the evaluator.
sst_status ssti_report_own_layers(sst_context *context, sst_evaluation *evaluation) {
  size_t count = (size_t)evaluation->layer_count, text_bytes = 0;
  for (size_t i = 0; i < count; i++) { text_bytes += strlen(evaluation->layers[i].name) + 1; }
  char *block = NULL;
  SST_TRY(ssti_allocate(context, 1, count * sizeof(sst_layer_activity) + text_bytes, &block));
  sst_layer_activity *layers = (sst_layer_activity *)(void *)block;
  char *text = block + count * sizeof(sst_layer_activity);
  for (size_t i = 0; i < count; i++) {
    layers[i] = evaluation->layers[i];
    layers[i].name = text;
    strcpy(text, evaluation->layers[i].name);
    text += strlen(text) + 1;
  }
  evaluation->layers = layers;
  return SST_OK;
}

// `seconds` receives the time of the evaluation proper, without reading the data and compiling the graph.
static sst_status evaluate_part(sst_network *network, const ssti_part_data *data, sst_evaluation *out,
                                double *seconds) {
  if (!network->evaluator) {
    SST_TRY(ssti_build_evaluator(network->context, network->recipe, network->parameters, network->foreign,
                                 &network->evaluator));
  }
  double start = ssti_clock_seconds();
  SST_TRY(sst_evaluate(network->evaluator, data->loader, out));
  *seconds = ssti_clock_seconds() - start;
  return SST_OK;
}

sst_status sst_network_evaluate(sst_network *network, sst_part part, sst_report *out) {
  *out = (sst_report){0};
  SST_TRY(ssti_network_check_data(network));
  ssti_part_data data;
  sst_status status = ssti_part_open(network->context, network->recipe, part, 0, &data);
  if (status == SST_OK) { status = evaluate_part(network, &data, &out->evaluation, &out->seconds); }
  memcpy(out->data, data.name, sizeof out->data);
  ssti_part_close(&data);
  SST_TRY(status);
  out->samples_per_second = (double)out->evaluation.count / out->seconds;
  out->parameters = sst_parameters_elements(network->parameters);
  return ssti_report_own_layers(network->context, &out->evaluation);
}

void sst_report_free(sst_context *context, sst_report *report) {
  void *layers = NULL; // const to its readers, but ours
  memcpy(&layers, &report->evaluation.layers, sizeof layers);
  ssti_free(context, layers);
  *report = (sst_report){0};
}
