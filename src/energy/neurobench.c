// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "energy/energy_model.h"

sst_neurobench sst_neurobench_measure(const sst_cost_record *record) {
  sst_neurobench m = {0};
  double outputs = 0, spikes = 0, weights = 0, zeros = 0;
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    *(l->binary_input ? &m.effective_acs : &m.effective_macs) += l->effective_operations;
    m.dense_operations += l->dense_operations * (double)l->timesteps;
    m.membrane_updates += l->membrane_updates;
    m.footprint_bytes += (double)l->weights * l->weight_bits / 8;
    weights += (double)l->weights;
    zeros += (double)l->zero_weights;
    if (l->neurons) {
      outputs += l->membrane_updates; // a neuron at a step
      spikes += l->spikes_out;
    }
  }
  m.activation_sparsity = outputs > 0 ? 1 - spikes / outputs : (double)NAN;
  m.connection_sparsity = weights > 0 ? zeros / weights : (double)NAN;
  return m;
}

sst_spike_density sst_spike_density_measure(const sst_cost_record *record) {
  double events = 0, synapses = 0, spikes = 0, chances = 0;
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    if (l->spiking_input) {
      events += l->nonzero_inputs / ssti_cost_inputs(l) * l->dense_operations;
      synapses += l->dense_operations;
    }
    if (l->neurons) {
      spikes += l->spikes_out;
      chances += ssti_cost_outputs(l) * (double)record->timesteps;
    }
  }
  return (sst_spike_density){synapses > 0 ? events / synapses : (double)NAN,
                             chances > 0 ? spikes / chances : (double)NAN};
}

static const sst_break_even BREAK_EVENS[] = {
    {0.15, 1.38, false, "Dampfhoffer et al., IEEE TETCI 2023, depending on memories and data flow"},
    {1.72, 1.72, false, "Davidson & Furber 2021"},
    {0.064, 0.064, true, "arXiv 2409.08290 v3, T of 5 to 10"},
};

int sst_break_even_count(void) { return (int)(sizeof BREAK_EVENS / sizeof *BREAK_EVENS); }

const sst_break_even *sst_break_even_get(int index) {
  return index >= 0 && index < sst_break_even_count() ? &BREAK_EVENS[index] : NULL;
}
