// SPDX-License-Identifier: Apache-2.0
// Which outputs are made again in the backward pass instead of kept for it. Always large ones of cheap ops
// (ssti_op.is_cheap), whose inputs are kept in any case: in a spiking network the spikes, which as f32 are as large as
// the convolutions' outputs, from which batch norm and neurons make them again in one pass. And where memory counts
// more than time all that is computed within a segment: the forward pass is cut into segments, of which only what a
// later segment reads is kept, and before a segment's backward calls what they read is computed again. The last segment
// is kept.
#ifndef SPIKESTILL_GRAPH_REPLAY_H
#define SPIKESTILL_GRAPH_REPLAY_H

#include "graph/graph_internal.h"

enum { SSTI_MOST_CUTS = 32 };

// Where the forward pass may be cut: behind these steps, in order; and which of them are ends of segments.
typedef struct ssti_cuts {
  int count;
  int after[SSTI_MOST_CUTS];
  bool used[SSTI_MOST_CUTS];
} ssti_cuts;

// Places that few bytes cross, none used yet. Wants to know who takes part in the backward pass. Errors: OUT_OF_MEMORY.
sst_status ssti_find_cuts(sst_graph *graph, ssti_cuts *cuts);

// Fills graph->replays and graph->remade anew. Errors: OUT_OF_MEMORY.
sst_status ssti_choose_replays(sst_graph *graph, const ssti_cuts *cuts);

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
