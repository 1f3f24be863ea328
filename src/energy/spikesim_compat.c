// SPDX-License-Identifier: Apache-2.0
// spikesim-compat: the numbers that SpikeSim's released tool gives (Moitra et al. 2022, arXiv 2210.12899; 65 nm).
//
// With X the crossbar's rows, n = X/8, taps = kernel^2, sizes after pooling (as the tool is given them), per layer i:
//
//     PE_i = ceil(Cin/X) * ceil(Cout/X);   tiles = ceil(sum PE_i / pe_per_tile)
//     E_i  = PE_i * Hout^2 * T * (Htree + fetch + neuron + n*(taps*crossbar + n*(ADC+MUX) + 16*Sub + TempBuf) +
//     TileBuf) A    = tiles * A_tile + A_bit*22 * (sum Cin*Hin^2 + sum over the first five layers of Cout*Hout^2)
//     cycles = sum over layers but the last of trunc(0.75 * Hout^2 * Cout) * T + Hout^2 * Cout * T of the last
//     latency = cycles * 26 * 1000/f
//
// The tool's simplifications are kept on purpose: every layer runs T times, nothing depends on spikes, membranes of
// five layers only, 22 bits each. What it cannot do is refused: kernels that differ, more than 12 layers, processing
// elements that become fewer from layer to layer.
#include "energy/spikesim.h"

enum { MOST_LAYERS = 12 };

static double elements(const sst_cost_layer *l, const sst_technology *t) {
  return ssti_tiles_of((double)l->in_channels, (double)t->crossbar) *
         ssti_tiles_of((double)l->out_channels, (double)t->crossbar);
}

static sst_status check(const sst_cost_record *record, const sst_technology *t) {
  sst_context *context = record->context;
  if (record->layer_count > MOST_LAYERS) {
    SST_FAIL(context, SST_UNSUPPORTED, "%d layers; the released tool takes at most %d: use spikesim-aware",
             record->layer_count, MOST_LAYERS);
  }
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i], *first = &record->layers[0];
    if (l->kind != SST_COST_CONV || l->groups != 1) {
      SST_FAIL(context, SST_UNSUPPORTED,
               "layer %s is %s; the released tool takes plain convolutions only: use spikesim-aware", l->name,
               l->kind == SST_COST_CONV ? "a grouped convolution" : "fully connected");
    }
    if (l->kernel_height != first->kernel_height || l->kernel_width != l->kernel_height) {
      SST_FAIL(context, SST_UNSUPPORTED,
               "layer %s has a kernel of %lldx%lld, the first %lldx%lld; the released tool takes one size: use "
               "spikesim-aware",
               l->name, (long long)l->kernel_height, (long long)l->kernel_width, (long long)first->kernel_height,
               (long long)first->kernel_width);
    }
    if (l->in_height != l->in_width || l->pooled_height != l->pooled_width) {
      SST_FAIL(context, SST_UNSUPPORTED, "layer %s is not square; the released tool takes squares: use spikesim-aware",
               l->name);
    }
    if (i > 0 && elements(l, t) < elements(l - 1, t)) {
      SST_FAIL(context, SST_UNSUPPORTED,
               "layer %s needs %.0f processing elements, the one before %.0f; the released tool wants them not to "
               "become fewer: use spikesim-aware",
               l->name, elements(l, t), elements(l - 1, t));
    }
  }
  return SST_OK;
}

static sst_status estimate(const sst_cost_record *record, const sst_technology *t, sst_energy *out) {
  SST_TRY(check(record, t));
  double T = (double)record->timesteps, sum_of_elements = 0, state = 0,
         nanoseconds = t->pe_cycles * 1000 / t->clock_mhz;
  const sst_cost_layer *first = &record->layers[0];
  double taps = (double)(first->kernel_height * first->kernel_width);
  out->latency_ns = out->operations = 0;
  for (int i = 0; i < record->layer_count; i++) {
    const sst_cost_layer *l = &record->layers[i];
    double sites = (double)(l->pooled_height * l->pooled_width), work = sites * (double)l->out_channels;
    ssti_spikesim_energy(t, taps, elements(l, t) * sites * T, &out->layers[i]);
    sum_of_elements += elements(l, t);
    state += ssti_cost_inputs(l) + (i < t->compat_neuron_layers ? work : 0);
    if (i + 1 < record->layer_count) { work = trunc(t->pipelined_share * work); }
    out->layers[i].latency_ns = work * T * nanoseconds;
    out->latency_ns += out->layers[i].latency_ns;
    out->operations += 2 * T * (double)(l->in_channels * l->out_channels) * taps * sites;
  }
  double crossbar_um2 = t->device == SSTI_CROSSBAR_RRAM ? t->rram_crossbar_um2 : t->sram_crossbar_um2;
  out->tiles = ssti_tiles_of(sum_of_elements, (double)t->pe_per_tile);
  out->area_um2 = out->tiles * ssti_spikesim_tile_um2(t, taps, crossbar_um2) +
                  t->state_bit_um2 * (double)t->compat_state_bits * state;
  return SST_OK;
}

const ssti_energy_model ssti_energy_SPIKESIM_COMPAT = {
    .formula =
        "The released SpikeSim tool's arithmetic (arXiv 2210.12899, 65 nm): processing elements * output pixels * T * "
        "energy of a crossbar read; area of tiles, of 22-bit input buffers and of the membranes of five layers; "
        "EDAP = energy * latency * area, operations = 2 * T * Cin * Cout * k^2 * Hout^2. Nothing depends on spikes, "
        "on the network's bits or on fully connected layers.",
    .estimate = estimate,
};
