// SPDX-License-Identifier: Apache-2.0
#include "graph/settle.h"

#include <string.h>

#include "base/random.h"
#include "op/folded_norm.h"

void sst_graph_settle_input(sst_graph *graph, sst_value input, bool by_sample) {
  if (!ssti_graph_accepts(graph, input)) { return; }
  ssti_value *value = &graph->values[input];
  if (value->kind != SSTI_VALUE_INPUT) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "value %d is to be a settled input, but it is no input", input);
    return;
  }
  const int64_t samples = value->tensor.shape.dim[SST_AXIS_N];
  if (by_sample && graph->settled_samples != 0 && graph->settled_samples != samples) {
    sst_graph_fail(graph, SST_SHAPE, "settled inputs have %lld and %lld samples, expected as many in each",
                   (long long)graph->settled_samples, (long long)samples);
    return;
  }
  value->settled = true;
  value->by_sample = by_sample;
  if (by_sample) { graph->settled_samples = samples; }
}

void sst_graph_settle_parameters(sst_graph *graph, const sst_parameters *parameters) {
  for (int v = 0; v < graph->value_count; v++) {
    ssti_value *value = &graph->values[v];
    if (value->kind == SSTI_VALUE_PARAMETER && value->store == parameters) { value->settled = !value->wants_gradient; }
  }
}

size_t sst_graph_settled_bytes(const sst_graph *graph) { return graph->settled_bytes; }

// ---- compiling ----

// Weights have output channels where others have samples.
static bool takes_weights(const ssti_op *op) {
  return op == &ssti_op_conv2d || op == &ssti_op_linear || op == &ssti_op_folded_norm;
}

static void settle_step(sst_graph *graph, ssti_node *step) {
  bool settled = step->op->is_by_sample != NULL && step->op->is_by_sample(&step->call), by_sample = false;
  for (int i = 0; i < step->call.input_count; i++) {
    settled = settled && graph->values[step->inputs[i]].settled;
    by_sample = by_sample || graph->values[step->inputs[i]].by_sample;
  }
  for (int i = 0; by_sample && i < step->call.input_count; i++) {
    const ssti_value *x = &graph->values[step->inputs[i]];
    // What differs from place to place in the batch is not the sample's.
    if (!x->by_sample && x->tensor.shape.dim[SST_AXIS_N] != 1 && !takes_weights(step->op)) { settled = false; }
  }
  for (int i = 0; by_sample && i < step->call.output_count; i++) {
    const sst_shape y = graph->values[step->outputs[i]].tensor.shape;
    settled = settled && y.dim[SST_AXIS_N] == graph->settled_samples;
  }
  for (int i = 0; i < step->call.output_count; i++) {
    graph->values[step->outputs[i]].settled = settled;
    graph->values[step->outputs[i]].by_sample = settled && by_sample;
  }
  // What never changes is little work, and is done in any case.
  step->call.settled = settled && by_sample;
}

// Marks in `wanted` the values whose memory somebody reads who is not settled.
static void mark_wanted(const sst_graph *graph, bool *wanted) {
  for (int v = 0; v < graph->value_count; v++) {
    if (graph->values[v].kept || v == graph->loss) { wanted[graph->values[v].root] = true; }
  }
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *step = &graph->steps[n];
    for (int i = 0; step->live && !step->call.settled && i < step->call.input_count; i++) {
      wanted[graph->values[step->inputs[i]].root] = true;
    }
  }
}

static sst_status list_value(sst_graph *graph, sst_value v) {
  SST_TRY(ssti_grow(graph->context, &graph->settled, &graph->settled_capacity, (size_t)graph->settled_count + 1,
                    sizeof *graph->settled));
  const ssti_tensor *tensor = &graph->values[v].tensor;
  const int64_t steps = tensor->shape.dim[SST_AXIS_T];
  const size_t bytes = (size_t)sst_shape_count(tensor->shape) * ssti_type_bytes(tensor->type);
  const size_t stride = bytes / (size_t)steps, run = stride / (size_t)graph->settled_samples;
  graph->settled[graph->settled_count++] =
      (ssti_settled){.value = v, .steps = steps, .run = run, .stride = stride, .offset = graph->settled_bytes};
  graph->settled_bytes += run * (size_t)steps;
  return SST_OK;
}

static sst_status list_values(sst_graph *graph, const bool *wanted) {
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *step = &graph->steps[n];
    step->settled_first = graph->settled_count;
    if (!step->live || !step->call.settled || step->op->is_view) { continue; }
    for (int i = 0; i < step->call.output_count; i++) {
      if (wanted[step->outputs[i]]) { SST_TRY(list_value(graph, step->outputs[i])); }
    }
    step->settled_count = graph->settled_count - step->settled_first;
  }
  return SST_OK;
}

