// SPDX-License-Identifier: Apache-2.0
// A layer with the learned threshold theta gives spikes of size theta where x / theta reaches its neurons' threshold c
// (model/activation.c), that is, where x * c / theta does. Without thresholds of layers the same neurons read x
// themselves and give spikes of size 1. So every value of the network gets a scale s, its numbers before = s * those
// after: theta / c for what neurons read, theta for what they give, 1 for the input. What only carries numbers on has
// one scale on both sides; a layer with weights multiplies these by s(input) / s(output) and its bias by 1 / s(output).
// A norm takes s(input) into its statistics, so that the codes before it stay, and multiplies gamma and beta by
// 1 / s(output). What readers need is found from the end, what there is from the
// beginning.
#include "run/threshold_folding.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/quantized_layer.h"
#include "run/assemble.h"

enum { NAME_SIZE = 160 };

typedef struct folding {
  sst_context *context;
  const sst_network *from;
  sst_graph *graph;    // of the network without thresholds
  double *needs, *has; // [value]: the scale that its readers need, 0 where they take any, and the one it has
} folding;

// ---- what a node is to scales

static bool is_weighted(const ssti_node *node) { return node->op == &ssti_op_conv2d || node->op == &ssti_op_linear; }

static bool fires(const ssti_node *node) {
  return node->op == &ssti_op_neuron &&
         ((const ssti_neuron_attributes *)node->attributes)->neuron.kind != SST_NEURON_LI;
}

// A layer's threshold, which is named after its membrane: "5.membrane1" and "5.threshold1". Neurons of the readout have
// none of their own, and spikes of size 1.
static sst_status theta_of(const folding *f, const ssti_node *node, double *out) {
  char membrane[NAME_SIZE], name[NAME_SIZE + 16];
  const double threshold = (double)((const ssti_neuron_attributes *)node->attributes)->neuron.threshold;
  ssti_value_name(f->graph, node->outputs[1], membrane, sizeof membrane);
  const char *dot = strrchr(membrane, '.'), *word = strstr(dot != NULL ? dot : membrane, "membrane");
  *out = 0.0;
  if (word == NULL) { return SST_OK; }
  snprintf(name, sizeof name, "%.*sthreshold%s", (int)(word - membrane), membrane, word + strlen("membrane"));
  const sst_parameter *theta = sst_parameters_find(f->from->parameters, name);
  if (theta == NULL) { return SST_OK; }
  *out = (double)*theta->value;
  if (*out > 0.0 && isfinite(*out) && isfinite(threshold / *out)) { return SST_OK; }
  SST_FAIL(f->context, SST_NOT_FINITE, "%s: the threshold '%s' is %g, expected a finite number above 0", f->from->path,
           name, *out);
}

// What neurons need of their input, and what their spikes have.
static sst_status scales_of(const folding *f, const ssti_node *node, double *input, double *spikes) {
  double theta = 0.0;
  SST_TRY(theta_of(f, node, &theta));
  *input = theta > 0.0 ? theta / (double)((const ssti_neuron_attributes *)node->attributes)->neuron.threshold : 1.0;
  *spikes = theta > 0.0 ? theta : 1.0;
  return SST_OK;
}

// How many inputs of the node are currents and spikes rather than parameters.
static int sides_of(const ssti_node *node) { return node->op == &ssti_op_binary ? 2 : 1; }

// ---- from the end: needs

static sst_status find_needs(folding *f) {
  const sst_graph *g = f->graph;
  for (int i = g->node_count - 1; i >= 0; i--) {
    const ssti_node *node = &g->nodes[i];
    double need = f->needs[node->outputs[0]], spikes = 0.0;
    if (is_weighted(node) || node->op == &ssti_op_quantize_weights) { continue; } // these take any scale
    if (fires(node)) { SST_TRY(scales_of(f, node, &need, &spikes)); }
    if (node->op == &ssti_op_batch_norm) { continue; }
    for (int k = 0; k < sides_of(node); k++) {
      double *of_input = &f->needs[node->inputs[k]];
      *of_input = *of_input > 0.0 ? *of_input : need; // where two differ, one of the readers finds out
    }
  }
  return SST_OK;
}

// ---- from the beginning: scales

