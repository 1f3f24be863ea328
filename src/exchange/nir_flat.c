// SPDX-License-Identifier: Apache-2.0
// Nested graphs as one list, and the order in which its steps can be computed. The inputs and outputs of a nested graph
// stay as steps that pass on what they get. Steps on a common cycle are found by Tarjan's algorithm, walking from the
// output against the edges, so that what does not lead there is left out; inside a cycle the edges that a walk from
// its entrances finds to lead back are the late ones.
#include <stdio.h>

#include "exchange/nir_parts.h"

// ---- one list

static const sst_nir_node *only_node(const sst_nir_graph *graph, sst_nir_type type, int *index, int *count) {
  *count = 0;
  for (int i = graph->node_count - 1; i >= 0; i--) {
    if (graph->nodes[i].type == type) {
      *index = i;
      (*count)++;
    }
  }
  return *count == 1 ? &graph->nodes[*index] : NULL;
}

static sst_status find_end(sst_context *context, const sst_nir_graph *graph, const char *place, sst_nir_type type,
                           int *index) {
  int count = 0;
  if (only_node(graph, type, index, &count) == NULL) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s has %d nodes of type %s, expected 1", place, count, sst_nir_type_word(type));
  }
  return SST_OK;
}

// Names stay apart from each other and from the taps of the readout.
static bool is_taken(const sst_nir_network *network, const char *name) {
  if (strcmp(name, "logits") == 0 || strcmp(name, "step_logits") == 0) { return true; }
  for (int i = 0; i < network->step_count; i++) {
    if (strcmp(network->steps[i].name, name) == 0) { return true; }
  }
  return false;
}

static sst_status add_step(sst_nir_network *network, const char *prefix, const sst_nir_node *node) {
  sst_context *context = network->context;
  if (network->step_count == SSTI_NIR_MOST_NODES) {
    SST_FAIL(context, SST_UNSUPPORTED, "the network has more than %d nodes", SSTI_NIR_MOST_NODES);
  }
  SST_TRY(ssti_grow(context, &network->steps, &network->step_capacity, (size_t)network->step_count + 1,
                    sizeof *network->steps));
  ssti_text name = ssti_text_begin(context);
  ssti_text_append(&name, "%s%s", prefix, node->name);
  for (size_t i = 0; name.status == SST_OK && i < name.length; i++) {
    if (name.data[i] <= ' ' || name.data[i] > '~') { name.data[i] = '_'; }
  }
  while (name.status == SST_OK && is_taken(network, name.data)) { ssti_text_append(&name, "_"); }
  if (name.status != SST_OK) {
    ssti_text_free(&name);
    return name.status;
  }
  network->steps[network->step_count++] = (ssti_nir_step){.name = name.data, .type = node->type, .node = node};
  return SST_OK;
}

// An edge that is there twice counts once.
static sst_status add_source(sst_nir_network *network, int source, int target) {
  ssti_nir_step *step = &network->steps[target];
  for (int i = 0; i < step->source_count; i++) {
    if (step->sources[i].step == source) { return SST_OK; }
  }
  SST_TRY(ssti_grow(network->context, &step->sources, &step->source_capacity, (size_t)step->source_count + 1,
                    sizeof *step->sources));
  step->sources[step->source_count++] = (ssti_nir_source){.step = source};
  return SST_OK;
}

static sst_status add_graph(sst_nir_network *network, const char *prefix, const sst_nir_graph *graph, int *input,
                            int *output);

// first[i], last[i]: the steps that an edge into node i and one out of it lead to.
static sst_status add_nodes(sst_nir_network *network, const char *prefix, const sst_nir_graph *graph, int *first,
                            int *last) {
  for (int i = 0; i < graph->node_count; i++) {
    const sst_nir_node *node = &graph->nodes[i];
    if (node->type != SST_NIR_TYPE_GRAPH) {
      SST_TRY(add_step(network, prefix, node));
      first[i] = last[i] = network->step_count - 1;
      continue;
    }
    ssti_text inner = ssti_text_begin(network->context);
    ssti_text_append(&inner, "%s%s.", prefix, node->name);
    sst_status status = inner.status;
    if (status == SST_OK) { status = add_graph(network, inner.data, node->graph, &first[i], &last[i]); }
    ssti_text_free(&inner);
    SST_TRY(status);
  }
  for (int i = 0; i < graph->edge_count; i++) {
    SST_TRY(add_source(network, last[graph->edges[i].source], first[graph->edges[i].target]));
  }
  return SST_OK;
}

static sst_status add_graph(sst_nir_network *network, const char *prefix, const sst_nir_graph *graph, int *input,
                            int *output) {
  sst_context *context = network->context;
  int *ends = NULL, in = 0, out = 0;
  char place[128];
  const int length = (int)strlen(prefix) - 1;
  snprintf(place, sizeof place, length > 0 ? "the graph '%.*s'" : "the graph%.*s", length > 0 ? length : 0, prefix);
  SST_TRY(find_end(context, graph, place, SST_NIR_TYPE_INPUT, &in));
  SST_TRY(find_end(context, graph, place, SST_NIR_TYPE_OUTPUT, &out));
  SST_TRY(ssti_allocate(context, 2 * (size_t)graph->node_count, sizeof *ends, &ends));
  const sst_status status = add_nodes(network, prefix, graph, ends, ends + graph->node_count);
  if (status == SST_OK) {
    *input = ends[in];
    *output = ends[out];
  }
  ssti_free(context, ends);
  return status;
}

sst_status ssti_nir_flatten(sst_nir_network *network, const sst_nir_graph *graph) {
  return add_graph(network, "", graph, &network->input, &network->output);
}

