// SPDX-License-Identifier: Apache-2.0
// Trees out of others.
#include "base/yaml_tree.h"

sst_status ssti_yaml_copy(ssti_yaml_tree *to, const ssti_yaml_tree *from, const ssti_yaml_node *node,
                          ssti_yaml_node **out) {
  char place[SSTI_YAML_PLACE_SIZE];
  SST_TRY(ssti_yaml_node_create(to, node->kind, out));
  ssti_yaml_node *copy = *out;
  ssti_yaml_place(from, node, place);
  SST_TRY(ssti_yaml_hold_text(to, place, strlen(place), &copy->origin));
  SST_TRY(ssti_yaml_hold_text(to, node->text, strlen(node->text), &copy->text));
  if (node->key) { SST_TRY(ssti_yaml_hold_text(to, node->key, strlen(node->key), &copy->key)); }
  copy->quoted = node->quoted;
  copy->line = node->line;
  copy->column = node->column;
  for (const ssti_yaml_node *item = node->first; item; item = item->next) {
    ssti_yaml_node *inner = NULL;
    SST_TRY(ssti_yaml_copy(to, from, item, &inner));
    ssti_yaml_append(copy, inner);
  }
  return SST_OK;
}

sst_status ssti_yaml_merge(ssti_yaml_tree *tree, ssti_yaml_node *to, const ssti_yaml_tree *from,
                           const ssti_yaml_node *map) {
  for (const ssti_yaml_node *item = map->first; item; item = item->next) {
    ssti_yaml_node *there = ssti_yaml_get(to, item->key);
    if (there && there->kind == SSTI_YAML_MAP && item->kind == SSTI_YAML_MAP) {
      SST_TRY(ssti_yaml_merge(tree, there, from, item));
      continue;
    }
    ssti_yaml_node *copy = NULL;
    SST_TRY(ssti_yaml_copy(tree, from, item, &copy));
    if (there) {
      copy->next = there->next;
      if (to->last == there) { to->last = there; }
      *there = *copy;
    } else {
      ssti_yaml_append(to, copy);
    }
  }
  return SST_OK;
}
