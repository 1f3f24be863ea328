// SPDX-License-Identifier: Apache-2.0
// "train.epochs=3" on top of a tree.
#include "base/yaml_tree.h"

// One walk from the root to the place that is meant.
typedef struct walk {
  ssti_yaml_tree *tree;
  const char *origin; // "--set train.epochs"
  ssti_yaml_node *at;
} walk;

static sst_status check_path(const ssti_yaml_tree *tree, const char *assignment, size_t length) {
  if (assignment[length] != '=') {
    SST_FAIL(tree->context, SST_RECIPE, "--set %s: no '=', expected key=value such as train.epochs=3", assignment);
  }
  int parts = 1;
  for (size_t i = 0; i < length; i++) { parts += assignment[i] == '.'; }
  if (parts > SSTI_YAML_MAX_DEPTH) {
    SST_FAIL(tree->context, SST_RECIPE, "--set %s: the key has %d parts, expected at most %d", assignment, parts,
             SSTI_YAML_MAX_DEPTH);
  }
  bool empty = length == 0 || assignment[length - 1] == '.';
  for (size_t i = 0; i < length && !empty; i++) {
    empty = assignment[i] == '.' && (i == 0 || assignment[i - 1] == '.');
  }
  if (empty) {
    SST_FAIL(tree->context, SST_RECIPE,
             "--set %s: a part of the key is empty, expected key=value such as train.epochs=3", assignment);
  }
  return SST_OK;
}

static bool all_digits(const char *word) { return word[0] != '\0' && strspn(word, "0123456789") == strlen(word); }

static sst_status new_item(walk *w, const char *key, ssti_yaml_node **out) {
  SST_TRY(ssti_yaml_node_create(w->tree, SSTI_YAML_SCALAR, out));
  (*out)->key = key;
  (*out)->origin = w->origin;
  ssti_yaml_append(w->at, *out);
  return SST_OK;
}

// One step down to `part`, which is made if it is missing.
static sst_status step(walk *w, const char *part) {
  ssti_yaml_node *at = w->at;
  if (at->kind == SSTI_YAML_SCALAR && ssti_yaml_is_null(at)) {
    at->text = "";
    at->kind = all_digits(part) ? SSTI_YAML_LIST : SSTI_YAML_MAP; // no key of a recipe is a number
    at->origin = w->origin;
  }
  if (at->kind == SSTI_YAML_MAP) {
    ssti_yaml_node *item = ssti_yaml_get(at, part);
    if (item == NULL) { SST_TRY(new_item(w, part, &item)); }
    w->at = item;
    return SST_OK;
  }
  if (at->kind == SSTI_YAML_SCALAR) {
    SST_FAIL(w->tree->context, SST_RECIPE, "%s: there is no '%s' inside '%s', which is a single value", w->origin, part,
             at->text);
  }
  int64_t index = 0;
  if (!all_digits(part) || !ssti_parse_int64(part, &index)) {
    SST_FAIL(w->tree->context, SST_RECIPE, "%s: '%s' is not a place in a list, expected a number 0..%d", w->origin,
             part, at->count);
  }
  if (index > at->count) {
    SST_FAIL(w->tree->context, SST_RECIPE, "%s: place %s is beyond the end of the list, expected 0..%d (%d appends)",
             w->origin, part, at->count, at->count);
  }
  ssti_yaml_node *item = ssti_yaml_item(at, (int)index);
  if (item == NULL) { SST_TRY(new_item(w, NULL, &item)); }
  w->at = item;
  return SST_OK;
}

sst_status ssti_yaml_override(ssti_yaml_tree *tree, const char *assignment) {
  const size_t length = strcspn(assignment, "=");
  SST_TRY(check_path(tree, assignment, length));
  ssti_text origin = ssti_text_begin(tree->context);
  ssti_text_append(&origin, "--set %.*s", (int)length, assignment);
  walk w = {.tree = tree, .at = tree->root};
  sst_status status = origin.status;
  if (status == SST_OK) { status = ssti_yaml_hold_text(tree, origin.data, origin.length, &w.origin); }
  ssti_text_free(&origin);
  SST_TRY(status);

  for (size_t from = 0; from <= length;) {
    const size_t part_length = strcspn(assignment + from, ".=");
    const char *part = NULL;
    SST_TRY(ssti_yaml_hold_text(tree, assignment + from, part_length, &part));
    SST_TRY(step(&w, part));
    from += part_length + 1;
  }
  ssti_yaml_node *value = NULL;
  const char *text = assignment + length + 1;
  SST_TRY(ssti_yaml_read(tree, w.origin, text, strlen(text), &value));
  // The place keeps its key and its neighbours and takes over the value.
  w.at->kind = value->kind;
  w.at->text = value->text;
  w.at->quoted = value->quoted;
  w.at->origin = w.origin;
  w.at->count = value->count;
  w.at->first = value->first;
  w.at->last = value->last;
  return SST_OK;
}
