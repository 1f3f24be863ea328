// SPDX-License-Identifier: Apache-2.0
// What keys a recipe has: tables from which parsing, checking, the resolved recipe and the reference derive.
#ifndef SPIKESTILL_RECIPE_RECIPE_TABLES_H
#define SPIKESTILL_RECIPE_RECIPE_TABLES_H

#include "base/options.h"
#include "spikestill/recipe.h"

// A recipe while it is read or printed: the struct of the interface, and the words that are stored there as something
// else (a bool, a pointer).
typedef struct ssti_recipe_draft {
  sst_recipe recipe;
  int network_kind;                 // 0 snn, 1 ann
  int network_model;                // a builder
  int pool;                         // 0 average, 1 max
  int reset;                        // 0 hard, 1 soft
  int broken;                       // 0 fail, 1 skip
  int first_last;                   // 0 full, 1 same
  int normalize, teacher_normalize; // sst_normalization
} ssti_recipe_draft;

// A list of numbers inside the draft.
typedef struct ssti_recipe_list {
  const char *key;
  ssti_option element; // its offset is that of the first number
  size_t element_size;
  size_t count_offset; // an int
  int limit;
  const char *default_value, *text; // for the reference
} ssti_recipe_list;

// One map of the recipe.
typedef struct ssti_recipe_section {
  const char *path; // "" for the recipe itself, "data", "data.augment"
  const char *text;
  const ssti_option *options;
  int option_count;
  const ssti_recipe_list *lists;
  int list_count;
  const ssti_option *sources; // further options that the resolved recipe does not hold: it has what they made
  int source_count;
  const char *const *others; // keys with a reader of their own: "layers", "distill"
  int other_count;
} ssti_recipe_section;

// In the order in which they are printed; a section stands behind the one it is in.
extern const ssti_recipe_section ssti_recipe_sections[];
extern const int ssti_recipe_section_count;

// The last part of the section's path.
const char *ssti_recipe_section_key(const ssti_recipe_section *section);

// Keys that must be given have no default_value in their table, and are left as they are here.
void ssti_recipe_set_defaults(ssti_recipe_draft *draft);

// A layer while it is read or printed.
typedef struct ssti_layer_draft {
  sst_layer layer;
  int bias; // 0 no, 1 yes, 2 auto
} ssti_layer_draft;
// The options of a kind of layer; `count` may become 0.
const ssti_option *ssti_layer_options(sst_layer_kind kind, int *count);
// Words of the kinds of layers.
extern const char *const ssti_layer_words[];

#endif
