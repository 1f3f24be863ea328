// SPDX-License-Identifier: Apache-2.0
// A cost record from shapes alone: a YAML file with `timesteps` and a list of layers.
#include <math.h>
#include <stdio.h>

#include "base/options.h"
#include "base/yaml_tree.h"
#include "energy/energy_model.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

typedef struct shapes_head {
  int64_t timesteps;
  double rate;
} shapes_head;
static const ssti_option head_options[] = {
    {"timesteps", SSTI_OPTION_INT64, offsetof(shapes_head, timesteps), 1, 65536, NULL, NULL, 0, "T"},
    {"rate", SSTI_OPTION_DOUBLE, offsetof(shapes_head, rate), 0, 1, "1", NULL, 0, "share of inputs that spike"},
};

typedef struct shapes_layer {
  char name[SSTI_OPTION_TEXT_SIZE];
  int64_t in_channels, out_channels, in_size, out_size, conv_size, kernel, stride;
  int input_bits, weight_bits, membrane_bits;
  double rate;
} shapes_layer;
// The largest of each leave room for their products.
#define SIZE(field, low, high, value, text)                                                                            \
  { #field, SSTI_OPTION_INT64, offsetof(shapes_layer, field), low, high, value, NULL, 0, text }
#define BITS(field, low, value, text)                                                                                  \
  { #field, SSTI_OPTION_INT, offsetof(shapes_layer, field), low, 32, value, NULL, 0, text }
static const ssti_option layer_options[] = {
    {"name", SSTI_OPTION_TEXT, offsetof(shapes_layer, name), 0, 0, "", NULL, 0, "for tables"},
    SIZE(in_channels, 1, 1048576, NULL, "input channels"),
    SIZE(out_channels, 1, 1048576, NULL, "output channels"),
    SIZE(in_size, 1, 1048576, NULL, "side of the input in pixels; 1 for a fully connected layer"),
    SIZE(out_size, 1, 1048576, NULL, "side in pixels of what the next layer sees"),
    SIZE(conv_size, 0, 1048576, "0", "side of the output before pooling; 0: in_size/stride"),
    SIZE(kernel, 1, 1024, "3", "side in pixels"),
    SIZE(stride, 1, 1024, "1", "pixels"),
    BITS(input_bits, 0, "0", "0: 32 in the first layer, 1 (spikes) in others"),
    BITS(weight_bits, 1, "32", "of a weight; 32: float"),
    BITS(membrane_bits, 1, "32", "of a membrane potential; 32: float"),
    {"rate", SSTI_OPTION_DOUBLE, offsetof(shapes_layer, rate), -1, 1, "-1", NULL, 0,
     "share of its inputs that spike; -1: the file's"},
};

typedef struct reader {
  sst_context *context;
  const ssti_yaml_tree *tree;
} reader;

static sst_status at(const reader *r, const ssti_yaml_node *node, sst_status status) {
  char place[SSTI_YAML_PLACE_SIZE];
  return ssti_fail_within(r->context, status, "%s", ssti_yaml_place(r->tree, node, place));
}

// Reads a map by its table; `other` is a key that is read elsewhere. Every key without a default has to be there.
static sst_status read_map(const reader *r, const ssti_yaml_node *map, const ssti_option *table, int count,
                           const char *other, void *object) {
  if (map->kind != SSTI_YAML_MAP) {
    return at(r, map, ssti_fail(r->context, SST_RECIPE, "found %s, expected a map of keys", ssti_yaml_kind_text(map)));
  }
  ssti_options_set_defaults(table, count, object);
  for (const ssti_yaml_node *item = map->first; item != NULL; item = item->next) {
    if (other != NULL && strcmp(item->key, other) == 0) { continue; }
    const ssti_option *option = ssti_options_find(table, count, item->key);
    sst_status status = SST_OK;
    if (option == NULL) {
      ssti_text names = ssti_text_begin(r->context);
      for (int i = 0; i < count; i++) { ssti_text_append(&names, "%s%s", i ? ", " : "", table[i].key); }
      status = names.status;
      if (status == SST_OK) {
        status = ssti_fail(r->context, SST_RECIPE, "unknown key '%s'; there are %s%s%s", item->key, names.data,
                           other ? ", " : "", other ? other : "");
      }
      ssti_text_free(&names);
    } else if (item->kind != SSTI_YAML_SCALAR) {
      status = ssti_fail(r->context, SST_RECIPE, "%s is %s, expected a single value: %s", item->key,
                         ssti_yaml_kind_text(item), option->text);
    } else {
      status = ssti_option_set(r->context, option, object, item->text);
      if (status != SST_OK) { ssti_fail_within(r->context, status, "%s", item->key); }
    }
    if (status != SST_OK) { return at(r, item, status); }
  }
  for (int i = 0; i < count; i++) {
    if (table[i].default_value == NULL && ssti_yaml_get(map, table[i].key) == NULL) {
      return at(r, map, ssti_fail(r->context, SST_RECIPE, "%s is missing: %s", table[i].key, table[i].text));
    }
  }
  return SST_OK;
}

static void fill_layer(const shapes_head *head, const shapes_layer *s, int index, bool last, sst_cost_layer *out) {
  int64_t side = s->conv_size ? s->conv_size : (s->in_size + s->stride - 1) / s->stride;
  bool linear = s->in_size == 1 && s->kernel == 1;
  snprintf(out->name, sizeof out->name, "%.120s", s->name);
  if (!s->name[0]) { snprintf(out->name, sizeof out->name, "%d.%s", index, linear ? "linear" : "conv"); }
  out->kind = linear ? SST_COST_LINEAR : SST_COST_CONV;
  out->in_channels = s->in_channels;
  out->in_height = out->in_width = s->in_size;
  out->out_channels = s->out_channels;
  out->out_height = out->out_width = side;
  out->pooled_height = out->pooled_width = s->out_size;
  out->kernel_height = out->kernel_width = s->kernel;
  out->stride_height = out->stride_width = s->stride;
  out->groups = 1;
  out->input_bits = s->input_bits ? s->input_bits : (index == 0 ? 32 : 1);
  out->spiking_input = out->binary_input = out->input_bits == 1;
  out->timesteps = out->spiking_input ? head->timesteps : 1;
  out->neurons = out->leak = !last;
  out->bias = true;
  out->weight_bits = s->weight_bits;
  out->membrane_bits = s->membrane_bits;
  out->weights = s->in_channels * s->out_channels * s->kernel * s->kernel;
  out->dense_operations = ssti_cost_macs(out);
  double rate = s->rate >= 0 ? s->rate : head->rate;
  if (!out->spiking_input) { rate = 1; }
  out->nonzero_inputs = rate * ssti_cost_inputs(out) * (double)out->timesteps;
  out->effective_operations = rate * out->dense_operations * (double)out->timesteps;
  out->crossbar_patches = out->crossbar_rows = out->crossbar_sites = (double)NAN;
}

// What enters a layer came out of the neurons before it, at its rate.
static void fill_neurons(const shapes_head *head, sst_cost_record *record) {
  for (int i = 0; i < record->layer_count; i++) {
    sst_cost_layer *l = &record->layers[i];
    if (!l->neurons) { continue; }
    double updates = ssti_cost_outputs(l) * (double)head->timesteps;
    l->membrane_updates = updates;
    l->spikes_out = i + 1 < record->layer_count ? ssti_cost_rate(&record->layers[i + 1]) * updates : 0;
  }
}

static sst_status read_layers(const reader *r, const shapes_head *head, const ssti_yaml_node *list,
                              sst_cost_record **out) {
  SST_TRY(sst_cost_record_create(r->context, list->count, head->timesteps, out));
  int index = 0;
  for (const ssti_yaml_node *item = list->first; item != NULL; item = item->next, index++) {
    shapes_layer shape = {.stride = 1};
    SST_TRY(read_map(r, item, layer_options, COUNT(layer_options), NULL, &shape));
    sst_cost_layer *layer = &(*out)->layers[index];
    fill_layer(head, &shape, index, item->next == NULL, layer);
    for (int64_t t = 0; t < layer->timesteps; t++) {
      (*out)->step_inputs[index * head->timesteps + t] = layer->nonzero_inputs / (double)layer->timesteps;
    }
  }
  (*out)->spiking = true;
  fill_neurons(head, *out);
  return SST_OK;
}

static sst_status read_file(const reader *r, sst_cost_record **out) {
  const ssti_yaml_node *root = ssti_yaml_root(r->tree);
  shapes_head head = {0};
  SST_TRY(read_map(r, root, head_options, COUNT(head_options), "layers", &head));
  const ssti_yaml_node *layers = ssti_yaml_get(root, "layers");
  if (layers == NULL || layers->kind != SSTI_YAML_LIST || layers->count < 1) {
    return at(r, layers ? layers : root,
              ssti_fail(r->context, SST_RECIPE,
                        "layers has to be a list of at least one layer, such as {in_channels: 3, "
                        "out_channels: 64, in_size: 32, out_size: 32, kernel: 3}"));
  }
  return read_layers(r, &head, layers, out);
}

sst_status sst_cost_record_from_shapes(sst_context *context, const char *path, sst_cost_record **out) {
  *out = NULL;
  reader r = {.context = context};
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_yaml_open(context, path, &tree));
  r.tree = tree;
  sst_status status = read_file(&r, out);
  if (status == SST_OK) {
    snprintf((*out)->network, sizeof(*out)->network, "%.120s", path);
  } else {
    sst_cost_record_destroy(*out);
    *out = NULL;
  }
  ssti_yaml_destroy(tree);
  return status;
}
