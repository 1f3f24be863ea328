// SPDX-License-Identifier: Apache-2.0
// Our parameters as PyTorch would have them. Names and shapes follow from the parameter; whether a linear layer is one,
// and which features are a flattened picture's, from the nodes that read it.
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "exchange/state_parts.h"
#include "graph/graph_internal.h"
#include "graph/parameters_internal.h"

static const char *const layout_words[] = {
#define LAYOUT_WORD(name, word, text) word,
    SST_STATE_LAYOUT_LIST(LAYOUT_WORD)
#undef LAYOUT_WORD
};

const char *sst_state_layout_word(sst_state_layout layout) {
  return (unsigned)layout < SST_STATE_LAYOUT_COUNT ? layout_words[layout] : "unknown";
}

bool sst_state_layout_parse(const char *word, sst_state_layout *out) {
  const int found = ssti_find_word(word, layout_words, SST_STATE_LAYOUT_COUNT);
  if (found >= 0) { *out = (sst_state_layout)found; }
  return found >= 0;
}

// X(our word, PyTorch's). The only words that share a module; any other tensor stands for itself.
#define WORD_LIST(X)                                                                                                   \
  X("weight", "weight")                                                                                                \
  X("bias", "bias")                                                                                                    \
  X("gamma", "weight")                                                                                                 \
  X("beta", "bias")                                                                                                    \
  X("running_mean", "running_mean")                                                                                    \
  X("running_variance", "running_var")                                                                                 \
  X("step", "step")                                                                                                    \
  X("num_batches_tracked", "num_batches_tracked")

static const struct {
  const char *ours, *theirs;
} words[] = {
#define WORD_ROW(ours, theirs) {ours, theirs},
    WORD_LIST(WORD_ROW)
#undef WORD_ROW
};

size_t ssti_state_stem(const char *name) {
  const char *dot = strrchr(name, '.');
  const char *word = dot ? dot + 1 : name;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    // "beta" alone is a neuron's constant in other tools, and a norm's only with us.
    if (strcmp(word, words[i].theirs) == 0) { return dot ? (size_t)(dot - name) : 0; }
  }
  return strlen(name);
}

static size_t own_stem(const char *name) {
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; dot && i < sizeof words / sizeof *words; i++) {
    if (strcmp(dot + 1, words[i].ours) == 0) { return (size_t)(dot - name); }
  }
  return strlen(name);
}

// "4.norm.gamma" is "4.weight" there: a layer's own part has no name of its own.
static void name_there(ssti_state_tensor *t) {
  const char *name = t->parameter->name, *word = strrchr(name, '.');
  t->own_stem = own_stem(name);
  if (name[t->own_stem] == '\0') { // stands for itself
    const bool decay = word && strcmp(word, ".decay") == 0;
    snprintf(t->name, sizeof t->name, "%.*s%s", (int)(decay ? word - name : (long)strlen(name)), name,
             decay ? ".w" : "");
    t->stem = strlen(t->name);
    return;
  }
  size_t stem = t->own_stem;
  static const char *const parts[] = {".conv", ".linear", ".norm"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    const size_t length = strlen(parts[i]);
    if (stem > length && strncmp(name + stem - length, parts[i], length) == 0) {
      stem -= length;
      break;
    }
  }
  t->stem = stem;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(word + 1, words[i].ours) == 0) {
      snprintf(t->name, sizeof t->name, "%.*s.%s", (int)stem, name, words[i].theirs);
      return;
    }
  }
}

// Name and shape as in a checkpoint.
static void keep_own(ssti_state_tensor *t) {
  const sst_parameter *p = t->parameter;
  snprintf(t->name, sizeof t->name, "%s", p->name);
  t->own_stem = t->stem = own_stem(p->name);
  t->rank = 0;
  for (int i = 0; i < SST_AXIS_COUNT; i++) {
    if (t->rank > 0 || p->shape.dim[i] != 1 || i == SST_AXIS_COUNT - 1) { t->shape[t->rank++] = p->shape.dim[i]; }
  }
}

