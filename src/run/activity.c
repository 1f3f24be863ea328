// SPDX-License-Identifier: Apache-2.0
#include "run/activity.h"

#include <math.h>
#include <stdio.h>

#include "graph/graph_internal.h"
#include "neuron/dynamics.h"
#include "run/cost_layers.h"
#include "train/accuracy.h"

// Bins of 1/16 threshold, so that a grid of powers of two falls on their borders; an odd number of bins for weights, so
// that 0 is in the middle of one.
enum { MEMBRANE_BINS = 128, WEIGHT_BINS = 81, MEMBRANE_REACH = 4, WEIGHT_REACH = 4 };
enum { BEFORE_FIRING, BEFORE_STORING, STORED, MEMBRANE_KINDS };
enum { RIGHT, WRONG, SAMPLES };

typedef struct neurons {
  char name[SST_COST_NAME_SIZE];
  sst_value spikes, membrane;
  sst_value decay; // PLIF's w, else SST_NONE
  sst_neuron neuron;
  int64_t size, steps, batch;
  int64_t counts[MEMBRANE_KINDS][MEMBRANE_BINS];
} neurons;

typedef struct weights {
  char name[SST_COST_NAME_SIZE];
  sst_value full, codes, scale; // codes, scale: SST_NONE where they are not quantised
  int bits;
} weights;

struct ssti_activity_watch {
  sst_context *context;
  sst_value logits;
  int neuron_count, weight_count;
  neurons *neurons;
  weights *weights;
  float *adapted;   // of the largest layer
  int64_t pictures; // in the histograms
  int64_t seen;
  json_t *samples[SAMPLES];
};

// ---- what is watched

// Of `count` things the k-th of `shown` evenly spaced ones.
static int64_t spaced(int64_t k, int64_t shown, int64_t count) {
  return shown == count ? k : (2 * k + 1) * count / (2 * shown);
}

// Of a large layer's neurons too, each a place further, so that channels, which lie side by side, take turns.
static int64_t shown_neuron(int64_t k, int64_t shown, int64_t count) {
  return spaced(k, shown, count) + (count / shown >= 2 * shown ? k : 0);
}

static bool seen_before(const sst_graph *graph, int tap, sst_value value) {
  for (int i = 0; i < tap; i++) {
    sst_value other;
    sst_graph_tap_at(graph, i, &other);
    if (other == value) { return true; }
  }
  return false;
}

// The n-th firing layer that has a tap, by the names that an evaluation uses too; false if there are fewer.
static bool find_neurons(const sst_graph *graph, int n, neurons *out) {
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    sst_value spikes;
    const char *name = sst_graph_tap_at(graph, i, &spikes);
    if (!sst_graph_is_spikes(graph, spikes) || seen_before(graph, i, spikes) || n-- > 0) { continue; }
    const ssti_node *node = &graph->nodes[graph->values[spikes].node];
    const sst_shape shape = sst_graph_shape(graph, spikes);
    *out = (neurons){.spikes = spikes,
                     .membrane = node->outputs[1],
                     .decay = node->call.input_count > 1 ? node->inputs[1] : SST_NONE,
                     .neuron = ((const ssti_neuron_attributes *)node->attributes)->neuron,
                     .size = shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W] * shape.dim[SST_AXIS_C],
                     .steps = shape.dim[SST_AXIS_T],
                     .batch = shape.dim[SST_AXIS_N]};
    snprintf(out->name, sizeof out->name, "%s", name);
    return true;
  }
  return false;
}

static sst_status watch_neurons(ssti_activity_watch *w, sst_graph *graph) {
  neurons found;
  int count = 0;
  int64_t largest = 1;
  while (find_neurons(graph, count, &found)) { count++; }
  w->neuron_count = count < SSTI_SHOWN_LAYERS ? count : SSTI_SHOWN_LAYERS;
  if (count == 0) { return SST_OK; }
  SST_TRY(ssti_allocate(w->context, (size_t)w->neuron_count, sizeof *w->neurons, &w->neurons));
  for (int i = 0; i < w->neuron_count; i++) {
    neurons *layer = &w->neurons[i];
    find_neurons(graph, (int)spaced(i, w->neuron_count, count), layer);
    sst_graph_keep(graph, layer->spikes);
    sst_graph_keep(graph, layer->membrane);
    if (layer->size > largest) { largest = layer->size; }
  }
  return ssti_allocate(w->context, (size_t)largest, sizeof *w->adapted, &w->adapted);
}

