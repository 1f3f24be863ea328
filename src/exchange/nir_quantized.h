// SPDX-License-Identifier: Apache-2.0
// Quantised layers on their way to NIR: the codes that their weights are, and the fixed-point norm behind them, as the
// ops of the graph compute them.
#ifndef SPIKESTILL_EXCHANGE_NIR_QUANTIZED_H
#define SPIKESTILL_EXCHANGE_NIR_QUANTIZED_H

#include "graph/graph_internal.h"

// The op that makes a layer's weights codes, or NULL if the weight is a parameter.
const ssti_node *ssti_nir_quantizer(const sst_graph *graph, sst_value weight);
int ssti_nir_quantizer_bits(const ssti_node *quantizer);

// Codes [O,fan_in] and scales [O] (of one scale for the layer: repeated), from the parameters as they are now.
sst_status ssti_nir_codes(sst_graph *graph, const ssti_node *quantizer, float *codes, float *scale);

// Puts a norm's factors and offsets [channels] on its fixed-point grids; bits 0: leaves them.
void ssti_nir_fixed_factors(const sst_graph *graph, int64_t channels, int bits, float *factor, float *step);
void ssti_nir_fixed_offsets(const sst_graph *graph, int64_t channels, int bits, float step, float *offset);

#endif
