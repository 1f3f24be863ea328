// SPDX-License-Identifier: Apache-2.0
// The input is an ONNX file, read with batch norms folded and kept. What can be read is built, given its numbers, and
// run on one picture if it is small.
#include <stdlib.h>
#include <string.h>

#include "spikestill/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void build(sst_context *context, const sst_onnx *onnx) {
  const sst_onnx_info info = sst_onnx_describe(onnx);
  sst_parameters *parameters = NULL;
  sst_graph *graph = NULL;
  if (sst_parameters_create(context, 1, &parameters) != SST_OK ||
      sst_graph_create(parameters, SST_DEVICE_CPU_REFERENCE, &graph) != SST_OK) {
    abort();
  }
  const sst_value input = sst_graph_input(graph, "input", sst_shape_make(1, 1, info.height, info.width, info.channels));
  sst_value logits = SST_NO_VALUE;
  const sst_value output = sst_onnx_build(onnx, graph, input, NULL, NULL, &logits);
  if (output < 0) { abort(); } // what was read can be built
  double work = 0;
  for (int i = 0; i < sst_graph_node_count(graph); i++) {
    const sst_node_info node = sst_graph_node_info(graph, i);
    work += (double)node.macs + (double)node.elementwise + (double)sst_shape_count(node.shape);
  }
  if (sst_graph_shape(graph, output).dim[SST_AXIS_C] != info.classes) { abort(); }
  sst_graph_keep(graph, output);
  if (work < 1e6 && sst_graph_compile(graph, SST_NO_VALUE) == SST_OK) {
    if (sst_onnx_load(onnx, parameters) != SST_OK) { abort(); }
    sst_graph_forward(graph, NULL);
  }
  sst_graph_destroy(graph);
  sst_parameters_destroy(parameters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  for (int keep = 0; keep < 2; keep++) {
    sst_context *context = NULL;
    sst_onnx *onnx = NULL;
    const sst_onnx_options options = {.keep_batch_norm = keep == 1};
    if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
    const sst_status status = sst_onnx_read(context, "fuzz.onnx", data, size, &options, &onnx);
    if (status == SST_OK) {
      build(context, onnx);
    } else if ((status != SST_FORMAT && status != SST_UNSUPPORTED) || onnx != NULL ||
               strncmp(sst_context_message(context), "fuzz.onnx: ", 11) != 0) {
      abort();
    }
    sst_onnx_close(onnx);
    if (sst_context_bytes_in_use(context) != 0) { abort(); }
    sst_context_destroy(context);
  }
  return 0;
}
