// SPDX-License-Identifier: Apache-2.0
#include "graph/quantized_layer.h"

#include "backend/reference/reference.h"

const ssti_node *ssti_quantizer_of(const sst_graph *graph, sst_value weight) {
  const ssti_value *value = &graph->values[weight];
  if (value->kind != SSTI_VALUE_OUTPUT) { return NULL; }
  const ssti_node *node = &graph->nodes[value->node];
  return node->op == &ssti_op_quantize_weights ? node : NULL;
}

static const sst_weight_quantizer *quantizer_of(const ssti_node *node) {
  return &((const ssti_quantize_weights_attributes *)node->attributes)->quantizer;
}

int ssti_code_bits(const ssti_node *quantizer) { return sst_weight_quantizer_bits(quantizer_of(quantizer)); }

sst_status ssti_quantized_codes(sst_graph *graph, const ssti_node *quantizer, float *codes, float *scale) {
  ssti_backend *backend = graph->backend;
  const sst_shape weight = graph->values[quantizer->inputs[0]].tensor.shape;
  const int64_t rows = weight.dim[SST_AXIS_N];
  const ssti_weight_shape shape = {
      .quantizer = *quantizer_of(quantizer), .rows = rows, .columns = sst_shape_count(weight) / rows};
  const bool has_step = quantizer->call.input_count > 1;
  void *workspace = NULL;
  SST_TRY(ssti_allocate(graph->context, 1, ssti_reference_quantize_workspace(&shape), &workspace));
  // On the host, whatever the graph's device: codes and scale lie there.
  ssti_reference_quantize_weights_forward(backend, &shape, sst_graph_data(graph, quantizer->inputs[0]),
                                          has_step ? sst_graph_data(graph, quantizer->inputs[1]) : NULL, codes, scale,
                                          workspace);
  ssti_free(graph->context, workspace);
  for (int64_t o = 1; !shape.quantizer.per_channel && o < rows; o++) { scale[o] = scale[0]; }
  return SST_OK;
}
