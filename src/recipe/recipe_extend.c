// SPDX-License-Identifier: Apache-2.0
// `extends: FILE`: a recipe that says only what differs from another one. The other's keys but its name, and over them
// the recipe's own: maps key by key, values and lists as a whole.
#include <string.h>

#include "recipe/recipe_parts.h"

enum { MAX_CHAIN = 8 };

static const char extends_key[] = "extends", name_key[] = "name";

void ssti_recipe_path_beside(const char *file, const char *other, ssti_text *out) {
  const char *slash = strrchr(file, '/');
  if (other[0] != '/' && slash) { ssti_text_append_bytes(out, file, (size_t)(slash - file) + 1); }
  ssti_text_append(out, "%s", other);
}

// Unlinks the map's item of that key, if there is one.
static void drop(ssti_yaml_node *map, const char *key) {
  ssti_yaml_node *before = NULL;
  for (ssti_yaml_node *item = map->first; item; before = item, item = item->next) {
    if (strcmp(item->key, key) != 0) { continue; }
    if (before) {
      before->next = item->next;
    } else {
      map->first = item->next;
    }
    if (map->last == item) { map->last = before; }
    map->count--;
    return;
  }
}

static sst_status extend(sst_context *context, ssti_yaml_tree **tree, int depth);

static sst_status open_base(sst_context *context, const ssti_yaml_tree *tree, const char *file, int depth,
                            ssti_yaml_tree **out) {
  *out = NULL;
  ssti_text path = ssti_text_begin(context);
  ssti_recipe_path_beside(ssti_yaml_name(tree), file, &path);
  sst_status status = path.status;
  if (status == SST_OK) { status = ssti_yaml_open(context, path.data, out); }
  ssti_text_free(&path);
  return status == SST_OK ? extend(context, out, depth + 1) : status;
}

static sst_status put_over(sst_context *context, const ssti_yaml_tree *base, const ssti_yaml_tree *own,
                           ssti_yaml_tree **out) {
  SST_TRY(ssti_yaml_parse(context, ssti_yaml_name(own), "", 0, out));
  ssti_yaml_node *root = ssti_yaml_root(*out);
  sst_status status = ssti_yaml_merge(*out, root, base, ssti_yaml_root(base));
  drop(root, name_key);
  if (status == SST_OK) { status = ssti_yaml_merge(*out, root, own, ssti_yaml_root(own)); }
  drop(root, extends_key);
  return status;
}

// Takes *tree and gives another one in its place, or NULL where it fails.
static sst_status extend(sst_context *context, ssti_yaml_tree **tree, int depth) {
  ssti_yaml_tree *own = *tree, *base = NULL, *whole = NULL;
  const ssti_yaml_node *node = ssti_yaml_get(ssti_yaml_root(own), extends_key);
  const ssti_recipe_reader reader = {.context = context, .tree = own};
  sst_status status = SST_OK;
  if (node == NULL) { return SST_OK; }
  if (node->kind != SSTI_YAML_SCALAR || node->text[0] == '\0') {
    status = ssti_fail(context, SST_RECIPE, "extends is %s, expected the file of another recipe",
                       node->kind == SSTI_YAML_SCALAR ? "empty" : ssti_yaml_kind_text(node));
  } else if (depth == MAX_CHAIN) {
    status = ssti_fail(context, SST_RECIPE, "extends: more than %d recipes extend each other, perhaps in a circle",
                       MAX_CHAIN);
  } else {
    status = open_base(context, own, node->text, depth, &base);
  }
  if (status != SST_OK) { status = ssti_recipe_place_failure(&reader, node, status); }
  if (status == SST_OK) { status = put_over(context, base, own, &whole); }
  ssti_yaml_destroy(base);
  ssti_yaml_destroy(own);
  if (status != SST_OK) {
    ssti_yaml_destroy(whole);
    whole = NULL;
  }
  *tree = whole;
  return status;
}

sst_status ssti_recipe_tree_parse(sst_context *context, const char *name, const char *text, size_t size,
                                  ssti_yaml_tree **out) {
  SST_TRY(ssti_yaml_parse(context, name, text, size, out));
  return extend(context, out, 0);
}

sst_status ssti_recipe_tree_open(sst_context *context, const char *path, ssti_yaml_tree **out) {
  SST_TRY(ssti_yaml_open(context, path, out));
  return extend(context, out, 0);
}
