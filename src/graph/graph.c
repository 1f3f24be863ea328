// SPDX-License-Identifier: Apache-2.0
// Building a graph: scopes, inputs, parameters, taps, nodes. Failures are kept, see graph.h.
#include "spikestill/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "graph/graph_internal.h"
#include "graph/parameters_internal.h"

// Bytes. Smaller outputs are a small part of any graph that has larger ones.
enum { REPLAY_FROM = 4 << 20, RECOMPUTE_FROM = 64 << 10 };

sst_status sst_graph_create(sst_parameters *parameters, sst_device device, sst_graph **out) {
  sst_context *context = ssti_parameters_context(parameters);
  sst_graph *graph = NULL;
  ssti_backend *backend = NULL;
  *out = NULL;
  SST_TRY(ssti_backend_create(context, device, &backend));
  const sst_status status = ssti_allocate(context, 1, sizeof *graph, &graph);
  if (status != SST_OK) {
    ssti_backend_destroy(backend);
    return status;
  }
  graph->context = context;
  graph->backend = backend;
  graph->loss = SST_NO_VALUE;
  graph->replay_from = REPLAY_FROM;
  graph->scope_name = ssti_text_begin(context);
  (void)sst_graph_use_parameters(graph, parameters);
  const sst_status used = graph->status;
  if (used == SST_OK) {
    *out = graph;
  } else {
    sst_graph_destroy(graph);
  }
  return used;
}

static void free_node(sst_graph *graph, ssti_node *node) {
  void *blocks[] = {node->attributes, node->inputs, node->outputs, node->accumulate, node->scope,
                    node->call.x,     node->call.y, node->call.dx, node->call.dy};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) { ssti_free(graph->context, blocks[i]); }
}

// What a step does not share with its node.
static void free_step(sst_graph *graph, ssti_node *step) {
  if (step->call.plan) { graph->backend->kernels.plan_destroy(graph->backend, step->call.plan); }
  if (!step->fused) { return; }
  void *blocks[] = {step->attributes, step->inputs, step->accumulate, step->call.x, step->call.dx};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) { ssti_free(graph->context, blocks[i]); }
}

void sst_graph_destroy(sst_graph *graph) {
  if (!graph) { return; }
  sst_context *context = graph->context;
  // What a device is still at reads memory that goes now. Its failures have been asked for by whoever wanted results.
  (void)ssti_backend_wait(graph->backend);
  for (int i = 0; graph->steps && i < graph->node_count; i++) { free_step(graph, &graph->steps[i]); }
  for (int i = 0; graph->inputs && i < graph->value_count; i++) {
    graph->backend->beside->passage_close(graph->backend, graph->inputs[i]);
  }
  for (int i = 0; graph->holds_stores && i < graph->store_count; i++) { ssti_parameters_let_go(graph->stores[i]); }
  for (int i = 0; i < graph->node_count; i++) { free_node(graph, &graph->nodes[i]); }
  for (int i = 0; i < graph->value_count; i++) { ssti_free(context, graph->values[i].name); }
  for (int i = 0; i < graph->tap_count; i++) { ssti_free(context, graph->taps[i].name); }
  ssti_text_free(&graph->scope_name);
  void *blocks[] = {graph->nodes,           graph->steps,        graph->values,  graph->taps,
                    graph->scopes,          graph->stores,       graph->message, graph->memory,
                    graph->stale_gradients, graph->stale_counts, graph->replays, graph->remade,
                    graph->inputs,          graph->input_slots,  graph->settled};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) { ssti_free(context, blocks[i]); }
  ssti_backend_destroy(graph->backend);
  ssti_free(context, graph);
}

// Keeps the failure whose sentence is in the context.
static sst_value keep_failure(sst_graph *graph, sst_status status) {
  if (graph->status == SST_OK) {
    graph->status = status;
    // Without memory for the sentence the status still tells.
    if (ssti_copy_text(graph->context, sst_context_message(graph->context), &graph->message) != SST_OK) {
      graph->message = NULL;
    }
  }
  return SST_NO_VALUE;
}

