// SPDX-License-Identifier: Apache-2.0
// The walk over a layer list: checks each layer's numbers, builds it in a scope of its own and makes the taps that
// distillation methods ask for.
#include "spikestill/model.h"

#include <math.h>
#include <stdio.h>

#include "model/model_internal.h"
#include "quantize/grid.h"

// Far above anything that fits in memory, far below anything that overflows.
enum { LARGEST_SIZE = 1 << 20, LARGEST_KERNEL = 1 << 10 };

sst_layer sst_layer_default(sst_layer_kind kind) {
  bool pool = kind == SST_LAYER_AVERAGE_POOL || kind == SST_LAYER_MAX_POOL;
  return (sst_layer){.kind = kind,
                     .kernel = pool ? 2 : 3,
                     .stride = pool ? 2 : 1,
                     .padding = pool ? 0 : 1,
                     .dilation = 1,
                     .groups = 1,
                     .bias = -1,
                     .rate = 0.5f,
                     .form = SST_BLOCK_FORM_BASIC};
}

sst_model_options sst_model_default(void) {
  sst_batch_norm_options norm = sst_batch_norm_default();
  return (sst_model_options){.spiking = true,
                             .timesteps = 4,
                             .classes = 10,
                             .height = 28,
                             .width = 28,
                             .channels = 1,
                             .neuron = sst_neuron_default(),
                             .activation = SST_ACTIVATION_RELU,
                             .qcfs_levels = 8,
                             .norm = SST_NORM_BATCH,
                             .norm_momentum = norm.momentum,
                             .norm_epsilon = norm.epsilon,
                             .readout = SST_READOUT_CURRENT,
                             .readout_decay = 0.5f,
                             .quantization = {.weights = sst_weight_quantizer_default()}};
}

void sst_model_full_precision(sst_model_options *options) {
  options->quantization.weights.kind = SST_WEIGHT_QUANTIZER_NONE;
  options->quantization.norm_bits = 0;
  options->quantization.input_bits = 0;
  options->neuron.membrane_bits = 0;
}

static bool is_pool(sst_layer_kind kind) { return kind == SST_LAYER_AVERAGE_POOL || kind == SST_LAYER_MAX_POOL; }

static bool has_width(sst_layer_kind kind) {
  return kind == SST_LAYER_CONV || kind == SST_LAYER_LINEAR || kind == SST_LAYER_BLOCK;
}

// One number of a layer against its range; false with the failure kept.
static bool check_number(ssti_model *model, const char *what, int64_t found, int64_t low, int64_t high) {
  if (found >= low && found <= high) { return true; }
  ssti_model_fail(model, SST_INVALID_ARGUMENT, "%s is %lld, but must lie in %lld..%lld", what, (long long)found,
                  (long long)low, (long long)high);
  return false;
}

static bool check_layer(ssti_model *model, const sst_layer *layer, bool last_linear) {
  bool conv = layer->kind == SST_LAYER_CONV, pool = is_pool(layer->kind), block = layer->kind == SST_LAYER_BLOCK;
  if (has_width(layer->kind) && !check_number(model, "out", layer->out, last_linear ? 0 : 1, LARGEST_SIZE)) {
    return false;
  }
  if ((conv || pool || block) && !check_number(model, "stride", layer->stride, 1, LARGEST_SIZE)) { return false; }
  if ((conv || pool) && (!check_number(model, "kernel", layer->kernel, 1, LARGEST_KERNEL) ||
                         !check_number(model, "padding", layer->padding, 0, LARGEST_KERNEL))) {
    return false;
  }
  if (conv && (!check_number(model, "dilation", layer->dilation, 1, LARGEST_KERNEL) ||
               !check_number(model, "groups", layer->groups, 0, LARGEST_SIZE))) {
    return false;
  }
  if (block && !check_number(model, "form", (int64_t)layer->form, 0, SST_BLOCK_FORM_COUNT - 1)) { return false; }
  if (layer->kind == SST_LAYER_DROPOUT && !(layer->rate >= 0.0f && layer->rate < 1.0f)) {
    ssti_model_fail(model, SST_INVALID_ARGUMENT, "rate is %g, but must lie in 0..1, 1 excluded", (double)layer->rate);
    return false;
  }
  return true;
}

