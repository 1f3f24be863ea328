// SPDX-License-Identifier: Apache-2.0
// student.layers: a list whose items are a kind of layer ("norm") or a kind with its options ("conv: {out: 32}").
#include <stdio.h>

#include "recipe/recipe_parts.h"

enum { MAX_LAYERS = 4096, INSIDE_SIZE = 64 };

#define LAYER_WORD(name, word, text) word,
const char *const ssti_layer_words[] = {SST_LAYER_LIST(LAYER_WORD)};
static const char *const form_words[] = {SST_BLOCK_FORM_LIST(LAYER_WORD)};
#undef LAYER_WORD
static const char *const bias_words[] = {"false", "true", "auto"};
enum { BIAS_AUTO = 2 };

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define SIZE(key, field, low, high, value, text)                                                                       \
  { key, SSTI_OPTION_INT64, offsetof(ssti_layer_draft, layer.field), low, high, value, NULL, 0, text }
#define BIAS                                                                                                           \
  {                                                                                                                    \
    "bias", SSTI_OPTION_WORD, offsetof(ssti_layer_draft, bias), 0, 0, "auto", bias_words, COUNT(bias_words),           \
        "auto: unless a norm layer follows"                                                                            \
  }

// `out` has no default here: it must be given.
static const ssti_option conv_options[] = {
    SIZE("out", out, 1, 1048576, NULL, "output channels"),
    SIZE("kernel", kernel, 1, 1024, "3", "side in pixels"),
    SIZE("stride", stride, 1, 1024, "1", "pixels"),
    SIZE("padding", padding, 0, 1024, "1", "zeros around, in pixels"),
    SIZE("dilation", dilation, 1, 1024, "1", "pixels from tap to tap"),
    SIZE("groups", groups, 0, 1048576, "1", "groups of channels; 0: depthwise, one for each input channel"),
    BIAS,
};
static const ssti_option linear_options[] = {
    SIZE("out", out, 0, 1048576, "0", "outputs; 0, in the last linear layer only: the number of classes"),
    BIAS,
};
static const ssti_option pool_options[] = {
    SIZE("kernel", kernel, 1, 1024, "2", "side in pixels"),
    SIZE("stride", stride, 1, 1024, "2", "pixels"),
    SIZE("padding", padding, 0, 1024, "0", "pixels around, at most half the kernel"),
};
static const ssti_option dropout_options[] = {
    {"rate", SSTI_OPTION_FLOAT, offsetof(ssti_layer_draft, layer.rate), 0, 0.999, "0.5", NULL, 0,
     "share that is dropped"},
};
static const ssti_option block_options[] = {
    SIZE("out", out, 1, 1048576, NULL, "output channels"),
    SIZE("stride", stride, 1, 1024, "1", "of the first convolution, in pixels"),
    {"form", SSTI_OPTION_WORD, offsetof(ssti_layer_draft, layer.form), 0, 0, "basic", form_words, COUNT(form_words),
     "form of the block"},
};

const ssti_option *ssti_layer_options(sst_layer_kind kind, int *count) {
  switch (kind) {
  case SST_LAYER_CONV: *count = COUNT(conv_options); return conv_options;
  case SST_LAYER_LINEAR: *count = COUNT(linear_options); return linear_options;
  case SST_LAYER_AVERAGE_POOL:
  case SST_LAYER_MAX_POOL: *count = COUNT(pool_options); return pool_options;
  case SST_LAYER_DROPOUT: *count = COUNT(dropout_options); return dropout_options;
  case SST_LAYER_BLOCK: *count = COUNT(block_options); return block_options;
  case SST_LAYER_NORM:
  case SST_LAYER_ACTIVATION:
  case SST_LAYER_GLOBAL_POOL:
  case SST_LAYER_FLATTEN:
  case SST_LAYER_COUNT: break;
  }
  *count = 0;
  return NULL;
}

static ssti_layer_draft draft_layer(sst_layer layer) {
  return (ssti_layer_draft){.layer = layer, .bias = layer.bias < 0 ? BIAS_AUTO : layer.bias};
}

