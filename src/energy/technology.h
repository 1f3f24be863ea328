// SPDX-License-Identifier: Apache-2.0
// Constants and settings of the energy models. technology.c has the one table with units and sources.
#ifndef SPIKESTILL_ENERGY_TECHNOLOGY_H
#define SPIKESTILL_ENERGY_TECHNOLOGY_H

#include "spikestill/energy.h"

typedef enum ssti_crossbar_device { SSTI_CROSSBAR_RRAM, SSTI_CROSSBAR_SRAM } ssti_crossbar_device;

struct sst_technology {
  sst_context *context;
  // operations
  double int8_add_pj, int32_add_pj, fp16_add_pj, fp32_add_pj;
  double int8_multiply_pj, int32_multiply_pj, fp16_multiply_pj, fp32_multiply_pj;
  // SpikeSim
  int64_t crossbar, pe_per_tile;
  double clock_mhz;
  ssti_crossbar_device device;
  int cell_bits;
  bool event_mode;
  double htree_pj, memory_fetch_pj, crossbar_neuron_pj, adc_pj, mux_pj, subtract_pj, temporary_buffer_pj,
      tile_buffer_pj;
  double rram_crossbar_pj, sram_crossbar_pj, rram_crossbar_um2, sram_crossbar_um2, crossbar_cell_um2;
  double adc_um2, mux_um2, tile_column_um2, tile_accumulator_um2, tile_control_um2, tile_buffer_um2, state_bit_um2;
  int64_t compat_state_bits, compat_neuron_layers;
  double pe_cycles, pipelined_share;
  // SATA
  double sata_multiply, sata_accumulate, sata_add, sata_and, sata_compare, sata_mux, sata_register, sata_shift;
  double sata_dram, sata_sram, sata_scratchpad;
  int64_t sata_bits;
  // Lemaire
  double ram_bit_pj, ram_access_pj;
  int64_t fifo_words;
};

// Energy of one addition and one multiplication at a precision: 32 float, 16 half precision, else integers of that many
// bits: additions linear, multiplications quadratic below 8 bits, through the table's points above.
double ssti_add_pj(const sst_technology *technology, int bits);
double ssti_multiply_pj(const sst_technology *technology, int bits_a, int bits_b);

#endif
