// SPDX-License-Identifier: Apache-2.0
// What an activation layer is, in one place for every builder of networks.
//
//     ann, relu   y = max(0, x)
//     ann, clip   y = theta * clip(x / theta, 0, 1)                          (Ho & Chang 2021)
//     ann, qcfs   y = theta * floor(L * clip(x / theta, 0, 1) + 1/2) / L     (Bu et al. 2022), L = qcfs_levels
//     snn         y = s, the spikes of neurons that read x
//     snn with layer_thresholds   y = theta * s, s the spikes of neurons of threshold 1 that read x / theta
//
// theta is the layer's learned parameter "threshold", above 0. The floor passes its gradient straight through, so that
// dy/dx is 1 inside and 0 outside of 0..theta, and dy/dtheta follows from the composition: y/theta - x/theta inside,
// 1 above. An snn with layer_thresholds takes the parameters of an ann with clip or qcfs as they are: by the soft
// reset its mean output over time comes close to clip's, and with theta / 2 in the membrane at first, to qcfs's.
#include <stdio.h>

#include "model/model_internal.h"
#include "neuron/dynamics.h"

enum { NAME_SIZE = 48 };

static const char *part_name(char name[NAME_SIZE], ssti_part part, const char *middle) {
  snprintf(name, NAME_SIZE, "%s%s%s", part.prefix, middle, part.suffix);
  return name;
}

static sst_value tap(sst_graph *graph, ssti_part part, const char *middle, sst_value value) {
  char name[NAME_SIZE];
  return sst_graph_tap(graph, part_name(name, part, middle), value);
}

// A learned number of the layer.
static sst_value layer_scalar(sst_graph *graph, ssti_part part, const char *middle, float start) {
  char name[NAME_SIZE];
  return sst_graph_parameter(graph, part_name(name, part, middle), sst_shape_make(1, 1, 1, 1, 1), SST_PARAMETER_NEURON,
                             (sst_initializer){SST_INIT_CONSTANT, start});
}

sst_value ssti_neurons_build(sst_graph *graph, ssti_part part, const sst_neuron *neuron, int64_t timesteps, sst_value x,
                             sst_value *membrane) {
  sst_value decay = SST_NONE;
  if (neuron->kind == SST_NEURON_PLIF) {
    decay = layer_scalar(graph, part, "decay", ssti_neuron_decay_parameter(neuron->decay));
  }
  sst_value before_firing = SST_NO_VALUE;
  sst_value spikes = sst_neuron_layer(graph, x, timesteps, neuron, decay, &before_firing);
  tap(graph, part, "membrane", before_firing);
  if (membrane) { *membrane = before_firing; }
  return spikes;
}

static sst_value build_ann(sst_graph *graph, const sst_model_options *options, sst_value threshold, sst_value x) {
  if (options->activation == SST_ACTIVATION_RELU) { return sst_relu(graph, x); }
  sst_value share = sst_clip(graph, sst_divide(graph, x, threshold), 0.0f, 1.0f);
  if (options->activation == SST_ACTIVATION_QCFS) {
    float levels = (float)options->qcfs_levels;
    share = sst_affine(graph, sst_floor(graph, sst_affine(graph, share, levels, 0.5f)), 1.0f / levels, 0.0f);
  }
  return sst_multiply(graph, share, threshold);
}

static sst_value build_snn(sst_graph *graph, const sst_model_options *options, ssti_part part, sst_value threshold,
                           sst_value x, sst_value *membrane) {
  if (!options->layer_thresholds) {
    return ssti_neurons_build(graph, part, &options->neuron, options->timesteps, x, membrane);
  }
  sst_neuron neuron = options->neuron; // in units of the threshold
  neuron.v_reset /= neuron.threshold;
  neuron.threshold = 1.0f;
  sst_value spikes =
      ssti_neurons_build(graph, part, &neuron, options->timesteps, sst_divide(graph, x, threshold), membrane);
  tap(graph, part, "spikes", spikes);
  return sst_multiply(graph, spikes, threshold);
}

sst_value sst_activation_build(sst_graph *graph, const sst_model_options *options, const char *prefix,
                               const char *suffix, sst_value x, sst_value *membrane) {
  const ssti_part part = {prefix, suffix};
  if (membrane) { *membrane = SST_NONE; }
  bool learns = options->spiking ? options->layer_thresholds : options->activation != SST_ACTIVATION_RELU;
  sst_value threshold = SST_NONE;
  if (learns) {
    tap(graph, part, "current", x);
    threshold = layer_scalar(graph, part, "threshold", options->neuron.threshold);
  }
  sst_value y = options->spiking ? build_snn(graph, options, part, threshold, x, membrane)
                                 : build_ann(graph, options, threshold, x);
  return tap(graph, part, "act", y);
}
