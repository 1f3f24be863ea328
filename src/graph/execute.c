// SPDX-License-Identifier: Apache-2.0
// Running a compiled graph. Nothing is allocated here.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "graph/graph_internal.h"
#include "graph/settle.h"

// Lets the value and its views look at `data`.
static void move_value(sst_graph *graph, sst_value root, float *data) {
  for (int v = root; v < graph->value_count; v++) {
    if (graph->values[v].root == root) { graph->values[v].tensor.data = data; }
  }
}

static void set_run(sst_graph *graph, const sst_run_options *options) {
  graph->run = (ssti_run){.training = options && options->training,
                          .smooth = options && options->smooth,
                          .seed = options ? options->seed : 0,
                          .step = options ? options->step : 0,
                          .resumes = graph->streams && graph->under_way};
  const ssti_kernels *kernels = &graph->backend->kernels;
  if (kernels->begin_run != NULL) { kernels->begin_run(graph->backend, graph->run.seed, graph->run.step); }
  for (int i = 0; i < graph->remade_count; i++) {
    if (graph->remade[i].again) { move_value(graph, graph->remade[i].value, graph->remade[i].first); }
  }
}

// Calls the op, and adds to *seconds where times are wanted.
static void call_op(const sst_graph *graph, void (*function)(ssti_call *), ssti_call *call, double *seconds) {
  const double start = graph->measures ? ssti_clock_seconds() : 0;
  function(call);
  if (!graph->measures) { return; }
  (void)ssti_backend_wait(graph->backend);
  *seconds += ssti_clock_seconds() - start;
}

static void run_forward(const sst_graph *graph, ssti_node *node) {
  if (!node->live || node->op->is_view) { return; }
  if (node->call.settled && graph->recall_takes) {
    ssti_take_settled(graph, node);
    return;
  }
  node->call.workspace = node->forward_workspace;
  call_op(graph, node->op->forward, &node->call, &node->forward_seconds);
  if (graph->recall != NULL) { ssti_keep_settled(graph, node); }
}

void ssti_graph_begin(sst_graph *graph, const sst_run_options *options) {
  assert(graph->compiled && graph->status == SST_OK);
  set_run(graph, options);
}

void sst_graph_forward(sst_graph *graph, const sst_run_options *options) {
  ssti_graph_begin(graph, options);
  ssti_graph_run(graph);
}

void ssti_graph_run(sst_graph *graph) {
  for (int n = 0; n < graph->node_count; n++) { run_forward(graph, &graph->steps[n]); }
  graph->under_way = true;
  graph->recall = NULL;
  graph->recall_takes = false;
}

static void replay(sst_graph *graph, const ssti_replay *replay) {
  ssti_node *step = &graph->steps[replay->step];
  for (int i = 0; i < step->call.output_count; i++) {
    const ssti_remade *remade = &graph->remade[replay->remade + i];
    if (remade->again) { move_value(graph, remade->value, remade->again); }
  }
  step->call.workspace = replay->workspace;
  graph->run.again = true;
  call_op(graph, step->op->forward, &step->call, &step->backward_seconds);
  graph->run.again = false;
}

void sst_graph_measure(sst_graph *graph) {
  assert(graph->compiled && graph->status == SST_OK);
  graph->measures = true;
  for (int n = 0; n < graph->node_count; n++) {
    graph->steps[n].forward_seconds = graph->steps[n].backward_seconds = 0;
  }
}

void sst_graph_restart(sst_graph *graph) { graph->under_way = false; }

void sst_graph_backward(sst_graph *graph) {
  assert(graph->compiled && graph->status == SST_OK && graph->loss != SST_NO_VALUE);
  const ssti_kernels *kernels = &graph->backend->kernels;
  for (int i = 0; i < graph->stale_count; i++) {
    kernels->fill(graph->backend, graph->stale_counts[i], 0.0f, graph->stale_gradients[i]);
  }
  float *seed = graph->values[graph->loss].gradient.data;
  if (!seed) { return; } // nothing trainable: all gradients are stale, hence zero
  kernels->fill(graph->backend, 1, 1.0f, seed);
  int next = 0;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    ssti_node *node = &graph->steps[n];
    if (!node->live_backward) { continue; }
    for (; next < graph->replay_count && graph->replays[next].at == n; next++) { replay(graph, &graph->replays[next]); }
    node->call.workspace = node->backward_workspace;
    call_op(graph, node->op->backward, &node->call, &node->backward_seconds);
  }
}

