// SPDX-License-Identifier: Apache-2.0
#include "graph/layout.h"

#include <string.h>

#include "graph/memory_plan.h"
#include "graph/replay.h"

enum { CALL = 2 }; // moments of a call

// The plan: buffers in the order they are asked for, and which of them is what; -1: none.
typedef struct layout {
  sst_graph *graph;
  ssti_plan_buffer *buffers;
  size_t capacity;
  int count;
  int *forward_at, *backward_at; // first moment of each step's call; -1 if the step does not live
  int begin_backward, end;       // moments
  int *value_buffer;             // of each root value in the forward pass
  int *current_buffer;           // of each root value at the call that is looked at
  int *gradient_buffer;
  int *saved_buffer, *forward_buffer, *backward_buffer, *state_buffer; // of each step
  size_t bytes;
} layout;

static sst_status ask(layout *l, size_t bytes, int first, int last, int *index) {
  *index = -1;
  if (bytes == 0) { return SST_OK; }
  SST_TRY(ssti_grow(l->graph->context, &l->buffers, &l->capacity, (size_t)l->count + 1, sizeof *l->buffers));
  l->buffers[l->count] = (ssti_plan_buffer){.bytes = bytes, .first = first, .last = last};
  *index = l->count++;
  return SST_OK;
}

static void extend(layout *l, int buffer, int first, int last) {
  if (buffer < 0) { return; }
  ssti_plan_buffer *b = &l->buffers[buffer];
  if (first < b->first) { b->first = first; }
  if (last > b->last) { b->last = last; }
}

static void extend_call(layout *l, int buffer, int at) { extend(l, buffer, at, at + CALL - 1); }

static size_t value_bytes(const ssti_value *value) {
  return (size_t)sst_shape_count(value->tensor.shape) * ssti_type_bytes(value->tensor.type);
}

// Numbers the calls in the order they run: forward, then each step's replays and its backward call, from the last step
// to the first.
static void number_calls(layout *l) {
  sst_graph *graph = l->graph;
  int moment = 0, next = 0;
  for (int n = 0; n < graph->node_count; n++) {
    l->forward_at[n] = l->backward_at[n] = -1;
    if (graph->steps[n].live) {
      l->forward_at[n] = moment;
      moment += CALL;
    }
  }
  l->begin_backward = moment;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    if (!graph->steps[n].live) { continue; }
    for (; next < graph->replay_count && graph->replays[next].at == n; next++) {
      graph->replays[next].moment = moment;
      moment += CALL;
    }
    l->backward_at[n] = moment;
    moment += CALL;
  }
  l->end = moment;
}

// One buffer for each value that is its own root and somebody reads.
static sst_status ask_values(layout *l) {
  sst_graph *graph = l->graph;
  for (int v = 0; v < graph->value_count; v++) {
    const ssti_value *value = &graph->values[v];
    l->value_buffer[v] = l->current_buffer[v] = -1;
    if (value->kind == SSTI_VALUE_PARAMETER || value->root != v) { continue; }
    if (value->kind == SSTI_VALUE_INPUT) {
      SST_TRY(ask(l, value_bytes(value), 0, l->end, &l->value_buffer[v]));
    } else {
      const ssti_node *node = &graph->steps[value->node];
      // A secondary output that nobody reads is not computed; the primary one always is.
      if (!node->live || (!value->read && value->output > 0 && !value->has_gradient)) { continue; }
      const int at = l->forward_at[value->node];
      SST_TRY(ask(l, value_bytes(value), at, at + CALL - 1, &l->value_buffer[v]));
    }
    l->current_buffer[v] = l->value_buffer[v];
  }
  for (int v = 0; v < graph->value_count; v++) {
    if (graph->values[v].kept || v == graph->loss) {
      extend(l, l->value_buffer[graph->values[v].root], l->end, l->end);
    }
  }
  return SST_OK;
}

static int buffer_now(const layout *l, sst_value value) { return l->current_buffer[l->graph->values[value].root]; }

