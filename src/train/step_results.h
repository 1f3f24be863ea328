// SPDX-License-Identifier: Apache-2.0
// The numbers that a training step leaves for the host: the loss and its parts, and the logits for the accuracy. A
// device beside the host hands them over while it works on the next steps, a few steps late: nobody waits for it within
// an epoch.
#ifndef SPIKESTILL_TRAIN_STEP_RESULTS_H
#define SPIKESTILL_TRAIN_STEP_RESULTS_H

#include "backend/backend.h"
#include "spikestill/train.h"

typedef struct ssti_step_result {
  const float *loss, *logits;
  const float *parts[SST_MAX_LOSS_PARTS];
  const int32_t *labels;
  int64_t count; // samples that are real
} ssti_step_result;

enum { SSTI_STEPS_AHEAD = 4 }; // given to a device before the first of them is asked for

typedef struct ssti_step_results {
  sst_context *context;
  const sst_training *training;
  ssti_backend *backend;
  size_t logit_count;
  int64_t label_count;
  ssti_passage *passage; // of SSTI_STEPS_AHEAD places: loss, parts, logits
  int32_t *labels;       // [SSTI_STEPS_AHEAD, label_count]
  int64_t counts[SSTI_STEPS_AHEAD];
  int64_t asked, taken; // steps
} ssti_step_results;

// For a graph on a device beside the host. Errors: OUT_OF_MEMORY.
sst_status ssti_step_results_open(sst_context *context, const sst_training *training, ssti_step_results *out);
void ssti_step_results_close(ssti_step_results *results); // also of one that was never opened, all zeros

// The results of a graph whose work is done.
ssti_step_result ssti_step_result_now(const sst_training *training, const sst_batch *batch);

// Asks for those of the step given last. No more than SSTI_STEPS_AHEAD may be outstanding.
void ssti_step_results_ask(ssti_step_results *results, const sst_batch *batch);
static inline int64_t ssti_step_results_outstanding(const ssti_step_results *results) {
  return results->asked - results->taken;
}
// Those of the oldest outstanding step, after waiting for it; borrowed until the next ask.
ssti_step_result ssti_step_results_take(ssti_step_results *results);

#endif