static sst_status read_layer_options(const ssti_recipe_reader *reader, const ssti_yaml_node *map, const char *inside,
                                     sst_layer_kind kind, ssti_layer_draft *layer) {
  int count = 0;
  const ssti_option *options = ssti_layer_options(kind, &count);
  const char *names[16];
  assert(count <= (int)(sizeof names / sizeof names[0]));
  for (int i = 0; i < count; i++) { names[i] = options[i].key; }
  for (const ssti_yaml_node *item = map->first; item != NULL; item = item->next) {
    const ssti_option *option = ssti_options_find(options, count, item->key);
    if (option == NULL) { return ssti_recipe_unknown_key(reader, item, inside, names, count); }
    SST_TRY(ssti_recipe_read_option(reader, option, layer, item, inside));
  }
  for (int i = 0; i < count; i++) {
    const ssti_yaml_node *item = ssti_yaml_get(map, options[i].key);
    if (options[i].default_value == NULL && (item == NULL || ssti_yaml_is_null(item))) {
      SSTI_RECIPE_FAIL(reader, map, "%s has no '%s', which it needs: %s", inside, options[i].key, options[i].text);
    }
  }
  return SST_OK;
}

// One item of the list: "norm", "norm:" or "conv: {out: 32}".
static sst_status read_layer(const ssti_recipe_reader *reader, const ssti_yaml_node *node, int index, sst_layer *out) {
  char inside[INSIDE_SIZE];
  snprintf(inside, sizeof inside, "student.layers.%d", index);
  const ssti_yaml_node *options = node;
  if (node->kind == SSTI_YAML_MAP && node->count == 1) { options = node->first; }
  const char *word = node->kind == SSTI_YAML_SCALAR ? node->text : options->key;
  if (node->kind == SSTI_YAML_LIST || (node->kind == SSTI_YAML_MAP && node->count != 1) || ssti_yaml_is_null(node)) {
    SSTI_RECIPE_FAIL(reader, node, "%s is %s, expected one kind of layer such as 'norm' or 'conv: {out: 32}'%s", inside,
                     node->kind == SSTI_YAML_MAP ? "a map of several keys" : ssti_yaml_kind_text(node),
                     node->kind == SSTI_YAML_MAP ? " (indent its options deeper than the kind)" : "");
  }
  sst_layer_kind kind = SST_LAYER_COUNT;
  if (!sst_layer_parse(word, &kind)) {
    const int nearest = ssti_nearest_name(word, ssti_layer_words, SST_LAYER_COUNT);
    SSTI_RECIPE_FAIL(reader, options, "%s: there is no kind of layer '%s'%s%s%s", inside, word,
                     nearest >= 0 ? "; nearest is '" : "", nearest >= 0 ? ssti_layer_words[nearest] : "",
                     nearest >= 0 ? "'" : "");
  }
  snprintf(inside, sizeof inside, "student.layers.%d.%s", index, ssti_layer_words[kind]);
  if (options != node && options->kind != SSTI_YAML_MAP && !ssti_yaml_is_null(options)) {
    SSTI_RECIPE_FAIL(reader, options, "%s is %s, expected a map of its options, such as {out: 32}", inside,
                     ssti_yaml_kind_text(options));
  }
  ssti_layer_draft layer = draft_layer(sst_layer_default(kind));
  SST_TRY(read_layer_options(reader, options, inside, kind, &layer));
  *out = layer.layer;
  out->bias = layer.bias == BIAS_AUTO ? -1 : layer.bias;
  return SST_OK;
}

