// SPDX-License-Identifier: Apache-2.0
// Training and evaluation over graphs. Knows no method, no network and no file: it drives a compiled loss graph.
#ifndef SPIKESTILL_TRAIN_H
#define SPIKESTILL_TRAIN_H

#include "spikestill/data.h"
#include "spikestill/graph.h"
#include "spikestill/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a neuron layer did, averaged over the pictures of an evaluation.
typedef struct sst_layer_activity {
  const char *name;            // the tap of its spikes; borrowed from the evaluator
  double spikes_per_inference; // over all T steps
  double firing_rate;          // spikes / (neurons * T), 0..1
  int64_t neurons;             // of one picture
} sst_layer_activity;

typedef struct sst_evaluation {
  int64_t count;               // pictures
  double accuracy;             // 0..1, top-1; of equal logits the first counts
  double loss;                 // mean cross-entropy of the logits
  double spikes_per_inference; // sum over the layers
  int layer_count;
  const sst_layer_activity *layers; // borrowed from the evaluator until its next evaluation
} sst_evaluation;

typedef struct sst_evaluator sst_evaluator;

// Makes an evaluator of a network that was built, not yet compiled, in `graph`, which is transferred to it (on failure
// too: it is destroyed). Spikes are counted at every tap that is the output of a firing neuron layer.
// input [.,N,H,W,C], target [1,N,1,1,classes], logits [1,N,1,1,classes]. Errors: as sst_graph_compile.
SST_MUST_CHECK SST_API sst_status sst_evaluator_create(sst_context *context, sst_graph *graph, sst_value input,
                                                       sst_value target, sst_value logits, sst_evaluator **out);
SST_API void sst_evaluator_destroy(sst_evaluator *evaluator);
// The compiled graph, for its numbers. Borrowed.
SST_API sst_graph *sst_evaluator_graph(sst_evaluator *evaluator);
// Runs over all batches of the loader. Spikes are counted exactly (whole numbers).
// Errors: INTERRUPTED if a stop was requested, NOT_FINITE with the layer's name.
SST_MUST_CHECK SST_API sst_status sst_evaluate(sst_evaluator *evaluator, sst_loader *loader, sst_evaluation *out);

// Looks on while an evaluation runs: called after the forward pass of each batch, in the loader's order, when the
// logits and every value are there that was kept before sst_evaluator_create. A failure ends the evaluation.
typedef struct sst_evaluation_observer {
  sst_status (*look)(void *user, sst_graph *graph, const sst_batch *batch);
  void *user;
} sst_evaluation_observer;
// sst_evaluate with observers, which are called in their order. Errors: those too of the observers.
SST_MUST_CHECK SST_API sst_status sst_evaluate_observed(sst_evaluator *evaluator, sst_loader *loader,
                                                        const sst_evaluation_observer *observers, int observer_count,
                                                        sst_evaluation *out);

enum { SST_MAX_LOSS_PARTS = 24, SST_MAX_OPTIMIZERS = 4 };

// Where a training run stands, all that a checkpoint needs besides parameters and optimiser state.
typedef struct sst_training_position {
  int64_t epoch;                       // epochs finished
  int64_t batch;                       // batches finished in the epoch under way
  int64_t step;                        // optimiser steps in all
  int64_t seen;                        // pictures seen in the epoch under way
  int64_t correct;                     // of those, classified correctly while training
  double loss_sum;                     // of the batches' losses in the epoch under way
  double part_sum[SST_MAX_LOSS_PARTS]; // the same for each part of the loss
} sst_training_position;

// What a training step needs. Everything is borrowed.
typedef struct sst_training {
  sst_graph *graph; // compiled with `loss`; `logits` and the parts kept
  sst_value input, target, loss, logits;
  int part_count; // parts of the loss that are recorded: cross-entropy and terms, without their weights
  sst_value parts[SST_MAX_LOSS_PARTS];
  // One for each parameter store that learns, the student's first. All step after each batch, by one schedule.
  sst_optimizer *optimizers[SST_MAX_OPTIMIZERS];
  int optimizer_count;
  sst_schedule schedule;
  sst_loader *loader;
  int64_t epochs;
  uint64_t seed;      // of dropout
  sst_recall *recall; // of what is settled in the graph; NULL: computed in every step
  bool step_by_step;  // on a device beside the host: give it each kernel of each step, rather than steps written down
                      // once
} sst_training;

typedef struct sst_progress {
  int64_t epoch, epochs;     // epoch under way counts from 0
  int64_t batch, batches;    // finished ones of the epoch
  double loss, accuracy;     // of the epoch so far
  double samples_per_second; // of this call so far
  double samples_per_batch;
} sst_progress;
typedef void sst_progress_function(void *user, const sst_progress *progress);

// Runs the epoch under way to its end, from position->batch. On success position->batch stays at the number of batches
// and the sums are those of the whole epoch: the caller reads them and then calls sst_training_next_epoch. Errors:
// INTERRUPTED (position tells where; nothing is lost), NOT_FINITE (names the first layer whose value is not finite; a
// device beside the host is up to four steps further by then), UNSUPPORTED (such a device failed).
SST_MUST_CHECK SST_API sst_status sst_train_epoch(sst_context *context, const sst_training *training,
                                                  sst_training_position *position, sst_progress_function *progress,
                                                  void *user);
// Moves the position to the start of the next epoch.
SST_API void sst_training_next_epoch(sst_training_position *position);

#ifdef __cplusplus
}
#endif
#endif
