// SPDX-License-Identifier: Apache-2.0
#include "graph/storage.h"

static bool takes_bf16(const ssti_node *step) {
  return step->call.precision == SST_PRECISION_BF16 &&
         (step->op->takes_bf16 == NULL || step->op->takes_bf16(&step->call));
}

static bool is_in(unsigned mask, int i) { return i < 31 && (mask & (1u << i)) != 0; }

// What lives in several values' memory, or is seen from outside, stays f32.
static void rule_out_shared(const sst_graph *graph, bool *possible) {
  for (int v = 0; v < graph->value_count; v++) {
    const ssti_value *value = &graph->values[v];
    if (value->kind != SSTI_VALUE_OUTPUT || value->kept || v == graph->loss) { possible[v] = false; }
    if (value->root != v) { possible[v] = possible[value->root] = false; }
  }
}

// In the order of the steps, so that what one of them rules out counts for those behind it.
static void rule_out_rounding(const sst_graph *graph, bool *possible) {
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && step->op->keeps_type && i < step->call.input_count; i++) {
      if (!possible[step->inputs[i]]) { possible[step->outputs[0]] = false; }
    }
  }
}

sst_status ssti_choose_types(sst_graph *graph) {
  bool *possible = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->value_count, sizeof *possible, &possible));
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && i < step->call.output_count; i++) {
      possible[step->outputs[i]] = is_in(step->op->bf16_outputs, i) && takes_bf16(step);
    }
  }
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && i < step->call.input_count; i++) {
      if (!is_in(step->op->bf16_inputs, i) || !takes_bf16(step)) { possible[step->inputs[i]] = false; }
    }
  }
  rule_out_shared(graph, possible);
  rule_out_rounding(graph, possible);
  for (int v = 0; v < graph->value_count; v++) {
    if (possible[v]) { graph->values[v].tensor.type = graph->values[v].gradient.type = SSTI_BF16; }
  }
  ssti_free(graph->context, possible);
  return SST_OK;
}
