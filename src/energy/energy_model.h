// SPDX-License-Identifier: Apache-2.0
// What an energy model is, and what its files share.
#ifndef SPIKESTILL_ENERGY_ENERGY_MODEL_H
#define SPIKESTILL_ENERGY_ENERGY_MODEL_H

#include "base/memory.h"
#include "energy/technology.h"
#include "spikestill/energy.h"

typedef struct ssti_energy_model {
  const char *formula; // in words, with sources and what is left out
  // Fills part_pj and latency_ns of each layer, and of `out` what the whole has: area_um2, tiles, latency_ns (NAN
  // where the model has none) and, if the model's differ from the record's, operations.
  sst_status (*estimate)(const sst_cost_record *record, const sst_technology *technology, sst_energy *out);
} ssti_energy_model;

#define SSTI_ENERGY_MODEL_DECLARE(name, word, text) extern const ssti_energy_model ssti_energy_##name;
SST_ENERGY_MODEL_LIST(SSTI_ENERGY_MODEL_DECLARE)
#undef SSTI_ENERGY_MODEL_DECLARE

// Multiply-accumulates of one step if no input and no padding were zero: Cin/groups * Cout * kh * kw * Ho * Wo.
double ssti_cost_macs(const sst_cost_layer *layer);
// Number of inputs of one step, and of outputs of one step.
double ssti_cost_inputs(const sst_cost_layer *layer);
double ssti_cost_outputs(const sst_cost_layer *layer);
// Share of inputs that are not zero; above 1 where averages of many spikes enter.
double ssti_cost_rate(const sst_cost_layer *layer);

#endif
