// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share while a network is being built: model.c (the walk over the layer list), layer.c
// (single layers), block.c (residual blocks), readout.c (from currents to logits).
#ifndef SPIKESTILL_MODEL_INTERNAL_H
#define SPIKESTILL_MODEL_INTERNAL_H

#include "spikestill/model.h"
#include "spikestill/ops.h"

// What came out of an activation, and the membrane behind it (SST_NONE in an ANN).
typedef struct ssti_activation {
  sst_value output, membrane;
} ssti_activation;

typedef struct ssti_model {
  sst_graph *graph;
  const sst_model_options *options;
  int index;                        // of the layer being built
  ssti_activation last;             // SST_NONE before the first
  ssti_activation before_reduction; // the last before the height and width shrink in this layer
  sst_value last_stage;             // what the newest "stage<k>" tap names
  int stage;                        // number of stages so far
  int last_weights;                 // index of the last layer with weights
  bool quantized;                   // the convolution or linear layer built last may be quantised
  sst_value head_weight;            // of the last linear layer; SST_NONE before it
} ssti_model;

// Names of one part of a layer: a layer's own parts have neither prefix nor suffix, a block's "1", "2" or "shortcut_".
typedef struct ssti_part {
  const char *prefix; // "" or "shortcut_"
  const char *suffix; // "", "1" or "2"
} ssti_part;

// Keeps a SHAPE or INVALID_ARGUMENT failure with the layer's name ("layer 3.conv: ...") in front; returns SST_NO_VALUE.
sst_value ssti_model_fail(ssti_model *model, sst_status status, const char *format, ...) SST_PRINTF(3, 4);

// A convolution with its parameters "<prefix>conv<suffix>.weight|bias"; `layer` gives out, kernel, stride, padding,
// dilation and groups. `normalised`: a norm follows, which decides the initial values.
sst_value ssti_model_conv(ssti_model *model, const sst_layer *layer, ssti_part part, bool bias, bool normalised,
                          sst_value x);

// A linear layer of `out` features; flattens x if it has height or width. `last`: its output are the logits.
sst_value ssti_model_linear(ssti_model *model, int64_t out, bool bias, bool normalised, bool last, sst_value x);

// Batch norm as the options say; x itself if they say none. `share` is alpha of threshold-dependent batch norm: the
// factor on the threshold, 1 where the norm alone feeds a neuron.
sst_value ssti_model_norm(ssti_model *model, ssti_part part, float share, sst_value x);

// An activation layer (sst_activation_build), which becomes the model's last.
sst_value ssti_model_activation(ssti_model *model, ssti_part part, sst_value x);

// Neurons over the time steps; makes PLIF's parameter "<prefix>decay<suffix>" and the tap "<prefix>membrane<suffix>",
// which `membrane` receives if it is not NULL.
sst_value ssti_neurons_build(sst_graph *graph, ssti_part part, const sst_neuron *neuron, int64_t timesteps, sst_value x,
                             sst_value *membrane);

// A residual block.
sst_value ssti_model_block(ssti_model *model, const sst_layer *layer, sst_value x);

// Steps' logits and their readout from the last layer's output; makes the taps "step_logits" and "logits".
sst_value ssti_model_readout(ssti_model *model, sst_value x, sst_value *logits);

// Taps `value` as "<prefix><name><suffix>" in the current scope.
sst_value ssti_model_tap(ssti_model *model, ssti_part part, const char *name, sst_value value);

#endif
