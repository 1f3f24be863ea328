// SPDX-License-Identifier: Apache-2.0
// Single layers: their parameters, initial values and taps.
//
// Initial values [choice]. A weight whose output is normalised, and the weight of the last linear layer, start as
// PyTorch's do: U(-1/sqrt(fan_in), 1/sqrt(fan_in)); the norm takes the scale out again, and small logits are a good
// start. Any other weight starts as N(0, gain^2/fan_in): in an ANN with gain sqrt(2) (He et al. 2015), which keeps the
// size of signals through relu; in an SNN with 3 times the threshold. Spikes are sparse: 0.1 to 0.2 of them are ones,
// and pooling averages those, so their mean square is about 1/9 and gain 3 brings currents to the threshold's size.
// With sqrt(2) deep networks without norm start silent and stay so (measured: VGG-9 learns nothing). Biases start at 0,
// norms at gamma 1 and beta 0.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "model/model_internal.h"

enum { NAME_SIZE = 48, MESSAGE_SIZE = 320 };

// No single parameter may be larger: products of shapes stay far from overflow.
static const double largest_parameter = 1099511627776.0; // 2^40 elements

sst_value ssti_model_fail(ssti_model *model, sst_status status, const char *format, ...) {
  char message[MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  const char *word = sst_layer_word(model->options->layers[model->index].kind);
  sst_graph_fail(model->graph, status, "layer %d.%s: %s", model->index, word, message);
  return SST_NO_VALUE;
}

static const char *part_name(char name[NAME_SIZE], ssti_part part, const char *middle, const char *end) {
  snprintf(name, NAME_SIZE, "%s%s%s%s", part.prefix, middle, part.suffix, end);
  return name;
}

sst_value ssti_model_tap(ssti_model *model, ssti_part part, const char *name, sst_value value) {
  char full[NAME_SIZE];
  return sst_graph_tap(model->graph, part_name(full, part, name, ""), value);
}

static sst_initializer weight_initializer(const ssti_model *model, bool normalised, bool last) {
  if (normalised || last) { return (sst_initializer){SST_INIT_KAIMING_UNIFORM, sqrtf(1.0f / 3.0f)}; }
  const sst_model_options *options = model->options;
  return (sst_initializer){SST_INIT_KAIMING_NORMAL, options->spiking ? 3.0f * options->neuron.threshold : sqrtf(2.0f)};
}

// A vector of one value a channel.
static sst_value channel_vector(ssti_model *model, ssti_part part, const char *middle, const char *end,
                                int64_t channels, sst_parameter_kind kind, float start) {
  char name[NAME_SIZE];
  return sst_graph_parameter(model->graph, part_name(name, part, middle, end), sst_shape_make(1, 1, 1, 1, channels),
                             kind, (sst_initializer){SST_INIT_CONSTANT, start});
}

// The checks that must come before the parameter is made: afterwards its shape would be nonsense.
static bool check_conv(ssti_model *model, const sst_layer *layer, int64_t groups, sst_shape in) {
  int64_t channels = in.dim[SST_AXIS_C];
  if (channels % groups != 0 || layer->out % groups != 0) {
    ssti_model_fail(model, SST_SHAPE, "%lld groups must divide its %lld input and %lld output channels",
                    (long long)groups, (long long)channels, (long long)layer->out);
    return false;
  }
  int64_t reach = layer->dilation * (layer->kernel - 1) + 1;
  if (reach > in.dim[SST_AXIS_H] + 2 * layer->padding || reach > in.dim[SST_AXIS_W] + 2 * layer->padding) {
    ssti_model_fail(model, SST_SHAPE,
                    "a kernel of %lld (dilation %lld) is larger than its %lldx%lld input with padding %lld",
                    (long long)layer->kernel, (long long)layer->dilation, (long long)in.dim[SST_AXIS_H],
                    (long long)in.dim[SST_AXIS_W], (long long)layer->padding);
    return false;
  }
  int64_t group_channels = channels / groups; // without a remainder, see above
  double size = (double)layer->out * (double)layer->kernel * (double)layer->kernel * (double)group_channels;
  if (size > largest_parameter) {
    ssti_model_fail(model, SST_SHAPE, "its weight would have %.3g elements; at most %.3g are possible", size,
                    largest_parameter);
    return false;
  }
  return true;
}

// Whether the layer being built is neither the first nor the last one, or those are not left out.
static bool is_quantizable(const ssti_model *model) {
  const sst_model_options *options = model->options;
  return options->quantization.first_last || (model->last.output != SST_NONE && model->index != model->last_weights);
}

// What makes a layer's output from x, weight and bias.
typedef sst_value build_product(sst_graph *graph, sst_value x, sst_value weight, sst_value bias, const void *options);

static sst_value build_conv(sst_graph *graph, sst_value x, sst_value weight, sst_value bias, const void *options) {
  return sst_conv2d(graph, x, weight, bias, options);
}
static sst_value build_linear(sst_graph *graph, sst_value x, sst_value weight, sst_value bias, const void *options) {
  (void)options;
  return sst_linear(graph, x, weight, bias);
}

typedef struct product {
  const char *word; // "conv" or "linear"
  build_product *build;
  const void *options;
  sst_value weight, bias; // bias may be SST_NONE
  bool normalised;
} product;

// The layer on codes of its weight. A norm right behind the sums absorbs their scale; else it is multiplied in.
static sst_value quantized_product(ssti_model *model, ssti_part part, const product *p, sst_value x) {
  sst_graph *graph = model->graph;
  const sst_quantization *quantization = &model->options->quantization;
  const sst_weight_quantizer *quantizer = &quantization->weights;
  sst_value step = SST_NONE, scale = SST_NO_VALUE;
  if (quantizer->kind == SST_WEIGHT_QUANTIZER_LEARNED_STEP) {
    int64_t groups = quantizer->per_channel ? sst_graph_shape(graph, p->weight).dim[SST_AXIS_N] : 1;
    step = channel_vector(model, part, p->word, ".step", groups, SST_PARAMETER_STEP, 0.0f);
  }
  sst_value codes = sst_quantize_weights(graph, p->weight, step, quantizer, &scale);
  sst_value sums = p->build(graph, x, codes, SST_NONE, p->options), y = sums;
  if (!p->normalised || p->bias != SST_NONE) { y = sst_rescale(graph, sums, scale, p->bias, quantization->norm_bits); }
  char name[NAME_SIZE];
  ssti_model_tap(model, part, p->word, y);
  sst_graph_tap(graph, part_name(name, part, p->word, ".codes"), codes);
  sst_graph_tap(graph, part_name(name, part, p->word, ".sums"), sums);
  return y;
}

static sst_value build_weighted(ssti_model *model, ssti_part part, const product *p, sst_value x) {
  model->quantized = is_quantizable(model);
  if (model->quantized && model->options->quantization.weights.kind != SST_WEIGHT_QUANTIZER_NONE) {
    return quantized_product(model, part, p, x);
  }
  return ssti_model_tap(model, part, p->word, p->build(model->graph, x, p->weight, p->bias, p->options));
}

sst_value ssti_model_conv(ssti_model *model, const sst_layer *layer, ssti_part part, bool bias, bool normalised,
                          sst_value x) {
  if (x < 0) { return SST_NO_VALUE; }
  sst_shape in = sst_graph_shape(model->graph, x);
  int64_t groups = layer->groups ? layer->groups : in.dim[SST_AXIS_C];
  if (!check_conv(model, layer, groups, in)) { return SST_NO_VALUE; }
  char name[NAME_SIZE];
  sst_shape shape = sst_shape_make(1, layer->out, layer->kernel, layer->kernel, in.dim[SST_AXIS_C] / groups);
  sst_value weight = sst_graph_parameter(model->graph, part_name(name, part, "conv", ".weight"), shape,
                                         SST_PARAMETER_WEIGHT, weight_initializer(model, normalised, false));
  sst_value offset =
      bias ? channel_vector(model, part, "conv", ".bias", layer->out, SST_PARAMETER_BIAS, 0.0f) : SST_NONE;
  sst_conv2d_options options = sst_conv2d_default();
  options.stride_h = options.stride_w = layer->stride;
  options.pad_h = options.pad_w = layer->padding;
  options.dilation_h = options.dilation_w = layer->dilation;
  options.groups = groups;
  return build_weighted(model, part, &(product){"conv", build_conv, &options, weight, offset, normalised}, x);
}

sst_value ssti_model_linear(ssti_model *model, int64_t out, bool bias, bool normalised, bool last, sst_value x) {
  if (x < 0) { return SST_NO_VALUE; }
  ssti_part part = {"", ""};
  sst_shape in = sst_graph_shape(model->graph, x);
  if (in.dim[SST_AXIS_H] > 1 || in.dim[SST_AXIS_W] > 1) {
    x = sst_flatten(model->graph, x);
    in = sst_graph_shape(model->graph, x);
  }
  double size = (double)out * (double)in.dim[SST_AXIS_C];
  if (size > largest_parameter) {
    return ssti_model_fail(model, SST_SHAPE, "its weight would have %.3g elements; at most %.3g are possible", size,
                           largest_parameter);
  }
  char name[NAME_SIZE];
  sst_value weight = sst_graph_parameter(model->graph, part_name(name, part, "linear", ".weight"),
                                         sst_shape_make(1, out, 1, 1, in.dim[SST_AXIS_C]), SST_PARAMETER_WEIGHT,
                                         weight_initializer(model, normalised, last));
  if (last) { model->head_weight = weight; }
  sst_value offset = bias ? channel_vector(model, part, "linear", ".bias", out, SST_PARAMETER_BIAS, 0.0f) : SST_NONE;
  return build_weighted(model, part, &(product){"linear", build_linear, NULL, weight, offset, normalised}, x);
}

sst_value ssti_model_norm(ssti_model *model, ssti_part part, float share, sst_value x) {
  const sst_model_options *options = model->options;
  if (options->norm == SST_NORM_NONE || x < 0) { return x; }
  int64_t channels = sst_graph_shape(model->graph, x).dim[SST_AXIS_C];
  sst_value gamma = channel_vector(model, part, "norm", ".gamma", channels, SST_PARAMETER_NORM, 1.0f);
  sst_value beta = channel_vector(model, part, "norm", ".beta", channels, SST_PARAMETER_NORM, 0.0f);
  sst_value mean = channel_vector(model, part, "norm", ".running_mean", channels, SST_PARAMETER_BUFFER, 0.0f);
  sst_value variance = channel_vector(model, part, "norm", ".running_variance", channels, SST_PARAMETER_BUFFER, 1.0f);
  sst_batch_norm_options norm = sst_batch_norm_default();
  norm.momentum = options->norm_momentum;
  norm.epsilon = options->norm_epsilon;
  if (model->quantized) { norm.bits = options->quantization.norm_bits; }
  // An ANN has no threshold, so there both kinds of batch norm are the plain one.
  if (options->norm == SST_NORM_THRESHOLD && options->spiking) { norm.scale = share * options->neuron.threshold; }
  return ssti_model_tap(model, part, "norm", sst_batch_norm(model->graph, x, gamma, beta, mean, variance, &norm));
}

sst_value ssti_model_activation(ssti_model *model, ssti_part part, sst_value x) {
  ssti_activation *made = &model->last;
  made->output = sst_activation_build(model->graph, model->options, part.prefix, part.suffix, x, &made->membrane);
  return made->output;
}
