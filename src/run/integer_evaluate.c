// SPDX-License-Identifier: Apache-2.0
// Integer networks on data, by the engine; and beside the simulation that they
// were lowered from.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "deploy/lower.h"
#include "graph/graph_internal.h"
#include "run/assemble.h"
#include "run/integer_samples.h"
#include "run/part_data.h"
#include "spikestill/engine.h"

// What both share: data in batches, the engine, its logits.
typedef struct measurement {
  sst_context *context;
  const sst_integer_network *network;
  sst_recipe *recipe;
  ssti_part_data data;
  ssti_integer_samples samples;
  sst_engine *engine;
  int64_t batch;
  int16_t *input;
  int64_t *logits;
  int64_t count, correct;
  double loss;
} measurement;

static sst_status open_measurement(measurement *m, const char *path, const sst_integer_evaluation_options *options,
                                   sst_engine_observer *observer, void *state) {
  SST_TRY(ssti_integer_recipe(m->context, m->network, path, options->overrides, options->override_count, &m->recipe));
  SST_TRY(ssti_part_open(m->context, m->recipe, options->part, options->samples, &m->data));
  ssti_integer_samples_begin(m->network, m->recipe, &m->samples);
  sst_engine_options engine = sst_engine_default();
  m->batch = engine.batch = m->recipe->train.evaluation_batch;
  if (options->level != NULL) { engine.level = *options->level; }
  engine.observer = observer;
  engine.observer_state = state;
  SST_TRY(sst_engine_open(m->context, m->network, &engine, &m->engine));
  SST_TRY(ssti_allocate(m->context, (size_t)(m->batch * m->samples.steps * m->samples.picture), sizeof *m->input,
                        &m->input));
  return ssti_allocate(m->context, (size_t)(m->batch * m->network->classes), sizeof *m->logits, &m->logits);
}

static void close_measurement(measurement *m) {
  sst_engine_close(m->engine);
  ssti_part_close(&m->data);
  ssti_free(m->context, m->input);
  ssti_free(m->context, m->logits);
  sst_recipe_close(m->context, m->recipe);
}

static int64_t first_largest(const int64_t *logits, int64_t classes) {
  int64_t best = 0;
  for (int64_t c = 1; c < classes; c++) { best = logits[c] > logits[best] ? c : best; }
  return best;
}

static double cross_entropy(const int64_t *logits, int64_t classes, int64_t label, double scale) {
  const double most = (double)logits[first_largest(logits, classes)] * scale;
  double sum = 0;
  for (int64_t c = 0; c < classes; c++) { sum += exp((double)logits[c] * scale - most); }
  return log(sum) + most - (double)logits[label] * scale;
}

// Runs the batch and adds up.
static sst_status measure_batch(measurement *m, const sst_batch *batch) {
  const int64_t classes = m->network->classes;
  const double scale = m->network->nodes[m->network->node_count - 1].readout.scale;
  if (sst_context_stop_requested(m->context)) {
    SST_FAIL(m->context, SST_INTERRUPTED, "evaluation was stopped after %lld pictures", (long long)m->count);
  }
  ssti_integer_samples_fill(&m->samples, batch->input, m->batch, batch->count, m->input);
  SST_TRY(sst_engine_run(m->engine, batch->count, m->input, m->logits));
  for (int64_t n = 0; n < batch->count; n++) {
    const int64_t *logits = m->logits + n * classes;
    m->correct += first_largest(logits, classes) == batch->labels[n];
    m->loss += cross_entropy(logits, classes, batch->labels[n], scale);
  }
  m->count += batch->count;
  return SST_OK;
}

// Activities of the neuron layers; names are copies, in the same block as
// sst_report_free expects.
static sst_status fill_report(const measurement *m, sst_report *out) {
  const sst_integer_network *network = m->network;
  sst_evaluation *e = &out->evaluation;
  const double count = (double)m->count;
  sst_layer_activity *layers = NULL;
  SST_TRY(ssti_allocate(m->context, (size_t)network->node_count, sizeof *layers, &layers));
  *e = (sst_evaluation){.count = m->count, .accuracy = (double)m->correct / count, .loss = m->loss / count};
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_sizes sizes = sst_integer_node_sizes(network, i);
    out->parameters += sizes.weights + sizes.constant_bytes / (int64_t)sizeof(int32_t);
    if (network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    const double spikes = (double)sst_engine_spikes(m->engine, i) / count;
    layers[e->layer_count++] =
        (sst_layer_activity){.name = network->nodes[i].name,
                             .spikes_per_inference = spikes,
                             .firing_rate = spikes / (double)(sizes.neurons * network->timesteps),
                             .neurons = sizes.neurons};
    e->spikes_per_inference += spikes;
  }
  e->layers = layers;
  memcpy(out->data, m->data.name, sizeof out->data);
  const sst_status status = ssti_report_own_layers(m->context, e);
  ssti_free(m->context, layers);
  return status;
}

