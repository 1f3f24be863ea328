// SPDX-License-Identifier: Apache-2.0
// Quantisation after training. The network becomes a quantised simulation with
// the same parameters: what is quantised anew gets steps of least squared
// error, the statistics of a norm behind it become those of codes, and the
// reach of the membranes is the one with the best accuracy on pictures of the
// training part. Learned thresholds of layers are folded into the weights
// first (threshold_folding.h).
//
// A norm that absorbs the scale s of codes sees sums z = x / s in place of x.
// With mean' = mean / s and variance' + epsilon = (variance + epsilon) / s^2 it
// gives the same y.
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "graph/quantized_layer.h"
#include "neuron/dynamics.h"
#include "quantize/best_step.h"
#include "run/assemble.h"
#include "run/integer_samples.h"
#include "run/part_data.h"
#include "run/threshold_folding.h"

enum { NAME_SIZE = 160, MOST_SETTINGS = 8 };
static const float ranges[] = {1.0f, 2.0f, 4.0f, 8.0f};

sst_post_training_options sst_post_training_default(void) {
  return (sst_post_training_options){
      .weight_bits = 8, .membrane_bits = 8, .norm_bits = 8, .input_bits = 8, .samples = 1000};
}

static bool has_weights(const sst_network *network) {
  return network->recipe->student.options.quantization.weights.kind != SST_WEIGHT_QUANTIZER_NONE;
}

// Whether the first layer reads numbers on a grid: rounded ones, spikes, or
// counts of events as they are.
static bool has_input(const sst_recipe *recipe) {
  const sst_recipe_data *data = &recipe->data;
  if (recipe->student.options.quantization.input_bits > 0 || !ssti_recipe_gives_bytes(recipe)) { return true; }
  bool plain = data->encoding == SST_ENCODING_FRAMES;
  for (int64_t c = 0; c < data->channels; c++) { plain = plain && data->mean[c] == 0.0f && data->deviation[c] == 1.0f; }
  return plain;
}

static sst_status check_network(const sst_network *network) {
  sst_context *context = network->context;
  if (!network->trained || network->foreign != NULL) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s: is %s, expected the run directory or checkpoint of a trained network%s",
             network->path, network->foreign ? "a network of another tool" : "a recipe",
             network->foreign ? "; 'spikestill quantize --approximate' takes it" : "");
  }
  if (!network->recipe->student.spiking) {
    SST_FAIL(context, SST_UNSUPPORTED, "%s: is an ann; 'spikestill convert' makes a spiking network of it",
             network->path);
  }
  return SST_OK;
}

// What is in full precision gets the bits asked for; the rest stays as it was
// trained.
static sst_status make_recipe(const sst_network *network, const sst_post_training_options *options, sst_recipe **out) {
  sst_context *context = network->context;
  const sst_model_options *model = &network->recipe->student.options;
  char settings[MOST_SETTINGS][64], *text = NULL;
  const char *overrides[MOST_SETTINGS];
  int count = 0;
  if (model->layer_thresholds) { snprintf(settings[count++], 64, "student.layer_thresholds=false"); }
  if (!has_weights(network)) {
    snprintf(settings[count++], 64, "student.quantize.weights=learned_step");
    snprintf(settings[count++], 64, "student.quantize.weight_bits=%d", options->weight_bits);
    snprintf(settings[count++], 64, "student.quantize.per_channel=true");
  }
  snprintf(settings[count++], 64, "student.quantize.first_last=same");
  if (model->quantization.norm_bits == 0) {
    snprintf(settings[count++], 64, "student.quantize.norm_bits=%d", options->norm_bits);
  }
  if (model->neuron.membrane_bits == 0) {
    snprintf(settings[count++], 64, "student.quantize.membrane_bits=%d", options->membrane_bits);
  }
  if (!has_input(network->recipe)) {
    snprintf(settings[count++], 64, "student.quantize.input_bits=%d", options->input_bits);
  }
  for (int i = 0; i < count; i++) { overrides[i] = settings[i]; }
  *out = NULL;
  SST_TRY(sst_recipe_text(context, network->recipe, &text));
  const sst_status status = sst_recipe_from_text(context, network->path, text, overrides, count, out);
  sst_recipe_text_free(context, text);
  return status;
}

static void copy_parameters(const sst_network *from, sst_network *to) {
  for (int i = 0; i < sst_parameters_count(to->parameters); i++) {
    const sst_parameter *parameter = sst_parameters_at(to->parameters, i);
    const sst_parameter *source = sst_parameters_find(from->parameters, parameter->name);
    if (source == NULL || source->count != parameter->count) { continue; } // steps, which follow
    memcpy(parameter->value, source->value, (size_t)parameter->count * sizeof *parameter->value);
  }
}

// ---- weights

// The step of each group of the layer's weights.
static void set_steps(sst_graph *graph, const ssti_node *quantizer) {
  if (quantizer->call.input_count < 2) { return; } // ternary: its scale follows from the weights
  const sst_shape shape = graph->values[quantizer->inputs[0]].tensor.shape;
  const int64_t groups = sst_shape_count(graph->values[quantizer->inputs[1]].tensor.shape);
  const int64_t count = sst_shape_count(shape) / groups;
  const float *weights = sst_graph_data(graph, quantizer->inputs[0]);
  float *steps = sst_graph_data(graph, quantizer->inputs[1]);
  for (int64_t g = 0; g < groups; g++) {
    steps[g] = ssti_best_step(weights + g * count, count, ssti_code_bits(quantizer));
  }
}

static const ssti_node *reader_of(const sst_graph *graph, sst_value value, int input) {
  for (int i = 0; i < graph->node_count; i++) {
    const ssti_node *node = &graph->nodes[i];
    if (node->call.input_count > input && node->inputs[input] == value) { return node; }
  }
  return NULL;
}

