// SPDX-License-Identifier: Apache-2.0
// Opening a model from a run directory, a checkpoint or a recipe, and evaluating it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/assemble.h"
#include "run/checkpoint.h"
#include "run/part_data.h"
#include "run/run_folder.h"

static bool has_ending(const char *text, const char *ending) {
  size_t length = strlen(text), tail = strlen(ending);
  return length >= tail && strcmp(text + length - tail, ending) == 0;
}

// The parameters of a network come into being when a graph over them is compiled; the smallest one does.
static sst_status make_parameters(sst_network *network) {
  SST_TRY(sst_parameters_create(network->context, network->recipe->seed, &network->parameters));
  sst_graph *graph = NULL;
  SST_TRY(sst_graph_create(network->parameters, network->recipe->device, &graph));
  sst_value input = sst_graph_input(graph, "input", sst_recipe_input_shape(network->recipe, 1));
  sst_value logits = SST_NO_VALUE;
  ssti_build_network(graph, network->recipe, input, &logits);
  sst_status status = sst_graph_status(graph);
  sst_graph_destroy(graph);
  SST_TRY(status);
  return sst_parameters_seal(network->parameters);
}

sst_status ssti_network_from_recipe(sst_context *context, sst_recipe *recipe, const char *path, sst_network **out) {
  sst_status status = ssti_allocate(context, 1, sizeof **out, out);
  if (status != SST_OK) {
    sst_recipe_close(context, recipe);
    return status;
  }
  (*out)->context = context;
  (*out)->recipe = recipe;
  status = ssti_copy_text(context, path, &(*out)->path);
  if (status == SST_OK) { status = make_parameters(*out); }
  if (status == SST_OK) { return SST_OK; }
  sst_network_close(*out);
  *out = NULL;
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
  SST_TRY_GOTO(make_parameters(network));
  SST_TRY_GOTO(ssti_checkpoint_load_parameters(context, file, path, network->parameters));
  network->trained = true;
done:
  sst_safetensors_close(file);
  return status;
}

static sst_status open_path(sst_network *network, const char *path, const char *const *overrides, int override_count) {
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
  return open_checkpoint(network, path, overrides, override_count);
}

sst_status sst_network_open(sst_context *context, const char *path, const char *const *overrides, int override_count,
                            sst_network **out) {
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  sst_status status = ssti_copy_text(context, path, &(*out)->path);
  if (status == SST_OK) { status = open_path(*out, path, overrides, override_count); }
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
  SST_TRY(sst_graph_create(network->parameters, network->recipe->device, &graph));
  *input = sst_graph_input(graph, "input", sst_recipe_input_shape(network->recipe, batch));
  ssti_build_network(graph, network->recipe, *input, logits);
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
static sst_status own_layers(sst_context *context, sst_evaluation *evaluation) {
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
    SST_TRY(ssti_build_evaluator(network->context, network->recipe, network->parameters, &network->evaluator));
  }
  double start = ssti_clock_seconds();
  SST_TRY(sst_evaluate(network->evaluator, data->loader, out));
  *seconds = ssti_clock_seconds() - start;
  return SST_OK;
}

sst_status sst_network_evaluate(sst_network *network, sst_part part, sst_report *out) {
  *out = (sst_report){0};
  ssti_part_data data;
  sst_status status = ssti_part_open(network->context, network->recipe, part, 0, &data);
  if (status == SST_OK) { status = evaluate_part(network, &data, &out->evaluation, &out->seconds); }
  memcpy(out->data, data.name, sizeof out->data);
  ssti_part_close(&data);
  SST_TRY(status);
  out->samples_per_second = (double)out->evaluation.count / out->seconds;
  out->parameters = sst_parameters_elements(network->parameters);
  return own_layers(network->context, &out->evaluation);
}

void sst_report_free(sst_context *context, sst_report *report) {
  void *layers = NULL; // const to its readers, but ours
  memcpy(&layers, &report->evaluation.layers, sizeof layers);
  ssti_free(context, layers);
  *report = (sst_report){0};
}
