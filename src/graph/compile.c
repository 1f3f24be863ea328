// SPDX-License-Identifier: Apache-2.0
// Compiling: which nodes live, which take part in the backward pass, who writes a gradient first, how long every buffer
// lives, and where it lies. Moments: live step i runs forward at moment i and backward at moment 2*P-1-i, P live steps.
#include <string.h>

#include "graph/fuse.h"
#include "graph/graph_internal.h"
#include "graph/memory_plan.h"
#include "graph/parameters_internal.h"
#include "graph/replay.h"

// The buffers of the plan, in the order they are asked for, with where each offset is wanted in the end.
typedef struct plan_list {
  ssti_plan_buffer *buffers;
  size_t capacity;
  int count;
} plan_list;

typedef struct compile_state {
  sst_graph *graph;
  plan_list list;
  int *moment;          // of each node's forward run; -1 if it does not live
  int moments;          // forward moments; backward ones follow
  int *value_buffer;    // index into the list of a root value's memory, -1: none
  int *again_buffer;    // of values that are made again in the backward pass
  int *gradient_buffer; // the same for gradients
  int *saved_buffer, *forward_buffer, *backward_buffer, *state_buffer; // of each node
  int *replay_workspace; // of each replay
} compile_state;

static int backward_moment(const compile_state *state, int node) {
  return 2 * state->moments - 1 - state->moment[node];
}

// Marks everything that the loss or a kept value depends on; nodes are in topological order by construction.
static void mark_live(sst_graph *graph) {
  for (int i = 0; i < graph->value_count; i++) {
    graph->values[i].read = graph->values[i].kept || i == graph->loss;
  }
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
static void resolve_calls(sst_graph *graph) {
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *node = &graph->steps[n];
    ssti_call *call = &node->call;
    call->training = node->live_backward;
    call->streams = graph->streams;
    for (int i = 0; i < call->input_count; i++) {
      ssti_value *value = &graph->values[node->inputs[i]];
      call->x[i] = &value->tensor;
      call->dx[i] = node->live_backward && value->has_gradient ? &value->gradient : NULL;
    }
    for (int i = 0; i < call->output_count; i++) {
      ssti_value *value = &graph->values[node->outputs[i]];
      call->y[i] = &value->tensor;
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
      return ssti_fail_within(graph->context, status, "%s: %s", node->scope[0] ? node->scope : "graph",
                              node->op->name);
    }
  }
  return SST_OK;
}

static sst_status ask(compile_state *state, size_t bytes, int first, int last, int *index) {
  *index = -1;
  if (bytes == 0) { return SST_OK; }
  plan_list *list = &state->list;
  SST_TRY(ssti_grow(state->graph->context, &list->buffers, &list->capacity, (size_t)list->count + 1,
                    sizeof *list->buffers));
  list->buffers[list->count] = (ssti_plan_buffer){.bytes = bytes, .first = first, .last = last};
  *index = list->count++;
  return SST_OK;
}

static void extend(compile_state *state, int buffer, int moment) {
  if (buffer < 0) { return; }
  ssti_plan_buffer *b = &state->list.buffers[buffer];
  if (moment < b->first) { b->first = moment; }
  if (moment > b->last) { b->last = moment; }
}

static size_t value_bytes(const ssti_value *value) {
  return (size_t)sst_shape_count(value->tensor.shape) * sizeof(float);
}

static int last_moment(const compile_state *state) { return 2 * state->moments; }

// What replayed steps need in the backward pass. Their inputs are there: their own backward calls, which come later, read
// them too.
static sst_status ask_replays(compile_state *state) {
  const sst_graph *graph = state->graph;
  for (int v = 0; v < graph->value_count; v++) { state->again_buffer[v] = -1; }
  for (int i = 0; i < graph->replay_count; i++) {
    const ssti_replay *replay = &graph->replays[i];
    const int moment = backward_moment(state, replay->at);
    SST_TRY(ask(state, value_bytes(&graph->values[replay->value]), moment, moment, &state->again_buffer[replay->value]));
    SST_TRY(ask(state, graph->steps[replay->step].needs.forward_workspace, moment, moment, &state->replay_workspace[i]));
  }
  return SST_OK;
}

// The buffer in which backward finds the value.
static int backward_buffer_of(const compile_state *state, sst_value value) {
  const sst_value root = state->graph->values[value].root;
  return state->again_buffer[root] >= 0 ? state->again_buffer[root] : state->value_buffer[root];
}