float *sst_graph_data(sst_graph *graph, sst_value value) {
  if (!graph->compiled || value < 0 || value >= graph->value_count) { return NULL; }
  const ssti_value *v = &graph->values[value];
  if (v->kind == SSTI_VALUE_OUTPUT && !v->kept && value != graph->loss) { return NULL; }
  (void)ssti_backend_wait(graph->backend); // a failure is kept: sst_graph_status tells it
  return v->tensor.data;
}

void sst_graph_bind(sst_graph *graph, sst_value input, const float *data) {
  assert(graph->compiled && input >= 0 && input < graph->value_count);
  assert(graph->values[input].kind == SSTI_VALUE_INPUT);
  if (graph->inputs != NULL) {
    const ssti_value *value = &graph->values[input];
    const ssti_beside *beside = graph->backend->beside;
    const size_t bytes = (size_t)sst_shape_count(value->tensor.shape) * sizeof(float);
    const int slot = graph->input_slots[input] = (graph->input_slots[input] + 1) % SSTI_INPUT_PLACES;
    memcpy(beside->passage_place(graph->backend, graph->inputs[input], slot), data, bytes);
    beside->passage_send(graph->backend, graph->inputs[input], slot, 0, bytes, value->tensor.data);
    return;
  }
  // Ops only read their inputs; the tensor's pointer is not const because ops write through the same type.
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the one way to drop const without a warning
  float *memory = (float *)(uintptr_t)data;
  move_value(graph, input, memory);
}

const float *sst_graph_gradient(const sst_graph *graph, sst_value value) {
  if (!graph->compiled || value < 0 || value >= graph->value_count) { return NULL; }
  const ssti_value *v = &graph->values[value];
  if (v->kind == SSTI_VALUE_OUTPUT && !v->kept) { return NULL; }
  (void)ssti_backend_wait(graph->backend);
  return v->gradient.data;
}

static bool all_finite(const ssti_tensor *tensor) {
  const int64_t count = sst_shape_count(tensor->shape);
  for (int64_t i = 0; i < count; i++) {
    const float x = tensor->type == SSTI_BF16 ? ssti_bf16_value(((const ssti_bf16 *)(const void *)tensor->data)[i])
                                              : tensor->data[i];
    if (!isfinite(x)) { return false; }
  }
  return true;
}

// The name of the value, kept in the graph's message buffer: the graph is not in error, so that place is free.
static const char *report_value(sst_graph *graph, sst_value value) {
  char text[256];
  ssti_free(graph->context, graph->message);
  if (ssti_copy_text(graph->context, ssti_value_name(graph, value, text, sizeof text), &graph->message) != SST_OK) {
    graph->message = NULL;
    return "a value whose name could not be kept for lack of memory";
  }
  return graph->message;
}

const char *sst_graph_first_not_finite(sst_graph *graph, const sst_run_options *options) {
  assert(graph->compiled && graph->status == SST_OK);
  set_run(graph, options);
  (void)ssti_backend_wait(graph->backend);
  for (int v = 0; v < graph->value_count; v++) {
    const ssti_value *value = &graph->values[v];
    if (value->kind == SSTI_VALUE_OUTPUT || !value->tensor.data) { continue; }
    if (!all_finite(&value->tensor)) { return report_value(graph, v); }
  }
  for (int n = 0; n < graph->node_count; n++) {
    ssti_node *node = &graph->steps[n];
    if (!node->live) { continue; }
    run_forward(graph, node);
    (void)ssti_backend_wait(graph->backend);
    for (int i = 0; i < node->call.output_count; i++) {
      const ssti_tensor *y = node->call.y[i];
      if (y->data && !all_finite(y)) { return report_value(graph, node->outputs[i]); }
    }
  }
  return NULL;
}
