// SPDX-License-Identifier: Apache-2.0
// Measuring a cost record: while the network is evaluated, what enters each layer with weights is counted.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "energy/energy_model.h"
#include "graph/graph_internal.h"
#include "run/assemble.h"
#include "run/cost_layers.h"
#include "run/cost_measure.h"
#include "run/part_data.h"

struct ssti_cost_meter {
  sst_context *context;
  sst_graph *graph; // borrowed
  bool spiking;
  int64_t crossbar, batch, samples;
  ssti_cost_source *sources;
  sst_cost_record *record;
  float **fans;   // one a layer, made after the first batch
  float *scratch; // [threads' places: batch * T][largest tile map]; NULL without crossbars
  int64_t scratch_size;
  ssti_cost_counts *counts;           // [T][batch] of the layer being counted
  double *input_sums, *input_squares; // [layer] over samples
  double *sample_operations;          // [samples]
  double *totals;                     // sums over samples: see TOTALS
};

// Sums over all samples, for each layer.
enum { TOTAL_OPERATIONS, TOTAL_PATCHES, TOTAL_ROWS, TOTAL_SITES, TOTALS };

static sst_status make_room(ssti_cost_meter *m, int64_t samples) {
  size_t layers = (size_t)m->record->layer_count;
  size_t places = (size_t)(m->record->timesteps * m->batch);
  SST_TRY(ssti_allocate(m->context, layers, sizeof *m->fans, &m->fans));
  for (size_t i = 0; i < layers; i++) {
    const sst_cost_layer *l = &m->record->layers[i];
    SST_TRY(ssti_allocate(m->context, (size_t)(l->in_height * l->in_width * l->in_channels), sizeof **m->fans,
                          &m->fans[i]));
    if (m->crossbar == 0) { continue; }
    int64_t tiles = (l->in_channels + m->crossbar - 1) / m->crossbar;
    int64_t size = l->in_height * l->in_width * tiles;
    if (size > m->scratch_size) { m->scratch_size = size; }
  }
  if (m->scratch_size > 0) {
    SST_TRY(ssti_allocate(m->context, places * (size_t)m->scratch_size, sizeof *m->scratch, &m->scratch));
  }
  SST_TRY(ssti_allocate(m->context, places, sizeof *m->counts, &m->counts));
  SST_TRY(ssti_allocate(m->context, layers, sizeof *m->input_sums, &m->input_sums));
  SST_TRY(ssti_allocate(m->context, layers, sizeof *m->input_squares, &m->input_squares));
  SST_TRY(ssti_allocate(m->context, layers * TOTALS, sizeof *m->totals, &m->totals));
  return ssti_allocate(m->context, (size_t)samples, sizeof *m->sample_operations, &m->sample_operations);
}

void ssti_cost_meter_close(ssti_cost_meter *m) {
  if (m == NULL) { return; }
  for (int i = 0; m->fans != NULL && i < m->record->layer_count; i++) { ssti_free(m->context, m->fans[i]); }
  ssti_free(m->context, m->fans);
  ssti_free(m->context, m->scratch);
  ssti_free(m->context, m->counts);
  ssti_free(m->context, m->input_sums);
  ssti_free(m->context, m->input_squares);
  ssti_free(m->context, m->totals);
  ssti_free(m->context, m->sample_operations);
  ssti_free(m->context, m->sources);
  sst_cost_record_destroy(m->record);
  ssti_free(m->context, m);
}

sst_status ssti_cost_meter_open(sst_graph *graph, const sst_recipe *recipe, int64_t samples, int64_t crossbar,
                                ssti_cost_meter **out) {
  *out = NULL;
  ssti_cost_meter *m = NULL;
  SST_TRY(ssti_allocate(graph->context, 1, sizeof *m, &m));
  *m = (ssti_cost_meter){.context = graph->context,
                         .graph = graph,
                         .spiking = recipe->student.spiking,
                         .crossbar = crossbar,
                         .batch = recipe->train.evaluation_batch};
  sst_status status = ssti_cost_layers_find(graph, recipe->student.options.timesteps, &m->sources, &m->record);
  if (status == SST_OK) { status = make_room(m, samples); }
  if (status != SST_OK) {
    ssti_cost_meter_close(m);
    return status;
  }
  *out = m;
  return SST_OK;
}

