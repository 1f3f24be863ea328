// SPDX-License-Identifier: Apache-2.0
// A network as a file of another tool.
#include "base/fail.h"
#include "run/assemble.h"

sst_status sst_network_export_nir(sst_network *network, const char *path, const sst_nir_export_options *options) {
  sst_graph *graph = NULL;
  sst_nir_graph *nir = NULL;
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  SST_TRY(sst_network_graph(network, 1, &input, &logits, &graph));
  const sst_value steps = sst_graph_find(graph, "step_logits");
  sst_status status = sst_nir_from_graph(graph, input, steps, options, &nir);
  if (status == SST_OK) { status = sst_nir_write(nir, path); }
  sst_nir_destroy(nir);
  sst_graph_destroy(graph);
  return status;
}
