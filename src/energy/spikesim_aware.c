// SPDX-License-Identifier: Apache-2.0
// spikesim-aware: SpikeSim's crossbars (arXiv 2210.12899, 65 nm) for the network that there is. What differs from the
// released tool, each our choice:
//
//   - a kernel size per layer, any number of layers in any order, fully connected layers (one pixel, one tap);
//   - sizes of convolutions before pooling, since that is where crossbars and neurons work;
//   - slices = ceil(b_w / b_cell) cells hold a weight, and multiply the processing elements;
//   - a layer runs as often as it is computed: ahead of the first neuron once, with its input bit by bit (b_in reads);
//   - input buffers of b_in bits (1 for spikes), membranes of every neuron layer at their own b_u bits;
//   - an rram crossbar has 0.0064 um2 * X^2; an element holds the largest kernel's taps;
//   - the ceil(Cout/X) output tiles of a layer work at the same time: Hout*Wout * ceil(Cout / ceil(Cout/X)) reads.
//
// event_mode (a record measured at this crossbar size): only what sees spikes costs. With P and Q input and output
// tiles, E_ctrl = Htree + fetch + TileBuf + n*(16*Sub + TempBuf) + n^2*(ADC+MUX):
//
//     E = slices * Q * (patches * E_ctrl + rows * crossbar/8 * P*X/Cin) + P * sites * neuron
//
// where rows count a spike once for each site and tap that see it. The last factor charges the unused rows of a
// crossbar as the dense formula does, so that the two agree where every input spikes.
#include "energy/spikesim.h"

typedef struct geometry {
  double in_tiles, out_tiles, slices, taps, sites, reads_a_step;
} geometry;

static geometry geometry_of(const sst_cost_layer *l, const sst_technology *t) {
  double X = (double)t->crossbar;
  geometry g = {
      .in_tiles = ssti_tiles_of((double)l->in_channels / (double)l->groups, X),
      .out_tiles = ssti_tiles_of((double)l->out_channels / (double)l->groups, X) * (double)l->groups,
      .slices = ssti_tiles_of(l->weight_bits, t->cell_bits),
      .taps = (double)(l->kernel_height * l->kernel_width),
      .sites = (double)(l->out_height * l->out_width),
  };
  // A real-valued input goes through the crossbar bit by bit.
  g.reads_a_step = l->spiking_input ? 1 : l->input_bits;
  return g;
}

static sst_status event_energy(const sst_cost_record *record, const sst_technology *t, const sst_cost_layer *l,
                               const geometry *g, sst_layer_energy *out) {
  if (record->crossbar != t->crossbar || isnan(l->crossbar_patches)) {
    SST_FAIL(record->context, SST_UNSUPPORTED,
             "event_mode needs spikes counted for crossbars of %lld, the record has %lld", (long long)t->crossbar,
             (long long)record->crossbar);
  }
  double n = ssti_crossbar_groups(t);
  double crossbar = t->device == SSTI_CROSSBAR_RRAM ? t->rram_crossbar_pj : t->sram_crossbar_pj;
  double patches = g->slices * g->out_tiles * l->crossbar_patches;
  double padding = g->in_tiles * (double)t->crossbar * (double)l->groups / (double)l->in_channels;
  out->part_pj[SST_ENERGY_PART_COMPUTE] = patches * n * (n * (t->adc_pj + t->mux_pj) + 16 * t->subtract_pj) +
                                          g->slices * g->out_tiles * l->crossbar_rows * padding * crossbar / 8;
  out->part_pj[SST_ENERGY_PART_MEMORY] =
      patches * (t->memory_fetch_pj + n * t->temporary_buffer_pj + t->tile_buffer_pj);
  out->part_pj[SST_ENERGY_PART_CONTROL] = patches * t->htree_pj;
  out->part_pj[SST_ENERGY_PART_NEURON] = g->in_tiles * l->crossbar_sites * t->crossbar_neuron_pj;
  return SST_OK;
}

static sst_status estimate(const sst_cost_record *record, const sst_technology *t, sst_energy *out) {
  double elements = 0, state_bits = 0, most_taps = 1, nanoseconds = t->pe_cycles * 1000 / t->clock_mhz;
  out->latency_ns = 0;
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    geometry g = geometry_of(l, t);
    double pe = g.in_tiles * g.out_tiles * g.slices, times = (double)l->timesteps * g.reads_a_step;
    if (t->event_mode && l->spiking_input) {
      SST_TRY(event_energy(record, t, l, &g, &out->layers[i]));
    } else {
      ssti_spikesim_energy(t, g.taps, pe * g.sites * times, &out->layers[i]);
    }
    elements += pe;
    most_taps = g.taps > most_taps ? g.taps : most_taps;
    state_bits += ssti_cost_inputs(l) * l->input_bits + (l->neurons ? ssti_cost_outputs(l) * l->membrane_bits : 0);
    double columns = ssti_tiles_of((double)l->out_channels, g.out_tiles);
    double share = i + 1 < record->layer_count ? t->pipelined_share : 1;
    out->layers[i].latency_ns = share * g.sites * columns * times * nanoseconds;
    out->latency_ns += out->layers[i].latency_ns;
  }
  double crossbar_um2 = t->device == SSTI_CROSSBAR_RRAM
                            ? t->crossbar_cell_um2 * (double)t->crossbar * (double)t->crossbar
                            : t->sram_crossbar_um2;
  out->tiles = ssti_tiles_of(elements, (double)t->pe_per_tile);
  out->area_um2 = out->tiles * ssti_spikesim_tile_um2(t, most_taps, crossbar_um2) + t->state_bit_um2 * state_bits;
  return SST_OK;
}

const ssti_energy_model ssti_energy_SPIKESIM_AWARE = {
    .formula =
        "SpikeSim's constants (arXiv 2210.12899, 65 nm) with the network's own kernels, bits of weights, inputs and "
        "membranes, fully connected layers, sizes before pooling, the first layer once with its input bit by bit, "
        "output tiles in parallel; with event_mode only patches, rows and sites with spikes cost. EDAP = energy * "
        "latency * area; operations = 2 * MACs of all layers as often as they run.",
    .estimate = estimate,
};
