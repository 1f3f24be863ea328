// SPDX-License-Identifier: Apache-2.0
// Lowering, shared by its files: the walk over the graph (lower.c), layers with weights (lower_layers.c) and neurons
// (lower_neurons.c).
//
// Every value of the graph between input and logits becomes a value of the integer network, or is skipped because a
// layer and what stands behind it are one node there. A real number of the graph is integer * 2^-exponent, exactly:
// what f32 computes must be what the integers say, so every number on the way must fit the 24 bits of its mantissa.
// Bounds of what any input can bring about prove it.
#ifndef SPIKESTILL_DEPLOY_LOWER_H
#define SPIKESTILL_DEPLOY_LOWER_H

#include "deploy/integer_build.h"
#include "graph/graph_internal.h"

enum { SSTI_EXACT_BITS = 24 };

typedef struct ssti_lowering {
  sst_context *context;
  sst_graph *graph;
  sst_value input, logits;
  const sst_integer_input *samples;
  int64_t timesteps;
  sst_integer_network *network;
  int *places;                 // [graph's value]: value of the integer network, or -1
  bool *needed;                // [node]: lies between input and logits
  bool *fused;                 // [node]: is part of the node before it
  const ssti_node *integrator; // a leaky integrator in front of the readout, or NULL
} ssti_lowering;

// Keeps "layer <name> cannot be lowered exactly: ..." and returns UNSUPPORTED.
sst_status ssti_lower_refuse(const ssti_lowering *l, sst_value value, const char *format, ...) SST_PRINTF(3, 4);

// The only needed node that reads the value, or -1.
int ssti_lower_sole_reader(const ssti_lowering *l, sst_value value);

// Adds the node, named after the graph's value, which from then on lies at the value that the node makes.
sst_status ssti_lower_add(ssti_lowering *l, sst_integer_node *node, sst_value named, sst_value made, int64_t channels,
                          int exponent);

// A parameter's numbers; refused where the value is computed.
sst_status ssti_lower_parameter(const ssti_lowering *l, sst_value layer, sst_value value, const float **out);

// The nodes of the graph.
sst_status ssti_lower_weighted(ssti_lowering *l, const ssti_node *node); // conv2d, linear, with what is fused
sst_status ssti_lower_norm(ssti_lowering *l, const ssti_node *node);     // batch norm that no weights come before
sst_status ssti_lower_neurons(ssti_lowering *l, const ssti_node *node);

// Where the integer network's value of the node's first input is.
static inline const sst_integer_value *ssti_lower_input(const ssti_lowering *l, const ssti_node *node) {
  return &l->network->values[l->places[node->inputs[0]]];
}

#endif
