// SPDX-License-Identifier: Apache-2.0
// Reading an integer network's file. Nothing in it is trusted: numbers are read field by field, each array must be as
// long as the numbers say before memory is taken for it, and in the end the whole network is checked. The file stays
// mapped: factors, offsets, pixel codes and codes of 8 bits are used where they lie, narrower codes are unpacked.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "deploy/integer_build.h"
#include "deploy/integer_file.h"
#include "deploy/integer_pack.h"
#include "deploy/integer_rules.h"
#include "spikestill/safetensors.h"

enum { NAME_SIZE = 64 };

typedef struct loader {
  sst_context *context;
  const sst_safetensors *file;
  json_t *root;
  sst_integer_network *network;
  int tensors; // read so far
} loader;

// A tensor of that type and number of bytes.
static sst_status find_tensor(loader *l, const char *node, const char *ending, sst_safetensors_type type, size_t bytes,
                              sst_safetensors_entry *out) {
  char name[NAME_SIZE];
  snprintf(name, sizeof name, "%s%s", node, ending);
  if (!sst_safetensors_find(l->file, name, out)) { SST_FAIL(l->context, SST_FORMAT, "tensor '%s' is missing", name); }
  if (out->type != type || out->bytes != bytes) {
    SST_FAIL(l->context, SST_FORMAT, "tensor '%s' has type %d and %zu bytes, expected type %d and %zu bytes", name,
             (int)out->type, out->bytes, (int)type, bytes);
  }
  l->tensors++;
  return SST_OK;
}

// Number of codes that the node's numbers ask for; its input is known. false where they are nonsense.
static bool code_count(const loader *l, const sst_integer_node *node, int64_t channels, int64_t *out) {
  const sst_integer_synapses *w = &node->synapses;
  const int64_t most = SSTI_INTEGER_LARGEST_SIZE, kernel = SSTI_INTEGER_LARGEST_KERNEL;
  if (node->input[0] < 0 || node->input[0] >= l->network->value_count || w->groups < 1 || channels < 1 ||
      channels > most || w->kernel_h < 1 || w->kernel_h > kernel || w->kernel_w < 1 || w->kernel_w > kernel ||
      w->weight_bits < 2 || w->weight_bits > 8) {
    return false;
  }
  const int64_t in = l->network->values[node->input[0]].channels / w->groups;
  return !__builtin_mul_overflow(channels * w->kernel_h * w->kernel_w, in, out) && *out <= INT64_MAX / 8;
}

// An array where it lies in the file, or a copy where its numbers would not be aligned.
static sst_status take_array(loader *l, const sst_safetensors_entry *entry, size_t size, void *out) {
  if ((uintptr_t)entry->data % size == 0) {
    memcpy(out, &entry->data, sizeof entry->data);
    return SST_OK;
  }
  return ssti_integer_array(l->network, entry->data, entry->bytes / size, size, out);
}

// A byte each, as they are in memory; the grid is symmetric.
static sst_status take_bytes(loader *l, const sst_integer_node *node, const sst_safetensors_entry *entry,
                             const int8_t **out) {
  const int8_t *codes = entry->data;
  for (size_t i = 0; i < entry->bytes; i++) {
    if (codes[i] == INT8_MIN) {
      SST_FAIL(l->context, SST_FORMAT, "tensor '%s.codes': byte %zu holds no codes of 8 bits", node->name, i);
    }
  }
  *out = codes;
  return SST_OK;
}

