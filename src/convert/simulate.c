// SPDX-License-Identifier: Apache-2.0
// One long simulation gives the accuracy at every T: the network streams a few steps at a time, the mean of the output
// current so far is the readout. Memory does not grow with T.
#include <string.h>

#include "base/memory.h"
#include "convert/conversion.h"
#include "spikestill/ops.h"

enum { STEPS_A_PASS = 8 };

typedef struct simulation {
  const ssti_converted *network;
  const sst_conversion_options *options;
  sst_graph *graph;
  sst_value input, logits; // logits [steps,N,1,1,classes]
  sst_value *spikes;       // of each layer: the sum over its neurons, [steps,N,1,1,1]
  int layer_count;
  int64_t steps, batch, classes;
  double *sums; // [N,classes] of the logits so far
  int64_t correct[SST_MAX_CONVERSION_POINTS], fired[SST_MAX_CONVERSION_POINTS];
} simulation;

static sst_status build(simulation *s) {
  const ssti_converted *network = s->network;
  SST_TRY(sst_graph_create(network->parameters, network->device, &s->graph));
  s->input = sst_graph_input(s->graph, "input", network->input);
  s->logits = network->build(network->user, s->graph, true, s->steps, s->input);
  sst_graph_keep(s->graph, s->logits);
  int taps = sst_graph_tap_count(s->graph);
  SST_TRY(ssti_allocate(network->context, (size_t)taps, sizeof *s->spikes, &s->spikes));
  for (int i = 0; i < taps; i++) {
    sst_value value;
    sst_graph_tap_at(s->graph, i, &value);
    if (!sst_graph_is_spikes(s->graph, value)) { continue; }
    sst_value sum = sst_sum(s->graph, value, SST_AXES_ALL & ~(SST_AXES_T | SST_AXES_N));
    sst_graph_keep(s->graph, sum);
    s->spikes[s->layer_count++] = sum;
  }
  sst_graph_stream(s->graph);
  SST_TRY(sst_graph_compile(s->graph, SST_NO_VALUE));
  s->batch = network->input.dim[SST_AXIS_N];
  s->classes = sst_graph_shape(s->graph, s->logits).dim[SST_AXIS_C];
  return ssti_allocate(network->context, (size_t)(s->batch * s->classes), sizeof *s->sums, &s->sums);
}

static int64_t count_correct(const simulation *s, const sst_batch *batch) {
  int64_t correct = 0;
  for (int64_t n = 0; n < batch->count; n++) {
    const double *row = s->sums + n * s->classes;
    int64_t best = 0;
    for (int64_t c = 1; c < s->classes; c++) {
      if (row[c] > row[best]) { best = c; }
    }
    correct += best == batch->labels[n];
  }
  return correct;
}

static int64_t count_spikes(const simulation *s, int64_t step, int64_t pictures) {
  int64_t fired = 0;
  for (int l = 0; l < s->layer_count; l++) {
    const float *sums = sst_graph_data(s->graph, s->spikes[l]) + step * s->batch;
    for (int64_t n = 0; n < pictures; n++) { fired += (int64_t)sums[n]; }
  }
  return fired;
}

static sst_status run_batch(simulation *s, const sst_batch *batch, int64_t done, int64_t total) {
  const sst_conversion_options *o = s->options;
  int64_t last = o->timesteps[o->point_count - 1], fired = 0;
  int point = 0;
  memset(s->sums, 0, (size_t)(s->batch * s->classes) * sizeof *s->sums);
  sst_graph_bind(s->graph, s->input, batch->input);
  sst_graph_restart(s->graph);
  for (int64_t first = 0; first < last; first += s->steps) {
    SST_TRY(ssti_conversion_report(s->network, "simulating picture", done, total));
    sst_graph_forward(s->graph, NULL);
    const float *logits = sst_graph_data(s->graph, s->logits);
    for (int64_t t = 0; t < s->steps && first + t < last; t++) {
      const float *step = logits + t * s->batch * s->classes;
      for (int64_t i = 0; i < s->batch * s->classes; i++) { s->sums[i] += (double)step[i]; }
      fired += count_spikes(s, t, batch->count);
      if (first + t + 1 != o->timesteps[point]) { continue; }
      s->correct[point] += count_correct(s, batch);
      s->fired[point++] += fired;
    }
  }
  return SST_OK;
}

static sst_status run(simulation *s, sst_loader *loader, sst_conversion_point *points, int64_t *pictures) {
  SST_TRY(build(s));
  int64_t count = 0, total = sst_loader_samples(loader);
  sst_batch batch;
  sst_loader_start(loader, 0, 0);
  while (sst_loader_next(loader, &batch)) {
    SST_TRY(run_batch(s, &batch, count, total));
    count += batch.count;
  }
  SST_TRY(sst_loader_status(loader));
  for (int i = 0; i < s->options->point_count; i++) {
    points[i] = (sst_conversion_point){.timesteps = s->options->timesteps[i],
                                       .accuracy = (double)s->correct[i] / (double)count,
                                       .spikes_per_inference = (double)s->fired[i] / (double)count};
  }
  *pictures = count;
  return SST_OK;
}

sst_status ssti_conversion_simulate(const ssti_converted *network, const sst_conversion_options *options,
                                    sst_loader *loader, sst_conversion_point *points, int64_t *pictures) {
  int64_t last = options->timesteps[options->point_count - 1];
  simulation *s = NULL;
  SST_TRY(ssti_allocate(network->context, 1, sizeof *s, &s));
  *s = (simulation){.network = network, .options = options, .steps = last < STEPS_A_PASS ? last : STEPS_A_PASS};
  sst_status status = run(s, loader, points, pictures);
  sst_graph_destroy(s->graph);
  ssti_free(network->context, s->spikes);
  ssti_free(network->context, s->sums);
  ssti_free(network->context, s);
  return status;
}
