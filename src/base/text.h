// SPDX-License-Identifier: Apache-2.0
// Text: a growing buffer, number parsing that accepts the whole word or nothing, and the nearest name for a misspelt
// one.
#ifndef SPIKESTILL_BASE_TEXT_H
#define SPIKESTILL_BASE_TEXT_H

#include <string.h>

#include "base/memory.h"

typedef struct ssti_text {
  sst_context *context;
  char *data; // always terminated once something was appended; NULL before
  size_t length;
  size_t capacity;
  sst_status status; // the first failure; later appends do nothing, so that one check at the end is enough
} ssti_text;

static inline ssti_text ssti_text_begin(sst_context *context) { return (ssti_text){.context = context}; }
void ssti_text_append(ssti_text *text, const char *format, ...) SST_PRINTF(2, 3);
void ssti_text_append_bytes(ssti_text *text, const char *bytes, size_t length);
void ssti_text_free(ssti_text *text);

// The whole word as a number; false if anything is left over, it is out of range or not finite.
bool ssti_parse_double(const char *word, double *out);
bool ssti_parse_int64(const char *word, int64_t *out);
bool ssti_parse_bool(const char *word, bool *out); // true/false/yes/no/on/off

// Writes the shortest decimal that reads back as the same double.
enum { SSTI_NUMBER_TEXT_SIZE = 32 };
const char *ssti_number_text(double value, char text[SSTI_NUMBER_TEXT_SIZE]);

// Index of `word` among the words, or -1; also for NULL.
int ssti_find_word(const char *word, const char *const *words, int count);

// Index of the name closest to `word` by edit distance, or -1 if none is close enough to be what was meant.
int ssti_nearest_name(const char *word, const char *const *names, int count);

#endif
