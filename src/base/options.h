// SPDX-License-Identifier: Apache-2.0
// Option tables: one line describes a field of a struct: its key in recipes, type, range, default and meaning. Parsing,
// checking, printing the resolved recipe and the help text all derive from the table.
#ifndef SPIKESTILL_BASE_OPTIONS_H
#define SPIKESTILL_BASE_OPTIONS_H

#include "base/text.h"

typedef enum ssti_option_type {
  SSTI_OPTION_FLOAT,  // float
  SSTI_OPTION_DOUBLE, // double
  SSTI_OPTION_INT,    // int
  SSTI_OPTION_INT64,  // int64_t
  SSTI_OPTION_UINT64, // uint64_t
  SSTI_OPTION_BOOL,   // bool
  SSTI_OPTION_TEXT,   // char[SSTI_OPTION_TEXT_SIZE] inside the struct
  SSTI_OPTION_WORD    // an enum (int-sized), through `words`
} ssti_option_type;

enum { SSTI_OPTION_TEXT_SIZE = 512 };

typedef struct ssti_option {
  const char *key; // as in the recipe
  ssti_option_type type;
  size_t offset;             // of the field in its struct
  double low, high;          // allowed range of numbers, both ends included
  const char *default_value; // as it would be written in a recipe; NULL: none, the key has to be given
  const char *const *words;  // WORD: word_count words; the enum's value is the index
  int word_count;
  const char *text; // what it means, with unit
} ssti_option;

// Sets every field of `object` to its default; one without a default stays as it is.
void ssti_options_set_defaults(const ssti_option *table, int count, void *object);

// The entry of that key, or NULL.
const ssti_option *ssti_options_find(const ssti_option *table, int count, const char *key);

// Parses `word` into the field. Errors: RECIPE, with what was found and what is allowed (type, range or the words, and
// the nearest word); the caller puts the place before it.
sst_status ssti_option_set(sst_context *context, const ssti_option *option, void *object, const char *word);

// Appends the field's value as it would be written in a recipe; reading it back gives the same value.
void ssti_option_print(const ssti_option *option, const void *object, ssti_text *out);

#endif