sst_status sst_integer_evaluate(const sst_integer_network *network, const char *path,
                                const sst_integer_evaluation_options *options, sst_report *out) {
  *out = (sst_report){0};
  measurement m = {.context = network->context, .network = network};
  sst_batch batch;
  sst_status status = open_measurement(&m, path, options, NULL, NULL);
  const double start = ssti_clock_seconds();
  if (status == SST_OK) {
    sst_loader_start(m.data.loader, 0, 0);
    while (status == SST_OK && sst_loader_next(m.data.loader, &batch)) { status = measure_batch(&m, &batch); }
    if (status == SST_OK) { status = sst_loader_status(m.data.loader); }
  }
  out->seconds = ssti_clock_seconds() - start;
  out->samples_per_second = (double)m.count / out->seconds;
  if (status == SST_OK) { status = fill_report(&m, out); }
  close_measurement(&m);
  return status;
}

// ---- side by side

typedef struct comparison {
  measurement m;
  sst_graph *graph;
  sst_value input, logits;
  sst_value *spikes, *membranes; // [node_count] of the graph, of neurons
  int *layers;                   // [node_count]: place among the layers of `out`
  int64_t first;                 // picture of the batch at hand that comes first
  sst_integer_comparison *out;
} comparison;

// Whether a differing spike comes before the first one that was seen.
static bool is_earlier(const sst_integer_difference *a, const sst_integer_difference *b) {
  if (a->picture != b->picture) { return a->picture < b->picture; }
  if (a->step != b->step) { return a->step < b->step; }
  if (a->node != b->node) { return a->node < b->node; }
  return a->neuron < b->neuron;
}

static void note_difference(comparison *c, const sst_integer_difference *found) {
  if (c->out->different_spikes++ == 0 || is_earlier(found, &c->out->first)) { c->out->first = *found; }
}

static void compare_spikes(void *user, int64_t picture, int64_t step, int node, const int32_t *spikes,
                           const int32_t *membrane) {
  comparison *c = user;
  const sst_integer_neurons *neurons = &c->m.network->nodes[node].neurons;
  const sst_integer_value *value = &c->m.network->values[node + 1];
  const int64_t count = value->height * value->width * value->channels, at = (step * c->m.batch + picture) * count;
  const float *s = sst_graph_data(c->graph, c->spikes[node]) + at;
  const float *h = sst_graph_data(c->graph, c->membranes[node]) + at;
  sst_integer_layer_comparison *layer = &c->out->layers[c->layers[node]];
  for (int64_t i = 0; i < count; i++) {
    const double integer = ldexp((double)membrane[i], -neurons->exponent);
    layer->spikes += spikes[i];
    c->out->different_membranes += integer != (double)h[i];
    if ((float)spikes[i] == s[i]) { continue; }
    const sst_integer_difference found = {c->first + picture, step, node, i, (double)h[i], integer};
    layer->different_spikes++;
    note_difference(c, &found);
  }
  layer->neuron_steps += count;
}

// The next neurons of the graph from node *at on whose spikes lowering would call so; SST_NO_VALUE without any. A
// second layer of a name has a number behind it.
static sst_value next_neurons(const comparison *c, const char *called, int *at) {
  for (; *at < c->graph->node_count; (*at)++) {
    const ssti_node *node = &c->graph->nodes[*at];
    char name[160], plain[48];
    if (node->op != &ssti_op_neuron || !sst_graph_is_spikes(c->graph, node->outputs[0])) { continue; }
    ssti_lower_plain_name(ssti_value_name(c->graph, node->outputs[0], name, sizeof name), plain);
    const size_t length = strlen(plain) < 32 ? strlen(plain) : 32;
    if (strncmp(plain, called, length) == 0) { return c->graph->nodes[(*at)++].outputs[0]; }
  }
  return SST_NO_VALUE;
}

static sst_status find_neurons(comparison *c) {
  const sst_integer_network *network = c->m.network;
  sst_context *context = c->m.context;
  int at = 0;
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    if (node->kind != SST_INTEGER_NODE_NEURONS) { continue; }
    const sst_integer_value *value = &network->values[node->output];
    const sst_value spikes = next_neurons(c, node->name, &at);
    if (spikes < 0 || !sst_shape_equal(sst_graph_shape(c->graph, spikes),
                                       sst_shape_make(network->timesteps, c->m.batch, value->height, value->width,
                                                      value->channels))) {
      SST_FAIL(context, SST_MISMATCH, "the simulation has no neurons %s of %lldx%lldx%lld over %lld steps", node->name,
               (long long)value->height, (long long)value->width, (long long)value->channels,
               (long long)network->timesteps);
    }
    c->layers[i] = c->out->layer_count;
    c->out->layers[c->out->layer_count++].name = node->name;
    c->spikes[i] = spikes;
    c->membranes[i] = c->graph->nodes[c->graph->values[spikes].node].outputs[1];
    sst_graph_keep(c->graph, c->spikes[i]);
    sst_graph_keep(c->graph, c->membranes[i]);
  }
  return SST_OK;
}

