// SPDX-License-Identifier: Apache-2.0
// What a graph computes from settled inputs and parameters alone (sst_graph_settle_input): found when it is compiled,
// and recalled in place of running the steps that make it. A settled step's call has `settled`; of its values those are
// kept that other steps, or the caller, read.
#ifndef SPIKESTILL_GRAPH_SETTLE_H
#define SPIKESTILL_GRAPH_SETTLE_H

#include "graph/graph_internal.h"

// Wants steps that are fused and typed. Errors: OUT_OF_MEMORY.
sst_status ssti_find_settled(sst_graph *graph);

// In place of a settled step's forward call, and after it: its values from the recall, and to it.
void ssti_take_settled(const sst_graph *graph, const ssti_node *step);
void ssti_keep_settled(const sst_graph *graph, const ssti_node *step);

#endif
