// SPDX-License-Identifier: Apache-2.0
// The input is an HDF5 file in memory. What can be read is written again, and must then read as a graph of as many
// nodes and edges; what can be imported must be buildable.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spikestill/nir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(sst_context *context, const sst_nir_graph *graph) {
  char path[64];
  snprintf(path, sizeof path, "%s/spikestill-fuzz-%ld.nir", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
           (long)getpid());
  sst_nir_graph *again = NULL;
  const sst_status status = sst_nir_write(graph, path);
  if (status == SST_UNSUPPORTED) { return; } // built without libhdf5
  if (status != SST_OK || sst_nir_read(context, path, &again) != SST_OK) { abort(); }
  if (again->node_count != graph->node_count || again->edge_count != graph->edge_count) { abort(); }
  sst_nir_destroy(again);
  remove(path);
}

// What can be imported can be built, if it is small enough to try.
static void import(sst_context *context, const sst_nir_graph *graph) {
  sst_nir_network *network = NULL;
  const sst_status status = sst_nir_import(graph, NULL, &network);
  if (status != SST_OK) {
    if ((status != SST_FORMAT && status != SST_UNSUPPORTED) || network != NULL) { abort(); }
    return;
  }
  const sst_nir_info info = sst_nir_describe(network);
  sst_parameters *parameters = NULL;
  sst_graph *built = NULL;
  if (sst_parameters_create(context, 1, &parameters) != SST_OK ||
      sst_graph_create(parameters, SST_DEVICE_CPU_REFERENCE, &built) != SST_OK) {
    abort();
  }
  sst_value logits;
  const sst_value x = sst_graph_input(built, "input", sst_shape_make(1, 1, info.height, info.width, info.channels));
  if (sst_nir_build(network, built, x, 3, false, &logits) < 0) { abort(); }
  if (sst_parameters_seal(parameters) == SST_OK && sst_nir_load(network, parameters) != SST_OK) { abort(); }
  sst_graph_destroy(built);
  sst_parameters_destroy(parameters);
  sst_nir_network_destroy(network);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  sst_nir_graph *graph = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  const sst_status status = sst_nir_read_bytes(context, "input", data, size, &graph);
  if (status == SST_OK) {
    write_again(context, graph);
    import(context, graph);
  } else if ((status != SST_FORMAT && status != SST_UNSUPPORTED) || graph != NULL) {
    abort();
  }
  sst_nir_destroy(graph);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
