// SPDX-License-Identifier: Apache-2.0
// The last look at a trained network: one pass over its test data for all that is measured on them.
#ifndef SPIKESTILL_RUN_EXAMINE_H
#define SPIKESTILL_RUN_EXAMINE_H

#include "run/activity.h"
#include "run/mistakes.h"

typedef struct ssti_examination {
  sst_evaluator *evaluator; // owns the evaluation's layers
  sst_evaluation evaluation;
  sst_cost_record *costs;
  json_t *mistakes, *activity; // mistakes.h, activity.h
} ssti_examination;

// Evaluates the recipe's network over the loader's data, with observers that count costs, look for mistakes and watch
// its activity. To be closed after a failure too. Errors: as sst_evaluate, UNSUPPORTED (no layer with weights).
sst_status ssti_examine(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters, sst_loader *loader,
                        int64_t samples, ssti_examination *out);
void ssti_examination_close(ssti_examination *examination);

#endif