static sst_status read_synapses(loader *l, sst_integer_node *node, int64_t channels) {
  sst_integer_synapses *w = &node->synapses;
  int64_t count = 0;
  if (!code_count(l, node, channels, &count)) {
    SST_FAIL(l->context, SST_FORMAT, "node %s: its input, sizes or weight_bits are out of range", node->name);
  }
  const size_t constants = (size_t)channels * sizeof(int32_t);
  sst_safetensors_entry factor, offset, codes;
  SST_TRY(find_tensor(l, node->name, ".factor", SST_SAFETENSORS_I32, constants, &factor));
  SST_TRY(find_tensor(l, node->name, ".offset", SST_SAFETENSORS_I32, constants, &offset));
  SST_TRY(find_tensor(l, node->name, ".codes", SST_SAFETENSORS_U8, ssti_packed_bytes(count, w->weight_bits), &codes));
  int8_t *unpacked = NULL;
  size_t bad = 0;
  SST_TRY(take_array(l, &factor, sizeof(int32_t), &w->factor));
  SST_TRY(take_array(l, &offset, sizeof(int32_t), &w->offset));
  if (w->weight_bits == 8) { return take_bytes(l, node, &codes, &w->codes); }
  SST_TRY(ssti_integer_array(l->network, NULL, (size_t)count, 1, &unpacked));
  if (!ssti_unpack_codes(codes.data, count, w->weight_bits, unpacked, &bad)) {
    SST_FAIL(l->context, SST_FORMAT, "tensor '%s.codes': byte %zu holds no codes of %d bits", node->name, bad,
             w->weight_bits);
  }
  w->codes = unpacked;
  return SST_OK;
}

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "";
}

static sst_status read_inputs(loader *l, const char *what, const json_t *from, sst_integer_node *node) {
  const size_t expected = node->kind == SST_INTEGER_NODE_ADD ? 2 : 1;
  const json_t *inputs = json_object_get(from, "input");
  if (json_array_size(inputs) != expected) {
    SST_FAIL(l->context, SST_FORMAT, "%s: 'input' has %zu values, expected %zu", what, json_array_size(inputs),
             expected);
  }
  node->input[1] = -1;
  for (size_t i = 0; i < expected; i++) {
    const json_t *value = json_array_get(inputs, i);
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number >= l->network->value_count) {
      SST_FAIL(l->context, SST_FORMAT, "%s: input %zu is not one of the %d values before it", what, i,
               l->network->value_count);
    }
    node->input[i] = (int)number;
  }
  return SST_OK;
}

static sst_status read_whole(loader *l, const char *what, const json_t *from, const char *key, int64_t *out) {
  const json_t *value = json_object_get(from, key);
  *out = (int64_t)json_integer_value(value);
  if (json_is_integer(value)) { return SST_OK; }
  SST_FAIL(l->context, SST_FORMAT, "%s: '%s' is no whole number", what, key);
}

static sst_status read_readout(loader *l, const char *what, const json_t *from, sst_integer_node *node) {
  const json_t *scale = json_object_get(from, "scale");
  if (!sst_integer_readout_parse(text_of(from, "readout"), &node->readout.kind) || !json_is_number(scale)) {
    SST_FAIL(l->context, SST_FORMAT, "%s: its readout '%s' is unknown or has no scale", what, text_of(from, "readout"));
  }
  node->readout.scale = json_number_value(scale);
  return SST_OK;
}

static sst_status read_node(loader *l, int index, const json_t *from) {
  char what[32];
  snprintf(what, sizeof what, "node %d", index);
  sst_integer_node node = {.kind = SST_INTEGER_NODE_COUNT};
  const char *name = text_of(from, "name");
  if (!sst_integer_node_parse(text_of(from, "kind"), &node.kind)) {
    SST_FAIL(l->context, SST_FORMAT, "%s: its kind '%.40s' is unknown", what, text_of(from, "kind"));
  }
  if (strlen(name) >= sizeof node.name) {
    SST_FAIL(l->context, SST_FORMAT, "%s: its name has %zu characters, expected at most %zu", what, strlen(name),
             sizeof node.name - 1);
  }
  memcpy(node.name, name, strlen(name) + 1);
  SST_TRY(read_inputs(l, what, from, &node));
  SST_TRY(ssti_fields_read(l->context, what, ssti_node_fields(node.kind), from, &node));
  int64_t channels = 0, exponent = 0;
  if (node.kind == SST_INTEGER_NODE_SYNAPSES) {
    SST_TRY(read_whole(l, what, from, "channels", &channels));
    SST_TRY(read_whole(l, what, from, "exponent", &exponent));
    SST_TRY(read_synapses(l, &node, channels));
  } else if (node.kind == SST_INTEGER_NODE_READOUT) {
    SST_TRY(read_readout(l, what, from, &node));
  }
  if (exponent < 0 || exponent > 62) {
    SST_FAIL(l->context, SST_FORMAT, "%s: its exponent is %" PRId64 ", expected 0 to 62", what, exponent);
  }
  return ssti_integer_add(l->network, &node, channels, (int)exponent, NULL);
}