// ---- order

typedef struct walk {
  sst_nir_network *network;
  int *found, *low;       // [step]: when the walk came by, from 1; how far back a cycle leads
  int *stack, stack_size; // steps whose unit is not complete
  bool *open;             // [step]: on the stack
  int *order, ordered;    // the result: indices of steps
  int clock, units;
} walk;

static void close_unit(walk *w, int root) {
  int step;
  do {
    step = w->stack[--w->stack_size];
    w->open[step] = false;
    w->network->steps[step].unit = w->units;
    w->order[w->ordered++] = step;
  } while (step != root);
  w->units++;
}

static void visit(walk *w, int at) {
  const ssti_nir_step *step = &w->network->steps[at];
  w->found[at] = w->low[at] = ++w->clock;
  w->stack[w->stack_size++] = at;
  w->open[at] = true;
  for (int i = 0; i < step->source_count; i++) {
    const int from = step->sources[i].step;
    if (w->found[from] == 0) {
      visit(w, from);
      if (w->low[from] < w->low[at]) { w->low[at] = w->low[from]; }
    } else if (w->open[from] && w->found[from] < w->low[at]) {
      w->low[at] = w->found[from];
    }
  }
  if (w->low[at] == w->found[at]) { close_unit(w, at); }
}

// Whether the edge holds back nothing inside a cycle: a delay of whole steps looks at the past only.
static bool looks_back(const ssti_nir_step *reader) { return reader->delay > 0; }

// Forward walk inside a unit: what it leaves last comes first. marks: 0 not seen, 1 seen.
static void visit_inside(walk *w, const int *members, int count, int at, bool *seen, int *left, int *left_count) {
  seen[at] = true;
  for (int i = 0; i < count; i++) {
    const ssti_nir_step *reader = &w->network->steps[members[i]];
    if (seen[members[i]] || looks_back(reader)) { continue; }
    for (int k = 0; k < reader->source_count; k++) {
      if (reader->sources[k].step == at && !seen[members[i]]) {
        visit_inside(w, members, count, members[i], seen, left, left_count);
      }
    }
  }
  left[(*left_count)++] = at;
}

static bool has_entrance(const sst_nir_network *network, const ssti_nir_step *step) {
  for (int i = 0; i < step->source_count; i++) {
    if (network->steps[step->sources[i].step].unit != step->unit) { return true; }
  }
  return false;
}

// Orders the members of one unit; `left` and `seen` are scratch.
static void order_unit(walk *w, int *members, int count, bool *seen, int *left) {
  int left_count = 0;
  // Twice: first from the entrances, then whatever a delay hides. The lowest index is the file's first.
  for (int round = 0; round < 2; round++) {
    for (int i = count - 1; i >= 0; i--) {
      const int at = members[i];
      if (!seen[at] && (round == 1 || has_entrance(w->network, &w->network->steps[at]))) {
        visit_inside(w, members, count, at, seen, left, &left_count);
      }
    }
  }
  for (int i = 0; i < count; i++) { members[i] = left[count - 1 - i]; }
}

// Brings the steps into the order found, and says of each edge whether it is late.
static sst_status arrange(walk *w) {
  sst_nir_network *network = w->network;
  ssti_nir_step *steps = NULL;
  int *place = w->found; // not needed any more
  SST_TRY(ssti_allocate(network->context, (size_t)network->step_count, sizeof *steps, &steps));
  for (int i = 0; i < network->step_count; i++) { place[i] = -1; }
  for (int i = 0; i < w->ordered; i++) {
    steps[i] = network->steps[w->order[i]];
    place[w->order[i]] = i;
  }
  for (int i = 0; i < network->step_count; i++) {
    if (place[i] >= 0) { continue; }
    ssti_free(network->context, network->steps[i].name);
    ssti_free(network->context, network->steps[i].sources);
  }
  for (int i = 0; i < w->ordered; i++) {
    for (int k = 0; k < steps[i].source_count; k++) {
      ssti_nir_source *source = &steps[i].sources[k];
      source->step = place[source->step];
      const bool inside = steps[source->step].unit == steps[i].unit;
      source->late = inside && source->step >= i && !looks_back(&steps[i]);
      if (inside) { steps[i].stepped = steps[source->step].stepped = network->info.cyclic = true; }
    }
  }
  network->input = place[network->input];
  network->output = place[network->output];
  ssti_free(network->context, network->steps);
  network->steps = steps;
  network->step_count = w->ordered;
  return SST_OK;
}

sst_status ssti_nir_order(sst_nir_network *network) {
  const size_t count = (size_t)network->step_count;
  int *numbers = NULL;
  bool *flags = NULL;
  SST_TRY(ssti_allocate(network->context, 5 * count, sizeof *numbers, &numbers));
  sst_status status = ssti_allocate(network->context, 2 * count, sizeof *flags, &flags);
  if (status == SST_OK) {
    walk w = {.network = network,
              .found = numbers,
              .low = numbers + count,
              .stack = numbers + 2 * count,
              .order = numbers + 3 * count,
              .open = flags};
    visit(&w, network->output);
    for (int i = 0, next; i < w.ordered; i = next) {
      for (next = i; next < w.ordered && network->steps[w.order[next]].unit == network->steps[w.order[i]].unit;) {
        next++;
      }
      order_unit(&w, w.order + i, next - i, flags + count, numbers + 4 * count);
    }
    status = arrange(&w);
  }
  ssti_free(network->context, numbers);
  ssti_free(network->context, flags);
  return status;
}
