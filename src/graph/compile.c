// SPDX-License-Identifier: Apache-2.0
// Compiling: which nodes live, which take part in the backward pass, who writes a gradient first. Then memory is laid
// out.
#include <string.h>

#include "graph/fuse.h"
#include "graph/graph_internal.h"
#include "graph/layout.h"
#include "graph/parameters_internal.h"
#include "graph/settle.h"
#include "graph/storage.h"

// Marks everything that the loss or a kept value depends on; nodes are in topological order by construction.
static void mark_live(sst_graph *graph) {
  for (int i = 0; i < graph->value_count; i++) { graph->values[i].read = graph->values[i].kept || i == graph->loss; }
  for (int n = graph->node_count - 1; n >= 0; n--) {
    ssti_node *node = &graph->nodes[n];
    node->live = false;
    for (int i = 0; i < node->call.output_count; i++) {
      node->live = node->live || graph->values[node->outputs[i]].read;
    }
    for (int i = 0; node->live && i < node->call.input_count; i++) { graph->values[node->inputs[i]].read = true; }
  }
}

// The steps begin as the nodes, and then some are fused.
static sst_status make_steps(sst_graph *graph) {
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->node_count, sizeof *graph->steps, &graph->steps));
  if (graph->node_count > 0) { memcpy(graph->steps, graph->nodes, (size_t)graph->node_count * sizeof *graph->steps); }
  return ssti_fuse(graph);
}

// Walks back from the loss: a node takes part if a gradient reaches an output and an input wants one.
static void mark_backward(sst_graph *graph) {
  if (graph->loss == SST_NO_VALUE) { return; }
  graph->values[graph->loss].has_gradient = graph->values[graph->loss].wants_gradient;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    ssti_node *node = &graph->steps[n];
    bool reached = false, wanted = false;
    for (int i = 0; i < node->call.output_count; i++) {
      reached = reached || graph->values[node->outputs[i]].has_gradient;
    }
    for (int i = 0; i < node->call.input_count; i++) {
      wanted = wanted || graph->values[node->inputs[i]].wants_gradient;
    }
    node->live_backward = node->live && node->op->backward && reached && wanted;
    for (int i = 0; node->live_backward && i < node->call.input_count; i++) {
      ssti_value *input = &graph->values[node->inputs[i]];
      if (input->wants_gradient) { input->has_gradient = true; }
    }
  }
}

// The graph's own pointers into its arrays, which no longer move.
static void resolve_tensors(sst_graph *graph) {
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->steps[n];
    const ssti_call *call = &node->call;
    for (int i = 0; i < call->input_count; i++) { call->x[i] = &graph->values[node->inputs[i]].tensor; }
    for (int i = 0; i < call->output_count; i++) { call->y[i] = &graph->values[node->outputs[i]].tensor; }
  }
}

static void resolve_gradients(sst_graph *graph) {
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *node = &graph->steps[n];
    ssti_call *call = &node->call;
    call->training = node->live_backward;
    call->streams = graph->streams;
    for (int i = 0; i < call->input_count; i++) {
      ssti_value *value = &graph->values[node->inputs[i]];
      call->dx[i] = node->live_backward && value->has_gradient ? &value->gradient : NULL;
    }
    for (int i = 0; i < call->output_count; i++) {
      ssti_value *value = &graph->values[node->outputs[i]];
      call->dy[i] = value->has_gradient ? &value->gradient : NULL;
    }
  }
}

// Gradients are written in reverse order of the nodes: the first writer overwrites, the others add.
static sst_status order_gradients(sst_graph *graph) {
  bool *written = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->value_count, sizeof *written, &written));
  if (graph->loss != SST_NO_VALUE) { written[graph->loss] = true; } // the seed
  for (int n = graph->node_count - 1; n >= 0; n--) {
    ssti_node *node = &graph->steps[n];
    if (!node->live_backward) { continue; }
    for (int i = 0; i < node->call.input_count; i++) {
      if (!node->call.dx[i]) { continue; }
      node->accumulate[i] = written[node->inputs[i]];
      written[node->inputs[i]] = true;
    }
  }
  ssti_free(graph->context, written);
  return SST_OK;
}

static sst_status prepare_nodes(sst_graph *graph) {
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *node = &graph->steps[n];
    if (!node->live || !node->op->prepare) { continue; }
    sst_status status = node->op->prepare(&node->call, &node->needs);
    if (status != SST_OK) {
      return ssti_fail_within(graph->context, status, "%s: %s", node->scope[0] ? node->scope : "graph", node->op->name);
    }
  }
  return SST_OK;
}