static void shape_there(ssti_state_tensor *t) {
  const sst_parameter *p = t->parameter;
  if (p->kind == SST_PARAMETER_WEIGHT) { // a linear layer's loses the last two when its node is met
    t->rank = 4;
    t->shape[0] = t->rows = p->shape.dim[SST_AXIS_N];
    t->shape[1] = t->channels = p->shape.dim[SST_AXIS_C];
    t->shape[2] = p->shape.dim[SST_AXIS_H];
    t->shape[3] = p->shape.dim[SST_AXIS_W];
    t->places = t->shape[2] * t->shape[3];
  } else if (p->kind == SST_PARAMETER_NEURON && p->count == 1) {
    t->rank = 0;
  } else {
    t->rank = 1;
    t->shape[0] = p->count;
  }
}

// ---- features in another order

// Which flattened picture a value's features are; places 0: none.
typedef struct picture {
  int64_t places, channels;
} picture;

// The parameter that a weight is made from, by a quantiser perhaps; NULL if it is none of the list.
static ssti_state_tensor *tensor_of(const sst_graph *graph, ssti_state_list *list, sst_value value) {
  while (graph->values[value].kind == SSTI_VALUE_OUTPUT) { value = graph->nodes[graph->values[value].node].inputs[0]; }
  const ssti_value *v = &graph->values[value];
  if (v->kind != SSTI_VALUE_PARAMETER || v->store != graph->store) { return NULL; }
  return &list->tensors[v->parameter];
}

static void reorder(ssti_state_tensor *t, picture p) {
  if (t == NULL || p.places <= 1) { return; }
  t->places = p.places;
  t->channels = p.channels;
  t->rows = t->parameter->count / (p.places * p.channels);
}

static picture visit(const sst_graph *graph, ssti_state_list *list, const ssti_node *node, const picture *pictures) {
  picture from = {0, 0};
  for (int i = 0; i < node->call.input_count && from.places == 0; i++) { from = pictures[node->inputs[i]]; }
  if (node->op == &ssti_op_flatten) {
    const sst_shape shape = graph->values[node->inputs[0]].tensor.shape;
    const int64_t places = shape.dim[SST_AXIS_H] * shape.dim[SST_AXIS_W];
    return places > 1 ? (picture){places, shape.dim[SST_AXIS_C]} : from;
  }
  if (node->op == &ssti_op_linear) {
    ssti_state_tensor *t = tensor_of(graph, list, node->inputs[1]);
    if (t) { t->rank = 2; }
    reorder(t, pictures[node->inputs[0]]);
    return (picture){0, 0};
  }
  if (node->op == &ssti_op_batch_norm) {
    for (int i = 1; i < node->call.input_count; i++) { reorder(tensor_of(graph, list, node->inputs[i]), from); }
  }
  // PyTorch has no convolution of flat features, so that one has no order to keep to.
  const int64_t features = graph->values[node->outputs[0]].tensor.shape.dim[SST_AXIS_C];
  return features == from.places * from.channels ? from : (picture){0, 0};
}

static sst_status find_orders(const sst_graph *graph, ssti_state_list *list) {
  picture *pictures = NULL;
  SST_TRY(ssti_allocate(list->context, (size_t)graph->value_count, sizeof *pictures, &pictures));
  for (int i = 0; i < graph->node_count; i++) {
    const ssti_node *node = &graph->nodes[i];
    const picture made = visit(graph, list, node, pictures);
    for (int k = 0; k < node->call.output_count; k++) { pictures[node->outputs[k]] = made; }
  }
  ssti_free(list->context, pictures);
  return SST_OK;
}

// ---- the list

static bool same_module(const ssti_state_tensor *a, const ssti_state_tensor *b) {
  return a->own_stem == b->own_stem && strncmp(a->parameter->name, b->parameter->name, a->own_stem) == 0;
}