static void watch_layer(sst_graph *graph, const ssti_node *node, weights *out) {
  char name[SST_COST_NAME_SIZE];
  *out = (weights){.full = node->inputs[1], .codes = SST_NONE, .scale = SST_NONE};
  snprintf(out->name, sizeof out->name, "%s", ssti_value_name(graph, node->outputs[0], name, sizeof name));
  const ssti_value *weight = &graph->values[node->inputs[1]];
  const ssti_node *maker = weight->kind == SSTI_VALUE_OUTPUT ? &graph->nodes[weight->node] : NULL;
  if (maker != NULL && maker->op == &ssti_op_quantize_weights) {
    out->full = maker->inputs[0];
    out->codes = maker->outputs[0];
    out->scale = maker->outputs[1];
    out->bits = sst_weight_quantizer_bits(&((const ssti_quantize_weights_attributes *)maker->attributes)->quantizer);
    sst_graph_keep(graph, out->codes);
    sst_graph_keep(graph, out->scale);
  }
  sst_graph_keep(graph, out->full);
}

static sst_status watch_weights(ssti_activity_watch *w, sst_graph *graph) {
  int count = 0, index = 0;
  for (int i = 0; i < graph->node_count; i++) { count += ssti_has_weights(&graph->nodes[i]); }
  w->weight_count = count < SSTI_SHOWN_LAYERS ? count : SSTI_SHOWN_LAYERS;
  SST_TRY(ssti_allocate(w->context, (size_t)w->weight_count, sizeof *w->weights, &w->weights));
  for (int i = 0, next = 0; i < graph->node_count && next < w->weight_count; i++) {
    if (!ssti_has_weights(&graph->nodes[i])) { continue; }
    if (index++ == spaced(next, w->weight_count, count)) { watch_layer(graph, &graph->nodes[i], &w->weights[next++]); }
  }
  return SST_OK;
}

sst_status ssti_activity_open(sst_graph *graph, sst_value logits, ssti_activity_watch **out) {
  *out = NULL;
  SST_TRY(sst_graph_status(graph));
  ssti_activity_watch *w = NULL;
  SST_TRY(ssti_allocate(graph->context, 1, sizeof *w, &w));
  w->context = graph->context;
  w->logits = logits;
  sst_status status = watch_neurons(w, graph);
  if (status == SST_OK) { status = watch_weights(w, graph); }
  if (status != SST_OK) {
    ssti_activity_close(w);
    return status;
  }
  *out = w;
  return SST_OK;
}

void ssti_activity_close(ssti_activity_watch *w) {
  if (w == NULL) { return; }
  for (int i = 0; i < SAMPLES; i++) { json_decref(w->samples[i]); }
  ssti_free(w->context, w->neurons);
  ssti_free(w->context, w->weights);
  ssti_free(w->context, w->adapted);
  ssti_free(w->context, w);
}

// ---- histograms

// The bin of a number; of one that is none, the middle.
static int bin_of(float value, float reach, int bins) {
  float place = (value + reach) * (float)bins / (2 * reach);
  if (!(place > 0)) { return place <= 0 ? 0 : bins / 2; }
  return place < (float)bins ? (int)place : bins - 1;
}

// One picture through all steps: what the neurons carry is computed from what they did, as their kernel does.
static void count_membranes(neurons *layer, const ssti_dynamics *d, const float *spikes, const float *membrane,
                            int64_t picture, float *adapted) {
  const float unit = 1 / d->threshold;
  for (int64_t i = 0; i < layer->size; i++) { adapted[i] = 0; }
  for (int64_t t = 0; t < layer->steps; t++) {
    const float *h = membrane + (t * layer->batch + picture) * layer->size;
    const float *s = spikes + (t * layer->batch + picture) * layer->size;
    for (int64_t i = 0; i < layer->size; i++) {
      layer->counts[BEFORE_FIRING][bin_of(h[i] * unit, MEMBRANE_REACH, MEMBRANE_BINS)]++;
    }
    for (int64_t i = 0; i < layer->size && d->stores; i++) {
      float threshold = d->adapts ? ssti_raised_threshold(d, adapted[i]) : d->threshold;
      float u = d->hard_reset ? ssti_reset_hard(d, h[i], s[i]) : ssti_reset_soft(h[i], threshold, s[i]);
      layer->counts[BEFORE_STORING][bin_of(d->stored_decay * u * unit, MEMBRANE_REACH, MEMBRANE_BINS)]++;
      layer->counts[STORED][bin_of(ssti_stored(d, u) * unit, MEMBRANE_REACH, MEMBRANE_BINS)]++;
      if (d->adapts) { adapted[i] = ssti_adapt(d, adapted[i], s[i]); }
    }
  }
}