// Whether the i-th input is the one whose memory a backward call may write its gradient to.
static bool is_read_before_written(const ssti_node *step, int i) {
  return i == 0 && step->op->backward_writes_first_last && step->call.dx[0] != NULL && !step->accumulate[0];
}

static sst_status live_through_replay(layout *l, ssti_replay *replay) {
  sst_graph *graph = l->graph;
  const ssti_node *step = &graph->steps[replay->step];
  for (int i = 0; i < step->call.input_count; i++) { extend_call(l, buffer_now(l, step->inputs[i]), replay->moment); }
  SST_TRY(ask(l, step->needs.forward_workspace, replay->moment, replay->moment + CALL - 1, &replay->buffer));
  for (int i = 0; i < step->call.output_count; i++) {
    ssti_remade *remade = &graph->remade[replay->remade + i];
    remade->buffer = -1;
    if (!remade->dropped || l->value_buffer[remade->value] < 0) { continue; }
    SST_TRY(
        ask(l, value_bytes(&graph->values[remade->value]), replay->moment, replay->moment + CALL - 1, &remade->buffer));
    l->current_buffer[remade->value] = remade->buffer;
  }
  return SST_OK;
}

static void live_through_backward(layout *l, int n) {
  const ssti_node *step = &l->graph->steps[n];
  const int at = l->backward_at[n];
  for (int i = 0; i < step->call.input_count; i++) {
    if (!ssti_backward_reads_input(step, i)) { continue; }
    // The same value may be another input too.
    if (is_read_before_written(step, i)) {
      extend(l, buffer_now(l, step->inputs[i]), at, at);
    } else {
      extend_call(l, buffer_now(l, step->inputs[i]), at);
    }
  }
  for (int i = 0; step->live_backward && i < step->call.output_count; i++) {
    if (ssti_backward_reads_output(step, i)) { extend_call(l, buffer_now(l, step->outputs[i]), at); }
  }
}

// Follows the calls in their order: what they read must be there.
static sst_status live_values(layout *l) {
  sst_graph *graph = l->graph;
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && i < step->call.input_count; i++) {
      extend_call(l, buffer_now(l, step->inputs[i]), l->forward_at[n]);
    }
  }
  int next = 0;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    for (; next < graph->replay_count && graph->replays[next].at == n; next++) {
      SST_TRY(live_through_replay(l, &graph->replays[next]));
    }
    live_through_backward(l, n);
  }
  // What a replay writes besides: the same bits to the same place where that is still the value's, otherwise nowhere.
  for (int r = 0; r < graph->replay_count; r++) {
    const ssti_replay *replay = &graph->replays[r];
    for (int i = 0; i < graph->steps[replay->step].call.output_count; i++) {
      ssti_remade *remade = &graph->remade[replay->remade + i];
      const int buffer = l->value_buffer[remade->value];
      if (remade->dropped || buffer < 0 || l->buffers[buffer].last > replay->moment) { continue; }
      SST_TRY(ask(l, l->buffers[buffer].bytes, replay->moment, replay->moment + CALL - 1, &remade->buffer));
    }
  }
  return SST_OK;
}

// A gradient lives from the first backward call that writes it to the one of the node that made the value.
static sst_status ask_gradients(layout *l) {
  sst_graph *graph = l->graph;
  for (int v = 0; v < graph->value_count; v++) {
    ssti_value *value = &graph->values[v];
    l->gradient_buffer[v] = -1;
    if (!value->has_gradient || value->kind == SSTI_VALUE_PARAMETER) { continue; }
    int last = l->end;
    if (value->kind == SSTI_VALUE_OUTPUT && !value->kept) { last = l->backward_at[value->node] + CALL - 1; }
    const int first = v == graph->loss ? l->begin_backward : last;
    SST_TRY(ask(l, value_bytes(value), first, last, &l->gradient_buffer[v]));
  }
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live_backward && i < step->call.input_count; i++) {
      if (!step->call.dx[i]) { continue; }
      const int at = l->backward_at[n] + (is_read_before_written(step, i) ? CALL - 1 : 0);
      extend(l, l->gradient_buffer[step->inputs[i]], at, at);
    }
  }
  return SST_OK;
}