void sst_graph_fail(sst_graph *graph, sst_status status, const char *format, ...) {
  if (graph->status != SST_OK) { return; }
  char sentence[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  keep_failure(graph, ssti_fail(graph->context, status, "%s", sentence));
}

sst_status sst_graph_status(const sst_graph *graph) {
  if (graph->status != SST_OK && graph->message) {
    return ssti_fail(graph->context, graph->status, "%s", graph->message);
  }
  if (graph->status == SST_OK && graph->backend && graph->backend->beside) {
    return graph->backend->beside->failure(graph->backend);
  }
  return graph->status;
}

sst_status sst_graph_wait(sst_graph *graph) {
  if (graph->status == SST_OK) { SST_TRY(ssti_backend_wait(graph->backend)); }
  return sst_graph_status(graph);
}

bool ssti_graph_accepts(sst_graph *graph, sst_value value) {
  if (graph->status != SST_OK) { return false; }
  if (graph->compiled) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "the graph is compiled and takes no more nodes");
    return false;
  }
  if (value < 0 || value >= graph->value_count) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "value %d is not one of this graph's %d", value, graph->value_count);
    return false;
  }
  return true;
}

static const char *scope_text(const sst_graph *graph) { return graph->scope_name.data ? graph->scope_name.data : ""; }

// "student.stage1." + name; owned by the caller. `from` cuts the beginning of the scope's name off.
static sst_status full_name(sst_graph *graph, size_t from, const char *name, char **out) {
  ssti_text text = ssti_text_begin(graph->context);
  ssti_text_append(&text, "%s%s", scope_text(graph) + from, name);
  *out = text.data;
  if (text.status == SST_OK && !text.data) { return ssti_copy_text(graph->context, "", out); }
  return text.status;
}

void sst_graph_push(sst_graph *graph, const char *name, bool frozen) {
  sst_status status = ssti_grow(graph->context, &graph->scopes, &graph->scope_capacity, (size_t)graph->scope_count + 1,
                                sizeof *graph->scopes);
  if (status != SST_OK) {
    keep_failure(graph, status);
    return;
  }
  graph->scopes[graph->scope_count++] = (ssti_scope){graph->scope_name.length, graph->frozen};
  graph->frozen = graph->frozen || frozen;
  if (name[0]) { ssti_text_append(&graph->scope_name, "%s.", name); }
  if (graph->scope_name.status != SST_OK) { keep_failure(graph, graph->scope_name.status); }
}

void sst_graph_pop(sst_graph *graph) {
  if (graph->scope_count == 0) { // a push that failed for lack of memory, or one pop too many
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "a scope is popped that was not pushed");
    return;
  }
  ssti_scope scope = graph->scopes[--graph->scope_count];
  graph->frozen = scope.frozen;
  graph->scope_name.length = scope.name_length;
  if (graph->scope_name.data) { graph->scope_name.data[scope.name_length] = 0; }
}

sst_precision sst_graph_use_precision(sst_graph *graph, sst_precision precision) {
  const sst_precision before = graph->precision;
  const sst_status status = ssti_backend_check_precision(graph->backend, precision);
  if (status != SST_OK) {
    (void)keep_failure(graph, status);
    return before;
  }
  graph->precision = precision;
  return before;
}

sst_parameters *sst_graph_use_parameters(sst_graph *graph, sst_parameters *parameters) {
  sst_parameters *before = graph->store;
  graph->store = parameters;
  graph->store_scope = graph->scope_name.length;
  for (int i = 0; i < graph->store_count; i++) {
    if (graph->stores[i] == parameters) { return before; }
  }
  sst_status status = ssti_grow(graph->context, &graph->stores, &graph->store_capacity, (size_t)graph->store_count + 1,
                                sizeof *graph->stores);
  if (status != SST_OK) {
    keep_failure(graph, status);
    return before;
  }
  graph->stores[graph->store_count++] = parameters;
  return before;
}

// A new value at the end of the list; NULL, with the failure kept, if there is no memory.
static ssti_value *add_value(sst_graph *graph, ssti_value_kind kind, sst_shape shape) {
  sst_status status = ssti_grow(graph->context, &graph->values, &graph->value_capacity, (size_t)graph->value_count + 1,
                                sizeof *graph->values);
  if (status != SST_OK) {
    keep_failure(graph, status);
    return NULL;
  }
  ssti_value *value = &graph->values[graph->value_count];
  *value = (ssti_value){.kind = kind, .node = -1, .root = graph->value_count, .parameter = -1};
  value->tensor.shape = value->gradient.shape = shape;
  graph->value_count++;
  return value;
}

