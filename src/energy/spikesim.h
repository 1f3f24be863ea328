// SPDX-License-Identifier: Apache-2.0
// What the two modes of SpikeSim's model share.
#ifndef SPIKESTILL_ENERGY_SPIKESIM_H
#define SPIKESTILL_ENERGY_SPIKESIM_H

#include <math.h>

#include "energy/energy_model.h"

static inline double ssti_tiles_of(double size, double tile) { return ceil(size / tile); }

// Converters (and groups of 8 rows) of a crossbar.
static inline double ssti_crossbar_groups(const sst_technology *t) { return (double)t->crossbar / 8; }

// Adds `reads` crossbar reads (processing elements * output pixels * steps) of a kernel of `taps` to the layer's parts.
static inline void ssti_spikesim_energy(const sst_technology *t, double taps, double reads, sst_layer_energy *out) {
  double n = ssti_crossbar_groups(t);
  double crossbar = t->device == SSTI_CROSSBAR_RRAM ? t->rram_crossbar_pj : t->sram_crossbar_pj;
  out->part_pj[SST_ENERGY_PART_COMPUTE] +=
      reads * n * (taps * crossbar + n * (t->adc_pj + t->mux_pj) + 16 * t->subtract_pj);
  out->part_pj[SST_ENERGY_PART_NEURON] += reads * t->crossbar_neuron_pj;
  out->part_pj[SST_ENERGY_PART_MEMORY] += reads * (t->memory_fetch_pj + n * t->temporary_buffer_pj + t->tile_buffer_pj);
  out->part_pj[SST_ENERGY_PART_CONTROL] += reads * t->htree_pj;
}

// Area of a tile whose elements hold a kernel of `taps` on crossbars of `crossbar_um2` each.
static inline double ssti_spikesim_tile_um2(const sst_technology *t, double taps, double crossbar_um2) {
  double n = ssti_crossbar_groups(t);
  double element = taps * crossbar_um2 + n * (t->adc_um2 + t->mux_um2);
  return n * t->tile_column_um2 + t->tile_accumulator_um2 + t->tile_control_um2 + (double)t->pe_per_tile * element +
         t->tile_buffer_um2;
}

#endif