// A step's dx[0] takes the memory of its dy[0] where the op allows it.
static void share_gradients(layout *l) {
  const sst_graph *graph = l->graph;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    const ssti_node *node = &graph->steps[n];
    if (!node->live_backward || !node->op->backward_in_place) { continue; }
    if (!node->call.dx[0] || !node->call.dy[0] || node->accumulate[0]) { continue; }
    const sst_value x = node->inputs[0], y = node->outputs[0];
    const int from = l->gradient_buffer[x], to = l->gradient_buffer[y];
    if (from < 0 || to < 0 || graph->values[y].kept || y == graph->loss) { continue; }
    if (node->call.dx[0]->type != node->call.dy[0]->type) { continue; } // elements would lie at other places
    ssti_plan_buffer *buffer = &l->buffers[from];
    if (buffer->bytes != l->buffers[to].bytes) { continue; }
    extend(l, to, buffer->first, buffer->last);
    buffer->bytes = 0;
    l->gradient_buffer[x] = to;
  }
}

static sst_status ask_scratch(layout *l) {
  sst_graph *graph = l->graph;
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->steps[n];
    l->saved_buffer[n] = l->forward_buffer[n] = l->backward_buffer[n] = l->state_buffer[n] = -1;
    if (!node->live) { continue; }
    const int forward = l->forward_at[n], forward_end = forward + CALL - 1;
    const int backward = l->backward_at[n], backward_end = backward + CALL - 1;
    SST_TRY(ask(l, node->needs.saved, forward, node->live_backward ? backward_end : forward_end, &l->saved_buffer[n]));
    SST_TRY(ask(l, node->needs.forward_workspace, forward, forward_end, &l->forward_buffer[n]));
    SST_TRY(ask(l, node->needs.state, 0, l->end, &l->state_buffer[n]));
    if (!node->live_backward) { continue; }
    SST_TRY(ask(l, node->needs.backward_workspace, backward, backward_end, &l->backward_buffer[n]));
  }
  return SST_OK;
}

static sst_status allocate_layout(layout *l) {
  sst_context *context = l->graph->context;
  const size_t values = (size_t)l->graph->value_count, nodes = (size_t)l->graph->node_count;
  SST_TRY(ssti_allocate(context, nodes, sizeof(int), &l->forward_at));
  SST_TRY(ssti_allocate(context, nodes, sizeof(int), &l->backward_at));
  SST_TRY(ssti_allocate(context, values, sizeof(int), &l->value_buffer));
  SST_TRY(ssti_allocate(context, values, sizeof(int), &l->current_buffer));
  SST_TRY(ssti_allocate(context, values, sizeof(int), &l->gradient_buffer));
  SST_TRY(ssti_allocate(context, nodes, sizeof(int), &l->saved_buffer));
  SST_TRY(ssti_allocate(context, nodes, sizeof(int), &l->forward_buffer));
  SST_TRY(ssti_allocate(context, nodes, sizeof(int), &l->backward_buffer));
  return ssti_allocate(context, nodes, sizeof(int), &l->state_buffer);
}

static void free_layout(layout *l) {
  void *blocks[] = {l->buffers,         l->forward_at,   l->backward_at,    l->value_buffer,    l->current_buffer,
                    l->gradient_buffer, l->saved_buffer, l->forward_buffer, l->backward_buffer, l->state_buffer};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) { ssti_free(l->graph->context, blocks[i]); }
}

static sst_status plan(layout *l, const ssti_cuts *cuts) {
  l->count = 0;
  SST_TRY(ssti_choose_replays(l->graph, cuts));
  number_calls(l);
  SST_TRY(ask_values(l));
  SST_TRY(live_values(l));
  SST_TRY(ask_gradients(l));
  share_gradients(l);
  SST_TRY(ask_scratch(l));
  return ssti_memory_plan(l->graph->context, l->buffers, l->count, &l->bytes);
}