// What a layer's weights are is known once they were computed: quantised ones are values of the graph.
static void make_fans(ssti_cost_meter *m) {
  for (int i = 0; i < m->record->layer_count; i++) {
    sst_cost_layer *l = &m->record->layers[i];
    ssti_cost_fan(l, &m->sources[i].geometry, sst_graph_data(m->graph, m->sources[i].weight), m->fans[i],
                  &l->zero_weights, &l->dense_operations);
  }
}

typedef struct layer_counting {
  ssti_cost_meter *m;
  int layer;
  int64_t pictures;
} layer_counting;

// Places are pictures within steps, as they lie in memory.
static void count_places(void *arg, int64_t begin, int64_t end) {
  const layer_counting *c = arg;
  ssti_cost_meter *m = c->m;
  const sst_cost_layer *l = &m->record->layers[c->layer];
  const ssti_cost_source *source = &m->sources[c->layer];
  const float *x = sst_graph_data(m->graph, source->input);
  int64_t size = l->in_height * l->in_width * l->in_channels;
  for (int64_t place = begin; place < end; place++) {
    if (place % m->batch >= c->pictures) { continue; } // the last batch is filled up with zeros
    float *scratch = m->scratch ? m->scratch + place * m->scratch_size : NULL;
    m->counts[place] = ssti_cost_count(l, &source->geometry, x + place * size, m->fans[c->layer], source->spike_value,
                                       m->crossbar, scratch);
  }
}

static void add_layer(ssti_cost_meter *m, int layer, int64_t pictures) {
  const sst_cost_layer *l = &m->record->layers[layer];
  layer_counting counting = {m, layer, pictures};
  ssti_parallel_for(m->context, l->timesteps * m->batch, 1, count_places, &counting);
  double *totals = m->totals + (int64_t)layer * TOTALS;
  double fan_out = ssti_cost_macs(l) / ssti_cost_inputs(l); // with strides most inputs reach fewer outputs
  for (int64_t n = 0; n < pictures; n++) {
    double inputs = 0;
    for (int64_t t = 0; t < l->timesteps; t++) {
      const ssti_cost_counts *c = &m->counts[t * m->batch + n];
      inputs += c->inputs;
      m->record->step_inputs[layer * m->record->timesteps + t] += c->inputs;
      totals[TOTAL_OPERATIONS] += c->operations;
      totals[TOTAL_PATCHES] += c->patches;
      totals[TOTAL_ROWS] += c->rows;
      totals[TOTAL_SITES] += c->sites;
    }
    m->input_sums[layer] += inputs;
    m->input_squares[layer] += inputs * inputs;
    m->sample_operations[m->samples + n] += inputs * fan_out;
  }
}

sst_status ssti_cost_meter_look(void *meter, sst_graph *graph, const sst_batch *batch) {
  ssti_cost_meter *m = meter;
  (void)graph;
  if (m->samples == 0) { make_fans(m); }
  for (int i = 0; i < m->record->layer_count; i++) { add_layer(m, i, batch->count); }
  m->samples += batch->count;
  return SST_OK;
}