static json_t *counts_json(const int64_t *counts, int bins) {
  json_t *out = json_array();
  for (int i = 0; i < bins; i++) { json_array_append_new(out, json_integer((json_int_t)counts[i])); }
  return out;
}

static json_t *membranes_json(const ssti_activity_watch *w) {
  static const char *const keys[MEMBRANE_KINDS] = {"before_firing", "before_storing", "stored"};
  json_t *layers = json_array();
  for (int i = 0; i < w->neuron_count; i++) {
    const neurons *layer = &w->neurons[i];
    int bits = layer->neuron.membrane_bits;
    json_t *out = json_pack("{s:s, s:i}", "name", layer->name, "bits", bits);
    for (int k = 0; k < (bits > 0 ? MEMBRANE_KINDS : 1); k++) {
      json_object_set_new(out, keys[k], counts_json(layer->counts[k], MEMBRANE_BINS));
    }
    json_array_append_new(layers, out);
  }
  return json_pack("{s:I, s:i, s:i, s:o}", "pictures", (json_int_t)w->pictures, "low", -MEMBRANE_REACH, "high",
                   MEMBRANE_REACH, "layers", layers);
}

static double deviation_of(const float *values, int64_t count) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += (double)values[i];
    squares += (double)values[i] * (double)values[i];
  }
  double mean = sum / (double)count, variance = squares / (double)count - mean * mean;
  return variance > 0 ? sqrt(variance) : 0;
}

static json_t *layer_weights_json(const weights *layer, sst_graph *graph) {
  const sst_shape shape = sst_graph_shape(graph, layer->full);
  const int64_t count = sst_shape_count(shape), row = count / shape.dim[SST_AXIS_N];
  const float *full = sst_graph_data(graph, layer->full);
  int64_t before[WEIGHT_BINS] = {0}, after[WEIGHT_BINS] = {0};
  double deviation = deviation_of(full, count);
  float unit = deviation > 0 ? (float)(1 / deviation) : 0;
  for (int64_t i = 0; i < count; i++) { before[bin_of(full[i] * unit, WEIGHT_REACH, WEIGHT_BINS)]++; }
  json_t *out = json_pack("{s:s, s:i, s:f, s:o}", "name", layer->name, "bits", layer->bits, "deviation", deviation,
                          "full", counts_json(before, WEIGHT_BINS));
  if (layer->bits == 0) { return out; }
  const float *codes = sst_graph_data(graph, layer->codes), *scale = sst_graph_data(graph, layer->scale);
  const bool per_channel = sst_shape_count(sst_graph_shape(graph, layer->scale)) > 1;
  for (int64_t i = 0; i < count; i++) {
    after[bin_of(codes[i] * scale[per_channel ? i / row : 0] * unit, WEIGHT_REACH, WEIGHT_BINS)]++;
  }
  json_object_set_new(out, "quantised", counts_json(after, WEIGHT_BINS));
  return out;
}

static json_t *weights_json(const ssti_activity_watch *w, sst_graph *graph) {
  json_t *layers = json_array();
  for (int i = 0; i < w->weight_count; i++) {
    json_array_append_new(layers, layer_weights_json(&w->weights[i], graph));
  }
  return json_pack("{s:i, s:i, s:o}", "low", -WEIGHT_REACH, "high", WEIGHT_REACH, "layers", layers);
}

// ---- samples

typedef struct shown {
  int64_t place[SSTI_SHOWN_NEURONS];
  int64_t spikes[SSTI_SHOWN_NEURONS];
  int count;
} shown;

// Of the shown neurons the one that fires most and is not in the list yet; of equal ones the first.
static int next_traced(const shown *s, const int *traced, int count) {
  int best = -1;
  for (int k = 0; k < s->count; k++) {
    bool taken = false;
    for (int i = 0; i < count; i++) { taken = taken || traced[i] == k; }
    if (!taken && (best < 0 || s->spikes[k] > s->spikes[best])) { best = k; }
  }
  return best;
}

static json_t *trace_json(const neurons *layer, const float *membrane, int64_t picture, int64_t place, int64_t steps) {
  json_t *out = json_array();
  for (int64_t t = 0; t < steps; t++) {
    double h = (double)(membrane[(t * layer->batch + picture) * layer->size + place] / layer->neuron.threshold);
    json_array_append_new(out, json_real(floor(h * 1e4 + 0.5) / 1e4)); // what is drawn needs no more digits
  }
  return out;
}