sst_value sst_graph_input(sst_graph *graph, const char *name, sst_shape shape) {
  if (graph->status != SST_OK) { return SST_NO_VALUE; }
  if (sst_shape_count(shape) < 1) {
    char text[SST_SHAPE_TEXT_SIZE];
    sst_graph_fail(graph, SST_SHAPE, "input '%s' would be empty: shape %s", name,
                   sst_shape_text(shape, text, sizeof text));
    return SST_NO_VALUE;
  }
  ssti_value *value = add_value(graph, SSTI_VALUE_INPUT, shape);
  if (!value) { return SST_NO_VALUE; }
  sst_value id = graph->value_count - 1;
  sst_graph_tap(graph, name, id);
  return graph->status == SST_OK ? id : SST_NO_VALUE;
}

sst_value sst_graph_parameter(sst_graph *graph, const char *name, sst_shape shape, sst_parameter_kind kind,
                              sst_initializer initializer) {
  if (graph->status != SST_OK) { return SST_NO_VALUE; }
  char *stored_name = NULL;
  size_t from = graph->store_scope <= graph->scope_name.length ? graph->store_scope : graph->scope_name.length;
  sst_status status = full_name(graph, from, name, &stored_name);
  int index = -1;
  if (status == SST_OK) {
    status = sst_parameters_require(graph->store, stored_name, shape, kind, kind != SST_PARAMETER_BUFFER, initializer,
                                    &index);
  }
  if (status != SST_OK) {
    ssti_free(graph->context, stored_name);
    return keep_failure(graph, status);
  }
  bool wants_gradient = kind != SST_PARAMETER_BUFFER && !graph->frozen;
  for (int i = 0; i < graph->value_count; i++) {
    const ssti_value *old = &graph->values[i];
    if (old->kind == SSTI_VALUE_PARAMETER && old->store == graph->store && old->parameter == index &&
        old->wants_gradient == wants_gradient) {
      ssti_free(graph->context, stored_name);
      return i;
    }
  }
  ssti_value *value = add_value(graph, SSTI_VALUE_PARAMETER, shape);
  if (!value) {
    ssti_free(graph->context, stored_name);
    return SST_NO_VALUE;
  }
  value->name = stored_name;
  value->store = graph->store;
  value->parameter = index;
  value->wants_gradient = wants_gradient;
  return graph->value_count - 1;
}

static int find_tap(const sst_graph *graph, const char *name) {
  for (int i = 0; i < graph->tap_count; i++) {
    if (strcmp(graph->taps[i].name, name) == 0) { return i; }
  }
  return -1;
}

static sst_status add_tap(sst_graph *graph, const char *name, sst_value value) {
  char *tap_name = NULL;
  SST_TRY(full_name(graph, 0, name, &tap_name));
  sst_status status = SST_OK;
  if (find_tap(graph, tap_name) >= 0) {
    status = ssti_fail(graph->context, SST_INVALID_ARGUMENT, "there is already a tap named '%s'", tap_name);
    goto done;
  }
  SST_TRY_GOTO(
      ssti_grow(graph->context, &graph->taps, &graph->tap_capacity, (size_t)graph->tap_count + 1, sizeof *graph->taps));
  if (!graph->values[value].name) {
    SST_TRY_GOTO(ssti_copy_text(graph->context, tap_name, &graph->values[value].name));
  }
  graph->taps[graph->tap_count++] = (ssti_tap){tap_name, value};
  return SST_OK;
done:
  ssti_free(graph->context, tap_name);
  return status;
}

sst_value sst_graph_tap(sst_graph *graph, const char *name, sst_value value) {
  if (!ssti_graph_accepts(graph, value)) { return SST_NO_VALUE; }
  sst_status status = add_tap(graph, name, value);
  return status == SST_OK ? value : keep_failure(graph, status);
}

