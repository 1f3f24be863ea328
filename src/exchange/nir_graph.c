// SPDX-License-Identifier: Apache-2.0
// NIR graphs in memory: building, looking up, ending. The words of the lists.
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "exchange/nir_internal.h"

static const char *const type_words[] = {
#define TYPE_WORD(name, word, required, optional) word,
    SST_NIR_TYPE_LIST(TYPE_WORD)
#undef TYPE_WORD
};

// The names of fields, separated by spaces.
static const struct {
  const char *required, *optional;
} type_fields[] = {
#define TYPE_FIELDS(name, word, required, optional) {required, optional},
    SST_NIR_TYPE_LIST(TYPE_FIELDS)
#undef TYPE_FIELDS
};

static const char *const target_words[] = {
#define TARGET_WORD(name, word, dt, text) word,
    SST_NIR_TARGET_LIST(TARGET_WORD)
#undef TARGET_WORD
};

static const double target_dt[] = {
#define TARGET_DT(name, word, dt, text) dt,
    SST_NIR_TARGET_LIST(TARGET_DT)
#undef TARGET_DT
};

const char *sst_nir_type_word(sst_nir_type type) {
  return (unsigned)type < SST_NIR_TYPE_COUNT ? type_words[type] : "unknown";
}

bool ssti_nir_type_parse(const char *word, sst_nir_type *out) {
  const int found = ssti_find_word(word, type_words, SST_NIR_TYPE_COUNT);
  if (found >= 0) { *out = (sst_nir_type)found; }
  return found >= 0;
}

const char *sst_nir_target_word(sst_nir_target target) {
  return (unsigned)target < SST_NIR_TARGET_COUNT ? target_words[target] : "unknown";
}

bool sst_nir_target_parse(const char *word, sst_nir_target *out) {
  const int found = ssti_find_word(word, target_words, SST_NIR_TARGET_COUNT);
  if (found >= 0) { *out = (sst_nir_target)found; }
  return found >= 0;
}

double sst_nir_target_dt(sst_nir_target target) {
  return (unsigned)target < SST_NIR_TARGET_COUNT ? target_dt[target] : 0.0;
}

// ---- building

sst_status sst_nir_create(sst_context *context, sst_nir_graph **out) {
  SST_TRY(ssti_allocate(context, 1, sizeof **out, out));
  (*out)->context = context;
  return SST_OK;
}

static void free_values(sst_context *context, sst_nir_values *values) {
  for (int i = 0; i < values->count; i++) {
    ssti_free(context, values->at[i].name);
    ssti_free(context, values->at[i].numbers);
    ssti_free(context, values->at[i].integers);
    ssti_free(context, values->at[i].text);
  }
  ssti_free(context, values->at);
}

void sst_nir_destroy(sst_nir_graph *graph) {
  if (graph == NULL) { return; }
  sst_context *context = graph->context;
  for (int i = 0; i < graph->node_count; i++) {
    sst_nir_node *node = &graph->nodes[i];
    ssti_free(context, node->name);
    free_values(context, &node->fields);
    free_values(context, &node->metadata);
    sst_nir_destroy(node->graph);
  }
  ssti_free(context, graph->nodes);
  ssti_free(context, graph->edges);
  free_values(context, &graph->metadata);
  ssti_free(context, graph);
}

int sst_nir_find_node(const sst_nir_graph *graph, const char *name) {
  for (int i = 0; i < graph->node_count; i++) {
    if (strcmp(graph->nodes[i].name, name) == 0) { return i; }
  }
  return -1;
}

const sst_nir_value *sst_nir_find_value(const sst_nir_values *values, const char *name) {
  for (int i = 0; i < values->count; i++) {
    if (strcmp(values->at[i].name, name) == 0) { return &values->at[i]; }
  }
  return NULL;
}

sst_status sst_nir_add_node(sst_nir_graph *graph, const char *name, sst_nir_type type, int *index) {
  sst_context *context = graph->context;
  if ((unsigned)type >= SST_NIR_TYPE_COUNT) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "node '%s' has type %d, expected 0 to %d", name, (int)type,
             SST_NIR_TYPE_COUNT - 1);
  }
  if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "'%s' cannot be a node's name: it is empty, '.' or has a '/'", name);
  }
  if (sst_nir_find_node(graph, name) >= 0) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "node '%s' is there twice", name);
  }
  SST_TRY(
      ssti_grow(context, &graph->nodes, &graph->node_capacity, (size_t)graph->node_count + 1, sizeof *graph->nodes));
  sst_nir_node node = {.type = type};
  SST_TRY(ssti_copy_text(context, name, &node.name));
  if (type == SST_NIR_TYPE_GRAPH) {
    const sst_status status = sst_nir_create(context, &node.graph);
    if (status != SST_OK) {
      ssti_free(context, node.name);
      return status;
    }
  }
  *index = graph->node_count;
  graph->nodes[graph->node_count++] = node;
  return SST_OK;
}

sst_status sst_nir_add_edge(sst_nir_graph *graph, int source, int target) {
  if (source < 0 || source >= graph->node_count || target < 0 || target >= graph->node_count) {
    SST_FAIL(graph->context, SST_INVALID_ARGUMENT, "an edge goes from node %d to node %d, expected 0 to %d", source,
             target, graph->node_count - 1);
  }
  SST_TRY(ssti_grow(graph->context, &graph->edges, &graph->edge_capacity, (size_t)graph->edge_count + 1,
                    sizeof *graph->edges));
  graph->edges[graph->edge_count++] = (sst_nir_edge){source, target};
  return SST_OK;
}