static sst_status read_list(const ssti_recipe_reader *reader, const ssti_yaml_node *list) {
  sst_recipe_network *student = &reader->draft->recipe.student;
  if (list->kind != SSTI_YAML_LIST || list->count == 0) {
    SSTI_RECIPE_FAIL(reader, list, "student.layers is %s, expected a list of layers such as 'conv: {out: 32}'",
                     list->kind == SSTI_YAML_LIST ? "empty" : ssti_yaml_kind_text(list));
  }
  if (list->count > MAX_LAYERS) {
    SSTI_RECIPE_FAIL(reader, list, "student.layers has %d layers, expected at most %d", list->count, MAX_LAYERS);
  }
  SST_TRY(ssti_allocate(reader->context, (size_t)list->count, sizeof(sst_layer), &student->layers));
  int index = 0, last_linear = -1;
  for (const ssti_yaml_node *item = list->first; item != NULL; item = item->next, index++) {
    SST_TRY(read_layer(reader, item, index, &student->layers[index]));
    if (student->layers[index].kind == SST_LAYER_LINEAR) { last_linear = index; }
  }
  for (int i = 0; i < last_linear; i++) {
    if (student->layers[i].kind == SST_LAYER_LINEAR && student->layers[i].out == 0) {
      SSTI_RECIPE_FAIL(reader, ssti_yaml_item(list, i),
                       "student.layers.%d.linear has no 'out'; only the last linear"
                       " layer (student.layers.%d) may leave it to the number of classes",
                       i, last_linear);
    }
  }
  student->options.layer_count = list->count;
  return SST_OK;
}

// Keys of the builder beside a list of layers would do nothing: better said than ignored.
static sst_status refuse_builder_keys(const ssti_recipe_reader *reader, const ssti_yaml_node *student) {
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const ssti_recipe_section *section = &ssti_recipe_sections[i];
    for (int j = 0; j < section->source_count; j++) {
      const ssti_yaml_node *item = ssti_yaml_get(student, section->sources[j].key);
      if (item != NULL && !ssti_yaml_is_null(item)) {
        SSTI_RECIPE_FAIL(reader, item, "student.%s has no effect beside student.layers; leave out one of them",
                         item->key);
      }
    }
  }
  return SST_OK;
}

sst_status ssti_recipe_read_layers(const ssti_recipe_reader *reader) {
  ssti_recipe_draft *draft = reader->draft;
  sst_recipe_network *student = &draft->recipe.student;
  const ssti_yaml_node *map = ssti_yaml_get(ssti_yaml_root(reader->tree), "student");
  const ssti_yaml_node *layers = ssti_yaml_get(map, "layers"), *model = ssti_yaml_get(map, "model");
  student->builder_options.max_pool = draft->pool == 1;
  if (layers != NULL && !ssti_yaml_is_null(layers)) {
    SST_TRY(refuse_builder_keys(reader, map));
    SST_TRY(read_list(reader, layers));
  } else if (model != NULL && !ssti_yaml_is_null(model)) {
    student->has_builder = true;
    student->builder = (sst_builder_kind)draft->network_model;
    const sst_status status = sst_builder_layers(reader->context, student->builder, &student->builder_options,
                                                 &student->layers, &student->options.layer_count);
    if (status != SST_OK) { return ssti_recipe_place_failure(reader, model, status); }
  } else {
    SSTI_RECIPE_FAIL(reader, map,
                     "student.model is missing: give a builder such as 'model: cnn', or a list of layers"
                     " as student.layers");
  }
  student->options.layers = student->layers;
  return SST_OK;
}

void ssti_recipe_print_layers(const sst_recipe *recipe, ssti_text *out) {
  ssti_text_append(out, "  layers:\n");
  for (int i = 0; i < recipe->student.options.layer_count; i++) {
    const ssti_layer_draft layer = draft_layer(recipe->student.layers[i]);
    int count = 0;
    const ssti_option *options = ssti_layer_options(layer.layer.kind, &count);
    ssti_text_append(out, "    - %s", sst_layer_word(layer.layer.kind));
    for (int j = 0; j < count; j++) {
      ssti_text_append(out, "%s%s: ", j == 0 ? ": {" : ", ", options[j].key);
      ssti_recipe_print_option(&options[j], &layer, out);
    }
    ssti_text_append(out, count > 0 ? "}\n" : "\n");
  }
}