sst_value sst_graph_find(sst_graph *graph, const char *name) {
  if (graph->status != SST_OK) { return SST_NO_VALUE; }
  int index = find_tap(graph, name);
  if (index >= 0) { return graph->taps[index].value; }
  const char **names = NULL;
  sst_status status = ssti_allocate(graph->context, (size_t)graph->tap_count, sizeof *names, &names);
  if (status != SST_OK) { return keep_failure(graph, status); }
  for (int i = 0; i < graph->tap_count; i++) { names[i] = graph->taps[i].name; }
  int nearest = ssti_nearest_name(name, names, graph->tap_count);
  if (nearest >= 0) {
    sst_graph_fail(graph, SST_NOT_FOUND, "there is no tap '%s'; the nearest is '%s'", name, names[nearest]);
  } else {
    sst_graph_fail(graph, SST_NOT_FOUND, "there is no tap '%s' among the %d of this graph", name, graph->tap_count);
  }
  ssti_free(graph->context, names);
  return SST_NO_VALUE;
}

bool sst_graph_has_tap(const sst_graph *graph, const char *name) { return find_tap(graph, name) >= 0; }

int sst_graph_tap_count(const sst_graph *graph) { return graph->tap_count; }

const char *sst_graph_tap_at(const sst_graph *graph, int index, sst_value *value) {
  assert(index >= 0 && index < graph->tap_count);
  if (value) { *value = graph->taps[index].value; }
  return graph->taps[index].name;
}

sst_shape sst_graph_shape(const sst_graph *graph, sst_value value) {
  if (value < 0 || value >= graph->value_count) { return sst_shape_make(0, 0, 0, 0, 0); }
  return graph->values[value].tensor.shape;
}

void sst_graph_keep(sst_graph *graph, sst_value value) {
  if (!ssti_graph_accepts(graph, value)) { return; }
  graph->values[value].kept = true;
}

void sst_graph_stream(sst_graph *graph) {
  if (!graph->compiled) { graph->streams = true; }
}

const char *sst_memory_word(sst_memory use) {
  static const char *const words[] = {
#define WORD(name, word, meaning) word,
      SST_MEMORY_LIST(WORD)
#undef WORD
  };
  return words[use];
}

void sst_graph_set_memory(sst_graph *graph, sst_memory use) {
  if (graph->compiled) { return; }
  graph->memory_use = use;
  graph->replay_from = use == SST_MEMORY_RECOMPUTE ? RECOMPUTE_FROM : REPLAY_FROM;
}

bool sst_graph_is_spikes(const sst_graph *graph, sst_value value) {
  if (value < 0 || value >= graph->value_count) { return false; }
  const ssti_value *v = &graph->values[value];
  if (v->kind != SSTI_VALUE_OUTPUT || v->output != 0) { return false; }
  const ssti_node *node = &graph->nodes[v->node];
  if (node->op != &ssti_op_neuron) { return false; }
  return ((const ssti_neuron_attributes *)node->attributes)->neuron.kind != SST_NEURON_LI;
}

// Allocates what belongs to a node. On failure the node is left for free_node.
static sst_status fill_node(sst_graph *graph, ssti_node *node, const ssti_op *op, const void *attributes,
                            int input_count, int output_count) {
  sst_context *context = graph->context;
  node->op = op;
  if (op->attributes_size) {
    SST_TRY(ssti_allocate(context, 1, op->attributes_size, &node->attributes));
    memcpy(node->attributes, attributes, op->attributes_size);
  }
  size_t inputs = (size_t)input_count, outputs = (size_t)output_count;
  SST_TRY(ssti_allocate(context, inputs, sizeof *node->inputs, &node->inputs));
  SST_TRY(ssti_allocate(context, outputs, sizeof *node->outputs, &node->outputs));
  SST_TRY(ssti_allocate(context, inputs, sizeof *node->accumulate, &node->accumulate));
  SST_TRY(ssti_allocate(context, inputs, sizeof *node->call.x, &node->call.x));
  SST_TRY(ssti_allocate(context, inputs, sizeof *node->call.dx, &node->call.dx));
  SST_TRY(ssti_allocate(context, outputs, sizeof *node->call.y, &node->call.y));
  SST_TRY(ssti_allocate(context, outputs, sizeof *node->call.dy, &node->call.dy));
  SST_TRY(full_name(graph, 0, "", &node->scope));
  if (node->scope && node->scope[0]) { node->scope[strlen(node->scope) - 1] = 0; } // the dot at the end
  node->call.backend = graph->backend;
  node->call.attributes = node->attributes;
  node->call.run = &graph->run;
  node->call.input_count = input_count;
  node->call.output_count = output_count;
  node->call.accumulate = node->accumulate;
  node->call.frozen = graph->frozen;
  node->call.precision = graph->precision;
  node->call.stream = ssti_random_stream_with(ssti_random_stream("node"), (uint64_t)graph->node_count);
  return SST_OK;
}

