// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>

#include "energy/energy_model.h"

sst_status sst_cost_record_create(sst_context *context, int layer_count, int64_t timesteps, sst_cost_record **out) {
  *out = NULL;
  if (layer_count < 1 || layer_count > SST_MAX_COST_LAYERS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a cost record of %d layers, expected 1 to %d", layer_count,
             (int)SST_MAX_COST_LAYERS);
  }
  if (timesteps < 1 || timesteps > SST_MAX_COST_STEPS) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "a cost record of %lld steps, expected 1 to %d", (long long)timesteps,
             (int)SST_MAX_COST_STEPS);
  }
  sst_cost_record *record = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *record, &record));
  record->context = context;
  record->layer_count = layer_count;
  record->timesteps = timesteps;
  size_t layers = (size_t)layer_count, steps = (size_t)timesteps;
  sst_status status = ssti_allocate(context, layers, sizeof *record->layers, &record->layers);
  if (status == SST_OK) {
    status = ssti_allocate(context, layers * steps, sizeof *record->step_inputs, &record->step_inputs);
  }
  if (status != SST_OK) {
    sst_cost_record_destroy(record);
    return status;
  }
  *out = record;
  return SST_OK;
}

void sst_cost_record_destroy(sst_cost_record *record) {
  if (record == NULL) { return; }
  ssti_free(record->context, record->layers);
  ssti_free(record->context, record->step_inputs);
  ssti_free(record->context, record);
}

double ssti_cost_macs(const sst_cost_layer *l) {
  return (double)l->in_channels / (double)l->groups * (double)l->out_channels *
         (double)(l->kernel_height * l->kernel_width) * (double)(l->out_height * l->out_width);
}

double ssti_cost_inputs(const sst_cost_layer *l) {
  return (double)l->in_channels * (double)l->in_height * (double)l->in_width;
}

double ssti_cost_outputs(const sst_cost_layer *l) {
  return (double)l->out_channels * (double)l->out_height * (double)l->out_width;
}

double ssti_cost_rate(const sst_cost_layer *l) {
  return l->nonzero_inputs / (ssti_cost_inputs(l) * (double)l->timesteps);
}

int sst_matched_bits(int64_t timesteps) {
  int bits = 1;
  while (bits < 62 && ((int64_t)1 << bits) < timesteps + 1) { bits++; }
  return bits;
}

sst_status sst_cost_record_as_ann(const sst_cost_record *record, int bits, sst_cost_record **out) {
  *out = NULL;
  sst_cost_record *ann = NULL;
  SST_TRY(sst_cost_record_create(record->context, record->layer_count, 1, &ann));
  snprintf(ann->network, sizeof ann->network, "%s", record->network);
  snprintf(ann->data, sizeof ann->data, "%s", record->data);
  ann->samples = record->samples;
  for (int i = 0; i < record->layer_count; i++) {
    sst_cost_layer *layer = &ann->layers[i];
    *layer = record->layers[i];
    layer->timesteps = 1;
    layer->spiking_input = layer->binary_input = layer->neurons = layer->leak = false;
    layer->input_bits = layer->weight_bits = layer->membrane_bits = bits;
    layer->nonzero_inputs = ann->step_inputs[i] = ssti_cost_inputs(layer);
    layer->nonzero_inputs_deviation = 0;
    layer->spikes_out = 0;
    layer->zero_weights = 0;
    layer->effective_operations = layer->dense_operations;
    layer->membrane_updates = 0;
    layer->crossbar_patches = layer->crossbar_rows = layer->crossbar_sites = (double)NAN;
  }
  *out = ann;
  return SST_OK;
}
