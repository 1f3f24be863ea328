// SPDX-License-Identifier: Apache-2.0
// One epoch of training over a compiled loss graph.
#include <math.h>

#include "base/clock.h"
#include "base/fail.h"
#include "spikestill/train.h"
#include "train/accuracy.h"

void sst_training_next_epoch(sst_training_position *position) {
  *position = (sst_training_position){.epoch = position->epoch + 1, .step = position->step};
}

static sst_status explain_not_finite(sst_context *context, const sst_training *training,
                                     const sst_training_position *position, const sst_run_options *options) {
  const char *name = sst_graph_first_not_finite(training->graph, options);
  SST_FAIL(context, SST_NOT_FINITE,
           "the loss is not finite in epoch %lld, batch %lld; the first value that is not: %s",
           (long long)position->epoch + 1, (long long)position->batch + 1, name ? name : "the loss itself");
}

static sst_status train_batch(sst_context *context, const sst_training *training, const sst_batch *batch,
                              int64_t batches, sst_training_position *position) {
  sst_graph *graph = training->graph;
  sst_run_options options = {.training = true, .seed = training->seed, .step = (uint64_t)position->step};
  sst_graph_bind(graph, training->input, batch->input);
  sst_graph_bind(graph, training->target, batch->target);
  sst_graph_forward(graph, &options);
  double loss = (double)*sst_graph_data(graph, training->loss);
  if (!isfinite(loss)) { return explain_not_finite(context, training, position, &options); }
  sst_graph_backward(graph);
  // The schedule at the middle of the step: neither the first step of a warm-up nor the last of a cosine is lost.
  double progress = (double)position->epoch + ((double)position->batch + 0.5) / (double)batches;
  double factor = sst_schedule_factor(&training->schedule, progress, (double)training->epochs);
  for (int i = 0; i < training->optimizer_count; i++) {
    if (isfinite(sst_optimizer_step(training->optimizers[i], factor))) { continue; }
    SST_FAIL(context, SST_NOT_FINITE, "the gradient's norm is not finite in epoch %lld, batch %lld",
             (long long)position->epoch + 1, (long long)position->batch + 1);
  }
  int64_t classes = sst_graph_shape(graph, training->logits).dim[SST_AXIS_C];
  position->correct += ssti_count_correct(sst_graph_data(graph, training->logits), batch->labels, batch->count, classes);
  position->seen += batch->count;
  position->loss_sum += loss;
  for (int i = 0; i < training->part_count; i++) {
    position->part_sum[i] += (double)*sst_graph_data(graph, training->parts[i]);
  }
  position->batch++;
  position->step++;
  return SST_OK;
}

static void report(const sst_training *training, const sst_training_position *position, int64_t batches, double rate,
                   sst_progress_function *progress, void *user) {
  sst_progress p = {.epoch = position->epoch,
                    .epochs = training->epochs,
                    .batch = position->batch,
                    .batches = batches,
                    .loss = position->loss_sum / (double)position->batch,
                    .accuracy = (double)position->correct / (double)position->seen,
                    .samples_per_second = rate,
                    .samples_per_batch = (double)position->seen / (double)position->batch};
  progress(user, &p);
}

sst_status sst_train_epoch(sst_context *context, const sst_training *training, sst_training_position *position,
                           sst_progress_function *progress, void *user) {
  int64_t batches = sst_loader_batches(training->loader);
  double start = ssti_clock_seconds();
  int64_t seen_before = position->seen;
  sst_batch batch;
  sst_loader_start(training->loader, position->epoch, position->batch);
  while (sst_loader_next(training->loader, &batch)) {
    if (sst_context_stop_requested(context)) {
      SST_FAIL(context, SST_INTERRUPTED, "stopped in epoch %lld after %lld of %lld batches",
               (long long)position->epoch + 1, (long long)position->batch, (long long)batches);
    }
    SST_TRY(train_batch(context, training, &batch, batches, position));
    if (progress) {
      double seconds = ssti_clock_seconds() - start;
      report(training, position, batches, seconds > 0 ? (double)(position->seen - seen_before) / seconds : 0,
             progress, user);
    }
  }
  return sst_loader_status(training->loader);
}
