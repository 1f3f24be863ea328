// SPDX-License-Identifier: Apache-2.0
// Quantised layers for those who take a graph apart: the codes that their weights are, and the fixed-point norm behind
// them, as the ops of the graph compute them.
#ifndef SPIKESTILL_GRAPH_QUANTIZED_LAYER_H
#define SPIKESTILL_GRAPH_QUANTIZED_LAYER_H

#include "graph/graph_internal.h"

// The op that makes a layer's weights codes, or NULL if the weight is a parameter.
const ssti_node *ssti_quantizer_of(const sst_graph *graph, sst_value weight);
int ssti_code_bits(const ssti_node *quantizer);

// Codes [O,fan_in] and scales [O] (of one scale for the layer: repeated), from the parameters as they are now.
sst_status ssti_quantized_codes(sst_graph *graph, const ssti_node *quantizer, float *codes, float *scale);

#endif