// One buffer for each value that is its own root and somebody reads.
static sst_status ask_values(compile_state *state) {
  sst_graph *graph = state->graph;
  for (int v = 0; v < graph->value_count; v++) {
    const ssti_value *value = &graph->values[v];
    state->value_buffer[v] = -1;
    if (value->kind == SSTI_VALUE_PARAMETER || value->root != v) { continue; }
    if (value->kind == SSTI_VALUE_INPUT) {
      SST_TRY(ask(state, value_bytes(value), 0, last_moment(state), &state->value_buffer[v]));
      continue;
    }
    const ssti_node *node = &graph->steps[value->node];
    // A secondary output that nobody reads is not computed; the primary one always is.
    if (!node->live || (!value->read && value->output > 0 && !value->has_gradient)) { continue; }
    int moment = state->moment[value->node];
    SST_TRY(ask(state, value_bytes(value), moment, moment, &state->value_buffer[v]));
  }
  return SST_OK;
}

static void extend_values(compile_state *state) {
  const sst_graph *graph = state->graph;
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->steps[n];
    if (!node->live) { continue; }
    for (int i = 0; i < node->call.input_count; i++) {
      extend(state, state->value_buffer[graph->values[node->inputs[i]].root], state->moment[n]);
      if (ssti_backward_reads_input(node, i)) {
        extend(state, backward_buffer_of(state, node->inputs[i]), backward_moment(state, n));
      }
    }
    for (int i = 0; node->live_backward && i < node->call.output_count; i++) {
      if (!ssti_backward_reads_output(node, i)) { continue; }
      extend(state, backward_buffer_of(state, node->outputs[i]), backward_moment(state, n));
    }
  }
  for (int v = 0; v < graph->value_count; v++) {
    if (graph->values[v].kept || v == graph->loss) {
      extend(state, state->value_buffer[graph->values[v].root], last_moment(state));
    }
  }
}

// A gradient lives from the first backward call that writes it to the one of the node that made the value.
static sst_status ask_gradients(compile_state *state) {
  sst_graph *graph = state->graph;
  for (int v = 0; v < graph->value_count; v++) {
    ssti_value *value = &graph->values[v];
    state->gradient_buffer[v] = -1;
    if (!value->has_gradient || value->kind == SSTI_VALUE_PARAMETER) { continue; }
    int last = value->kind == SSTI_VALUE_OUTPUT ? backward_moment(state, value->node) : last_moment(state);
    int first = v == graph->loss ? state->moments : last;
    if (value->kept) { last = last_moment(state); }
    SST_TRY(ask(state, value_bytes(value), first < last ? first : last, last, &state->gradient_buffer[v]));
  }
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->steps[n];
    for (int i = 0; node->live_backward && i < node->call.input_count; i++) {
      if (node->call.dx[i]) { extend(state, state->gradient_buffer[node->inputs[i]], backward_moment(state, n)); }
    }
  }
  return SST_OK;
}

// A step's dx[0] takes the memory of its dy[0] where the op allows it.
static void share_gradients(compile_state *state) {
  const sst_graph *graph = state->graph;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    const ssti_node *node = &graph->steps[n];
    if (!node->live_backward || !node->op->backward_in_place) { continue; }
    if (!node->call.dx[0] || !node->call.dy[0] || node->accumulate[0]) { continue; }
    const sst_value x = node->inputs[0], y = node->outputs[0];
    const int from = state->gradient_buffer[x], to = state->gradient_buffer[y];
    if (from < 0 || to < 0 || graph->values[y].kept || y == graph->loss) { continue; }
    ssti_plan_buffer *buffer = &state->list.buffers[from];
    if (buffer->bytes != state->list.buffers[to].bytes) { continue; }
    extend(state, to, buffer->last);
    buffer->bytes = 0;
    state->gradient_buffer[x] = to;
  }
}

static sst_status ask_scratch(compile_state *state) {
  sst_graph *graph = state->graph;
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->steps[n];
    state->saved_buffer[n] = state->forward_buffer[n] = state->backward_buffer[n] = state->state_buffer[n] = -1;
    if (!node->live) { continue; }
    int forward = state->moment[n], backward = backward_moment(state, n);
    SST_TRY(ask(state, node->needs.saved, forward, node->live_backward ? backward : forward, &state->saved_buffer[n]));
    SST_TRY(ask(state, node->needs.forward_workspace, forward, forward, &state->forward_buffer[n]));
    SST_TRY(ask(state, node->needs.state, 0, last_moment(state), &state->state_buffer[n]));
    if (!node->live_backward) { continue; }
    SST_TRY(ask(state, node->needs.backward_workspace, backward, backward, &state->backward_buffer[n]));
  }
  return SST_OK;
}

