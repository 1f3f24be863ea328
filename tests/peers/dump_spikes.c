// SPDX-License-Identifier: Apache-2.0
// What the peers are held against: runs a network on the first pictures of its test part and writes, as raw floats,
// FOLDER/input.f32 and every neuron layer's spikes [T,N,H,W,C] in FOLDER/<layer>.f32, with FOLDER/list.txt: a name and
// a shape a line. Usage: dump_spikes MODEL FOLDER
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "run/assemble.h"

enum { PICTURES = 100 };

static void put(const char *folder, FILE *list, const char *name, sst_shape shape, const float *data) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s.f32", folder, name);
  FILE *file = fopen(path, "wb");
  const size_t count = (size_t)sst_shape_count(shape);
  if (file == NULL || fwrite(data, sizeof *data, count, file) != count || fclose(file) != 0) { exit(1); }
  fprintf(list, "%s %lld %lld %lld %lld %lld\n", name, (long long)shape.dim[0], (long long)shape.dim[1],
          (long long)shape.dim[2], (long long)shape.dim[3], (long long)shape.dim[4]);
}

static bool is_layer(const sst_graph *graph, int tap, sst_value value) {
  for (int i = 0; i < tap; i++) { // a value may have several names: the first counts
    sst_value other = SST_NO_VALUE;
    sst_graph_tap_at(graph, i, &other);
    if (other == value) { return false; }
  }
  return sst_graph_is_spikes(graph, value);
}

static sst_status dump(sst_context *context, const char *model, const char *folder) {
  sst_network *network = NULL;
  sst_dataset *data = NULL;
  sst_loader *loader = NULL;
  sst_graph *graph = NULL;
  sst_value logits = SST_NO_VALUE;
  sst_batch batch;
  SST_TRY(sst_network_open(context, model, (const char *[]){"train.evaluation_batch=100"}, 1, &network));
  const sst_recipe *recipe = network->recipe;
  SST_TRY(ssti_open_data(context, recipe, false, &data));
  SST_TRY(ssti_loader_for(context, recipe, data, NULL, 0, false, &loader));
  SST_TRY(sst_graph_create(network->parameters, recipe->device, &graph));
  const sst_value input = sst_graph_input(graph, "input", sst_recipe_input_shape(recipe, PICTURES));
  ssti_build_network(graph, recipe, input, &logits);
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    sst_value value = SST_NO_VALUE;
    sst_graph_tap_at(graph, i, &value);
    if (is_layer(graph, i, value)) { sst_graph_keep(graph, value); }
  }
  sst_graph_keep(graph, sst_graph_find(graph, "step_logits"));
  SST_TRY(sst_graph_compile(graph, SST_NO_VALUE));
  sst_loader_start(loader, 0, 0);
  if (!sst_loader_next(loader, &batch)) { return SST_IO; }
  sst_graph_bind(graph, input, batch.input);
  sst_graph_forward(graph, &(sst_run_options){0});
  char path[1024];
  snprintf(path, sizeof path, "%s/list.txt", folder);
  FILE *list = fopen(path, "w");
  if (list == NULL) { return SST_IO; }
  put(folder, list, "input", sst_graph_shape(graph, input), batch.input);
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    sst_value value = SST_NO_VALUE;
    const char *name = sst_graph_tap_at(graph, i, &value);
    if (is_layer(graph, i, value)) {
      put(folder, list, name, sst_graph_shape(graph, value), sst_graph_data(graph, value));
    }
  }
  const sst_value steps = sst_graph_find(graph, "step_logits");
  put(folder, list, "step_logits", sst_graph_shape(graph, steps), sst_graph_data(graph, steps));
  fclose(list);
  sst_graph_destroy(graph);
  sst_loader_close(loader);
  sst_dataset_close(data);
  sst_network_close(network);
  return SST_OK;
}

int main(int argc, char **argv) {
  sst_context *context = NULL;
  if (argc != 3 || sst_context_create(NULL, &context) != SST_OK) { return 2; }
  const sst_status status = dump(context, argv[1], argv[2]);
  if (status != SST_OK) { fprintf(stderr, "%s\n", sst_context_message(context)); }
  sst_context_destroy(context);
  return status == SST_OK ? 0 : 1;
}
