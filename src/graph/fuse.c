// SPDX-License-Identifier: Apache-2.0
#include "graph/fuse.h"

#include <string.h>

// How many live nodes read each value.
static void count_readers(const sst_graph *graph, int *readers) {
  for (int n = 0; n < graph->node_count; n++) {
    const ssti_node *node = &graph->nodes[n];
    for (int i = 0; node->live && i < node->call.input_count; i++) { readers[node->inputs[i]]++; }
  }
}

// The batch norm whose output goes into these neurons and nowhere else; NULL where there is none to fuse with.
static ssti_node *norm_before(sst_graph *graph, const ssti_node *neuron, const int *readers) {
  const ssti_value *between = &graph->values[neuron->inputs[0]];
  if (between->kind != SSTI_VALUE_OUTPUT || between->kept || neuron->inputs[0] == graph->loss) { return NULL; }
  ssti_node *norm = &graph->steps[between->node];
  if (norm->op != &ssti_op_batch_norm || readers[neuron->inputs[0]] != 1) { return NULL; }
  const ssti_batch_norm_attributes *a = norm->attributes;
  const sst_shape x = between->tensor.shape;
  const int64_t channels = x.dim[SST_AXIS_C], rows = sst_shape_count(x) / channels;
  if (a->bits > 0 || rows < 2) { return NULL; } // a single row is the norm's own failure
  const ssti_norm_neuron shape = {.norm = {.rows = rows, .channels = channels},
                                  .neuron = {.neuron = ((const ssti_neuron_attributes *)neuron->attributes)->neuron}};
  return graph->backend->kernels.norm_neuron_fuses(&shape) ? norm : NULL;
}

// Puts the fused op into the neurons' step. What the step does not share with its node is its own from the first
// failure on, so that whoever frees the steps finds it.
static sst_status fuse_pair(sst_graph *graph, ssti_node *norm, ssti_node *step) {
  sst_context *context = graph->context;
  const ssti_node neuron = *step;
  const int norm_inputs = norm->call.input_count, count = norm_inputs + neuron.call.input_count - 1;
  step->fused = true;
  step->op = &ssti_op_norm_neuron;
  step->attributes = NULL;
  step->inputs = NULL;
  step->accumulate = NULL;
  step->call.x = step->call.dx = NULL;
  ssti_norm_neuron_attributes *attributes = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *attributes, &attributes));
  *attributes = (ssti_norm_neuron_attributes){.norm = *(const ssti_batch_norm_attributes *)norm->attributes,
                                              .neuron = *(const ssti_neuron_attributes *)neuron.attributes};
  step->attributes = attributes;
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->inputs, &step->inputs));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->accumulate, &step->accumulate));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->call.x, &step->call.x));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->call.dx, &step->call.dx));
  memcpy(step->inputs, norm->inputs, (size_t)norm_inputs * sizeof *step->inputs);
  for (int i = norm_inputs; i < count; i++) { step->inputs[i] = neuron.inputs[i - norm_inputs + 1]; }
  step->call.attributes = attributes;
  step->call.accumulate = step->accumulate;
  step->call.input_count = count;
  step->call.frozen = norm->call.frozen;
  norm->live = false;
  graph->values[norm->outputs[0]].read = false;
  return SST_OK;
}

sst_status ssti_fuse(sst_graph *graph) {
  if (graph->backend->kernels.norm_neuron_fuses == NULL) { return SST_OK; }
  int *readers = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->value_count, sizeof *readers, &readers));
  count_readers(graph, readers);
  sst_status status = SST_OK;
  for (int n = 0; n < graph->node_count && status == SST_OK; n++) {
    ssti_node *step = &graph->steps[n];
    if (!step->live || step->op != &ssti_op_neuron) { continue; }
    ssti_node *norm = norm_before(graph, step, readers);
    if (norm != NULL) { status = fuse_pair(graph, norm, step); }
  }
  ssti_free(graph->context, readers);
  return status;
}