// What does not depend on single layers.
static bool check_options(sst_graph *graph, const sst_model_options *options) {
  if (options->layer_count < 1 || !options->layers) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "the network has no layers; its list must hold at least one");
    return false;
  }
  for (int i = 0; i < options->layer_count; i++) {
    if ((unsigned)options->layers[i].kind >= SST_LAYER_COUNT) {
      sst_graph_fail(graph, SST_INVALID_ARGUMENT, "layer %d: there is no layer kind %d", i,
                     (int)options->layers[i].kind);
      return false;
    }
  }
  const struct {
    const char *name;
    int64_t value;
  } sizes[] = {{"timesteps", options->spiking ? options->timesteps : 1},
               {"classes", options->classes},
               {"height", options->height},
               {"width", options->width},
               {"channels", options->channels}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (sizes[i].value < 1 || sizes[i].value > LARGEST_SIZE) {
      sst_graph_fail(graph, SST_INVALID_ARGUMENT, "the network's %s is %lld, but must lie in 1..%d", sizes[i].name,
                     (long long)sizes[i].value, (int)LARGEST_SIZE);
      return false;
    }
  }
  if (!options->spiking && ((unsigned)options->activation >= SST_ACTIVATION_COUNT || options->qcfs_levels < 1 ||
                            options->qcfs_levels > SST_MAX_QCFS_LEVELS)) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "activation %d with %lld qcfs_levels: expected 0..%d and 1..%d",
                   (int)options->activation, (long long)options->qcfs_levels, SST_ACTIVATION_COUNT - 1,
                   (int)SST_MAX_QCFS_LEVELS);
    return false;
  }
  if (options->spiking && options->neuron.kind == SST_NEURON_LI) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT, "neurons of kind li never fire; use them through the membrane readout");
    return false;
  }
  return true;
}

static bool check_input(sst_graph *graph, const sst_model_options *options, sst_value x) {
  sst_shape found = sst_graph_shape(graph, x);
  int64_t steps = options->spiking ? options->timesteps : 1;
  bool fits = (found.dim[SST_AXIS_T] == 1 || found.dim[SST_AXIS_T] == steps) &&
              found.dim[SST_AXIS_H] == options->height && found.dim[SST_AXIS_W] == options->width &&
              found.dim[SST_AXIS_C] == options->channels;
  if (fits) { return true; }
  char text[SST_SHAPE_TEXT_SIZE];
  sst_graph_fail(graph, SST_SHAPE, "the network's input is %s, but expected is [%s%lld,N,%lld,%lld,%lld]",
                 sst_shape_text(found, text, sizeof text), steps > 1 ? "1 or " : "", (long long)steps,
                 (long long)options->height, (long long)options->width, (long long)options->channels);
  return false;
}

static int find_last_linear(const sst_model_options *options) {
  for (int i = options->layer_count - 1; i >= 0; i--) {
    if (options->layers[i].kind == SST_LAYER_LINEAR) { return i; }
  }
  return -1;
}

static int find_last_weights(const sst_model_options *options) {
  for (int i = options->layer_count - 1; i >= 0; i--) {
    if (has_width(options->layers[i].kind)) { return i; }
  }
  return -1;
}

static sst_value build_pool(ssti_model *model, const sst_layer *layer, sst_value x) {
  sst_shape in = sst_graph_shape(model->graph, x);
  if (layer->kernel > in.dim[SST_AXIS_H] + 2 * layer->padding ||
      layer->kernel > in.dim[SST_AXIS_W] + 2 * layer->padding) {
    return ssti_model_fail(model, SST_SHAPE, "a window of %lld is larger than its %lldx%lld input with padding %lld",
                           (long long)layer->kernel, (long long)in.dim[SST_AXIS_H], (long long)in.dim[SST_AXIS_W],
                           (long long)layer->padding);
  }
  sst_pool_options options = {layer->kernel, layer->kernel,  layer->stride,
                              layer->stride, layer->padding, layer->padding};
  return layer->kind == SST_LAYER_MAX_POOL ? sst_max_pool(model->graph, x, &options)
                                           : sst_average_pool(model->graph, x, &options);
}

// Builds the layer in its scope, taps included.
static sst_value build_layer(ssti_model *model, const sst_layer *layer, bool last_linear, sst_value x) {
  const sst_model_options *options = model->options;
  const ssti_part part = {"", ""};
  bool normalised =
      options->norm != SST_NORM_NONE && model->index + 1 < options->layer_count && layer[1].kind == SST_LAYER_NORM;
  bool bias = layer->bias < 0 ? !normalised : layer->bias > 0;
  switch (layer->kind) {
  case SST_LAYER_CONV: return ssti_model_conv(model, layer, part, bias, normalised, x);
  case SST_LAYER_LINEAR: {
    int64_t out = layer->out > 0 ? layer->out : options->classes;
    return ssti_model_linear(model, out, bias, normalised, last_linear, x);
  }
  case SST_LAYER_NORM: return ssti_model_norm(model, part, 1.0f, x);
  case SST_LAYER_ACTIVATION: return ssti_model_activation(model, part, x);
  case SST_LAYER_AVERAGE_POOL:
  case SST_LAYER_MAX_POOL: x = build_pool(model, layer, x); break;
  case SST_LAYER_GLOBAL_POOL: x = sst_global_average_pool(model->graph, x); break;
  case SST_LAYER_FLATTEN: x = sst_flatten(model->graph, x); break;
  case SST_LAYER_DROPOUT: x = sst_dropout(model->graph, x, layer->rate); break;
  case SST_LAYER_BLOCK: return ssti_model_block(model, layer, x);
  case SST_LAYER_COUNT: break;
  }
  return ssti_model_tap(model, part, sst_layer_word(layer->kind), x);
}

