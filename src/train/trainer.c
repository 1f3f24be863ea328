// SPDX-License-Identifier: Apache-2.0
// One epoch of training over a compiled loss graph. On CPUs a step is done, looked at and only then the next one
// begins; a device beside the host is kept some steps ahead of what the host has looked at.
#include <math.h>

#include "base/clock.h"
#include "base/fail.h"
#include "graph/graph_internal.h"
#include "spikestill/train.h"
#include "train/accuracy.h"
#include "train/batch_feed.h"
#include "train/given_steps.h"
#include "train/step_results.h"

void sst_training_next_epoch(sst_training_position *position) {
  *position = (sst_training_position){.epoch = position->epoch + 1, .step = position->step};
}

static sst_status explain_not_finite(sst_context *context, const sst_training *training,
                                     const sst_training_position *position, const sst_run_options *options) {
  const char *name = sst_graph_first_not_finite(training->graph, options);
  SST_FAIL(context, SST_NOT_FINITE, "the loss is not finite in epoch %lld, batch %lld; the first value that is not: %s",
           (long long)position->epoch + 1, (long long)position->batch + 1, name ? name : "the loss itself");
}

// One epoch's training beside the host, but for the feed, which CPUs have too.
typedef struct training_beside {
  ssti_batch_feed feed;
  ssti_step_results results;
  ssti_given_steps steps;
} training_beside;

// The schedule at the middle of the step: neither the first step of a warm-up nor the last of a cosine is lost.
static double rate_factor(const sst_training *training, const sst_training_position *position, int64_t batch,
                          int64_t batches) {
  const double progress = (double)position->epoch + ((double)batch + 0.5) / (double)batches;
  return sst_schedule_factor(&training->schedule, progress, (double)training->epochs);
}

// Adds a finished step to the position.
static sst_status account(sst_context *context, const sst_training *training, const ssti_step_result *result,
                          sst_training_position *position) {
  const int64_t classes = sst_graph_shape(training->graph, training->logits).dim[SST_AXIS_C];
  const double loss = (double)*result->loss;
  if (!isfinite(loss)) {
    const sst_run_options options = {.training = true, .seed = training->seed, .step = (uint64_t)position->step};
    return explain_not_finite(context, training, position, &options);
  }
  position->correct += ssti_count_correct(result->logits, result->labels, result->count, classes);
  position->seen += result->count;
  position->loss_sum += loss;
  for (int i = 0; i < training->part_count; i++) { position->part_sum[i] += (double)*result->parts[i]; }
  position->batch++;
  position->step++;
  return SST_OK;
}

static sst_status train_batch(sst_context *context, const sst_training *training, const sst_batch *batch,
                              int64_t batches, ssti_batch_feed *feed, sst_training_position *position) {
  sst_graph *graph = training->graph;
  const sst_run_options options = {.training = true, .seed = training->seed, .step = (uint64_t)position->step};
  ssti_batch_feed_give(feed, batch);
  // A batch that is not full has rows of no sample.
  const bool full = batch->count == sst_graph_shape(graph, training->logits).dim[SST_AXIS_N];
  if (training->recall != NULL && full) { sst_graph_recall(graph, training->recall, batch->samples); }
  sst_graph_forward(graph, &options);
  const ssti_step_result result = ssti_step_result_now(training, batch);
  if (!isfinite(*result.loss)) { return explain_not_finite(context, training, position, &options); }
  sst_graph_backward(graph);
  const double factor = rate_factor(training, position, position->batch, batches);
  for (int i = 0; i < training->optimizer_count; i++) {
    if (isfinite(sst_optimizer_step(training->optimizers[i], factor))) { continue; }
    SST_FAIL(context, SST_NOT_FINITE, "the gradient's norm is not finite in epoch %lld, batch %lld",
             (long long)position->epoch + 1, (long long)position->batch + 1);
  }
  return account(context, training, &result, position);
}

// Takes finished steps until no more than `most` are outstanding.
static sst_status catch_up(sst_context *context, const sst_training *training, training_beside *beside, int64_t most,
                           sst_training_position *position) {
  while (ssti_step_results_outstanding(&beside->results) > most) {
    const ssti_step_result result = ssti_step_results_take(&beside->results);
    SST_TRY(sst_graph_status(training->graph)); // a device that failed leaves no results
    SST_TRY(account(context, training, &result, position));
  }
  return SST_OK;
}

// Gives the device one more step.
static sst_status train_batch_beside(sst_context *context, const sst_training *training, const sst_batch *batch,
                                     int64_t batches, training_beside *beside, sst_training_position *position) {
  SST_TRY(catch_up(context, training, beside, SSTI_STEPS_AHEAD - 1, position));
  const int64_t ahead = ssti_step_results_outstanding(&beside->results);
  const sst_run_options options = {
      .training = true, .seed = training->seed, .step = (uint64_t)(position->step + ahead)};
  const double factor = rate_factor(training, position, position->batch + ahead, batches);
  ssti_batch_feed_give(&beside->feed, batch);
  SST_TRY(ssti_give_step(&beside->steps, &options, factor));
  ssti_step_results_ask(&beside->results, batch);
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

static sst_status train_batches(sst_context *context, const sst_training *training, training_beside *beside,
                                sst_training_position *position, sst_progress_function *progress, void *user) {
  const int64_t batches = sst_loader_batches(training->loader);
  const double start = ssti_clock_seconds();
  const int64_t seen_before = position->seen;
  sst_batch batch;
  sst_loader_start(training->loader, position->epoch, position->batch);
  while (sst_loader_next(training->loader, &batch)) {
    if (sst_context_stop_requested(context)) {
      SST_TRY(catch_up(context, training, beside, 0, position));
      SST_FAIL(context, SST_INTERRUPTED, "stopped in epoch %lld after %lld of %lld batches",
               (long long)position->epoch + 1, (long long)position->batch, (long long)batches);
    }
    SST_TRY(beside->results.backend != NULL ? train_batch_beside(context, training, &batch, batches, beside, position)
                                            : train_batch(context, training, &batch, batches, &beside->feed, position));
    if (progress && position->batch > 0) {
      const double seconds = ssti_clock_seconds() - start;
      report(training, position, batches, seconds > 0 ? (double)(position->seen - seen_before) / seconds : 0, progress,
             user);
    }
  }
  SST_TRY(catch_up(context, training, beside, 0, position));
  return sst_loader_status(training->loader);
}

sst_status sst_train_epoch(sst_context *context, const sst_training *training, sst_training_position *position,
                           sst_progress_function *progress, void *user) {
  ssti_backend *backend = training->graph->backend;
  training_beside beside = {.steps = {.graph = training->graph,
                                      .optimizers = training->optimizers,
                                      .optimizer_count = training->optimizer_count,
                                      .records = !training->step_by_step}};
  sst_status status = SST_OK;
  if (backend->beside != NULL) { status = ssti_step_results_open(context, training, &beside.results); }
  if (status == SST_OK) {
    status = ssti_batch_feed_open(context, training->graph, training->input, training->target, training->loader, false,
                                  &beside.feed);
  }
  if (status == SST_OK) { status = train_batches(context, training, &beside, position, progress, user); }
  if (backend->beside == NULL) { return status; }
  // The host is about to read parameters, for a checkpoint say.
  const sst_status end = sst_graph_wait(training->graph);
  ssti_batch_feed_close(&beside.feed);
  ssti_given_steps_end(&beside.steps);
  ssti_step_results_close(&beside.results);
  return status != SST_OK ? status : end;
}