static int by_size(const void *a, const void *b) {
  const double *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

// The evaluation has counted them.
static double spikes_out(const ssti_cost_source *source, const sst_evaluation *evaluation) {
  for (int i = 0; i < evaluation->layer_count && source->spikes >= 0; i++) {
    if (strcmp(evaluation->layers[i].name, source->tap) == 0) { return evaluation->layers[i].spikes_per_inference; }
  }
  return 0;
}

static void conclude(ssti_cost_meter *m, const sst_evaluation *evaluation) {
  static const double shares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
  sst_cost_record *record = m->record;
  double count = (double)m->samples;
  record->samples = m->samples;
  record->crossbar = m->crossbar;
  record->spiking = m->spiking;
  qsort(m->sample_operations, (size_t)m->samples, sizeof *m->sample_operations, by_size);
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    record->operation_quantiles[i] = m->sample_operations[(int64_t)(shares[i] * (count - 1) + 0.5)];
  }
  for (int i = 0; i < record->layer_count; i++) {
    sst_cost_layer *l = &record->layers[i];
    const double *totals = m->totals + (int64_t)i * TOTALS;
    l->nonzero_inputs = m->input_sums[i] / count;
    double variance = m->input_squares[i] / count - l->nonzero_inputs * l->nonzero_inputs;
    l->nonzero_inputs_deviation = variance > 0 ? sqrt(variance) : 0;
    l->effective_operations = totals[TOTAL_OPERATIONS] / count;
    l->spikes_out = spikes_out(&m->sources[i], evaluation);
    sst_value spikes = m->sources[i].spikes; // of one batch, all steps; pooling may lie before the neurons
    l->membrane_updates =
        spikes >= 0 ? (double)sst_shape_count(sst_graph_shape(m->graph, spikes)) / (double)m->batch : 0;
    if (record->crossbar > 0 && l->spiking_input) {
      l->crossbar_patches = totals[TOTAL_PATCHES] / count;
      l->crossbar_rows = totals[TOTAL_ROWS] / count;
      l->crossbar_sites = totals[TOTAL_SITES] / count;
    }
    for (int64_t t = 0; t < l->timesteps; t++) { record->step_inputs[i * record->timesteps + t] /= count; }
  }
}

sst_cost_record *ssti_cost_meter_take(ssti_cost_meter *m, const sst_evaluation *evaluation, const char *network,
                                      const char *data) {
  sst_cost_record *record = m->record;
  conclude(m, evaluation);
  snprintf(record->network, sizeof record->network, "%.120s", network);
  snprintf(record->data, sizeof record->data, "%.120s", data);
  // The meter keeps what it needs to be closed.
  for (int i = 0; i < record->layer_count; i++) { ssti_free(m->context, m->fans[i]); }
  ssti_free(m->context, m->fans);
  m->fans = NULL;
  m->record = NULL;
  return record;
}

static sst_status measure(sst_network *network, const sst_cost_options *options, const ssti_part_data *data,
                          double *accuracy, sst_cost_record **out) {
  const sst_recipe *recipe = network->recipe;
  ssti_evaluation_graph built;
  ssti_cost_meter *meter = NULL;
  sst_evaluator *evaluator = NULL;
  sst_evaluation evaluation;
  SST_TRY(ssti_build_evaluation(recipe, network->parameters, network->foreign, &built));
  sst_status status = ssti_cost_meter_open(built.graph, recipe, data->count, options->crossbar, &meter);
  if (status != SST_OK) {
    sst_graph_destroy(built.graph);
    return status;
  }
  SST_TRY_GOTO(
      sst_evaluator_create(network->context, built.graph, built.input, built.target, built.logits, &evaluator));
  const sst_evaluation_observer observer = {ssti_cost_meter_look, meter};
  SST_TRY_GOTO(sst_evaluate_observed(evaluator, data->loader, &observer, 1, &evaluation));
  *out = ssti_cost_meter_take(meter, &evaluation, recipe->name, data->name);
  if (accuracy != NULL) { *accuracy = evaluation.accuracy; }
done:
  sst_evaluator_destroy(evaluator);
  ssti_cost_meter_close(meter);
  return status;
}

sst_status sst_network_measure_costs(sst_network *network, const sst_cost_options *options, double *accuracy,
                                     sst_cost_record **out) {
  *out = NULL;
  if (options->samples < 0 || options->crossbar < 0) {
    SST_FAIL(network->context, SST_INVALID_ARGUMENT, "samples %lld, crossbar %lld; expected at least 0",
             (long long)options->samples, (long long)options->crossbar);
  }
  SST_TRY(ssti_network_check_data(network));
  ssti_part_data data;
  sst_status status = ssti_part_open(network->context, network->recipe, options->part, options->samples, &data);
  if (status == SST_OK) { status = measure(network, options, &data, accuracy, out); }
  ssti_part_close(&data);
  return status;
}