// The shape rule on the node's inputs; then its outputs become values.
static sst_status infer_node(sst_graph *graph, ssti_node *node, const sst_value *inputs, ssti_tensor *outputs) {
  for (int i = 0; i < node->call.input_count; i++) {
    node->inputs[i] = inputs[i];
    node->call.x[i] = &graph->values[inputs[i]].tensor;
  }
  for (int i = 0; i < node->call.output_count; i++) { node->call.y[i] = &outputs[i]; }
  sst_status status = node->op->infer(graph->context, &node->call);
  if (status != SST_OK) {
    const char *scope = node->scope && node->scope[0] ? node->scope : "graph";
    return ssti_fail_within(graph->context, status, "%s: %s", scope, node->op->name);
  }
  return SST_OK;
}

static sst_status append_node(sst_graph *graph, const ssti_op *op, const void *attributes, const sst_value *inputs,
                              int input_count, int output_count) {
  enum { MOST_OUTPUTS = 4 };
  assert(output_count <= MOST_OUTPUTS);
  SST_TRY(ssti_grow(graph->context, &graph->nodes, &graph->node_capacity, (size_t)graph->node_count + 1,
                    sizeof *graph->nodes));
  ssti_node *node = &graph->nodes[graph->node_count];
  *node = (ssti_node){0};
  ssti_tensor outputs[MOST_OUTPUTS] = {{.data = NULL}};
  sst_status status = fill_node(graph, node, op, attributes, input_count, output_count);
  if (status == SST_OK) { status = infer_node(graph, node, inputs, outputs); }
  bool wants_gradient = false;
  for (int i = 0; status == SST_OK && i < input_count; i++) {
    wants_gradient = wants_gradient || graph->values[inputs[i]].wants_gradient;
  }
  for (int i = 0; status == SST_OK && i < output_count; i++) {
    ssti_value *value = add_value(graph, SSTI_VALUE_OUTPUT, outputs[i].shape);
    if (!value) {
      status = graph->status;
      break;
    }
    value->tensor.code_bits = outputs[i].code_bits;
    value->node = graph->node_count;
    value->output = i;
    value->wants_gradient = wants_gradient && op->backward;
    if (op->is_view && i == 0) { value->root = graph->values[inputs[0]].root; }
    node->outputs[i] = graph->value_count - 1;
  }
  if (status != SST_OK) {
    free_node(graph, node);
    return status;
  }
  graph->node_count++;
  return SST_OK;
}

sst_value ssti_graph_add(sst_graph *graph, const ssti_op *op, const void *attributes, const sst_value *inputs,
                         int input_count, int output_count, sst_value *outputs) {
  for (int i = 0; outputs && i < output_count; i++) { outputs[i] = SST_NO_VALUE; }
  while (input_count > 0 && inputs[input_count - 1] == SST_NONE) { input_count--; }
  for (int i = 0; i < input_count; i++) {
    if (!ssti_graph_accepts(graph, inputs[i])) { return SST_NO_VALUE; }
  }
  sst_status status = append_node(graph, op, attributes, inputs, input_count, output_count);
  if (status != SST_OK) { return keep_failure(graph, status); }
  const ssti_node *node = &graph->nodes[graph->node_count - 1];
  for (int i = 0; outputs && i < output_count; i++) { outputs[i] = node->outputs[i]; }
  return node->outputs[0];
}

const char *ssti_value_name(const sst_graph *graph, sst_value value, char *text, size_t size) {
  const ssti_value *v = &graph->values[value];
  if (v->name) {
    snprintf(text, size, "%s", v->name);
  } else if (v->kind == SSTI_VALUE_OUTPUT) {
    const ssti_node *node = &graph->nodes[v->node];
    snprintf(text, size, "%s%s%s", node->scope, node->scope[0] ? "." : "", node->op->name);
  } else {
    snprintf(text, size, "value %d", value);
  }
  return text;
}