// Whether the simulation takes the samples, and tells as many classes apart.
static sst_status check_simulation(const comparison *c, const sst_network *simulation) {
  const sst_shape takes = sst_recipe_input_shape(simulation->recipe, c->m.batch);
  const sst_shape samples = sst_loader_shape(c->m.data.loader);
  if (sst_shape_equal(takes, samples) && simulation->recipe->data.classes == c->m.network->classes) { return SST_OK; }
  char one[SST_SHAPE_TEXT_SIZE], other[SST_SHAPE_TEXT_SIZE];
  SST_FAIL(c->m.context, SST_MISMATCH,
           "%s: takes %s and tells %d classes apart, the integer network's "
           "samples are %s of %lld classes",
           simulation->path, sst_shape_text(takes, one, sizeof one), simulation->recipe->data.classes,
           sst_shape_text(samples, other, sizeof other), (long long)c->m.network->classes);
}

static sst_status open_comparison(comparison *c, sst_network *simulation) {
  const size_t nodes = (size_t)c->m.network->node_count;
  SST_TRY(check_simulation(c, simulation));
  c->out->level = sst_engine_level_of(c->m.engine);
  SST_TRY(ssti_allocate(c->m.context, nodes, sizeof *c->spikes, &c->spikes));
  SST_TRY(ssti_allocate(c->m.context, nodes, sizeof *c->membranes, &c->membranes));
  SST_TRY(ssti_allocate(c->m.context, nodes, sizeof *c->layers, &c->layers));
  SST_TRY(ssti_allocate(c->m.context, nodes, sizeof *c->out->layers, &c->out->layers));
  SST_TRY(sst_graph_create(simulation->parameters, simulation->recipe->device, &c->graph));
  c->input = sst_graph_input(c->graph, "input", sst_recipe_input_shape(simulation->recipe, c->m.batch));
  ssti_build_opened(c->graph, simulation->recipe, simulation->foreign, c->input, &c->logits);
  SST_TRY(sst_graph_status(c->graph));
  SST_TRY(find_neurons(c));
  sst_graph_keep(c->graph, c->logits);
  return sst_graph_compile(c->graph, SST_NO_VALUE);
}

static int64_t first_largest_float(const float *logits, int64_t classes) {
  int64_t best = 0;
  for (int64_t k = 1; k < classes; k++) { best = logits[k] > logits[best] ? k : best; }
  return best;
}

static sst_status compare_batch(comparison *c, const sst_batch *batch) {
  const int64_t classes = c->m.network->classes;
  c->first = c->m.count;
  sst_graph_bind(c->graph, c->input, batch->input);
  sst_graph_forward(c->graph, NULL);
  SST_TRY(measure_batch(&c->m, batch));
  const float *logits = sst_graph_data(c->graph, c->logits);
  for (int64_t n = 0; n < batch->count; n++) {
    const int64_t simulated = first_largest_float(logits + n * classes, classes);
    c->out->simulation_correct += simulated == batch->labels[n];
    c->out->different_classes += simulated != first_largest(c->m.logits + n * classes, classes);
  }
  return SST_OK;
}

static sst_status compare_all(comparison *c) {
  sst_batch batch;
  sst_loader_start(c->m.data.loader, 0, 0);
  while (sst_loader_next(c->m.data.loader, &batch)) { SST_TRY(compare_batch(c, &batch)); }
  return sst_loader_status(c->m.data.loader);
}

sst_status sst_integer_compare(const sst_integer_network *network, const char *path, sst_network *simulation,
                               const sst_integer_evaluation_options *options, sst_integer_comparison *out) {
  *out = (sst_integer_comparison){0};
  comparison c = {.m = {.context = network->context, .network = network}, .out = out};
  sst_status status = open_measurement(&c.m, path, options, compare_spikes, &c);
  if (status == SST_OK) { status = open_comparison(&c, simulation); }
  if (status == SST_OK) { status = compare_all(&c); }
  for (int i = 0; i < out->layer_count; i++) {
    out->spikes += out->layers[i].spikes;
    out->neuron_steps += out->layers[i].neuron_steps;
  }
  out->count = c.m.count;
  out->integer_correct = c.m.correct;
  memcpy(out->data, c.m.data.name, sizeof out->data);
  close_measurement(&c.m);
  sst_graph_destroy(c.graph);
  ssti_free(c.m.context, c.spikes);
  ssti_free(c.m.context, c.membranes);
  ssti_free(c.m.context, c.layers);
  return status;
}

void sst_integer_comparison_free(sst_context *context, sst_integer_comparison *compared) {
  ssti_free(context, compared->layers);
  *compared = (sst_integer_comparison){0};
}