// The norm that reads the sums of the codes themselves.
static sst_status scale_statistics(sst_graph *graph, const ssti_node *quantizer) {
  const ssti_node *layer = reader_of(graph, quantizer->outputs[0], 1);
  const ssti_node *norm = layer != NULL ? reader_of(graph, layer->outputs[0], 0) : NULL;
  if (norm == NULL || norm->op != &ssti_op_batch_norm) { return SST_OK; }
  const double epsilon = (double)((const ssti_batch_norm_attributes *)norm->attributes)->epsilon;
  const sst_shape shape = graph->values[quantizer->inputs[0]].tensor.shape;
  const int64_t channels = shape.dim[SST_AXIS_N];
  float *mean = sst_graph_data(graph, norm->inputs[3]), *variance = sst_graph_data(graph, norm->inputs[4]);
  float *codes = NULL, *scale = NULL;
  SST_TRY(ssti_allocate(graph->context, (size_t)sst_shape_count(shape), sizeof *codes, &codes));
  sst_status status = ssti_allocate(graph->context, (size_t)channels, sizeof *scale, &scale);
  if (status == SST_OK) { status = ssti_quantized_codes(graph, quantizer, codes, scale); }
  for (int64_t c = 0; status == SST_OK && c < channels; c++) {
    ssti_scale_statistics((double)scale[c], epsilon, &mean[c], &variance[c]);
  }
  ssti_free(graph->context, scale);
  ssti_free(graph->context, codes);
  return status;
}

// Layers that had no codes before.
static sst_status quantize_weights(sst_network *from, sst_network *to) {
  sst_graph *before = NULL, *graph = NULL;
  sst_value input = SST_NO_VALUE, logits = SST_NO_VALUE;
  SST_TRY(sst_network_graph(from, 1, &input, &logits, &before));
  sst_status status = sst_network_graph(to, 1, &input, &logits, &graph);
  for (int i = 0; status == SST_OK && i < graph->node_count; i++) {
    const ssti_node *node = &graph->nodes[i];
    char name[NAME_SIZE];
    if (node->op != &ssti_op_quantize_weights ||
        sst_graph_has_tap(before, ssti_value_name(graph, node->outputs[0], name, sizeof name))) {
      continue;
    }
    set_steps(graph, node);
    status = scale_statistics(graph, node);
  }
  sst_graph_destroy(graph);
  sst_graph_destroy(before);
  return status;
}

// ---- membranes

static sst_status accuracy_of(sst_network *network, ssti_part_data *data, double *out) {
  sst_evaluator *evaluator = NULL;
  sst_evaluation evaluation;
  SST_TRY(ssti_build_evaluator(network->context, network->recipe, network->parameters, NULL, &evaluator));
  const sst_status status = sst_evaluate(evaluator, data->loader, &evaluation);
  *out = evaluation.accuracy;
  sst_evaluator_destroy(evaluator);
  return status;
}

// The first of the best ranges of the membranes.
static sst_status calibrate(sst_network *network, const sst_post_training_options *options, sst_calibration *out) {
  sst_neuron *neuron = &network->recipe->student.options.neuron;
  ssti_part_data data;
  sst_status status = ssti_part_open(network->context, network->recipe, SST_PART_TRAIN, options->samples, &data);
  float best = neuron->membrane_range;
  double most = -1.0;
  for (size_t i = 0; status == SST_OK && i < sizeof ranges / sizeof ranges[0]; i++) {
    double accuracy = 0.0;
    neuron->membrane_range = ranges[i];
    if (ssti_neuron_check(network->context, neuron) != SST_OK) { continue; } // the soft reset would leave the grid
    status = accuracy_of(network, &data, &accuracy);
    if (status == SST_OK && accuracy > most) {
      most = accuracy;
      best = ranges[i];
    }
  }
  neuron->membrane_range = best;
  out->samples = data.count;
  out->accuracy = most;
  memcpy(out->data, data.name, sizeof out->data);
  ssti_part_close(&data);
  return status;
}

bool sst_network_is_integer_trained(const sst_network *network) {
  const sst_model_options *options = &network->recipe->student.options;
  const sst_quantization *q = &options->quantization;
  return has_weights(network) && !options->layer_thresholds && q->first_last && q->norm_bits > 0 &&
         has_input(network->recipe) && (options->neuron.membrane_bits > 0 || options->neuron.kind == SST_NEURON_IF);
}

sst_status sst_network_quantize(sst_network *network, const sst_post_training_options *options,
                                sst_calibration *calibration, sst_network **out) {
  *out = NULL;
  sst_recipe *recipe = NULL;
  sst_calibration chosen = {0};
  SST_TRY(check_network(network));
  SST_TRY(make_recipe(network, options, &recipe));
  SST_TRY(ssti_network_from_recipe(network->context, recipe, NULL, network->path, out));
  copy_parameters(network, *out);
  (*out)->trained = true;
  sst_status status = SST_OK;
  if (network->recipe->student.options.layer_thresholds) { status = ssti_fold_thresholds(network, *out); }
  if (status == SST_OK) { status = quantize_weights(network, *out); }
  const bool anew = network->recipe->student.options.neuron.membrane_bits == 0;
  if (status == SST_OK && anew) { status = calibrate(*out, options, &chosen); }
  chosen.membrane_range = (double)(*out)->recipe->student.options.neuron.membrane_range;
  if (status == SST_OK && calibration != NULL) { *calibration = chosen; }
  if (status == SST_OK) { return SST_OK; }
  sst_network_close(*out);
  *out = NULL;
  return status;
}