// Trainable parameters of the stores that this backward pass does not reach keep no gradient of another graph: their
// gradient is zero, and the optimiser must see that.
static sst_status collect_stale(sst_graph *graph) {
  int total = 0;
  for (int s = 0; s < graph->store_count; s++) { total += sst_parameters_count(graph->stores[s]); }
  SST_TRY(ssti_allocate(graph->context, (size_t)total, sizeof *graph->stale_gradients, &graph->stale_gradients));
  SST_TRY(ssti_allocate(graph->context, (size_t)total, sizeof *graph->stale_counts, &graph->stale_counts));
  for (int s = 0; s < graph->store_count; s++) {
    for (int i = 0; i < sst_parameters_count(graph->stores[s]); i++) {
      const sst_parameter *parameter = sst_parameters_at(graph->stores[s], i);
      bool reached = !parameter->gradient;
      for (int v = 0; !reached && v < graph->value_count; v++) {
        reached = graph->values[v].has_gradient && graph->values[v].gradient.data == parameter->gradient;
      }
      if (reached) { continue; }
      graph->stale_gradients[graph->stale_count] = parameter->gradient;
      graph->stale_counts[graph->stale_count++] = parameter->count;
    }
  }
  return SST_OK;
}

// Two places for each input: the host fills one while the device may still read the other.
static sst_status open_passages(sst_graph *graph) {
  ssti_backend *backend = graph->backend;
  if (backend->beside == NULL) { return SST_OK; }
  const size_t values = (size_t)graph->value_count;
  SST_TRY(ssti_allocate(graph->context, values, sizeof(ssti_passage *), &graph->inputs));
  SST_TRY(ssti_allocate(graph->context, values, sizeof(int), &graph->input_slots));
  for (int v = 0; v < graph->value_count; v++) {
    if (graph->values[v].kind != SSTI_VALUE_INPUT) { continue; }
    const size_t bytes = (size_t)sst_shape_count(graph->values[v].tensor.shape) * sizeof(float);
    SST_TRY(backend->beside->passage_open(backend, bytes, SSTI_INPUT_PLACES, &graph->inputs[v]));
  }
  return SST_OK;
}

static sst_status compile(sst_graph *graph) {
  for (int s = 0; s < graph->store_count; s++) {
    SST_TRY(ssti_parameters_seal_in(graph->stores[s], graph->backend->space));
  }
  for (int s = 0; s < graph->store_count; s++) { ssti_parameters_hold(graph->stores[s]); }
  graph->holds_stores = true;
  mark_live(graph);
  SST_TRY(make_steps(graph));
  resolve_tensors(graph);
  SST_TRY(ssti_choose_types(graph));
  SST_TRY(ssti_find_settled(graph));
  mark_backward(graph);
  resolve_gradients(graph);
  SST_TRY(order_gradients(graph));
  SST_TRY(prepare_nodes(graph));
  SST_TRY(ssti_lay_out(graph));
  SST_TRY(open_passages(graph));
  if (graph->loss != SST_NO_VALUE) { SST_TRY(collect_stale(graph)); }
  return SST_OK;
}

sst_status sst_graph_compile(sst_graph *graph, sst_value loss) {
  SST_TRY(sst_graph_status(graph));
  if (graph->compiled) { SST_FAIL(graph->context, SST_INVALID_ARGUMENT, "the graph is already compiled"); }
  if (loss != SST_NO_VALUE && graph->streams) {
    SST_FAIL(graph->context, SST_INVALID_ARGUMENT,
             "a streaming graph runs forward only, but it was given a loss to differentiate");
  }
  if (loss != SST_NO_VALUE) {
    if (!ssti_graph_accepts(graph, loss)) { return sst_graph_status(graph); }
    char text[SST_SHAPE_TEXT_SIZE];
    if (sst_shape_count(graph->values[loss].tensor.shape) != 1) {
      SST_FAIL(graph->context, SST_SHAPE, "the loss must be one number, but its shape is %s",
               sst_shape_text(graph->values[loss].tensor.shape, text, sizeof text));
    }
  }
  graph->loss = loss;
  graph->compiled = true; // whatever comes of it, it takes no more nodes
  const sst_status status = compile(graph);
  if (status != SST_OK) { graph->status = status; }
  return status;
}