static sst_status read_pixel_codes(loader *l) {
  if (!json_is_true(json_object_get(l->root, "pixel_codes"))) { return SST_OK; }
  const int64_t channels = l->network->values[0].channels;
  if (channels < 1 || channels > SSTI_INTEGER_LARGEST_SIZE) {
    SST_FAIL(l->context, SST_FORMAT, "the input has %" PRId64 " channels, expected 1 to %d", channels,
             (int)SSTI_INTEGER_LARGEST_SIZE);
  }
  const size_t count = (size_t)channels * 256;
  sst_safetensors_entry codes;
  SST_TRY(find_tensor(l, "pixel_codes", "", SST_SAFETENSORS_I16, count * sizeof(int16_t), &codes));
  return take_array(l, &codes, sizeof(int16_t), &l->network->pixel_codes);
}

static sst_status read_network(loader *l) {
  ssti_integer_header header = {0};
  sst_integer_network numbers = {0};
  SST_TRY(ssti_fields_read(l->context, "network", ssti_network_fields(), l->root, &numbers));
  SST_TRY(ssti_fields_read(l->context, "input", ssti_value_fields(), json_object_get(l->root, "input"), &header.input));
  header.timesteps = numbers.timesteps;
  header.classes = numbers.classes;
  header.input_each_step = numbers.input_each_step;
  SST_TRY(ssti_integer_begin(l->context, &header, &l->network));
  SST_TRY(ssti_integer_check_header(l->network));
  SST_TRY(read_pixel_codes(l));
  const json_t *nodes = json_object_get(l->root, "nodes");
  const size_t count = json_array_size(nodes);
  if (count < 1 || count > SSTI_INTEGER_MOST_NODES) {
    SST_FAIL(l->context, SST_FORMAT, "it has %zu nodes, expected 1 to %d", count, (int)SSTI_INTEGER_MOST_NODES);
  }
  for (size_t i = 0; i < count; i++) { SST_TRY(read_node(l, (int)i, json_array_get(nodes, i))); }
  if (l->tensors != sst_safetensors_count(l->file)) {
    SST_FAIL(l->context, SST_FORMAT, "it has %d tensors, expected %d", sst_safetensors_count(l->file), l->tensors);
  }
  const char *recipe = sst_safetensors_metadata(l->file, "recipe");
  if (recipe != NULL) { SST_TRY(sst_integer_network_set_recipe(l->network, recipe)); }
  return sst_integer_network_check(l->network);
}

static sst_status load(loader *l) {
  const char *format = sst_safetensors_metadata(l->file, "format"), *text = NULL;
  if (format == NULL || strcmp(format, SSTI_INTEGER_FORMAT) != 0) {
    SST_FAIL(l->context, SST_FORMAT, "its metadata 'format' is not '" SSTI_INTEGER_FORMAT "'");
  }
  const char *version = sst_safetensors_metadata(l->file, "version");
  if (version == NULL || strcmp(version, SSTI_INTEGER_VERSION) != 0) {
    SST_FAIL(l->context, SST_FORMAT, "its version is '%s', this program reads " SSTI_INTEGER_VERSION,
             version ? version : "");
  }
  text = sst_safetensors_metadata(l->file, "network");
  if (text == NULL) { SST_FAIL(l->context, SST_FORMAT, "its metadata 'network' is missing"); }
  SST_TRY(ssti_json_parse(l->context, "network", text, strlen(text), &l->root));
  return read_network(l);
}

static void release_file(void *file) { sst_safetensors_close(file); }

sst_status sst_integer_network_load(sst_context *context, const char *path, sst_integer_network **out) {
  *out = NULL;
  sst_safetensors *file = NULL;
  SST_TRY(sst_safetensors_map(context, path, &file));
  loader l = {.context = context, .file = file};
  sst_status status = load(&l);
  json_decref(l.root);
  if (status != SST_OK) {
    sst_safetensors_close(file);
    sst_integer_network_free(l.network);
    return ssti_fail_within(context, status, "%s", path);
  }
  ssti_integer_keep(l.network, file, release_file);
  *out = l.network;
  return SST_OK;
}