static void gather_modules(ssti_state_list *list) {
  ssti_state_side *side = &list->ours;
  for (int i = 0; i < list->count; i++) {
    ssti_state_tensor *t = &list->tensors[i];
    const sst_parameter_kind kind = t->parameter->kind;
    if (i == 0 || !same_module(t - 1, t)) {
      side->modules[side->count] = (ssti_state_module){.first = i, .main = i, .order = side->count, .partner = -1};
      side->modules[side->count].kind = kind == SST_PARAMETER_WEIGHT ? SSTI_STATE_WEIGHTS
                                        : kind == SST_PARAMETER_NORM ? SSTI_STATE_NORM
                                                                     : SSTI_STATE_SINGLE;
      side->count++;
    }
    t->module = side->count - 1;
    side->modules[t->module].count++;
  }
}

sst_status ssti_state_begin(sst_graph *graph, sst_state_layout layout, ssti_state_list *out) {
  *out = (ssti_state_list){.context = graph->context, .layout = layout};
  const sst_parameters *parameters = graph->store;
  out->count = sst_parameters_count(parameters);
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(out->context, (size_t)out->count, sizeof *out->tensors, &out->tensors));
  SST_TRY_GOTO(ssti_allocate(out->context, (size_t)out->count, sizeof *out->ours.modules, &out->ours.modules));
  for (int i = 0; i < out->count; i++) {
    ssti_state_tensor *t = &out->tensors[i];
    *t = (ssti_state_tensor){.parameter = sst_parameters_at(parameters, i), .places = 1, .rows = 1, .entry = -1};
    t->channels = t->parameter->count;
    t->optional = t->parameter->kind == SST_PARAMETER_STEP;
    if (layout == SST_STATE_LAYOUT_SPIKESTILL) {
      keep_own(t);
    } else {
      name_there(t);
      shape_there(t);
    }
  }
  if (layout == SST_STATE_LAYOUT_TORCH) { SST_TRY_GOTO(find_orders(graph, out)); }
  gather_modules(out);
done:
  if (status != SST_OK) { ssti_state_end(out); }
  return status;
}

void ssti_state_end(ssti_state_list *list) {
  ssti_free(list->context, list->tensors);
  ssti_free(list->context, list->ours.modules);
  list->tensors = NULL;
  list->ours.modules = NULL;
}

void ssti_state_from_theirs(const ssti_state_tensor *t, const float *theirs, float *ours) {
  for (int64_t r = 0; r < t->rows; r++, theirs += t->places * t->channels, ours += t->places * t->channels) {
    for (int64_t p = 0; p < t->places; p++) {
      for (int64_t c = 0; c < t->channels; c++) { ours[p * t->channels + c] = theirs[c * t->places + p]; }
    }
  }
}

void ssti_state_to_theirs(const ssti_state_tensor *t, const float *ours, float *theirs) {
  for (int64_t r = 0; r < t->rows; r++, theirs += t->places * t->channels, ours += t->places * t->channels) {
    for (int64_t c = 0; c < t->channels; c++) {
      for (int64_t p = 0; p < t->places; p++) { theirs[c * t->places + p] = ours[p * t->channels + c]; }
    }
  }
}

bool ssti_state_same_shape(const ssti_state_tensor *tensor, const sst_safetensors_entry *entry) {
  // One number is one number, with or without axes.
  if (tensor->rank == 0 && entry->rank <= 1) { return entry->rank == 0 || entry->shape[0] == 1; }
  bool same = tensor->rank == entry->rank;
  for (int i = 0; same && i < tensor->rank; i++) { same = tensor->shape[i] == entry->shape[i]; }
  return same;
}

const char *ssti_state_shape_text(int rank, const int64_t *shape, char text[SSTI_STATE_SHAPE_SIZE]) {
  size_t at = (size_t)snprintf(text, SSTI_STATE_SHAPE_SIZE, "[");
  for (int i = 0; i < rank; i++) {
    at += (size_t)snprintf(text + at, SSTI_STATE_SHAPE_SIZE - at, "%s%lld", i ? "," : "", (long long)shape[i]);
  }
  snprintf(text + at, SSTI_STATE_SHAPE_SIZE - at, "]");
  return text;
}
