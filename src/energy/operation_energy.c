// SPDX-License-Identifier: Apache-2.0
// operations: the usual estimate of papers on spiking networks, from the energies of single operations.
//
// Source of the constants: Horowitz, ISSCC 2014 (45 nm, 0.9 V). Formula, per layer:
//
//     inputs that are not spikes:  timesteps * MACs * (E_multiply(b_w, b_in) + E_add(b))
//     spikes:                      rate * timesteps * MACs * E_add(b_w)
//
// MACs: of one step, padding included, as papers count; rate: measured share of inputs that spike. b = max(b_w, b_in):
// additions as wide as the wider operand, so that 8 bits give the table's MAC of 0.23 pJ and 32 bits (float) its 4.6.
// Our choice, where the table has no entry: integer additions linear in the bits, multiplications as the product of the
// widths up to 8 bits, through the table's two points above.
#include "energy/energy_model.h"

static sst_status estimate(const sst_cost_record *record, const sst_technology *t, sst_energy *out) {
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    double macs = ssti_cost_macs(l) * (double)l->timesteps;
    int wide = l->weight_bits > l->input_bits ? l->weight_bits : l->input_bits;
    out->layers[i].part_pj[SST_ENERGY_PART_COMPUTE] =
        l->spiking_input ? ssti_cost_rate(l) * macs * ssti_add_pj(t, l->weight_bits)
                         : macs * (ssti_multiply_pj(t, l->weight_bits, l->input_bits) + ssti_add_pj(t, wide));
  }
  return SST_OK;
}

const ssti_energy_model ssti_energy_OPERATIONS = {
    .formula =
        "E = sum over layers fed by numbers of T' * MACs * (E_multiply + E_add) + sum over layers fed by spikes of "
        "rate * T * MACs * E_add, with energies of 45 nm (Horowitz, ISSCC 2014); T' is 1 for the direct-coded "
        "first layer. Left out: memory, membrane updates, addressing, control, leakage.",
    .estimate = estimate,
};
