// SPDX-License-Identifier: Apache-2.0
// Which layers with weights a network's graph has, and what feeds them: the part of a cost record that follows from the
// graph alone.
#ifndef SPIKESTILL_RUN_COST_LAYERS_H
#define SPIKESTILL_RUN_COST_LAYERS_H

#include "graph/graph_internal.h"
#include "run/cost_count.h"

// Whether the node is a layer with weights: a convolution or a linear layer.
bool ssti_has_weights(const ssti_node *node);

typedef struct ssti_cost_source {
  sst_value input;  // x of the layer [T,N,H,W,C]
  sst_value weight; // as the layer reads it
  sst_value spikes; // of the neurons that its output feeds, SST_NONE if there are none or another layer has them
  const char *tap;  // of the spikes: an evaluation counts them under this name; borrowed from the graph
  ssti_cost_geometry geometry;
  double spike_value; // > 0: the input's values are multiples of this, one for each spike; 0: they are numbers
} ssti_cost_source;

// Finds the layers of a graph that is built but not compiled, and has it keep what will be counted. Names are those of
// the layers' taps without the last part ("3.conv" stays "3.conv"). Both arrays are owned by the caller (ssti_free,
// sst_cost_record_destroy). Errors: UNSUPPORTED if there is no layer with weights.
sst_status ssti_cost_layers_find(sst_graph *graph, int64_t timesteps, ssti_cost_source **sources,
                                 sst_cost_record **record);

#endif
