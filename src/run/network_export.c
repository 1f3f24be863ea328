// SPDX-License-Identifier: Apache-2.0
// A network as a file of another tool, and its parameters from one.
#include "base/fail.h"
#include "run/assemble.h"

// What the graph does not know: whoever reads the file must feed it the same numbers.
static sst_status put_data(const sst_recipe *recipe, sst_nir_graph *nir) {
  const sst_recipe_data *data = &recipe->data;
  const int64_t channels = data->channels;
  SST_TRY(sst_nir_put_text(nir, &nir->metadata, "data", sst_dataset_word(data->kind)));
  SST_TRY(sst_nir_put_floats(nir, &nir->metadata, "mean", 1, &channels, data->mean));
  SST_TRY(sst_nir_put_floats(nir, &nir->metadata, "deviation", 1, &channels, data->deviation));
  return sst_nir_put_text(nir, &nir->metadata, "readout", sst_readout_word(recipe->student.options.readout));
}

sst_status sst_network_export_nir(sst_network *network, const char *path, const sst_nir_export_options *options) {
  sst_graph *graph = NULL;
  sst_nir_graph *nir = NULL;
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  SST_TRY(sst_network_graph(network, 1, &input, &logits, &graph));
  const sst_value steps = sst_graph_find(graph, "step_logits");
  sst_status status = sst_nir_from_graph(graph, input, steps, options, &nir);
  if (status == SST_OK) { status = put_data(network->recipe, nir); }
  if (status == SST_OK) { status = sst_nir_write(nir, path); }
  sst_nir_destroy(nir);
  sst_graph_destroy(graph);
  return status;
}

// The graph that says how parameters are used.
static sst_status open_graph(sst_network *network, sst_graph **out) {
  *out = NULL;
  if (network->foreign) {
    SST_FAIL(network->context, SST_UNSUPPORTED,
             "%s: is a file of another tool, expected a run directory, checkpoint or recipe", network->path);
  }
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  return sst_network_graph(network, 1, &input, &logits, out);
}

sst_status sst_network_export_state(sst_network *network, const char *path, const sst_state_options *options) {
  sst_graph *graph = NULL;
  SST_TRY(open_graph(network, &graph));
  sst_status status = sst_state_write(graph, path, options);
  sst_graph_destroy(graph);
  return status;
}

sst_status sst_network_import_state(sst_network *network, const char *path, const sst_state_options *options) {
  sst_graph *graph = NULL;
  SST_TRY(open_graph(network, &graph));
  sst_status status = sst_state_read(graph, path, options);
  sst_graph_destroy(graph);
  if (status == SST_OK) { network->trained = true; }
  return status;
}

sst_status sst_network_print_map(sst_network *network, const char *path, const sst_state_options *options, char **out) {
  sst_graph *graph = NULL;
  *out = NULL;
  SST_TRY(open_graph(network, &graph));
  sst_status status = sst_state_print_map(graph, path, options, out);
  sst_graph_destroy(graph);
  return status;
}