sst_status ssti_nir_add_value(sst_context *context, sst_nir_values *values, const char *name, sst_nir_kind kind,
                              int rank, const int64_t *shape, sst_nir_value **out) {
  *out = NULL;
  if (sst_nir_find_value(values, name) != NULL) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "'%s' is there twice", name);
  }
  sst_nir_value value = {.kind = kind, .rank = rank, .count = 1};
  if (rank < 0 || rank > SST_NIR_MAX_RANK) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "'%s' has rank %d, expected 0 to %d", name, rank, SST_NIR_MAX_RANK);
  }
  for (int i = 0; i < rank; i++) {
    if (shape[i] < 0 || __builtin_mul_overflow(value.count, shape[i], &value.count) ||
        value.count > SSTI_NIR_MOST_ELEMENTS) {
      SST_FAIL(context, SST_INVALID_ARGUMENT, "'%s' has more than %lld elements, or a negative size", name,
               SSTI_NIR_MOST_ELEMENTS);
    }
    value.shape[i] = shape[i];
  }
  SST_TRY(ssti_grow(context, &values->at, &values->capacity, (size_t)values->count + 1, sizeof *values->at));
  SST_TRY(ssti_copy_text(context, name, &value.name));
  sst_status status = SST_OK;
  if (kind == SST_NIR_NUMBERS) {
    status = ssti_allocate_raw(context, (size_t)value.count, sizeof *value.numbers, &value.numbers);
  } else if (kind == SST_NIR_INTEGERS) {
    status = ssti_allocate_raw(context, (size_t)value.count, sizeof *value.integers, &value.integers);
  }
  if (status != SST_OK) {
    ssti_free(context, value.name);
    return status;
  }
  *out = &values->at[values->count++];
  **out = value;
  return SST_OK;
}

sst_status sst_nir_put_numbers(sst_nir_graph *graph, sst_nir_values *values, const char *name, int rank,
                               const int64_t *shape, const double *numbers) {
  sst_nir_value *value = NULL;
  SST_TRY(ssti_nir_add_value(graph->context, values, name, SST_NIR_NUMBERS, rank, shape, &value));
  if (value->count > 0) { memcpy(value->numbers, numbers, (size_t)value->count * sizeof *numbers); }
  return SST_OK;
}

sst_status sst_nir_put_floats(sst_nir_graph *graph, sst_nir_values *values, const char *name, int rank,
                              const int64_t *shape, const float *numbers) {
  sst_nir_value *value = NULL;
  SST_TRY(ssti_nir_add_value(graph->context, values, name, SST_NIR_NUMBERS, rank, shape, &value));
  for (int64_t i = 0; i < value->count; i++) { value->numbers[i] = (double)numbers[i]; }
  return SST_OK;
}

sst_status sst_nir_put_integers(sst_nir_graph *graph, sst_nir_values *values, const char *name, int rank,
                                const int64_t *shape, const int64_t *integers) {
  sst_nir_value *value = NULL;
  SST_TRY(ssti_nir_add_value(graph->context, values, name, SST_NIR_INTEGERS, rank, shape, &value));
  if (value->count > 0) { memcpy(value->integers, integers, (size_t)value->count * sizeof *integers); }
  return SST_OK;
}

sst_status sst_nir_put_text(sst_nir_graph *graph, sst_nir_values *values, const char *name, const char *text) {
  sst_nir_value *value = NULL;
  SST_TRY(ssti_nir_add_value(graph->context, values, name, SST_NIR_TEXT, 0, NULL, &value));
  return ssti_copy_text(graph->context, text, &value->text);
}

// ---- what a node must hold

// Whether the list of words separated by spaces has this one.
static bool lists(const char *words, const char *word) {
  const size_t length = strlen(word);
  for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
    if ((at == words || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' ')) { return true; }
  }
  return false;
}

sst_status ssti_nir_check_node(sst_context *context, const sst_nir_node *node, sst_status failure) {
  const char *required = type_fields[node->type].required;
  for (int i = 0; i < node->fields.count; i++) {
    const sst_nir_value *field = &node->fields.at[i];
    if (!lists(required, field->name) && !lists(type_fields[node->type].optional, field->name)) {
      SST_FAIL(context, failure, "node '%s' has a field '%s', which a node of type %s does not have", node->name,
               field->name, type_words[node->type]);
    }
    // "same" and "valid" are the only text.
    if (field->kind == SST_NIR_TEXT && strcmp(field->name, "padding") != 0) {
      SST_FAIL(context, failure, "node '%s': '%s' is a text, expected numbers", node->name, field->name);
    }
  }
  for (const char *word = required; *word != '\0';) {
    char name[32];
    const size_t length = strcspn(word, " ");
    assert(length < sizeof name);
    memcpy(name, word, length);
    name[length] = '\0';
    if (sst_nir_find_value(&node->fields, name) == NULL) {
      SST_FAIL(context, failure, "node '%s' of type %s has no field '%s'", node->name, type_words[node->type], name);
    }
    word += length;
    while (*word == ' ') { word++; }
  }
  return SST_OK;
}
