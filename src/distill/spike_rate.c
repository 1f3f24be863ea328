// SPDX-License-Identifier: Apache-2.0
// spike_rate: a penalty on how often neurons fire, or a pull of that to a target.
//
// Source: standard practice in training spiking networks; no paper's formula is claimed. Both modes and both averages
// are our choice.
//
//     r_l = mean over T, N, H, W, C of the spikes of neuron layer l, in 0..1
//     R_l = r_l                                                         (over: layers)
//     R   = sum over l of r_l * size_l / sum over l of size_l           (over: neurons), size_l = H*W*C of the layer
//     term = mean over l of R_l       or of (R_l - target)^2            (mode: penalty or target; with R alone: of R)
//
// Every layer of the student whose output is spikes counts once, the readout's too if it spikes. `neurons` weighs each
// neuron alike, so its penalty is proportional to the number of spikes; `layers` keeps small deep layers from being
// ignored. Defaults: penalty over neurons, target 0.1.
#include <stddef.h>
#include <string.h>

#include "distill/method.h"

typedef enum rate_mode { RATE_PENALTY, RATE_TARGET } rate_mode;
typedef enum rate_average { RATE_OVER_NEURONS, RATE_OVER_LAYERS } rate_average;
static const char *const mode_words[] = {"penalty", "target"};
static const char *const average_words[] = {"neurons", "layers"};

typedef struct rate_options {
  rate_mode mode;
  float target;
  rate_average over;
} rate_options;

static const ssti_option options[] = {
    {"mode", SSTI_OPTION_WORD, offsetof(rate_options, mode), 0, 0, "penalty", mode_words, 2,
     "the firing rate itself, or its squared distance from target"},
    {"target", SSTI_OPTION_FLOAT, offsetof(rate_options, target), 0, 1, "0.1", NULL, 0,
     "mode target: spikes per neuron and step"},
    {"over", SSTI_OPTION_WORD, offsetof(rate_options, over), 0, 0, "neurons", average_words, 2,
     "what weighs alike: every neuron (one rate), or every layer (a rate each)"},
};

// The first tap of each spiking value below the scope; a value may have several names.
static bool is_first_name(const sst_graph *g, const char *scope, int index, sst_value *spikes) {
  const size_t length = strlen(scope);
  const char *name = sst_graph_tap_at(g, index, spikes);
  if (length > 0 && (strncmp(name, scope, length) != 0 || name[length] != '.')) { return false; }
  if (!sst_graph_is_spikes(g, *spikes)) { return false; }
  for (int i = 0; i < index; i++) {
    sst_value earlier = SST_NO_VALUE;
    sst_graph_tap_at(g, i, &earlier);
    if (earlier == *spikes) { return false; }
  }
  return true;
}

static int64_t layer_size(const sst_graph *g, sst_value spikes) {
  const sst_shape shape = sst_graph_shape(g, spikes);
  return shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W] * shape.dim[SST_AXIS_C];
}

static sst_value distance(sst_graph *g, sst_value rate, const rate_options *o) {
  return o->mode == RATE_TARGET ? sst_square(g, sst_affine(g, rate, 1.0f, -o->target)) : rate;
}

static sst_value build(sst_graph *g, const sst_distill_scene *scene, const void *method_options) {
  const rate_options *o = method_options;
  const int taps = sst_graph_tap_count(g);
  const bool layers = o->over == RATE_OVER_LAYERS;
  double whole = 0; // what the layers' weights are shares of
  for (int i = 0; i < taps; i++) {
    sst_value spikes = SST_NO_VALUE;
    if (is_first_name(g, scene->student, i, &spikes)) { whole += layers ? 1.0 : (double)layer_size(g, spikes); }
  }
  if (!(whole > 0)) {
    sst_graph_fail(g, SST_INVALID_ARGUMENT, "spike_rate: the student has no layer of spiking neurons");
    return SST_NO_VALUE;
  }
  sst_value sum = SST_NONE;
  for (int i = 0; i < taps; i++) {
    sst_value spikes = SST_NO_VALUE;
    if (!is_first_name(g, scene->student, i, &spikes)) { continue; }
    const double share = (layers ? 1.0 : (double)layer_size(g, spikes)) / whole;
    sst_value rate = sst_mean(g, spikes, SST_AXES_ALL);
    sst_value part = sst_affine(g, layers ? distance(g, rate, o) : rate, (float)share, 0.0f);
    sum = sum == SST_NONE ? part : sst_add(g, sum, part);
  }
  return layers ? sum : distance(g, sum, o);
}

const ssti_distill_method ssti_distill_spike_rate = {
    .name = "spike_rate",
    .options_size = sizeof(rate_options),
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .build = build,
};
