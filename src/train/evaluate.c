// SPDX-License-Identifier: Apache-2.0
// Evaluation: accuracy, loss and exact spike counts. Spikes of one picture and layer are summed in the graph (whole
// numbers far below 2^24, so exact in f32) and over pictures in 64-bit integers here.
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "spikestill/ops.h"
#include "spikestill/train.h"
#include "train/accuracy.h"
#include "train/batch_feed.h"

struct sst_evaluator {
  sst_context *context;
  sst_graph *graph;
  sst_value input, target, logits, losses; // losses [1,N,1,1,1]
  int layer_count;
  sst_value *spike_sums; // [1,N,1,1,1] each
  int64_t *totals;
  int64_t *steps;
  sst_layer_activity *layers;
};

static bool seen_before(const sst_graph *graph, int tap, sst_value value) {
  for (int i = 0; i < tap; i++) {
    sst_value other;
    sst_graph_tap_at(graph, i, &other);
    if (other == value) { return true; }
  }
  return false;
}

// Sums of the spikes of each picture, for every neuron layer that has a tap.
static sst_status add_spike_sums(sst_evaluator *evaluator) {
  sst_graph *graph = evaluator->graph;
  int taps = sst_graph_tap_count(graph);
  size_t most = (size_t)taps;
  SST_TRY(ssti_allocate(evaluator->context, most, sizeof *evaluator->spike_sums, &evaluator->spike_sums));
  SST_TRY(ssti_allocate(evaluator->context, most, sizeof *evaluator->totals, &evaluator->totals));
  SST_TRY(ssti_allocate(evaluator->context, most, sizeof *evaluator->steps, &evaluator->steps));
  SST_TRY(ssti_allocate(evaluator->context, most, sizeof *evaluator->layers, &evaluator->layers));
  for (int i = 0; i < taps; i++) {
    sst_value spikes;
    const char *name = sst_graph_tap_at(graph, i, &spikes);
    if (!sst_graph_is_spikes(graph, spikes) || seen_before(graph, i, spikes)) { continue; }
    int layer = evaluator->layer_count++;
    sst_shape shape = sst_graph_shape(graph, spikes);
    evaluator->layers[layer].name = name;
    evaluator->layers[layer].neurons = shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W] * shape.dim[SST_AXIS_C];
    evaluator->steps[layer] = shape.dim[SST_AXIS_T];
    evaluator->spike_sums[layer] = sst_sum(graph, spikes, SST_AXES_ALL & ~SST_AXES_N);
    sst_graph_keep(graph, evaluator->spike_sums[layer]);
  }
  return SST_OK;
}

sst_status sst_evaluator_create(sst_context *context, sst_graph *graph, sst_value input, sst_value target,
                                sst_value logits, sst_evaluator **out) {
  sst_status status = ssti_allocate(context, 1, sizeof **out, out);
  if (status != SST_OK) {
    sst_graph_destroy(graph);
    return status;
  }
  sst_evaluator *evaluator = *out;
  *evaluator = (sst_evaluator){.context = context, .graph = graph, .input = input, .target = target, .logits = logits};
  status = sst_graph_status(graph);
  if (status == SST_OK) { status = add_spike_sums(evaluator); }
  evaluator->losses = sst_cross_entropy(graph, logits, target, 0.0f);
  sst_graph_keep(graph, evaluator->losses);
  sst_graph_keep(graph, logits);
  if (status == SST_OK) { status = sst_graph_compile(graph, SST_NO_VALUE); }
  if (status != SST_OK) {
    sst_evaluator_destroy(evaluator);
    *out = NULL;
  }
  return status;
}

void sst_evaluator_destroy(sst_evaluator *evaluator) {
  if (!evaluator) { return; }
  sst_graph_destroy(evaluator->graph);
  ssti_free(evaluator->context, evaluator->spike_sums);
  ssti_free(evaluator->context, evaluator->totals);
  ssti_free(evaluator->context, evaluator->steps);
  ssti_free(evaluator->context, evaluator->layers);
  ssti_free(evaluator->context, evaluator);
}

sst_graph *sst_evaluator_graph(sst_evaluator *evaluator) { return evaluator->graph; }

