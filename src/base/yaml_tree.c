// SPDX-License-Identifier: Apache-2.0
// The tree: its nodes, its memory, and asking it.
#include "base/yaml_tree.h"

#include <stdio.h>

#include "base/file.h"

// A tree's memory is a chain of blocks, each with this in front. A recipe is a few hundred nodes, so that a block each
// costs nothing that could be felt.
typedef struct block {
  struct block *next;
  max_align_t data[];
} block;

sst_status ssti_yaml_hold(ssti_yaml_tree *tree, size_t size, void *out) {
  block *b = NULL;
  const sst_status status = ssti_allocate(tree->context, 1, sizeof(block) + size, &b);
  void *data = b ? (void *)b->data : NULL;
  memcpy(out, &data, sizeof data);
  if (!b) { return status; }
  b->next = tree->blocks;
  tree->blocks = b;
  return SST_OK;
}

sst_status ssti_yaml_hold_text(ssti_yaml_tree *tree, const char *text, size_t length, const char **out) {
  char *copy = NULL;
  *out = NULL;
  SST_TRY(ssti_yaml_hold(tree, length + 1, &copy));
  memcpy(copy, text, length);
  *out = copy;
  return SST_OK;
}

sst_status ssti_yaml_node_create(ssti_yaml_tree *tree, ssti_yaml_kind kind, ssti_yaml_node **out) {
  *out = NULL;
  if (tree->node_count >= SSTI_YAML_MAX_NODES) {
    SST_FAIL(tree->context, SST_RECIPE, "%s: more than %d values", tree->name, SSTI_YAML_MAX_NODES);
  }
  SST_TRY(ssti_yaml_hold(tree, sizeof(ssti_yaml_node), out));
  tree->node_count++;
  (*out)->kind = kind;
  (*out)->text = "";
  return SST_OK;
}

void ssti_yaml_append(ssti_yaml_node *parent, ssti_yaml_node *item) {
  if (parent->last != NULL) {
    parent->last->next = item;
  } else {
    parent->first = item;
  }
  parent->last = item;
  parent->count++;
}

sst_status ssti_yaml_parse(sst_context *context, const char *name, const char *text, size_t size,
                           ssti_yaml_tree **out) {
  *out = NULL;
  ssti_yaml_tree *tree = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *tree, &tree));
  tree->context = context;
  sst_status status = ssti_copy_text(context, name, &tree->name);
  if (status == SST_OK && size > SSTI_YAML_MAX_BYTES) {
    status = ssti_fail(context, SST_RECIPE, "%s: %zu bytes, expected at most %d", name, size, SSTI_YAML_MAX_BYTES);
  }
  if (status == SST_OK) { status = ssti_yaml_read(tree, NULL, text, size, &tree->root); }
  if (status != SST_OK) {
    ssti_yaml_destroy(tree);
    return status;
  }
  *out = tree;
  return SST_OK;
}

sst_status ssti_yaml_open(sst_context *context, const char *path, ssti_yaml_tree **out) {
  *out = NULL;
  char *text = NULL;
  size_t size = 0;
  SST_TRY(ssti_file_read(context, path, SSTI_YAML_MAX_BYTES, &text, &size));
  const sst_status status = ssti_yaml_parse(context, path, text, size, out);
  ssti_free(context, text);
  return status;
}

void ssti_yaml_destroy(ssti_yaml_tree *tree) {
  if (tree == NULL) { return; }
  sst_context *context = tree->context;
  for (block *b = tree->blocks, *next; b != NULL; b = next) {
    next = b->next;
    ssti_free(context, b);
  }
  ssti_free(context, tree->name);
  ssti_free(context, tree);
}

ssti_yaml_node *ssti_yaml_root(const ssti_yaml_tree *tree) { return tree->root; }

const char *ssti_yaml_name(const ssti_yaml_tree *tree) { return tree->name; }

ssti_yaml_node *ssti_yaml_get(const ssti_yaml_node *map, const char *key) {
  if (map == NULL || map->kind != SSTI_YAML_MAP) { return NULL; }
  for (ssti_yaml_node *item = map->first; item != NULL; item = item->next) {
    if (strcmp(item->key, key) == 0) { return item; }
  }
  return NULL;
}

ssti_yaml_node *ssti_yaml_item(const ssti_yaml_node *list, int index) {
  if (list == NULL || list->kind != SSTI_YAML_LIST || index < 0) { return NULL; }
  ssti_yaml_node *item = list->first;
  for (int i = 0; i < index && item != NULL; i++) { item = item->next; }
  return item;
}

bool ssti_yaml_is_null(const ssti_yaml_node *node) {
  return node->kind == SSTI_YAML_SCALAR && !node->quoted &&
         (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

const char *ssti_yaml_kind_text(const ssti_yaml_node *node) {
  switch (node->kind) {
  case SSTI_YAML_MAP: return "a map of keys";
  case SSTI_YAML_LIST: return "a list";
  case SSTI_YAML_SCALAR: break;
  }
  return ssti_yaml_is_null(node) ? "nothing" : "a single value";
}

const char *ssti_yaml_place(const ssti_yaml_tree *tree, const ssti_yaml_node *node, char place[SSTI_YAML_PLACE_SIZE]) {
  if (node != NULL && node->origin != NULL) {
    snprintf(place, SSTI_YAML_PLACE_SIZE, "%s", node->origin);
  } else if (node != NULL) {
    snprintf(place, SSTI_YAML_PLACE_SIZE, "%s:%d", tree->name, node->line);
  } else {
    snprintf(place, SSTI_YAML_PLACE_SIZE, "%s", tree->name);
  }
  return place;
}
