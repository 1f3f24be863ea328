// SPDX-License-Identifier: Apache-2.0
#include "graph/storage.h"

static bool can_be_bf16(const ssti_node *step, unsigned mask, int i) {
  return step->call.precision == SST_PRECISION_BF16 && i < 31 && (mask & (1u << i)) != 0;
}

// What lives in several values' memory, or is seen from outside, stays f32.
static void rule_out_shared(const sst_graph *graph, bool *possible) {
  for (int v = 0; v < graph->value_count; v++) {
    const ssti_value *value = &graph->values[v];
    if (value->kind != SSTI_VALUE_OUTPUT || value->kept || v == graph->loss) { possible[v] = false; }
    if (value->root != v) { possible[v] = possible[value->root] = false; }
  }
}

sst_status ssti_choose_types(sst_graph *graph) {
  bool *possible = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->value_count, sizeof *possible, &possible));
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && i < step->call.output_count; i++) {
      possible[step->outputs[i]] = can_be_bf16(step, step->op->bf16_outputs, i);
    }
  }
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && i < step->call.input_count; i++) {
      if (!can_be_bf16(step, step->op->bf16_inputs, i)) { possible[step->inputs[i]] = false; }
    }
  }
  rule_out_shared(graph, possible);
  for (int v = 0; v < graph->value_count; v++) {
    if (possible[v]) { graph->values[v].tensor.type = graph->values[v].gradient.type = SSTI_BF16; }
  }
  ssti_free(graph->context, possible);
  return SST_OK;
}