static void *buffer_address(const compile_state *state, int buffer) {
  return buffer < 0 ? NULL : state->graph->memory + state->list.buffers[buffer].offset;
}

static void assign_values(compile_state *state) {
  sst_graph *graph = state->graph;
  for (int v = 0; v < graph->value_count; v++) {
    ssti_value *value = &graph->values[v];
    if (value->kind == SSTI_VALUE_PARAMETER) {
      const sst_parameter *parameter = sst_parameters_at(value->store, value->parameter);
      value->tensor.data = parameter->value;
      if (value->has_gradient) { value->gradient.data = parameter->gradient; }
      continue;
    }
    // A root comes before its views, so its address is there already.
    value->tensor.data = value->root == v ? buffer_address(state, state->value_buffer[v])
                                          : graph->values[value->root].tensor.data;
    value->gradient.data = buffer_address(state, state->gradient_buffer[v]);
  }
}

static void assign_scratch(compile_state *state) {
  sst_graph *graph = state->graph;
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *node = &graph->steps[n];
    node->call.saved = buffer_address(state, state->saved_buffer[n]);
    node->call.state = buffer_address(state, state->state_buffer[n]);
    node->forward_workspace = buffer_address(state, state->forward_buffer[n]);
    node->backward_workspace = buffer_address(state, state->backward_buffer[n]);
  }
  for (int i = 0; i < graph->replay_count; i++) {
    ssti_replay *replay = &graph->replays[i];
    replay->first = buffer_address(state, state->value_buffer[replay->value]);
    replay->again = buffer_address(state, state->again_buffer[replay->value]);
    replay->workspace = buffer_address(state, state->replay_workspace[i]);
  }
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

static sst_status plan_memory(compile_state *state) {
  sst_graph *graph = state->graph;
  size_t values = (size_t)graph->value_count, nodes = (size_t)graph->node_count;
  SST_TRY(ssti_allocate(graph->context, nodes, sizeof(int), &state->moment));
  SST_TRY(ssti_allocate(graph->context, values, sizeof(int), &state->value_buffer));
  SST_TRY(ssti_allocate(graph->context, values, sizeof(int), &state->again_buffer));
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->replay_count, sizeof(int), &state->replay_workspace));
  SST_TRY(ssti_allocate(graph->context, values, sizeof(int), &state->gradient_buffer));
  SST_TRY(ssti_allocate(graph->context, nodes, sizeof(int), &state->saved_buffer));
  SST_TRY(ssti_allocate(graph->context, nodes, sizeof(int), &state->forward_buffer));
  SST_TRY(ssti_allocate(graph->context, nodes, sizeof(int), &state->backward_buffer));
  SST_TRY(ssti_allocate(graph->context, nodes, sizeof(int), &state->state_buffer));
  for (int n = 0; n < graph->node_count; n++) { state->moment[n] = graph->steps[n].live ? state->moments++ : -1; }
  SST_TRY(ask_replays(state));
  SST_TRY(ask_values(state));
  extend_values(state);
  SST_TRY(ask_gradients(state));
  share_gradients(state);
  SST_TRY(ask_scratch(state));
  SST_TRY(ssti_memory_plan(graph->context, state->list.buffers, state->list.count, &graph->planned_bytes));
  for (int i = 0; i < state->list.count; i++) { graph->unplanned_bytes += state->list.buffers[i].bytes; }
  SST_TRY(ssti_allocate_tensors(graph->context, graph->planned_bytes, &graph->memory));
  memset(graph->memory, 0, graph->planned_bytes);
  assign_values(state);
  assign_scratch(state);
  return SST_OK;
}

static void free_state(compile_state *state) {
  sst_context *context = state->graph->context;
  void *blocks[] = {state->list.buffers, state->moment,         state->value_buffer,    state->gradient_buffer,
                    state->saved_buffer, state->forward_buffer, state->backward_buffer, state->state_buffer,
                    state->again_buffer, state->replay_workspace};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) { ssti_free(context, blocks[i]); }
}

static sst_status compile(compile_state *state) {
  sst_graph *graph = state->graph;
  for (int s = 0; s < graph->store_count; s++) { SST_TRY(sst_parameters_seal(graph->stores[s])); }
  mark_live(graph);
  SST_TRY(make_steps(graph));
  mark_backward(graph);
  resolve_calls(graph);
  SST_TRY(order_gradients(graph));
  SST_TRY(ssti_choose_replays(graph));
  SST_TRY(prepare_nodes(graph));
  SST_TRY(plan_memory(state));
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
  compile_state state = {.graph = graph};
  sst_status status = compile(&state);
  free_state(&state);
  if (status != SST_OK) { graph->status = status; }
  return status;
}
