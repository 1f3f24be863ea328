// SPDX-License-Identifier: Apache-2.0
#include "run/cost_layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FLOAT_BITS = 32 };
enum { CONV_BIAS = 2 }; // place of the bias among the inputs of conv2d and linear

bool ssti_has_weights(const ssti_node *node) { return node->op == &ssti_op_conv2d || node->op == &ssti_op_linear; }

static const ssti_node *maker_of(const sst_graph *graph, sst_value value) {
  const ssti_value *v = &graph->values[value];
  return v->kind == SSTI_VALUE_OUTPUT ? &graph->nodes[v->node] : NULL;
}

static bool copies(const ssti_node *node) {
  return node->op == &ssti_op_flatten || node->op == &ssti_op_stop_gradient || node->op == &ssti_op_select_steps ||
         node->op == &ssti_op_repeat_steps || node->op == &ssti_op_dropout;
}

static bool is_max_pool(const ssti_node *node) {
  return node->op == &ssti_op_pool && ((const ssti_pool_attributes *)node->attributes)->kind == SSTI_POOL_MAX;
}

// The value of a parameter that is one number above 0, such as a layer's learned threshold; else 0.
static double positive_scalar(const sst_graph *graph, sst_value value) {
  const ssti_value *v = &graph->values[value];
  if (v->kind != SSTI_VALUE_PARAMETER) { return 0; }
  const sst_parameter *parameter = sst_parameters_at(v->store, v->parameter);
  if (parameter->count != 1 || parameter->value == NULL) { return 0; }
  double number = (double)*parameter->value;
  return number > 0 && isfinite(number) ? number : 0;
}

// What one spike adds to the value, if it is made of spikes by copying, averaging, adding and scaling; else 0. Max
// pooling keeps spikes as they are.
static double spike_value(const sst_graph *graph, sst_value value) {
  if (sst_graph_is_spikes(graph, value)) { return 1; }
  const ssti_node *node = maker_of(graph, value);
  if (node == NULL) { return 0; }
  double before = spike_value(graph, node->inputs[0]);
  sst_shape in = sst_graph_shape(graph, node->inputs[0]);
  if (copies(node) || is_max_pool(node)) { return before; }
  if (node->op == &ssti_op_pool) {
    const ssti_pool_attributes *pool = node->attributes;
    return before / (double)(pool->kernel_h * pool->kernel_w);
  }
  if (node->op == &ssti_op_reduce) {
    const ssti_reduce_attributes *reduce = node->attributes;
    if ((reduce->axes & ~(SST_AXES_H | SST_AXES_W)) != 0 || reduce->kind == SSTI_REDUCE_MAX) { return 0; }
    double window = (double)((reduce->axes & SST_AXES_H ? in.dim[SST_AXIS_H] : 1) *
                             (reduce->axes & SST_AXES_W ? in.dim[SST_AXIS_W] : 1));
    return reduce->kind == SSTI_REDUCE_MEAN ? before / window : before;
  }
  if (node->op == &ssti_op_unary) {
    const ssti_unary_attributes *unary = node->attributes;
    bool scales = unary->kind == SSTI_UNARY_AFFINE && unary->b == 0 && unary->a > 0;
    return scales ? before * (double)unary->a : 0;
  }
  if (node->op == &ssti_op_binary) {
    const ssti_binary_attributes *binary = node->attributes;
    if (binary->kind == SSTI_BINARY_MULTIPLY) { return before * positive_scalar(graph, node->inputs[1]); }
    bool adds = binary->kind == SSTI_BINARY_ADD && spike_value(graph, node->inputs[1]) == before;
    return adds ? before : 0;
  }
  return 0;
}

// Whether the value is spikes, copied or max-pooled at most.
static bool is_binary(const sst_graph *graph, sst_value value) {
  if (sst_graph_is_spikes(graph, value)) { return true; }
  const ssti_node *node = maker_of(graph, value);
  return node != NULL && (copies(node) || is_max_pool(node)) && is_binary(graph, node->inputs[0]);
}

// The neuron layer that the value reaches without passing another layer with weights; `normed` is set if batch norm
// lies between. NULL: none.
static const ssti_node *neurons_after(const sst_graph *graph, sst_value value, bool *normed) {
  for (int i = 0; i < graph->node_count; i++) {
    const ssti_node *node = &graph->nodes[i];
    bool reads = false;
    for (int j = 0; j < node->call.input_count; j++) { reads = reads || node->inputs[j] == value; }
    if (!reads || ssti_has_weights(node)) { continue; }
    if (node->op == &ssti_op_neuron) { return node; }
    if (node->op == &ssti_op_batch_norm || node->op == &ssti_op_rescale) { *normed = true; }
    const ssti_node *found = neurons_after(graph, node->outputs[0], normed);
    if (found != NULL) { return found; }
  }
  return NULL;
}

// The height and width that the layer reading `value` would have seen without flattening.
static sst_shape before_flattening(const sst_graph *graph, sst_value value) {
  const ssti_node *node = maker_of(graph, value);
  return sst_graph_shape(graph, node != NULL && node->op == &ssti_op_flatten ? node->inputs[0] : value);
}

