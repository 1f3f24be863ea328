// SPDX-License-Identifier: Apache-2.0
#include "graph/replay.h"

#include <string.h>

// What is known of each value that has memory of its own, and of each step, while replays are chosen.
typedef struct choice {
  sst_graph *graph;
  size_t *crossing; // of each step: bytes made up to it, itself included, and read after it
  int *segment;     // of each step
  int *last_reader; // of each value: the last step that reads it; -1: none
  bool *seen;       // of each value: kept, or the loss, itself or a view of it
  bool *dropped;    // of each value: not there any more when the backward pass begins
  bool *held;       // of each value that was dropped: made again and still there
  bool *wanted;     // of each step: to be run again now
} choice;

static sst_value root_of(const sst_graph *graph, sst_value value) { return graph->values[value].root; }

static size_t bytes_of(const sst_graph *graph, sst_value value) {
  const ssti_tensor *tensor = &graph->values[value].tensor;
  return (size_t)sst_shape_count(tensor->shape) * ssti_type_bytes(tensor->type);
}

// Whether the value is of those that are worth making again, whatever for.
static bool is_large(const sst_graph *graph, sst_value value) {
  const ssti_value *v = &graph->values[value];
  return v->kind == SSTI_VALUE_OUTPUT && v->root == value && (v->read || v->output == 0) &&
         graph->steps[v->node].live_backward && bytes_of(graph, value) >= graph->replay_from;
}

static void note_readers(choice *c) {
  const sst_graph *graph = c->graph;
  for (int v = 0; v < graph->value_count; v++) {
    c->last_reader[v] = -1;
    if (graph->values[v].kept || v == graph->loss) { c->seen[root_of(graph, v)] = true; }
  }
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && i < step->call.input_count; i++) {
      c->last_reader[root_of(graph, step->inputs[i])] = n;
    }
  }
  for (int v = 0; v < graph->value_count; v++) {
    if (!is_large(graph, v)) { continue; }
    for (int n = graph->values[v].node; n < c->last_reader[v]; n++) { c->crossing[n] += bytes_of(graph, v); }
  }
}

// Numbers the segments; the last one's number.
static int number_segments(choice *c, const ssti_cuts *cuts) {
  int number = 0, next = 0;
  for (int n = 0; n < c->graph->node_count; n++) {
    c->segment[n] = number;
    if (next < cuts->count && cuts->after[next] == n) { number += cuts->used[next++]; }
  }
  return number;
}

// All readers in the segment that makes the value, which is not the last one.
static bool is_inside_segment(const choice *c, sst_value value, int last_segment) {
  const int segment = c->segment[c->graph->values[value].node], reader = c->last_reader[value];
  return reader >= 0 && segment < last_segment && c->segment[reader] == segment;
}

static bool can_be_dropped_cheaply(const choice *c, const ssti_node *step) {
  const sst_graph *graph = c->graph;
  if (!step->live_backward || !step->op->is_cheap || step->op->backward_reads_outputs) { return false; }
  if (!is_large(graph, step->outputs[0]) || c->seen[step->outputs[0]]) { return false; }
  // What a second run would write besides must not be there.
  for (int i = 1; i < step->call.output_count; i++) {
    if (graph->values[step->outputs[i]].read || graph->values[step->outputs[i]].has_gradient) { return false; }
  }
  for (int i = 0; i < step->call.input_count; i++) { // made of what is there in any case
    if (!ssti_backward_reads_input(step, i) || c->dropped[root_of(graph, step->inputs[i])]) { return false; }
  }
  return true;
}

static void mark_dropped(choice *c, const ssti_cuts *cuts) {
  const sst_graph *graph = c->graph;
  const int last_segment = number_segments(c, cuts);
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; last_segment > 0 && step->live_backward && i < step->call.output_count; i++) {
      const sst_value v = step->outputs[i];
      // What is frozen may read running statistics that somebody else moves.
      c->dropped[v] = !step->call.frozen && is_large(graph, v) && !c->seen[v] && is_inside_segment(c, v, last_segment);
    }
    if (can_be_dropped_cheaply(c, step)) { c->dropped[step->outputs[0]] = true; }
  }
}

// The step's i-th tensor that its backward call reads, inputs first; SST_NO_VALUE where it does not.
static sst_value backward_read(const sst_graph *graph, const ssti_node *step, int i) {
  if (i < step->call.input_count) {
    return ssti_backward_reads_input(step, i) ? root_of(graph, step->inputs[i]) : SST_NO_VALUE;
  }
  i -= step->call.input_count;
  return ssti_backward_reads_output(step, i) ? root_of(graph, step->outputs[i]) : SST_NO_VALUE;
}

static bool want(choice *c, sst_value root) {
  if (root < 0 || !c->dropped[root] || c->held[root]) { return false; }
  c->wanted[c->graph->values[root].node] = true;
  return true;
}

static sst_status add_replay(choice *c, int step, int at) {
  sst_graph *graph = c->graph;
  const ssti_node *again = &graph->steps[step];
  const int outputs = again->call.output_count;
  SST_TRY(ssti_grow(graph->context, &graph->replays, &graph->replay_capacity, (size_t)graph->replay_count + 1,
                    sizeof *graph->replays));
  SST_TRY(ssti_grow(graph->context, &graph->remade, &graph->remade_capacity, (size_t)(graph->remade_count + outputs),
                    sizeof *graph->remade));
  graph->replays[graph->replay_count++] = (ssti_replay){.step = step, .at = at, .remade = graph->remade_count};
  for (int i = 0; i < outputs; i++) {
    const sst_value v = again->outputs[i];
    graph->remade[graph->remade_count++] = (ssti_remade){.value = v, .dropped = c->dropped[v]};
    if (c->dropped[v]) { c->held[v] = true; }
  }
  return SST_OK;
}

