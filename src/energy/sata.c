// SPDX-License-Identifier: Apache-2.0
// sata: a systolic array for spiking networks, with its memories (Yin et al., TCAD 2022).
//
// Per layer with b = b_w bits, kernel taps R^2, sp the share of inputs that do not spike, T the times it runs:
//
//     N_mac  = (1-sp) * Cin*R^2 * Cout*E^2 * T             at E_mac = accumulate + AND  (an ANN's: see below)
//     N_lif  = Cout*E^2 * T                                at E_lif = add + compare + 2 mux + 3 register + shift
//     N_dram = Cout*Cin*R^2 + (Cout*E^2 + Cin*H^2/b) * T   words of b bits
//     N_glb  = 2*N_dram,  N_spad = 2*(Cout*Cin*R^2 + T*Cin*H^2/b)
//     e(b)   = e(16) * b/16 for every constant
//
// An input that is not spikes makes MACs of multiply + accumulate (0.2779, the source's ANN MAC), and words of
// its own bits. The source gives its energies relative to each other; reading them as picojoules is our inference, so
// compare within the model only. Grouped convolutions: Cin/groups.
#include "energy/energy_model.h"

static sst_status estimate(const sst_cost_record *record, const sst_technology *t, sst_energy *out) {
  double e_lif = t->sata_add + t->sata_compare + 2 * t->sata_mux + 3 * t->sata_register + t->sata_shift;
  double e_spike = t->sata_accumulate + t->sata_and;
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    double T = (double)l->timesteps, bits = l->weight_bits, scale = bits / (double)t->sata_bits;
    double weights = (double)l->in_channels / (double)l->groups * (double)l->out_channels *
                     (double)(l->kernel_height * l->kernel_width);
    double outputs = ssti_cost_outputs(l), input_words = ssti_cost_inputs(l) * l->input_bits / bits;
    double dram = weights + (outputs + input_words) * T, scratchpad = 2 * (weights + T * input_words);
    double *part = out->layers[i].part_pj;
    part[SST_ENERGY_PART_COMPUTE] = ssti_cost_rate(l) * ssti_cost_macs(l) * T * scale *
                                    (l->spiking_input ? e_spike : t->sata_multiply + t->sata_accumulate);
    part[SST_ENERGY_PART_NEURON] = l->neurons ? outputs * T * scale * e_lif : 0;
    part[SST_ENERGY_PART_MEMORY] =
        scale * (dram * t->sata_dram + 2 * dram * t->sata_sram + scratchpad * t->sata_scratchpad);
  }
  return SST_OK;
}

const ssti_energy_model ssti_energy_SATA = {
    .formula =
        "Spikes * accumulate-and-AND, neurons * (add, compare, two selections, three registers, shift), and words "
        "moved "
        "between DRAM, global buffer and scratchpads, each scaled with the bits of the weights (Yin et al., TCAD "
        "2022). The source's unit is relative; read as pJ. Left out: control, leakage.",
    .estimate = estimate,
};
