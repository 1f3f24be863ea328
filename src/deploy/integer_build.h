// SPDX-License-Identifier: Apache-2.0
// Making integer networks node by node: for lowering, for reading files, and for tests.
//
//   sst_integer_network *network = NULL;
//   SST_TRY(ssti_integer_begin(context, &header, &network));
//   SST_TRY(ssti_integer_array(network, codes, count, sizeof *codes, &node.synapses.codes));  // copied, network's own
//   SST_TRY(ssti_integer_add(network, &node, channels, exponent, &value));
//   ... the readout ...
//   SST_TRY(sst_integer_network_check(network));
#ifndef SPIKESTILL_DEPLOY_INTEGER_BUILD_H
#define SPIKESTILL_DEPLOY_INTEGER_BUILD_H

#include "base/memory.h"
#include "spikestill/integer.h"

// What a network has beside its nodes. `input` is value 0 without `once`, which follows from `input_each_step`.
typedef struct ssti_integer_header {
  int64_t timesteps, classes;
  bool input_each_step;
  sst_integer_value input;
} ssti_integer_header;

// A network without nodes or pixel codes. *out is NULL on failure.
sst_status ssti_integer_begin(sst_context *context, const ssti_integer_header *header, sst_integer_network **out);

// Memory that lives as long as the network: a copy of `data`, or zeros where that is NULL. *out is a pointer to any
// object pointer.
sst_status ssti_integer_array(sst_integer_network *network, const void *data, size_t count, size_t size, void *out);

// Something else that lives as long as the network, because arrays of it lie there; once.
void ssti_integer_keep(sst_integer_network *network, void *kept, void (*release)(void *kept));

// Appends a copy of the node; `output` and `input[1]` where there is none are filled in. `channels` and `exponent` of
// what it makes count for synapses only; all else of its value follows (integer_rules.h). *value receives its number,
// -1 for the readout; may be NULL. Errors: OUT_OF_MEMORY, and those of ssti_integer_infer.
sst_status ssti_integer_add(sst_integer_network *network, const sst_integer_node *node, int64_t channels, int exponent,
                            int *value);

#endif
