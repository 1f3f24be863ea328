// SPDX-License-Identifier: Apache-2.0
#include "graph/fuse.h"

#include <string.h>

#include "op/folded_norm.h"

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

// Puts the fused op into the second node's step: inputs of the first, then those of the second but for what lies
// between. What the step does not share with its node is its own from the first failure on, so that whoever frees the
// steps finds it.
static sst_status fuse_pair(sst_graph *graph, ssti_node *first, ssti_node *step, const ssti_op *op,
                            const void *attributes) {
  sst_context *context = graph->context;
  const ssti_node second = *step;
  const int before = first->call.input_count, count = before + second.call.input_count - 1;
  step->fused = true;
  step->op = op;
  step->attributes = NULL;
  step->inputs = NULL;
  step->accumulate = NULL;
  step->call.x = step->call.dx = NULL;
  SST_TRY(ssti_allocate(context, 1, op->attributes_size, &step->attributes));
  memcpy(step->attributes, attributes, op->attributes_size);
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->inputs, &step->inputs));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->accumulate, &step->accumulate));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->call.x, &step->call.x));
  SST_TRY(ssti_allocate(context, (size_t)count, sizeof *step->call.dx, &step->call.dx));
  memcpy(step->inputs, first->inputs, (size_t)before * sizeof *step->inputs);
  for (int i = before; i < count; i++) { step->inputs[i] = second.inputs[i - before + 1]; }
  step->call.attributes = step->attributes;
  step->call.accumulate = step->accumulate;
  step->call.input_count = count;
  step->call.frozen = first->call.frozen;
  first->live = false;
  graph->values[first->outputs[0]].read = false;
  return SST_OK;
}

static sst_status fuse_norm_neuron(sst_graph *graph, ssti_node *norm, ssti_node *step) {
  const ssti_norm_neuron_attributes attributes = {.norm = *(const ssti_batch_norm_attributes *)norm->attributes,
                                                  .neuron = *(const ssti_neuron_attributes *)step->attributes};
  return fuse_pair(graph, norm, step, &ssti_op_norm_neuron, &attributes);
}

// Whether all inputs but the first are parameters that stay as they are.
static bool has_settled_parameters(const sst_graph *graph, const ssti_node *step) {
  for (int i = 1; i < step->call.input_count; i++) {
    const ssti_value *value = &graph->values[step->inputs[i]];
    if (value->kind != SSTI_VALUE_PARAMETER || !value->settled) { return false; }
  }
  return true;
}

// The product into which this norm folds; NULL where there is none.
static ssti_node *product_before(sst_graph *graph, const ssti_node *norm, const int *readers) {
  const ssti_value *between = &graph->values[norm->inputs[0]];
  if (between->kind != SSTI_VALUE_OUTPUT || between->kept || readers[norm->inputs[0]] != 1) { return NULL; }
  ssti_node *product = &graph->steps[between->node];
  if (product->op != &ssti_op_conv2d && product->op != &ssti_op_linear) { return NULL; }
  if (!norm->call.frozen || norm->call.precision != product->call.precision) { return NULL; }
  if (((const ssti_batch_norm_attributes *)norm->attributes)->bits > 0) { return NULL; }
  return has_settled_parameters(graph, norm) && has_settled_parameters(graph, product) ? product : NULL;
}

static sst_status fold_norm(sst_graph *graph, ssti_node *product, ssti_node *step) {
  ssti_folded_norm_attributes attributes = {.linear = product->op == &ssti_op_linear,
                                            .norm = *(const ssti_batch_norm_attributes *)step->attributes};
  if (!attributes.linear) { attributes.conv = *(const ssti_conv2d_attributes *)product->attributes; }
  return fuse_pair(graph, product, step, &ssti_op_folded_norm, &attributes);
}

static sst_status fuse_step(sst_graph *graph, ssti_node *step, const int *readers) {
  if (step->op == &ssti_op_neuron && graph->backend->kernels.norm_neuron_fuses != NULL) {
    ssti_node *norm = norm_before(graph, step, readers);
    if (norm != NULL) { return fuse_norm_neuron(graph, norm, step); }
  }
  return SST_OK;
}

// Behind the others: a norm that goes with its neurons costs nothing. Folding is the host's work.
static sst_status fold_step(sst_graph *graph, ssti_node *step, const int *readers) {
  if (step->op != &ssti_op_batch_norm || graph->backend->beside != NULL) { return SST_OK; }
  ssti_node *product = product_before(graph, step, readers);
  return product != NULL ? fold_norm(graph, product, step) : SST_OK;
}

sst_status ssti_fuse(sst_graph *graph) {
  int *readers = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)graph->value_count, sizeof *readers, &readers));
  count_readers(graph, readers);
  sst_status status = SST_OK;
  for (int n = 0; n < graph->node_count && status == SST_OK; n++) {
    if (graph->steps[n].live) { status = fuse_step(graph, &graph->steps[n], readers); }
  }
  for (int n = 0; n < graph->node_count && status == SST_OK; n++) {
    if (graph->steps[n].live) { status = fold_step(graph, &graph->steps[n], readers); }
  }
  ssti_free(graph->context, readers);
  return status;
}