static json_t *layer_sample_json(const neurons *layer, sst_graph *graph, int64_t picture) {
  const float *spikes = sst_graph_data(graph, layer->spikes), *membrane = sst_graph_data(graph, layer->membrane);
  const int64_t steps = layer->steps < SSTI_SHOWN_STEPS ? layer->steps : SSTI_SHOWN_STEPS;
  shown s = {.count = layer->size < SSTI_SHOWN_NEURONS ? (int)layer->size : SSTI_SHOWN_NEURONS};
  json_t *places = json_array(), *rows = json_array(), *traced = json_array(), *membranes = json_array();
  for (int k = 0; k < s.count; k++) {
    char row[SSTI_SHOWN_STEPS + 1] = "";
    s.place[k] = shown_neuron(k, s.count, layer->size);
    for (int64_t t = 0; t < steps; t++) {
      bool fires = spikes[(t * layer->batch + picture) * layer->size + s.place[k]] > 0;
      row[t] = fires ? '1' : '0';
      s.spikes[k] += fires;
    }
    json_array_append_new(places, json_integer((json_int_t)s.place[k]));
    json_array_append_new(rows, json_string(row));
  }
  int chosen[SSTI_TRACED_NEURONS];
  for (int i = 0; i < SSTI_TRACED_NEURONS && i < s.count; i++) {
    chosen[i] = next_traced(&s, chosen, i);
    json_array_append_new(traced, json_integer(chosen[i]));
    json_array_append_new(membranes, trace_json(layer, membrane, picture, s.place[chosen[i]], steps));
  }
  return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "name", layer->name, "neurons", (json_int_t)layer->size, "shown",
                   places, "spikes", rows, "traced", traced, "membranes", membranes);
}

static json_t *sample_json(const ssti_activity_watch *w, sst_graph *graph, int64_t picture, int32_t label,
                           int64_t taken_for) {
  json_t *layers = json_array();
  for (int i = 0; i < w->neuron_count; i++) {
    json_array_append_new(layers, layer_sample_json(&w->neurons[i], graph, picture));
  }
  return json_pack("{s:I, s:i, s:I, s:o}", "index", (json_int_t)w->seen + (json_int_t)picture, "class", (int)label,
                   "taken_for", (json_int_t)taken_for, "layers", layers);
}

sst_status ssti_activity_look(void *watch, sst_graph *graph, const sst_batch *batch) {
  ssti_activity_watch *w = watch;
  int64_t left = SSTI_MEMBRANE_PICTURES - w->pictures, counted = batch->count < left ? batch->count : left;
  for (int i = 0; i < w->neuron_count && counted > 0; i++) {
    neurons *layer = &w->neurons[i];
    const float *decay = layer->decay >= 0 ? sst_graph_data(graph, layer->decay) : NULL;
    const ssti_dynamics d = ssti_dynamics_make(&layer->neuron, decay);
    const float *spikes = sst_graph_data(graph, layer->spikes), *membrane = sst_graph_data(graph, layer->membrane);
    for (int64_t n = 0; n < counted; n++) { count_membranes(layer, &d, spikes, membrane, n, w->adapted); }
  }
  w->pictures += counted;
  const float *logits = sst_graph_data(graph, w->logits);
  const int64_t classes = sst_graph_shape(graph, w->logits).dim[SST_AXIS_C];
  for (int64_t n = 0; n < batch->count && w->neuron_count > 0; n++) {
    int64_t taken_for = ssti_predicted_class(logits + n * classes, classes);
    json_t **sample = &w->samples[taken_for == batch->labels[n] ? RIGHT : WRONG];
    if (*sample == NULL) { *sample = sample_json(w, graph, n, batch->labels[n], taken_for); }
  }
  w->seen += batch->count;
  return SST_OK;
}

json_t *ssti_activity_json(const ssti_activity_watch *w, sst_graph *graph) {
  json_t *samples = json_array();
  for (int i = 0; i < SAMPLES; i++) {
    if (w->samples[i] != NULL) { json_array_append(samples, w->samples[i]); }
  }
  json_t *out = json_pack("{s:i, s:o}", "version", SSTI_ACTIVITY_VERSION, "samples", samples);
  if (w->neuron_count > 0) { json_object_set_new(out, "membranes", membranes_json(w)); }
  json_object_set_new(out, "weights", weights_json(w, graph));
  return out;
}
