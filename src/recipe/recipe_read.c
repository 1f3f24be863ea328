// SPDX-License-Identifier: Apache-2.0
// From the YAML tree into the draft, by the tables.
#include <stdio.h>

#include "recipe/recipe_parts.h"

enum { MAX_NAMES = 64, PATH_SIZE = 128 };

sst_status ssti_recipe_place_failure(const ssti_recipe_reader *reader, const ssti_yaml_node *node, sst_status status) {
  char place[SSTI_YAML_PLACE_SIZE];
  const bool about_content = status != SST_OUT_OF_MEMORY && status != SST_IO && status != SST_INTERRUPTED;
  return ssti_fail_within(reader->context, about_content ? SST_RECIPE : status, "%s",
                          ssti_yaml_place(reader->tree, node, place));
}

// The section, other than the one at hand, that has a key of that name: for keys that stand in the wrong place.
static const ssti_recipe_section *section_with(const char *key) {
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const ssti_recipe_section *section = &ssti_recipe_sections[i];
    bool found = ssti_options_find(section->options, section->option_count, key) != NULL ||
                 ssti_options_find(section->sources, section->source_count, key) != NULL;
    for (int j = 0; j < section->list_count; j++) { found = found || strcmp(section->lists[j].key, key) == 0; }
    for (int j = 0; j < section->other_count; j++) { found = found || strcmp(section->others[j], key) == 0; }
    if (found) { return section; }
  }
  return NULL;
}

static sst_status fail_with_all_names(const ssti_recipe_reader *reader, const ssti_yaml_node *item, const char *where,
                                      const char *const *names, int count) {
  ssti_text list = ssti_text_begin(reader->context);
  for (int i = 0; i < count; i++) { ssti_text_append(&list, "%s%s", i ? ", " : "", names[i]); }
  sst_status status = list.status;
  if (status == SST_OK) {
    status = ssti_fail(reader->context, SST_RECIPE, "unknown key '%s' in %s; %s%s", item->key, where,
                       count ? "its keys are " : "it has no keys", count ? list.data : "");
    ssti_recipe_place_failure(reader, item, status);
  }
  ssti_text_free(&list);
  return status;
}

sst_status ssti_recipe_unknown_key(const ssti_recipe_reader *reader, const ssti_yaml_node *item, const char *inside,
                                   const char *const *names, int count) {
  const char *where = inside[0] ? inside : "the recipe";
  const int nearest = ssti_nearest_name(item->key, names, count);
  if (nearest >= 0) {
    SSTI_RECIPE_FAIL(reader, item, "unknown key '%s' in %s; nearest is '%s'", item->key, where, names[nearest]);
  }
  const ssti_recipe_section *section = section_with(item->key);
  if (section != NULL && section->path[0]) {
    SSTI_RECIPE_FAIL(reader, item, "unknown key '%s' in %s; there is %s.%s", item->key, where, section->path,
                     item->key);
  }
  if (section != NULL) {
    SSTI_RECIPE_FAIL(reader, item, "unknown key '%s' in %s; it is a key of the recipe itself", item->key, where);
  }
  return fail_with_all_names(reader, item, where, names, count);
}

static const char *path_of(const char *inside, const ssti_yaml_node *node, const char *key, char path[PATH_SIZE]) {
  snprintf(path, PATH_SIZE, "%s%s%s", inside, inside[0] ? "." : "", node->key ? node->key : key);
  return path;
}

sst_status ssti_recipe_read_option(const ssti_recipe_reader *reader, const ssti_option *option, void *object,
                                   const ssti_yaml_node *node, const char *inside) {
  char path[PATH_SIZE];
  path_of(inside, node, option->key, path);
  if (node->kind != SSTI_YAML_SCALAR) {
    SSTI_RECIPE_FAIL(reader, node, "%s is %s, expected a single value: %s", path, ssti_yaml_kind_text(node),
                     option->text);
  }
  const bool is_null = ssti_yaml_is_null(node);
  if (is_null && option->type == SSTI_OPTION_TEXT) { return ssti_option_set(reader->context, option, object, ""); }
  if (is_null && option->default_value == NULL) { return SST_OK; } // as if it were not given
  if (is_null) { SSTI_RECIPE_FAIL(reader, node, "%s has no value: %s", path, option->text); }
  sst_status status = ssti_option_set(reader->context, option, object, node->text);
  if (status == SST_OK) { return SST_OK; }
  // "--set train.batch" says already what "train.batch" would.
  const char *named = node->origin != NULL ? strrchr(node->origin, ' ') : NULL;
  if (named == NULL || strcmp(named + 1, path) != 0) { ssti_fail_within(reader->context, status, "%s", path); }
  return ssti_recipe_place_failure(reader, node, status);
}