// A number for what lies where in a row: names, and how many bytes.
static uint64_t layout_of(const sst_graph *graph) {
  uint64_t layout = 1;
  for (int i = 0; i < graph->settled_count; i++) {
    char name[256];
    const ssti_settled *s = &graph->settled[i];
    layout = ssti_random_stream_with(layout ^ ssti_random_stream(ssti_value_name(graph, s->value, name, sizeof name)),
                                     (uint64_t)s->run * (uint64_t)s->steps);
  }
  return layout;
}

sst_status ssti_find_settled(sst_graph *graph) {
  if (graph->settled_samples == 0) { return SST_OK; }
  for (int n = 0; n < graph->node_count; n++) {
    if (graph->steps[n].live) { settle_step(graph, &graph->steps[n]); }
  }
  bool *wanted = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->value_count, sizeof *wanted, &wanted));
  mark_wanted(graph, wanted);
  const sst_status status = list_values(graph, wanted);
  ssti_free(graph->context, wanted);
  graph->settled_layout = layout_of(graph); // each step asks; a compiled graph does not change any more
  return status;
}

// ---- recalling ----

struct sst_recall {
  sst_context *context;
  int64_t numbers, most, count; // numbers of samples, rows that there may be, rows that there are
  int32_t *row;                 // [numbers]; -1: none
  size_t bytes;                 // of a row
  char *rows;                   // [most]; pages of rows that never come are never touched
  uint64_t layout;              // what lies where in a row
};

sst_status sst_recall_create(sst_context *context, int64_t numbers, int64_t most, size_t bytes, sst_recall **out) {
  *out = NULL;
  if (numbers < 1 || numbers > INT32_MAX || most < 1 || most > numbers || bytes < 1) {
    SST_FAIL(
        context, SST_INVALID_ARGUMENT,
        "a recall of %lld of %lld samples with %zu bytes each, expected 1 to as many as there are and at least a byte",
        (long long)most, (long long)numbers, bytes);
  }
  sst_recall *recall = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *recall, &recall));
  *recall = (sst_recall){.context = context, .numbers = numbers, .most = most, .bytes = bytes};
  sst_status status = ssti_allocate_raw(context, (size_t)numbers, sizeof *recall->row, &recall->row);
  if (status == SST_OK) { status = ssti_allocate_raw(context, (size_t)most, bytes, &recall->rows); }
  if (status != SST_OK) {
    sst_recall_destroy(recall);
    return status;
  }
  for (int64_t i = 0; i < numbers; i++) { recall->row[i] = -1; }
  *out = recall;
  return SST_OK;
}

void sst_recall_destroy(sst_recall *recall) {
  if (recall == NULL) { return; }
  ssti_free(recall->context, recall->row);
  ssti_free(recall->context, recall->rows);
  ssti_free(recall->context, recall);
}

int64_t sst_recall_count(const sst_recall *recall) { return recall->count; }

static void begin_layout(sst_recall *recall, uint64_t layout) {
  for (int64_t i = 0; recall->count > 0 && i < recall->numbers; i++) { recall->row[i] = -1; }
  recall->count = 0;
  recall->layout = layout;
}

void sst_graph_recall(sst_graph *graph, sst_recall *recall, const int32_t *samples) {
  assert(graph->compiled);
  if (graph->settled_count == 0 || graph->settled_bytes != recall->bytes || graph->backend->beside != NULL) { return; }
  if (graph->settled_layout != recall->layout) { begin_layout(recall, graph->settled_layout); }
  bool all = true;
  for (int64_t n = 0; n < graph->settled_samples; n++) {
    assert(samples[n] >= 0 && samples[n] < recall->numbers);
    all = all && recall->row[samples[n]] >= 0;
  }
  for (int64_t n = 0; !all && n < graph->settled_samples; n++) {
    int32_t *row = &recall->row[samples[n]];
    if (*row < 0 && recall->count < recall->most) { *row = (int32_t)recall->count++; }
  }
  graph->recall = recall;
  graph->recall_samples = samples;
  graph->recall_takes = all;
}

// Copies the n-th sample's share of a value from or to its row.
static void copy_sample(const sst_graph *graph, const ssti_settled *s, int64_t n, bool take) {
  const sst_recall *recall = graph->recall;
  const int32_t row = recall->row[graph->recall_samples[n]];
  if (row < 0) { return; } // more samples came than were said
  char *kept = recall->rows + (size_t)row * recall->bytes + s->offset;
  char *data = (char *)graph->values[s->value].tensor.data + (size_t)n * s->run;
  for (int64_t t = 0; t < s->steps; t++, kept += s->run, data += s->stride) {
    memcpy(take ? data : kept, take ? kept : data, s->run);
  }
}

static void copy_step(const sst_graph *graph, const ssti_node *step, bool take) {
  for (int i = step->settled_first; i < step->settled_first + step->settled_count; i++) {
    for (int64_t n = 0; n < graph->settled_samples; n++) { copy_sample(graph, &graph->settled[i], n, take); }
  }
}

void ssti_take_settled(const sst_graph *graph, const ssti_node *step) { copy_step(graph, step, true); }

void ssti_keep_settled(const sst_graph *graph, const ssti_node *step) { copy_step(graph, step, false); }
