// SPDX-License-Identifier: Apache-2.0
#include "graph/replay.h"

#include <stdlib.h>

// The last step, so the first in the backward pass, whose backward call reads the memory of `root`; -1: none.
static int first_backward_reader(const sst_graph *graph, sst_value root) {
  for (int n = graph->node_count - 1; n >= 0; n--) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; i < step->call.input_count; i++) {
      if (graph->values[step->inputs[i]].root == root && ssti_backward_reads_input(step, i)) { return n; }
    }
  }
  return -1;
}

static bool is_seen_outside(const sst_graph *graph, sst_value root) {
  for (int v = root; v < graph->value_count; v++) {
    if (graph->values[v].root == root && (graph->values[v].kept || v == graph->loss)) { return true; }
  }
  return false;
}

static bool can_be_replayed(const sst_graph *graph, const ssti_node *step) {
  if (!step->live_backward || !step->op->is_cheap || step->op->backward_reads_outputs) { return false; }
  const sst_value output = step->outputs[0];
  const ssti_value *value = &graph->values[output];
  if ((size_t)sst_shape_count(value->tensor.shape) * sizeof(float) < graph->replay_from) { return false; }
  // What a second run would write besides must not be there.
  for (int i = 1; i < step->call.output_count; i++) {
    if (graph->values[step->outputs[i]].read || graph->values[step->outputs[i]].has_gradient) { return false; }
  }
  for (int i = 0; i < step->call.input_count; i++) {
    if (!ssti_backward_reads_input(step, i)) { return false; }
    for (int r = 0; r < graph->replay_count; r++) { // its memory may not be filled yet
      if (graph->values[step->inputs[i]].root == graph->replays[r].value) { return false; }
    }
  }
  return value->root == output && !is_seen_outside(graph, output);
}

static int compare_order(const void *left, const void *right) {
  const ssti_replay *a = left, *b = right;
  return a->at != b->at ? b->at - a->at : a->step - b->step;
}

sst_status ssti_choose_replays(sst_graph *graph) {
  if (graph->loss == SST_NO_VALUE) { return SST_OK; }
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->node_count, sizeof *graph->replays, &graph->replays));
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    if (!can_be_replayed(graph, step)) { continue; }
    const int at = first_backward_reader(graph, step->outputs[0]);
    if (at < 0) { continue; }
    graph->replays[graph->replay_count++] = (ssti_replay){.step = n, .at = at, .value = step->outputs[0]};
  }
  qsort(graph->replays, (size_t)graph->replay_count, sizeof *graph->replays, compare_order);
  return SST_OK;
}
