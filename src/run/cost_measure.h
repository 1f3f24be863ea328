// SPDX-License-Identifier: Apache-2.0
// sst_network_measure_costs for a network that is still a recipe and its parameters.
#ifndef SPIKESTILL_RUN_COST_MEASURE_H
#define SPIKESTILL_RUN_COST_MEASURE_H

#include "run/foreign.h"
#include "spikestill/run.h"

sst_status ssti_measure_costs(sst_context *context, const sst_recipe *recipe, sst_parameters *parameters,
                              const ssti_foreign *foreign, const sst_cost_options *options, double *accuracy,
                              sst_cost_record **out);

#endif