// A list of numbers, or one number.
static sst_status read_list(const ssti_recipe_reader *reader, const ssti_recipe_list *list, const ssti_yaml_node *node,
                            const char *inside) {
  char path[PATH_SIZE];
  path_of(inside, node, list->key, path);
  if (node->kind == SSTI_YAML_MAP || ssti_yaml_is_null(node)) {
    SSTI_RECIPE_FAIL(reader, node, "%s is %s, expected a list of numbers such as [1, 2]", path,
                     ssti_yaml_kind_text(node));
  }
  if (node->count > list->limit) {
    SSTI_RECIPE_FAIL(reader, node, "%s has %d numbers, expected at most %d", path, node->count, list->limit);
  }
  char *object = (char *)reader->draft;
  int count = 0;
  if (node->kind == SSTI_YAML_SCALAR) {
    SST_TRY(ssti_recipe_read_option(reader, &list->element, object, node, inside));
    count = 1;
  }
  for (const ssti_yaml_node *item = node->first; item != NULL; item = item->next, count++) {
    // The list's own name, since items of a list have no key.
    SST_TRY(ssti_recipe_read_option(reader, &list->element, object + (size_t)count * list->element_size, item, inside));
  }
  memcpy(object + list->count_offset, &count, sizeof count);
  return SST_OK;
}

// Keys of a map: of its options, lists, parts with readers of their own and sections inside.
static int names_of(const ssti_recipe_section *section, const char *names[MAX_NAMES]) {
  int count = 0;
  for (int i = 0; i < section->option_count; i++) { names[count++] = section->options[i].key; }
  for (int i = 0; i < section->source_count; i++) { names[count++] = section->sources[i].key; }
  for (int i = 0; i < section->list_count; i++) { names[count++] = section->lists[i].key; }
  for (int i = 0; i < section->other_count; i++) { names[count++] = section->others[i]; }
  const size_t length = strlen(section->path);
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const char *path = ssti_recipe_sections[i].path;
    const char *key = ssti_recipe_section_key(&ssti_recipe_sections[i]);
    const size_t parent = key == path ? 0 : (size_t)(key - path) - 1;
    if (path[0] != '\0' && parent == length && strncmp(path, section->path, length) == 0) { names[count++] = key; }
  }
  assert(count <= MAX_NAMES);
  return count;
}

static sst_status read_item(const ssti_recipe_reader *reader, const ssti_recipe_section *section,
                            const ssti_yaml_node *item) {
  const ssti_option *option = ssti_options_find(section->options, section->option_count, item->key);
  if (option == NULL) { option = ssti_options_find(section->sources, section->source_count, item->key); }
  if (option != NULL) { return ssti_recipe_read_option(reader, option, reader->draft, item, section->path); }
  for (int i = 0; i < section->list_count; i++) {
    if (strcmp(section->lists[i].key, item->key) == 0) {
      return read_list(reader, &section->lists[i], item, section->path);
    }
  }
  const char *names[MAX_NAMES];
  const int count = names_of(section, names);
  for (int i = 0; i < count; i++) {
    if (strcmp(names[i], item->key) == 0) { return SST_OK; } // read elsewhere
  }
  return ssti_recipe_unknown_key(reader, item, section->path, names, count);
}

// The node of a section, or NULL; its parents were read before, so that they are maps or nothing.
static const ssti_yaml_node *section_node(const ssti_recipe_reader *reader, const ssti_recipe_section *section) {
  const ssti_yaml_node *root = ssti_yaml_root(reader->tree);
  if (section->path[0] == '\0') { return root; }
  const char *key = ssti_recipe_section_key(section);
  if (key == section->path) { return ssti_yaml_get(root, key); }
  char parent[PATH_SIZE];
  snprintf(parent, sizeof parent, "%.*s", (int)(key - section->path - 1), section->path);
  assert(strchr(parent, '.') == NULL && "sections are at most two deep");
  return ssti_yaml_get(ssti_yaml_get(root, parent), key);
}

sst_status ssti_recipe_read_sections(const ssti_recipe_reader *reader) {
  for (int i = 0; i < ssti_recipe_section_count; i++) {
    const ssti_recipe_section *section = &ssti_recipe_sections[i];
    const ssti_yaml_node *node = section_node(reader, section);
    if (node == NULL || ssti_yaml_is_null(node)) { continue; }
    if (node->kind != SSTI_YAML_MAP) {
      SSTI_RECIPE_FAIL(reader, node, "%s is %s, expected a map of keys: %s",
                       section->path[0] ? section->path : "the recipe", ssti_yaml_kind_text(node), section->text);
    }
    for (const ssti_yaml_node *item = node->first; item != NULL; item = item->next) {
      SST_TRY(read_item(reader, section, item));
    }
  }
  return SST_OK;
}
