// SPDX-License-Identifier: Apache-2.0
// What a network takes, node by node.
#include "deploy/integer_pack.h"
#include "deploy/integer_rules.h"

sst_integer_sizes sst_integer_node_sizes(const sst_integer_network *network, int index) {
  const sst_integer_node *node = &network->nodes[index];
  sst_integer_sizes sizes = {0};
  if (node->kind == SST_INTEGER_NODE_READOUT) { return sizes; }
  const sst_integer_value *value = &network->values[node->output];
  if (node->kind == SST_INTEGER_NODE_SYNAPSES) {
    sizes.weights = ssti_integer_code_count(network, index);
    sizes.weight_bytes = (int64_t)ssti_packed_bytes(sizes.weights, node->synapses.weight_bits);
    sizes.constant_bytes = 2 * value->channels * (int64_t)sizeof(int32_t);
    sizes.float_bytes = (sizes.weights + value->channels) * (int64_t)sizeof(float);
  } else if (node->kind == SST_INTEGER_NODE_NEURONS) {
    sizes.neurons = value->height * value->width * value->channels;
    sizes.state_bytes = (sizes.neurons * node->neurons.state_bits + 7) / 8;
  }
  return sizes;
}