static void fill_shapes(const sst_graph *graph, const ssti_node *node, sst_cost_layer *out) {
  sst_shape x = sst_graph_shape(graph, node->inputs[0]), y = sst_graph_shape(graph, node->outputs[0]);
  sst_shape w = sst_graph_shape(graph, node->inputs[1]);
  out->kind = node->op == &ssti_op_conv2d ? SST_COST_CONV : SST_COST_LINEAR;
  out->in_channels = x.dim[SST_AXIS_C];
  out->in_height = x.dim[SST_AXIS_H];
  out->in_width = x.dim[SST_AXIS_W];
  out->out_channels = y.dim[SST_AXIS_C];
  out->out_height = out->pooled_height = y.dim[SST_AXIS_H];
  out->out_width = out->pooled_width = y.dim[SST_AXIS_W];
  out->timesteps = x.dim[SST_AXIS_T];
  out->kernel_height = out->kernel_width = out->stride_height = out->stride_width = out->groups = 1;
  if (out->kind == SST_COST_CONV) {
    const ssti_conv2d_attributes *conv = node->attributes;
    out->kernel_height = w.dim[SST_AXIS_H];
    out->kernel_width = w.dim[SST_AXIS_W];
    out->stride_height = conv->stride_h;
    out->stride_width = conv->stride_w;
    out->groups = conv->groups;
  }
  out->weights = sst_shape_count(w);
  out->crossbar_patches = out->crossbar_rows = out->crossbar_sites = (double)NAN;
}

static bool claimed(const ssti_cost_source *sources, int count, sst_value spikes) {
  for (int i = 0; i < count; i++) {
    if (sources[i].spikes == spikes) { return true; }
  }
  return false;
}

// The first tap of the spikes, by which an evaluation counts them; they get one if they have none.
static const char *tap_of(sst_graph *graph, sst_value spikes, const char *layer) {
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    sst_value value;
    const char *name = sst_graph_tap_at(graph, i, &value);
    if (value == spikes) { return name; }
  }
  char name[SST_COST_NAME_SIZE + 16];
  snprintf(name, sizeof name, "%s.fed_spikes", layer);
  sst_graph_tap(graph, name, spikes);
  return sst_graph_tap_at(graph, sst_graph_tap_count(graph) - 1, &spikes);
}

static int weight_bits(const sst_graph *graph, sst_value weight) {
  const ssti_node *node = maker_of(graph, weight);
  if (node == NULL || node->op != &ssti_op_quantize_weights) { return FLOAT_BITS; }
  return sst_weight_quantizer_bits(&((const ssti_quantize_weights_attributes *)node->attributes)->quantizer);
}

static void fill_layer(sst_graph *graph, const ssti_node *node, int index, ssti_cost_source *sources,
                       sst_cost_layer *out) {
  ssti_cost_source *source = &sources[index];
  char name[SST_COST_NAME_SIZE];
  fill_shapes(graph, node, out);
  snprintf(out->name, sizeof out->name, "%s", ssti_value_name(graph, node->outputs[0], name, sizeof name));
  *source = (ssti_cost_source){.input = node->inputs[0], .weight = node->inputs[1], .spikes = SST_NONE};
  source->spike_value = spike_value(graph, source->input);
  out->spiking_input = source->spike_value > 0;
  out->binary_input = is_binary(graph, source->input);
  if (out->kind == SST_COST_CONV) {
    const ssti_conv2d_attributes *conv = node->attributes;
    source->geometry = (ssti_cost_geometry){conv->pad_h, conv->pad_w, conv->dilation_h, conv->dilation_w};
  }
  out->input_bits = out->spiking_input ? 1 : FLOAT_BITS;
  out->weight_bits = weight_bits(graph, source->weight);
  out->membrane_bits = FLOAT_BITS;
  bool normed = false;
  const ssti_node *neurons = neurons_after(graph, node->outputs[0], &normed);
  // Where two layers' sums meet before the neurons, the neurons are counted with the first.
  if (neurons != NULL && !claimed(sources, index, neurons->outputs[0])) {
    const ssti_neuron_attributes *attributes = neurons->attributes;
    source->spikes = neurons->outputs[0];
    source->tap = tap_of(graph, source->spikes, out->name);
    out->neurons = true;
    out->leak = attributes->neuron.kind != SST_NEURON_IF && attributes->neuron.decay < 1;
    if (attributes->neuron.membrane_bits > 0) { out->membrane_bits = attributes->neuron.membrane_bits; }
  }
  out->bias = normed || node->call.input_count > CONV_BIAS;
}

sst_status ssti_cost_layers_find(sst_graph *graph, int64_t timesteps, ssti_cost_source **sources,
                                 sst_cost_record **record) {
  *sources = NULL;
  *record = NULL;
  SST_TRY(sst_graph_status(graph));
  int count = 0, index = 0;
  for (int i = 0; i < graph->node_count; i++) { count += ssti_has_weights(&graph->nodes[i]); }
  if (count == 0) { SST_FAIL(graph->context, SST_UNSUPPORTED, "the network has no layer with weights"); }
  SST_TRY(ssti_allocate(graph->context, (size_t)count, sizeof **sources, sources));
  sst_status status = sst_cost_record_create(graph->context, count, timesteps, record);
  if (status != SST_OK) {
    ssti_free(graph->context, *sources);
    *sources = NULL;
    return status;
  }
  for (int i = 0; i < graph->node_count; i++) {
    if (!ssti_has_weights(&graph->nodes[i])) { continue; }
    fill_layer(graph, &graph->nodes[i], index, *sources, &(*record)->layers[index]);
    sst_graph_keep(graph, (*sources)[index].input);
    sst_graph_keep(graph, (*sources)[index].weight);
    index++;
  }
  for (int i = 0; i + 1 < count; i++) {
    sst_shape seen = before_flattening(graph, (*sources)[i + 1].input);
    (*record)->layers[i].pooled_height = seen.dim[SST_AXIS_H];
    (*record)->layers[i].pooled_width = seen.dim[SST_AXIS_W];
  }
  return SST_OK;
}
