// SPDX-License-Identifier: Apache-2.0
// Looking at a graph: sizes and dense costs of its nodes.
#include "graph/graph_internal.h"

size_t sst_graph_planned_bytes(const sst_graph *graph) { return graph->planned_bytes; }
size_t sst_graph_unplanned_bytes(const sst_graph *graph) { return graph->unplanned_bytes; }

size_t sst_graph_kept_bytes(const sst_graph *graph) {
  size_t bytes = 0;
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->nodes[n];
    const ssti_value *value = &graph->values[node->outputs[0]];
    if (!node->live || node->op->is_view) { continue; }
    bytes += (size_t)sst_shape_count(value->tensor.shape) * sizeof(float) * (value->wants_gradient ? 2 : 1);
  }
  return bytes;
}

int sst_graph_node_count(const sst_graph *graph) { return graph->node_count; }

sst_node_info sst_graph_node_info(const sst_graph *graph, int index) {
  assert(index >= 0 && index < graph->node_count);
  const ssti_node *node = &graph->nodes[index];
  const ssti_value *output = &graph->values[node->outputs[0]];
  sst_node_info info = {
      .name = output->name ? output->name : node->scope, .op = node->op->name, .frozen = node->call.frozen};
  info.shape = output->tensor.shape;
  for (int i = 0; i < node->call.input_count; i++) {
    const ssti_value *input = &graph->values[node->inputs[i]];
    if (input->kind == SSTI_VALUE_PARAMETER && sst_parameters_at(input->store, input->parameter)->trainable) {
      info.parameters += sst_shape_count(input->tensor.shape);
    }
  }
  info.density = -1.0;
  if (graph->steps) {
    info.forward_seconds = graph->steps[index].forward_seconds;
    info.backward_seconds = graph->steps[index].backward_seconds;
  }
  const ssti_plan *plan = graph->steps ? graph->steps[index].call.plan : NULL;
  if (plan) {
    info.density = plan->density;
    info.forward_by_events = plan->forward_by_events;
    info.forward_by_codes = plan->forward_by_codes;
    info.weights_by_events = plan->weights_by_events;
  }
  if (node->op->bits) { info.bits = node->op->bits(&node->call); }
  sst_cost cost = {0};
  if (node->op->cost) {
    // Between building and compiling the call's pointers may be old; a copy with fresh ones answers at any time.
    enum { MOST_TENSORS = 64 };
    ssti_tensor *x[MOST_TENSORS], *y[MOST_TENSORS];
    ssti_call call = node->call;
    assert(call.input_count <= MOST_TENSORS && call.output_count <= MOST_TENSORS);
    for (int i = 0; i < call.input_count; i++) { x[i] = &graph->values[node->inputs[i]].tensor; }
    for (int i = 0; i < call.output_count; i++) { y[i] = &graph->values[node->outputs[i]].tensor; }
    call.x = x;
    call.y = y;
    node->op->cost(&call, &cost);
  }
  info.macs = cost.macs;
  for (int i = 0; i < node->call.input_count && i < 2 && output->has_gradient; i++) { // input, weights; not the bias
    if (graph->values[node->inputs[i]].has_gradient) { info.backward_macs += cost.macs; }
  }
  info.elementwise = cost.elementwise;
  info.neuron_updates = cost.neuron_updates;
  return info;
}
