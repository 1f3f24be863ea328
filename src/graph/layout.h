// SPDX-License-Identifier: Apache-2.0
// Where everything lies that a compiled graph computes: how long each buffer lives, its offset in the graph's one
// block, and the pointers of tensors and calls. Each call, be it forward, made again or backward, takes two moments:
// what a backward call writes last, it may write where lay what it has read before.
#ifndef SPIKESTILL_GRAPH_LAYOUT_H
#define SPIKESTILL_GRAPH_LAYOUT_H

#include "graph/graph_internal.h"

// Chooses what is made again in the backward pass, plans, allocates and sets all pointers. Wants to know who takes part
// in the backward pass and what the steps need. Errors: OUT_OF_MEMORY.
sst_status ssti_lay_out(sst_graph *graph);

#endif
