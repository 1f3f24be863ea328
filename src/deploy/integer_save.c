// SPDX-License-Identifier: Apache-2.0
// An integer network as a file (docs/integer.md): what it is as JSON in the metadata, its arrays as tensors.
#include <stdio.h>
#include <string.h>

#include "deploy/integer_file.h"
#include "deploy/integer_pack.h"
#include "deploy/integer_rules.h"
#include "spikestill/safetensors.h"

enum { TENSORS_OF_A_NODE = 3, NAME_SIZE = 64 };

typedef struct saver {
  const sst_integer_network *network;
  sst_context *context;
  sst_safetensors_entry *entries;
  char (*names)[NAME_SIZE];
  uint8_t **packed; // [node_count]
  int count;
} saver;

// ---- the description

static sst_status describe_node(const sst_integer_network *network, const sst_integer_node *node, json_t *to) {
  sst_context *context = network->context;
  SST_TRY(ssti_json_put(context, to, "kind", json_string(sst_integer_node_word(node->kind))));
  SST_TRY(ssti_json_put(context, to, "name", json_string(node->name)));
  const bool two = node->kind == SST_INTEGER_NODE_ADD;
  SST_TRY(ssti_json_put(context, to, "input",
                        two ? json_pack("[i, i]", node->input[0], node->input[1]) : json_pack("[i]", node->input[0])));
  if (node->kind == SST_INTEGER_NODE_SYNAPSES) {
    const sst_integer_value *value = &network->values[node->output];
    SST_TRY(ssti_json_put(context, to, "channels", json_integer(value->channels)));
    SST_TRY(ssti_json_put(context, to, "exponent", json_integer(value->exponent)));
  }
  SST_TRY(ssti_fields_write(context, ssti_node_fields(node->kind), node, to));
  if (node->kind != SST_INTEGER_NODE_READOUT) { return SST_OK; }
  SST_TRY(ssti_json_put(context, to, "readout", json_string(sst_integer_readout_word(node->readout.kind))));
  return ssti_json_put(context, to, "scale", json_real(node->readout.scale));
}

static sst_status describe(const sst_integer_network *network, json_t *to) {
  sst_context *context = network->context;
  SST_TRY(ssti_fields_write(context, ssti_network_fields(), network, to));
  SST_TRY(ssti_json_put(context, to, "pixel_codes", json_boolean(network->pixel_codes != NULL)));
  SST_TRY(ssti_json_put(context, to, "input", json_object()));
  SST_TRY(ssti_fields_write(context, ssti_value_fields(), &network->values[0], json_object_get(to, "input")));
  SST_TRY(ssti_json_put(context, to, "nodes", json_array()));
  json_t *nodes = json_object_get(to, "nodes");
  for (int i = 0; i < network->node_count; i++) {
    json_t *node = json_object();
    if (node == NULL || json_array_append_new(nodes, node) != 0) {
      SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for the description of an integer network");
    }
    SST_TRY(describe_node(network, &network->nodes[i], node));
  }
  return SST_OK;
}

static sst_status description_text(const sst_integer_network *network, char **out) {
  json_t *root = json_object();
  *out = NULL;
  if (root == NULL) {
    SST_FAIL(network->context, SST_OUT_OF_MEMORY, "no memory for the description of an integer network");
  }
  sst_status status = describe(network, root);
  if (status == SST_OK) { status = ssti_json_text(network->context, root, false, out); }
  json_decref(root);
  return status;
}

// ---- the tensors

static void put_tensor(saver *s, const char *node, const char *ending, sst_safetensors_type type, int64_t rows,
                       int64_t columns, const void *data, size_t bytes) {
  char *name = s->names[s->count];
  snprintf(name, NAME_SIZE, "%s%s", node, ending);
  s->entries[s->count++] = (sst_safetensors_entry){name, type, columns > 0 ? 2 : 1, {rows, columns}, data, bytes};
}

static sst_status put_synapses(saver *s, int index) {
  const sst_integer_node *node = &s->network->nodes[index];
  const sst_integer_synapses *w = &node->synapses;
  const int64_t count = ssti_integer_code_count(s->network, index);
  const int64_t channels = s->network->values[node->output].channels;
  const size_t bytes = ssti_packed_bytes(count, w->weight_bits), constants = (size_t)channels * sizeof(int32_t);
  SST_TRY(ssti_allocate(s->context, bytes, 1, &s->packed[index]));
  ssti_pack_codes(w->codes, count, w->weight_bits, s->packed[index]);
  put_tensor(s, node->name, ".factor", SST_SAFETENSORS_I32, channels, 0, w->factor, constants);
  put_tensor(s, node->name, ".offset", SST_SAFETENSORS_I32, channels, 0, w->offset, constants);
  put_tensor(s, node->name, ".codes", SST_SAFETENSORS_U8, (int64_t)bytes, 0, s->packed[index], bytes);
  return SST_OK;
}

static sst_status put_tensors(saver *s) {
  const sst_integer_network *network = s->network;
  const size_t nodes = (size_t)network->node_count, most = TENSORS_OF_A_NODE * nodes + 1;
  SST_TRY(ssti_allocate(s->context, most, sizeof *s->entries, &s->entries));
  SST_TRY(ssti_allocate(s->context, most, sizeof *s->names, &s->names));
  SST_TRY(ssti_allocate(s->context, nodes, sizeof *s->packed, &s->packed));
  if (network->pixel_codes != NULL) {
    const int64_t channels = network->values[0].channels;
    put_tensor(s, "pixel_codes", "", SST_SAFETENSORS_I16, channels, 256, network->pixel_codes,
               (size_t)channels * 256 * sizeof(int16_t));
  }
  for (int i = 0; i < network->node_count; i++) {
    if (network->nodes[i].kind == SST_INTEGER_NODE_SYNAPSES) { SST_TRY(put_synapses(s, i)); }
  }
  return SST_OK;
}

static void free_saver(saver *s) {
  for (int i = 0; s->packed != NULL && i < s->network->node_count; i++) { ssti_free(s->context, s->packed[i]); }
  ssti_free(s->context, s->packed);
  ssti_free(s->context, s->names);
  ssti_free(s->context, s->entries);
}

sst_status sst_integer_network_save(const sst_integer_network *network, const char *path) {
  saver s = {.network = network, .context = network->context};
  char *text = NULL;
  sst_status status = description_text(network, &text);
  if (status == SST_OK) { status = put_tensors(&s); }
  if (status == SST_OK) {
    const sst_safetensors_pair metadata[] = {{"format", SSTI_INTEGER_FORMAT},
                                             {"version", SSTI_INTEGER_VERSION},
                                             {"network", text},
                                             {"recipe", network->recipe}};
    status = sst_safetensors_write(s.context, path, s.entries, s.count, metadata, network->recipe != NULL ? 4 : 3);
  }
  free_saver(&s);
  ssti_free(s.context, text);
  return status;
}
