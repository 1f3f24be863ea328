// SPDX-License-Identifier: Apache-2.0
// What the files of the recipe module share: reading with places in messages, and the parts with readers of their own.
#ifndef SPIKESTILL_RECIPE_RECIPE_PARTS_H
#define SPIKESTILL_RECIPE_RECIPE_PARTS_H

#include "base/yaml_tree.h"
#include "recipe/recipe_tables.h"

typedef struct ssti_recipe_reader {
  sst_context *context;
  const ssti_yaml_tree *tree;
  ssti_recipe_draft *draft;
} ssti_recipe_reader;

// Fails with RECIPE and the node's place in front of the sentence; a NULL node means the whole recipe.
#define SSTI_RECIPE_FAIL(reader, node, ...)                                                                            \
  do {                                                                                                                 \
    ssti_fail((reader)->context, SST_RECIPE, __VA_ARGS__);                                                             \
    return ssti_recipe_place_failure((reader), (node), SST_RECIPE);                                                    \
  } while (0)
// Puts the node's place before the sentence that is there; whatever was wrong with the content becomes RECIPE.
sst_status ssti_recipe_place_failure(const ssti_recipe_reader *reader, const ssti_yaml_node *node, sst_status status);

// Fails for a key that does not exist in the map called `inside`, with the nearest of the names or all of them.
sst_status ssti_recipe_unknown_key(const ssti_recipe_reader *reader, const ssti_yaml_node *item, const char *inside,
                                   const char *const *names, int count);

// Reads a single value into a field. `inside` is the path of the map it stands in ("" for the recipe itself).
sst_status ssti_recipe_read_option(const ssti_recipe_reader *reader, const ssti_option *option, void *object,
                                   const ssti_yaml_node *node, const char *inside);

// A recipe's tree from a file or from text, with those that it extends beneath it. Errors: RECIPE; NOT_FOUND and IO of
// the file itself.
sst_status ssti_recipe_tree_open(sst_context *context, const char *path, ssti_yaml_tree **out);
sst_status ssti_recipe_tree_parse(sst_context *context, const char *name, const char *text, size_t size,
                                  ssti_yaml_tree **out);
// The path of `other`, which `file` names: relative to its folder.
void ssti_recipe_path_beside(const char *file, const char *other, ssti_text *out);

// A recipe from a tree, which is left as it is.
sst_status ssti_recipe_from_tree(sst_context *context, const ssti_yaml_tree *tree, sst_recipe **out);

// The name of a recipe that has none: the file's, without folder and ending.
void ssti_recipe_name_of_file(const char *file, char name[SST_RECIPE_TEXT_SIZE]);

// Reads every section of the tables into the draft.
sst_status ssti_recipe_read_sections(const ssti_recipe_reader *reader);

// Reads student.layers, or has the builder make them; reads distill. What they make belongs to the draft's recipe.
sst_status ssti_recipe_read_layers(const ssti_recipe_reader *reader);
sst_status ssti_recipe_read_terms(const ssti_recipe_reader *reader);

// The keys of a stage's `convert`, but its list `timesteps`.
const ssti_option *ssti_convert_stage_options(int *count);

// Fills in what depends on other keys, and checks what no single key can be checked for.
sst_status ssti_recipe_complete(const ssti_recipe_reader *reader);

void ssti_recipe_print_layers(const sst_recipe *recipe, ssti_text *out);
void ssti_recipe_print_terms(const sst_recipe *recipe, ssti_text *out);

// A field as YAML.
void ssti_recipe_print_option(const ssti_option *option, const void *object, ssti_text *out);

#endif
