// SPDX-License-Identifier: Apache-2.0
// What makes a cost record of an evaluation under way.
#ifndef SPIKESTILL_RUN_COST_MEASURE_H
#define SPIKESTILL_RUN_COST_MEASURE_H

#include "spikestill/run.h"

typedef struct ssti_cost_meter ssti_cost_meter;

// For a graph that is built and not compiled (ssti_build_evaluation), of which it keeps what will be counted; at most
// `samples` pictures, and crossbars of so many rows (0: none). The graph must outlive its last look.
// Errors: UNSUPPORTED (no layer with weights).
sst_status ssti_cost_meter_open(sst_graph *graph, const sst_recipe *recipe, int64_t samples, int64_t crossbar,
                                ssti_cost_meter **out);
// An observer's look (train.h).
sst_status ssti_cost_meter_look(void *meter, sst_graph *graph, const sst_batch *batch);
// The record of all that was looked at in that evaluation, once; owned by the caller (sst_cost_record_destroy).
sst_cost_record *ssti_cost_meter_take(ssti_cost_meter *meter, const sst_evaluation *evaluation, const char *network,
                                      const char *data);
void ssti_cost_meter_close(ssti_cost_meter *meter); // NULL is allowed

#endif
