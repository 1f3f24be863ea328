// SPDX-License-Identifier: Apache-2.0
// Which outputs are made again in the backward pass instead of kept for it: large ones of cheap ops (ssti_op.is_cheap),
// whose inputs are kept in any case. In a spiking network these are the spikes: kept as f32 they are as large as the
// convolutions' outputs, from which batch norm and neurons make them again in one pass.
#ifndef SPIKESTILL_GRAPH_REPLAY_H
#define SPIKESTILL_GRAPH_REPLAY_H

#include "graph/graph_internal.h"

// Fills graph->replays; wants to know who takes part in the backward pass. Errors: OUT_OF_MEMORY.
sst_status ssti_choose_replays(sst_graph *graph);

static inline bool ssti_backward_reads(const ssti_node *step, unsigned mask, int i) {
  if (!step->live_backward || (mask & (1u << (i < 31 ? i : 31))) == 0) { return false; }
  return step->op->backward_reads == NULL || step->op->backward_reads(&step->call);
}

// Whether the step's backward call reads the value of its i-th input, or output.
static inline bool ssti_backward_reads_input(const ssti_node *step, int i) {
  return ssti_backward_reads(step, step->op->backward_reads_inputs, i);
}
static inline bool ssti_backward_reads_output(const ssti_node *step, int i) {
  return ssti_backward_reads(step, step->op->backward_reads_outputs, i);
}

#endif