// Whether this layer is there to make pictures smaller: a convolution without padding only trims the border.
static bool reduces(const sst_layer *layer, sst_shape before, sst_shape after) {
  bool pool = is_pool(layer->kind) || layer->kind == SST_LAYER_GLOBAL_POOL;
  bool strided = (layer->kind == SST_LAYER_CONV || layer->kind == SST_LAYER_BLOCK) && layer->stride > 1;
  return (pool || strided) &&
         after.dim[SST_AXIS_H] * after.dim[SST_AXIS_W] < before.dim[SST_AXIS_H] * before.dim[SST_AXIS_W];
}

// The taps "<name>" and, of neurons, "<name>.membrane"; nothing where there was no activation yet.
static void tap_activation(ssti_model *model, const char *name, ssti_activation activation) {
  if (activation.output < 0) { return; }
  sst_graph_tap(model->graph, name, activation.output);
  if (activation.membrane < 0) { return; }
  char membrane[40];
  snprintf(membrane, sizeof membrane, "%s.membrane", name);
  sst_graph_tap(model->graph, membrane, activation.membrane);
}

// Two reductions without an activation between them end one stage, not two.
static void end_stage(ssti_model *model) {
  if (model->before_reduction.output < 0 || model->before_reduction.output == model->last_stage) { return; }
  char name[24];
  snprintf(name, sizeof name, "stage%d", ++model->stage);
  tap_activation(model, name, model->before_reduction);
  model->last_stage = model->before_reduction.output;
}

// The input on its grid, so that the first layer's sums are exact as well.
static sst_value build_input(sst_graph *graph, const sst_quantization *quantization, sst_value x) {
  const int bits = quantization->input_bits;
  const float low = quantization->input_low, high = quantization->input_high;
  if (bits == 0) { return x; }
  if (bits < SST_MIN_BITS || bits > SST_MAX_INPUT_BITS || !(low <= high) || !(high - low < INFINITY)) {
    sst_graph_fail(graph, SST_INVALID_ARGUMENT,
                   "the network's input has %d bits and lies within %g..%g, expected %d to %d bits and a range", bits,
                   (double)low, (double)high, SST_MIN_BITS, SST_MAX_INPUT_BITS);
    return SST_NO_VALUE;
  }
  float codes[2];
  const float step = ssti_input_step(bits, low, high, codes);
  x = sst_clip(graph, sst_round(graph, x, step), codes[0] * step, codes[1] * step);
  return sst_graph_tap(graph, "input.rounded", x);
}

sst_value sst_model_build(sst_graph *graph, const sst_model_options *options, sst_value x, sst_value *logits) {
  *logits = SST_NO_VALUE;
  if (sst_graph_status(graph) != SST_OK || !check_options(graph, options) || !check_input(graph, options, x)) {
    return SST_NO_VALUE;
  }
  const ssti_activation none = {SST_NONE, SST_NONE};
  ssti_model model = {.graph = graph,
                      .options = options,
                      .last = none,
                      .before_reduction = none,
                      .last_stage = SST_NONE,
                      .last_weights = find_last_weights(options),
                      .head_weight = SST_NONE,
                      .quantized = options->quantization.first_last}; // a norm with no layer before it
  int last_linear = find_last_linear(options);
  x = build_input(graph, &options->quantization, x);
  for (int i = 0; i < options->layer_count && sst_graph_status(graph) == SST_OK; i++) {
    const sst_layer *layer = &options->layers[i];
    model.index = i;
    if (!check_layer(&model, layer, i == last_linear)) { return SST_NO_VALUE; }
    if (i == last_linear) { tap_activation(&model, "features", model.last); }
    model.before_reduction = model.last;
    sst_shape before = sst_graph_shape(graph, x);
    char name[16];
    snprintf(name, sizeof name, "%d", i);
    sst_graph_push(graph, name, false);
    x = build_layer(&model, layer, i == last_linear, x);
    sst_graph_pop(graph);
    if (x >= 0 && i == last_linear) { sst_graph_tap(graph, "head.weight", model.head_weight); }
    if (x >= 0 && reduces(layer, before, sst_graph_shape(graph, x))) { end_stage(&model); }
  }
  if (last_linear < 0) { tap_activation(&model, "features", model.last); }
  return ssti_model_readout(&model, x, logits);
}