static void multiply(sst_graph *graph, sst_value value, double by) {
  float *x = sst_graph_data(graph, value);
  const int64_t count = sst_shape_count(graph->values[value].tensor.shape);
  for (int64_t i = 0; i < count; i++) { x[i] = (float)((double)x[i] * by); }
}

// Weights as they are stored, with the steps of their codes.
static void fold_layer(folding *f, const ssti_node *node, double input, double output) {
  const ssti_node *quantizer = ssti_quantizer_of(f->graph, node->inputs[1]);
  multiply(f->graph, quantizer != NULL ? quantizer->inputs[0] : node->inputs[1], input / output);
  if (quantizer != NULL && quantizer->call.input_count > 1) {
    multiply(f->graph, quantizer->inputs[1], input / output);
  }
  if (node->call.input_count > 2) { multiply(f->graph, node->inputs[2], 1.0 / output); }
}

static void fold_norm(folding *f, const ssti_node *node, double input, double output) {
  const double epsilon = (double)((const ssti_batch_norm_attributes *)node->attributes)->epsilon;
  const int64_t channels = sst_shape_count(f->graph->values[node->inputs[3]].tensor.shape);
  float *mean = sst_graph_data(f->graph, node->inputs[3]), *variance = sst_graph_data(f->graph, node->inputs[4]);
  for (int64_t c = 0; c < channels; c++) { ssti_scale_statistics(input, epsilon, &mean[c], &variance[c]); }
  multiply(f->graph, node->inputs[1], 1.0 / output);
  multiply(f->graph, node->inputs[2], 1.0 / output);
}

static sst_status refuse(const folding *f, const ssti_node *node, double found, double expected) {
  char name[NAME_SIZE];
  SST_FAIL(
      f->context, SST_UNSUPPORTED,
      "%s: layer %s needs numbers of one scale, but by the learned thresholds one that it reads stands for %g times "
      "its size and another for %g; train without layer_thresholds, or with a weighted layer on both sides of a sum, "
      "or "
      "let 'spikestill quantize --approximate' bring them to one",
      f->from->path, ssti_value_name(f->graph, node->outputs[0], name, sizeof name), found, expected);
}

static sst_status fold_node(folding *f, const ssti_node *node) {
  const double input = f->has[node->inputs[0]], needed = f->needs[node->outputs[0]];
  double *output = &f->has[node->outputs[0]];
  double expected = input, spikes = 0.0;
  *output = input;
  if (node->op == &ssti_op_quantize_weights) { return SST_OK; }
  if (is_weighted(node)) {
    *output = needed > 0.0 ? needed : input; // with a norm behind it the weights stay
    fold_layer(f, node, input, *output);
  } else if (node->op == &ssti_op_rescale) { // of sums whose codes have the scale already
    if (node->call.input_count > 2) { multiply(f->graph, node->inputs[2], 1.0 / input); }
  } else if (node->op == &ssti_op_batch_norm) {
    *output = needed > 0.0 ? needed : 1.0;
    fold_norm(f, node, input, *output);
  } else if (fires(node)) {
    SST_TRY(scales_of(f, node, &expected, &spikes));
    *output = spikes;
  } else if (sides_of(node) == 2) {
    expected = f->has[node->inputs[1]];
  } else if (node->op == &ssti_op_unary) { // rounds the input to its grid
    expected = 1.0;
  }
  return input == expected ? SST_OK : refuse(f, node, input, expected);
}

sst_status ssti_fold_thresholds(const sst_network *from, sst_network *to) {
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  folding f = {.context = from->context, .from = from};
  SST_TRY(sst_network_graph(to, 1, &input, &logits, &f.graph));
  const size_t count = (size_t)f.graph->value_count;
  sst_status status = ssti_allocate(f.context, count, sizeof *f.needs, &f.needs);
  if (status == SST_OK) { status = ssti_allocate(f.context, count, sizeof *f.has, &f.has); }
  for (size_t i = 0; status == SST_OK && i < count; i++) { f.has[i] = 1.0; }
  if (status == SST_OK) {
    f.needs[logits] = 1.0;
    status = find_needs(&f);
  }
  for (int i = 0; status == SST_OK && i < f.graph->node_count; i++) { status = fold_node(&f, &f.graph->nodes[i]); }
  ssti_free(f.context, f.needs);
  ssti_free(f.context, f.has);
  sst_graph_destroy(f.graph);
  return status;
}