static void count_spikes(sst_evaluator *evaluator, int64_t pictures) {
  for (int layer = 0; layer < evaluator->layer_count; layer++) {
    const float *sums = sst_graph_data(evaluator->graph, evaluator->spike_sums[layer]);
    for (int64_t i = 0; i < pictures; i++) { evaluator->totals[layer] += (int64_t)sums[i]; }
  }
}

static sst_status add_losses(sst_evaluator *evaluator, int64_t pictures, double *sum) {
  const float *losses = sst_graph_data(evaluator->graph, evaluator->losses);
  for (int64_t i = 0; i < pictures; i++) { *sum += (double)losses[i]; }
  if (isfinite(*sum)) { return SST_OK; }
  const char *name = sst_graph_first_not_finite(evaluator->graph, NULL);
  SST_FAIL(evaluator->context, SST_NOT_FINITE, "the loss is not finite in evaluation; the first value that is not: %s",
           name ? name : "the loss itself");
}

static void summarise(sst_evaluator *evaluator, int64_t correct, double loss_sum, sst_evaluation *out) {
  double count = (double)out->count;
  out->accuracy = count > 0 ? (double)correct / count : 0;
  out->loss = count > 0 ? loss_sum / count : 0;
  for (int i = 0; i < evaluator->layer_count; i++) {
    sst_layer_activity *layer = &evaluator->layers[i];
    layer->spikes_per_inference = count > 0 ? (double)evaluator->totals[i] / count : 0;
    layer->firing_rate = layer->spikes_per_inference / ((double)layer->neurons * (double)evaluator->steps[i]);
    out->spikes_per_inference += layer->spikes_per_inference;
  }
  out->layer_count = evaluator->layer_count;
  out->layers = evaluator->layers;
}

static sst_status show_batch(sst_graph *graph, const sst_batch *batch, const sst_evaluation_observer *observers,
                             int count) {
  for (int i = 0; i < count; i++) { SST_TRY(observers[i].look(observers[i].user, graph, batch)); }
  return SST_OK;
}

static sst_status evaluate(sst_evaluator *evaluator, sst_loader *loader, ssti_batch_feed *feed,
                           const sst_evaluation_observer *observers, int observer_count, sst_evaluation *out) {
  memset(evaluator->totals, 0, (size_t)evaluator->layer_count * sizeof *evaluator->totals);
  int64_t correct = 0;
  double loss_sum = 0;
  int64_t classes = sst_graph_shape(evaluator->graph, evaluator->logits).dim[SST_AXIS_C];
  sst_batch batch;
  sst_loader_start(loader, 0, 0);
  while (sst_loader_next(loader, &batch)) {
    if (sst_context_stop_requested(evaluator->context)) {
      SST_FAIL(evaluator->context, SST_INTERRUPTED, "evaluation was stopped after %lld pictures",
               (long long)out->count);
    }
    ssti_batch_feed_give(feed, &batch);
    sst_graph_forward(evaluator->graph, NULL);
    SST_TRY(sst_graph_wait(evaluator->graph));
    correct +=
        ssti_count_correct(sst_graph_data(evaluator->graph, evaluator->logits), batch.labels, batch.count, classes);
    SST_TRY(add_losses(evaluator, batch.count, &loss_sum));
    count_spikes(evaluator, batch.count);
    SST_TRY(show_batch(evaluator->graph, &batch, observers, observer_count));
    out->count += batch.count;
  }
  SST_TRY(sst_loader_status(loader));
  summarise(evaluator, correct, loss_sum, out);
  return SST_OK;
}

sst_status sst_evaluate(sst_evaluator *evaluator, sst_loader *loader, sst_evaluation *out) {
  return sst_evaluate_observed(evaluator, loader, NULL, 0, out);
}

sst_status sst_evaluate_observed(sst_evaluator *evaluator, sst_loader *loader, const sst_evaluation_observer *observers,
                                 int observer_count, sst_evaluation *out) {
  ssti_batch_feed feed;
  *out = (sst_evaluation){0};
  sst_status status = ssti_batch_feed_open(evaluator->context, evaluator->graph, evaluator->input, evaluator->target,
                                           loader, observer_count > 0, &feed);
  if (status == SST_OK) { status = evaluate(evaluator, loader, &feed, observers, observer_count, out); }
  ssti_batch_feed_close(&feed);
  return status;
}