// Changes one cut after the other, each time the one by which the most memory is saved, until none saves any.
static sst_status descend(layout *l, ssti_cuts *cuts, size_t *least) {
  SST_TRY(plan(l, cuts));
  *least = l->bytes;
  for (int best = 0; best >= 0;) {
    best = -1;
    for (int i = 0; i < cuts->count; i++) {
      cuts->used[i] = !cuts->used[i];
      SST_TRY(plan(l, cuts));
      cuts->used[i] = !cuts->used[i];
      if (l->bytes < *least) { best = i, *least = l->bytes; }
    }
    if (best >= 0) { cuts->used[best] = !cuts->used[best]; }
  }
  return SST_OK;
}

// The segments with which everything takes the least memory found, beginning with none and with all.
static sst_status find_segments(layout *l, ssti_cuts *cuts) {
  SST_TRY(ssti_find_cuts(l->graph, cuts));
  ssti_cuts all = *cuts;
  for (int i = 0; i < all.count; i++) { all.used[i] = true; }
  size_t least = 0, other = 0;
  SST_TRY(descend(l, cuts, &least));
  SST_TRY(descend(l, &all, &other));
  if (other < least) { *cuts = all; }
  return SST_OK;
}

static void *buffer_address(const layout *l, int buffer) {
  return buffer < 0 ? NULL : l->graph->memory + l->buffers[buffer].offset;
}

static void assign_values(layout *l) {
  sst_graph *graph = l->graph;
  for (int v = 0; v < graph->value_count; v++) {
    ssti_value *value = &graph->values[v];
    if (value->kind == SSTI_VALUE_PARAMETER) {
      const sst_parameter *parameter = sst_parameters_at(value->store, value->parameter);
      value->tensor.data = parameter->value;
      if (value->has_gradient) { value->gradient.data = parameter->gradient; }
      continue;
    }
    // A root comes before its views, so its address is there already.
    value->tensor.data =
        value->root == v ? buffer_address(l, l->value_buffer[v]) : graph->values[value->root].tensor.data;
    value->gradient.data = buffer_address(l, l->gradient_buffer[v]);
  }
}

static void assign_scratch(layout *l) {
  sst_graph *graph = l->graph;
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *node = &graph->steps[n];
    node->call.saved = buffer_address(l, l->saved_buffer[n]);
    node->call.state = buffer_address(l, l->state_buffer[n]);
    node->forward_workspace = buffer_address(l, l->forward_buffer[n]);
    node->backward_workspace = buffer_address(l, l->backward_buffer[n]);
  }
  for (int i = 0; i < graph->replay_count; i++) {
    graph->replays[i].workspace = buffer_address(l, graph->replays[i].buffer);
  }
  for (int i = 0; i < graph->remade_count; i++) {
    ssti_remade *remade = &graph->remade[i];
    remade->first = graph->values[remade->value].tensor.data;
    remade->again = buffer_address(l, remade->buffer);
  }
}

static sst_status lay_out(layout *l) {
  sst_graph *graph = l->graph;
  SST_TRY(allocate_layout(l));
  ssti_cuts cuts = {.count = 0};
  if (graph->memory_use == SST_MEMORY_RECOMPUTE) { SST_TRY(find_segments(l, &cuts)); }
  SST_TRY(plan(l, &cuts));
  graph->planned_bytes = l->bytes;
  for (int i = 0; i < l->count; i++) { graph->unplanned_bytes += l->buffers[i].bytes; }
  SST_TRY(ssti_allocate_in(graph->context, graph->backend->space, graph->planned_bytes, &graph->memory));
  assign_values(l);
  assign_scratch(l);
  return SST_OK;
}

sst_status ssti_lay_out(sst_graph *graph) {
  layout l = {.graph = graph};
  const sst_status status = lay_out(&l);
  free_layout(&l);
  return status;
}
