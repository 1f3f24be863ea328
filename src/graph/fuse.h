// SPDX-License-Identifier: Apache-2.0
// Fusing: several nodes become one step where the backend has a kernel that does them together and nobody else reads
// what lies between them. Only the steps change; the nodes, and with them taps, costs and exports, stay as they were
// built.
//   batch norm, neurons -> norm_neuron
//   convolution or linear layer, batch norm whose parameters are settled (a frozen teacher's) -> folded_norm
#ifndef SPIKESTILL_GRAPH_FUSE_H
#define SPIKESTILL_GRAPH_FUSE_H

#include "graph/graph_internal.h"

// Wants graph->steps as a copy of the nodes that knows who lives. Errors: OUT_OF_MEMORY.
sst_status ssti_fuse(sst_graph *graph);

#endif
