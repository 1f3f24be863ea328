// SPDX-License-Identifier: Apache-2.0
// lemaire: an analytical model with memory accesses and addressing (Lemaire et al. 2022, arXiv 2210.13107).
//
// th_in, th_out: spikes entering and leaving over all steps, S the stride, N @ m: N accesses to a memory of m words.
//
//   spiking convolution
//     memory: th_in @ fifo, th_in*Cout*kh*kw @ weights, T*Cout*Ho*Wo @ bias (if there is one), th_out @ fifo,
//             potentials twice (read, write): th_in*Cout*kh*kw + T*Cout*Ho*Wo @ Cout*Ho*Wo
//     MAC = T*Cout*Ho*Wo with leak, else 0;  ACC = th_in*ceil(kh/S)*ceil(kw/S)*Cout + T*Cout*Ho*Wo + th_out
//     addresses: MAC 2*th_in, ACC th_in*kh*kw*Cout
//   spiking linear: the same with kh = kw = Ho = Wo = 1, Cout = Nout, and no address MACs
//   fed by numbers: computed once (not T times), inputs = weights = MACs reads, bias = outputs = Cout*Ho*Wo;
//     MAC as usual, ACC Cout*Ho*Wo; addresses: ACC Cin*Hi*Wi + Cout*Ho*Wo + Cout*kh*kw
//   energy of operations = MAC * (E_multiply + E_add) + ACC * E_add, as integers: of 8 bits up to 8-bit weights, else
//   of 32 energy of an access of b bits to a memory of m words: 1.09e-5 * m * b + 13.2 pJ
//
// Our choices: float counts as 32-bit integers, which the model's source takes too; the fifo's length is a setting; a
// grouped convolution reaches Cout/groups outputs from a spike; an element of a fifo has the bits of the input;
// addresses are 32-bit.
#include <math.h>

#include "energy/energy_model.h"

typedef struct counts {
  double mac, acc, address_mac, address_acc;
  double fifo, inputs, weight_reads, bias_reads, potentials, outputs; // accesses
} counts;

static double ceil_div(double a, double b) { return ceil(a / b); }

static counts spiking_counts(const sst_cost_layer *l) {
  double th_in = l->nonzero_inputs, outputs = (double)l->timesteps * ssti_cost_outputs(l);
  double reached = (double)l->out_channels / (double)l->groups;
  double taps = (double)(l->kernel_height * l->kernel_width);
  double hits = ceil_div((double)l->kernel_height, (double)l->stride_height) *
                ceil_div((double)l->kernel_width, (double)l->stride_width);
  return (counts){
      .mac = l->leak ? outputs : 0,
      .acc = th_in * hits * reached + outputs + l->spikes_out,
      .address_mac = l->kind == SST_COST_CONV ? 2 * th_in : 0,
      .address_acc = th_in * taps * reached,
      .fifo = th_in + l->spikes_out,
      .weight_reads = th_in * taps * reached,
      .bias_reads = l->bias ? outputs : 0,
      .potentials = 2 * (th_in * taps * reached + outputs),
  };
}

static counts number_counts(const sst_cost_layer *l) {
  double macs = ssti_cost_macs(l), outputs = ssti_cost_outputs(l);
  return (counts){
      .mac = macs,
      .acc = outputs,
      .address_acc =
          ssti_cost_inputs(l) + outputs + (double)l->out_channels * (double)(l->kernel_height * l->kernel_width),
      .inputs = macs,
      .weight_reads = macs,
      .outputs = outputs,
      .bias_reads = l->bias ? outputs : 0,
  };
}

static double access_pj(const sst_technology *t, double words, int bits) {
  return t->ram_bit_pj * words * bits + t->ram_access_pj;
}

static sst_status estimate(const sst_cost_record *record, const sst_technology *t, sst_energy *out) {
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    counts c = l->spiking_input ? spiking_counts(l) : number_counts(l);
    bool narrow = l->weight_bits <= 8;
    double add = narrow ? t->int8_add_pj : t->int32_add_pj,
           multiply = narrow ? t->int8_multiply_pj : t->int32_multiply_pj;
    double weights = (double)l->in_channels / (double)l->groups * (double)l->out_channels *
                     (double)(l->kernel_height * l->kernel_width);
    double *part = out->layers[i].part_pj;
    part[SST_ENERGY_PART_COMPUTE] = c.mac * (multiply + add) + c.acc * add;
    part[SST_ENERGY_PART_CONTROL] =
        c.address_mac * (t->int32_multiply_pj + t->int32_add_pj) + c.address_acc * t->int32_add_pj;
    part[SST_ENERGY_PART_MEMORY] = c.fifo * access_pj(t, (double)t->fifo_words, l->input_bits) +
                                   c.inputs * access_pj(t, ssti_cost_inputs(l), l->input_bits) +
                                   c.weight_reads * access_pj(t, weights, l->weight_bits) +
                                   c.bias_reads * access_pj(t, (double)l->out_channels, l->weight_bits) +
                                   c.potentials * access_pj(t, ssti_cost_outputs(l), l->membrane_bits) +
                                   c.outputs * access_pj(t, ssti_cost_outputs(l), l->input_bits);
  }
  return SST_OK;
}

const ssti_energy_model ssti_energy_LEMAIRE = {
    .formula =
        "Multiply-accumulates, accumulations and address computations as integers, and every access to weights, "
        "biases, "
        "potentials and spike queues at 1.09e-5 pJ per bit of the memory plus 13.2 pJ (Lemaire et al. 2022, arXiv "
        "2210.13107); a layer fed by numbers counts one step. Left out: control, leakage, latency.",
    .estimate = estimate,
};
