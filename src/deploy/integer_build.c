// SPDX-License-Identifier: Apache-2.0
// A network and its memory: a chain of blocks, each an array of some node.
#include "deploy/integer_build.h"

#include <string.h>

#include "deploy/integer_rules.h"

typedef struct block {
  struct block *next;
  void *data;
} block;

// What sst_integer_network.storage points to.
typedef struct storage {
  block *blocks;
  void *kept; // what arrays that are not in blocks lie in
  void (*release)(void *kept);
  size_t value_capacity, node_capacity;
} storage;

static sst_status make_network(sst_context *context, const ssti_integer_header *header, sst_integer_network *network) {
  *network = (sst_integer_network){.context = context,
                                   .timesteps = header->timesteps,
                                   .classes = header->classes,
                                   .input_each_step = header->input_each_step};
  storage *memory = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *memory, &memory));
  network->storage = memory;
  SST_TRY(ssti_grow(context, &network->values, &memory->value_capacity, 1, sizeof *network->values));
  network->values[0] = header->input;
  network->values[0].once = !header->input_each_step;
  network->value_count = 1;
  return SST_OK;
}

sst_status ssti_integer_begin(sst_context *context, const ssti_integer_header *header, sst_integer_network **out) {
  *out = NULL;
  sst_integer_network *network = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *network, &network));
  const sst_status status = make_network(context, header, network);
  if (status != SST_OK) {
    sst_integer_network_free(network);
    return status;
  }
  *out = network;
  return SST_OK;
}

void sst_integer_network_free(sst_integer_network *network) {
  if (network == NULL) { return; }
  sst_context *context = network->context;
  storage *memory = network->storage;
  for (block *now = memory ? memory->blocks : NULL; now != NULL;) {
    block *next = now->next;
    ssti_free(context, now->data);
    ssti_free(context, now);
    now = next;
  }
  if (memory != NULL && memory->release != NULL) { memory->release(memory->kept); }
  ssti_free(context, memory);
  ssti_free(context, network->values);
  ssti_free(context, network->nodes);
  ssti_free(context, network);
}

sst_status ssti_integer_array(sst_integer_network *network, const void *data, size_t count, size_t size, void *out) {
  sst_context *context = network->context;
  storage *memory = network->storage;
  block *made = NULL;
  memset(out, 0, sizeof(void *));
  SST_TRY(ssti_allocate(context, 1, sizeof *made, &made));
  const sst_status status = ssti_allocate(context, count, size, &made->data);
  if (status != SST_OK) {
    ssti_free(context, made);
    return status;
  }
  if (data != NULL) { memcpy(made->data, data, count * size); }
  made->next = memory->blocks;
  memory->blocks = made;
  memcpy(out, &made->data, sizeof made->data);
  return SST_OK;
}

void ssti_integer_keep(sst_integer_network *network, void *kept, void (*release)(void *kept)) {
  storage *memory = network->storage;
  memory->kept = kept;
  memory->release = release;
}

sst_status sst_integer_network_set_recipe(sst_integer_network *network, const char *text) {
  return ssti_integer_array(network, text, strlen(text) + 1, 1, &network->recipe);
}

sst_status ssti_integer_add(sst_integer_network *network, const sst_integer_node *node, int64_t channels, int exponent,
                            int *value) {
  storage *memory = network->storage;
  const bool last = node->kind == SST_INTEGER_NODE_READOUT;
  const int index = network->node_count;
  SST_TRY(
      ssti_grow(network->context, &network->nodes, &memory->node_capacity, (size_t)index + 1, sizeof *network->nodes));
  SST_TRY(ssti_grow(network->context, &network->values, &memory->value_capacity, (size_t)index + 2,
                    sizeof *network->values));
  sst_integer_node *made = &network->nodes[index];
  *made = *node;
  made->output = last ? -1 : index + 1;
  if (node->kind != SST_INTEGER_NODE_ADD) { made->input[1] = -1; }
  network->values[index + 1] = (sst_integer_value){.channels = channels, .exponent = exponent};
  sst_integer_value inferred;
  SST_TRY(ssti_integer_infer(network, index, &inferred));
  network->node_count++;
  if (!last) { network->values[network->value_count++] = inferred; }
  if (value != NULL) { *value = made->output; }
  return SST_OK;
}