static int tensors_of(const ssti_node *step) { return step->call.input_count + step->call.output_count; }

static bool want_reads(choice *c, int n, bool cheap_too) {
  const sst_graph *graph = c->graph;
  const ssti_node *step = &graph->steps[n];
  bool any = false;
  for (int i = 0; i < tensors_of(step); i++) {
    const sst_value root = backward_read(graph, step, i);
    if (root < 0 ||
        (!cheap_too && graph->values[root].node >= 0 && graph->steps[graph->values[root].node].op->is_cheap)) {
      continue;
    }
    any = want(c, root) || any;
  }
  return any;
}

// Before the backward call of step `at`: whatever it reads and is not there, and what that is made of. Before the first
// backward call of a segment all that is not cheap in it, while its gradients do not take memory yet.
static sst_status replay_before(choice *c, int at, bool first_of_segment) {
  const sst_graph *graph = c->graph;
  const ssti_node *reader = &graph->steps[at];
  bool any = want_reads(c, at, true);
  for (int n = at - 1; first_of_segment && n >= 0 && c->segment[n] == c->segment[at]; n--) {
    any = want_reads(c, n, false) || any;
  }
  if (!any) { return SST_OK; }
  for (int n = at; n >= 0; n--) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; c->wanted[n] && i < step->call.input_count; i++) { (void)want(c, root_of(graph, step->inputs[i])); }
  }
  const int first = graph->replay_count;
  for (int n = 0; n <= at; n++) {
    if (c->wanted[n]) { SST_TRY(add_replay(c, n, at)); }
    c->wanted[n] = false;
  }
  // What is cheap, and was made for others only, is made once more rather than held.
  for (int r = first; r < graph->replay_count; r++) {
    const ssti_node *step = &graph->steps[graph->replays[r].step];
    bool direct = !step->op->is_cheap;
    for (int i = 0; i < tensors_of(reader); i++) {
      direct = direct || backward_read(graph, reader, i) == step->outputs[0];
    }
    if (!direct) { c->held[step->outputs[0]] = false; }
  }
  return SST_OK;
}

static sst_status open_choice(choice *c) {
  sst_context *context = c->graph->context;
  const size_t values = (size_t)c->graph->value_count, nodes = (size_t)c->graph->node_count;
  SST_TRY(ssti_allocate(context, nodes, sizeof *c->crossing, &c->crossing));
  SST_TRY(ssti_allocate(context, nodes, sizeof *c->segment, &c->segment));
  SST_TRY(ssti_allocate(context, nodes, sizeof *c->wanted, &c->wanted));
  SST_TRY(ssti_allocate(context, values, sizeof *c->last_reader, &c->last_reader));
  SST_TRY(ssti_allocate(context, values, sizeof *c->seen, &c->seen));
  SST_TRY(ssti_allocate(context, values, sizeof *c->dropped, &c->dropped));
  SST_TRY(ssti_allocate(context, values, sizeof *c->held, &c->held));
  note_readers(c);
  return SST_OK;
}

static void close_choice(choice *c) {
  void *blocks[] = {c->crossing, c->segment, c->wanted, c->last_reader, c->seen, c->dropped, c->held};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) { ssti_free(c->graph->context, blocks[i]); }
}

static sst_status choose(choice *c, const ssti_cuts *cuts) {
  SST_TRY(open_choice(c));
  mark_dropped(c, cuts);
  int before = -1; // the step whose backward call comes before
  for (int n = c->graph->node_count - 1; n >= 0; n--) {
    if (!c->graph->steps[n].live_backward) { continue; }
    SST_TRY(replay_before(c, n, before < 0 || c->segment[n] != c->segment[before]));
    before = n;
  }
  return SST_OK;
}

sst_status ssti_choose_replays(sst_graph *graph, const ssti_cuts *cuts) {
  graph->replay_count = graph->remade_count = 0;
  if (graph->loss == SST_NO_VALUE) { return SST_OK; }
  choice c = {.graph = graph};
  const sst_status status = choose(&c, cuts);
  close_choice(&c);
  return status;
}

// Where fewer bytes cross than before and, as far as it stays equal, after.
static bool is_narrow(const choice *c, int n) {
  const sst_graph *graph = c->graph;
  if (!graph->steps[n].live_backward || c->crossing[n] == 0) { return false; }
  int before = n - 1, after = n + 1;
  while (before >= 0 && !graph->steps[before].live_backward) { before--; }
  if (before >= 0 && c->crossing[before] <= c->crossing[n]) { return false; }
  while (after < graph->node_count && (!graph->steps[after].live_backward || c->crossing[after] == c->crossing[n])) {
    after++;
  }
  return after < graph->node_count && c->crossing[after] > c->crossing[n];
}

sst_status ssti_find_cuts(sst_graph *graph, ssti_cuts *cuts) {
  *cuts = (ssti_cuts){.count = 0};
  if (graph->loss == SST_NO_VALUE) { return SST_OK; }
  choice c = {.graph = graph};
  const sst_status status = open_choice(&c);
  int found = 0, seen = 0;
  for (int n = 0; status == SST_OK && n < graph->node_count; n++) { found += is_narrow(&c, n); }
  for (int n = 0; status == SST_OK && n < graph->node_count; n++) {
    if (!is_narrow(&c, n)) { continue; }
    // Of too many some, evenly.
    const int64_t place = (int64_t)seen++ * SSTI_MOST_CUTS;
    if (found <= SSTI_MOST_CUTS || place / found != (place - SSTI_MOST_CUTS) / found || seen == 1) {
      cuts->after[cuts->count++] = n;
    }
  }
  close_choice(&c);
  return status;
}
