// SPDX-License-Identifier: Apache-2.0
// What follows from a node and its inputs: the shape of what it makes, and bounds of every integer on the way.
#ifndef SPIKESTILL_DEPLOY_INTEGER_RULES_H
#define SPIKESTILL_DEPLOY_INTEGER_RULES_H

#include "base/fail.h"
#include "spikestill/integer.h"

enum {
  SSTI_INTEGER_MOST_NODES = 4096,
  SSTI_INTEGER_MOST_STEPS = 65536,
  SSTI_INTEGER_LARGEST_SIZE = 1 << 20,  // of height, width, channels
  SSTI_INTEGER_LARGEST_VALUE = 1 << 28, // of their product
  SSTI_INTEGER_LARGEST_KERNEL = 1 << 10
};

typedef struct ssti_integer_range {
  int64_t low, high;
} ssti_integer_range;

typedef struct ssti_integer_synapse_ranges {
  ssti_integer_range z, y; // over all outputs
} ssti_integer_synapse_ranges;

typedef struct ssti_integer_neuron_ranges {
  ssti_integer_range h, u, v; // over all steps; v also before the first
  ssti_integer_range product; // decay * u + half
} ssti_integer_neuron_ranges;

// The value that node `index` makes. Its inputs are known and right; of its own value `channels` and `exponent` are
// read for synapses. For the readout only its sums are checked and *out is its input. Errors: INVALID_ARGUMENT, SHAPE
// with the node's name.
sst_status ssti_integer_infer(const sst_integer_network *network, int index, sst_integer_value *out);

// The part of sst_integer_network_check that concerns the input and numbers of the whole network.
sst_status ssti_integer_check_header(const sst_integer_network *network);

// Ranges inside nodes of a sound network: how wide an engine must compute.
sst_status ssti_integer_synapses_infer(const sst_integer_network *network, int index, ssti_integer_synapse_ranges *out);
sst_status ssti_integer_neurons_infer(const sst_integer_network *network, int index, ssti_integer_neuron_ranges *out);

// Largest code of so many weight bits.
static inline int ssti_integer_largest_code(int bits) { return (1 << (bits - 1)) - 1; }

// Codes of all synapses of the node: [out][kernel_h][kernel_w][in / groups].
int64_t ssti_integer_code_count(const sst_integer_network *network, int index);

#endif
