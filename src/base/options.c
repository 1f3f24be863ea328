// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum parse_result { PARSED, NOT_ITS_TYPE, OUT_OF_RANGE } parse_result;

// Fields are read and written with memcpy: `object` is a struct that this file does not know.
static void store(const ssti_option *option, void *object, const void *value, size_t size) {
  memcpy((char *)object + option->offset, value, size);
}

static void load(const ssti_option *option, const void *object, void *value, size_t size) {
  memcpy(value, (const char *)object + option->offset, size);
}

static bool parse_uint64(const char *word, uint64_t *out) {
  if (word[0] == '\0' || word[strspn(word, "0123456789")] != '\0') { return false; }
  errno = 0;
  unsigned long long value = strtoull(word, NULL, 10);
  if (errno == ERANGE) { return false; }
  *out = value;
  return true;
}

static parse_result set_real(const ssti_option *option, void *object, const char *word) {
  double value = 0;
  if (!ssti_parse_double(word, &value)) { return NOT_ITS_TYPE; }
  if (!(value >= option->low && value <= option->high)) { return OUT_OF_RANGE; }
  if (option->type == SSTI_OPTION_DOUBLE) {
    store(option, object, &value, sizeof value);
    return PARSED;
  }
  if (fabs(value) > (double)FLT_MAX) { return OUT_OF_RANGE; }
  float narrow = (float)value;
  store(option, object, &narrow, sizeof narrow);
  return PARSED;
}

static parse_result set_integer(const ssti_option *option, void *object, const char *word) {
  if (option->type == SSTI_OPTION_UINT64) {
    uint64_t natural = 0;
    if (!parse_uint64(word, &natural)) { return NOT_ITS_TYPE; }
    if (!((double)natural >= option->low && (double)natural <= option->high)) { return OUT_OF_RANGE; }
    store(option, object, &natural, sizeof natural);
    return PARSED;
  }
  int64_t value = 0;
  if (!ssti_parse_int64(word, &value)) { return NOT_ITS_TYPE; }
  if (!((double)value >= option->low && (double)value <= option->high)) { return OUT_OF_RANGE; }
  if (option->type == SSTI_OPTION_INT64) {
    store(option, object, &value, sizeof value);
    return PARSED;
  }
  if (value < INT_MIN || value > INT_MAX) { return OUT_OF_RANGE; }
  int narrow = (int)value;
  store(option, object, &narrow, sizeof narrow);
  return PARSED;
}

static parse_result set_word(const ssti_option *option, void *object, const char *word) {
  for (int i = 0; i < option->word_count; i++) {
    if (strcmp(word, option->words[i]) == 0) {
      store(option, object, &i, sizeof i);
      return PARSED;
    }
  }
  return NOT_ITS_TYPE;
}

static parse_result set_field(const ssti_option *option, void *object, const char *word) {
  switch (option->type) {
  case SSTI_OPTION_FLOAT:
  case SSTI_OPTION_DOUBLE: return set_real(option, object, word);
  case SSTI_OPTION_INT:
  case SSTI_OPTION_INT64:
  case SSTI_OPTION_UINT64: return set_integer(option, object, word);
  case SSTI_OPTION_BOOL: {
    bool value = false;
    if (!ssti_parse_bool(word, &value)) { return NOT_ITS_TYPE; }
    store(option, object, &value, sizeof value);
    return PARSED;
  }
  case SSTI_OPTION_TEXT: {
    size_t length = strlen(word) + 1;
    if (length > SSTI_OPTION_TEXT_SIZE) { return OUT_OF_RANGE; }
    char text[SSTI_OPTION_TEXT_SIZE] = {0}; // the rest is cleared, so that equal options are equal bytes
    memcpy(text, word, length);
    store(option, object, text, sizeof text);
    return PARSED;
  }
  case SSTI_OPTION_WORD: return set_word(option, object, word);
  }
  return NOT_ITS_TYPE;
}

void ssti_options_set_defaults(const ssti_option *table, int count, void *object) {
  for (int i = 0; i < count; i++) {
    if (table[i].default_value == NULL) { continue; }
    parse_result result = set_field(&table[i], object, table[i].default_value);
    assert(result == PARSED && "the default of an option must be a valid value of it");
    (void)result;
  }
}

const ssti_option *ssti_options_find(const ssti_option *table, int count, const char *key) {
  for (int i = 0; i < count; i++) {
    if (strcmp(table[i].key, key) == 0) { return &table[i]; }
  }
  return NULL;
}

static sst_status fail_word(sst_context *context, const ssti_option *option, const char *word) {
  ssti_text list = ssti_text_begin(context);
  for (int i = 0; i < option->word_count; i++) {
    ssti_text_append(&list, "%s%s", i == 0 ? "" : ", ", option->words[i]);
  }
  sst_status status = list.status;
  if (status == SST_OK) {
    int nearest = ssti_nearest_name(word, option->words, option->word_count);
    status = ssti_fail(context, SST_RECIPE, "found \"%s\", expected one of %s%s%s%s", word,
                       list.data == NULL ? "(nothing)" : list.data, nearest < 0 ? "" : "; did you mean \"",
                       nearest < 0 ? "" : option->words[nearest], nearest < 0 ? "" : "\"?");
  }
  ssti_text_free(&list);
  return status;
}

static sst_status fail_number(sst_context *context, const ssti_option *option, const char *word) {
  bool whole = option->type != SSTI_OPTION_FLOAT && option->type != SSTI_OPTION_DOUBLE;
  const char *kind = whole ? "a whole number" : "a number";
  char low[SSTI_NUMBER_TEXT_SIZE], high[SSTI_NUMBER_TEXT_SIZE];
  ssti_number_text(option->low, low);
  ssti_number_text(option->high, high);
  // A bound that no value of the type can pass is not worth naming.
  const double huge = whole ? 9.2e18 : (option->type == SSTI_OPTION_FLOAT ? (double)FLT_MAX : DBL_MAX);
  bool has_low = option->low > -huge, has_high = option->high < huge;
  if (has_low && has_high) {
    SST_FAIL(context, SST_RECIPE, "found \"%s\", expected %s from %s to %s", word, kind, low, high);
  }
  if (has_low) { SST_FAIL(context, SST_RECIPE, "found \"%s\", expected %s, at least %s", word, kind, low); }
  if (has_high) { SST_FAIL(context, SST_RECIPE, "found \"%s\", expected %s, at most %s", word, kind, high); }
  SST_FAIL(context, SST_RECIPE, "found \"%s\", expected %s", word, kind);
}

sst_status ssti_option_set(sst_context *context, const ssti_option *option, void *object, const char *word) {
  if (set_field(option, object, word) == PARSED) { return SST_OK; }
  switch (option->type) {
  case SSTI_OPTION_WORD: return fail_word(context, option, word);
  case SSTI_OPTION_BOOL: SST_FAIL(context, SST_RECIPE, "found \"%s\", expected true or false", word);
  case SSTI_OPTION_TEXT:
    SST_FAIL(context, SST_RECIPE, "found a text of %zu bytes, expected at most %d", strlen(word),
             SSTI_OPTION_TEXT_SIZE - 1);
  default: return fail_number(context, option, word);
  }
}

// The shortest decimal that is read back as the same float.
static void print_float(float value, ssti_text *out) {
  char text[SSTI_NUMBER_TEXT_SIZE];
  for (int digits = 1; digits <= 9; digits++) {
    double rounded = 0;
    char rough[SSTI_NUMBER_TEXT_SIZE];
    snprintf(rough, sizeof rough, "%.*e", digits - 1, (double)value);
    for (char *c = rough; *c != '\0'; c++) {
      if (*c == ',') { *c = '.'; } // some locales' decimal point
    }
    if (ssti_parse_double(rough, &rounded) && (float)rounded == value) {
      ssti_text_append(out, "%s", ssti_number_text(rounded, text));
      return;
    }
  }
  ssti_text_append(out, "%s", ssti_number_text((double)value, text));
}

// Whether YAML reads the text, unquoted, as that same text.
static bool is_plain(const char *text) {
  double number = 0;
  bool truth = false;
  if (text[0] == '\0' || text[0] == '-' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0) { return false; }
  if (ssti_parse_double(text, &number) || ssti_parse_bool(text, &truth)) { return false; }
  for (const char *c = text; *c != '\0'; c++) {
    if (!isalnum((unsigned char)*c) && strchr("_./-", *c) == NULL) { return false; }
  }
  return true;
}

static void print_text(const char *text, ssti_text *out) {
  if (is_plain(text)) {
    ssti_text_append(out, "%s", text);
    return;
  }
  ssti_text_append_bytes(out, "\"", 1);
  for (const char *c = text; *c != '\0'; c++) {
    unsigned char byte = (unsigned char)*c;
    if (byte == '"' || byte == '\\') {
      ssti_text_append(out, "\\%c", byte);
    } else if (byte < 0x20 || byte == 0x7f) {
      ssti_text_append(out, "\\x%02x", (unsigned)byte);
    } else {
      ssti_text_append_bytes(out, c, 1);
    }
  }
  ssti_text_append_bytes(out, "\"", 1);
}

static void print_integer(const ssti_option *option, const void *object, ssti_text *out) {
  if (option->type == SSTI_OPTION_INT) {
    int value = 0;
    load(option, object, &value, sizeof value);
    ssti_text_append(out, "%d", value);
  } else if (option->type == SSTI_OPTION_INT64) {
    int64_t value = 0;
    load(option, object, &value, sizeof value);
    ssti_text_append(out, "%" PRId64, value);
  } else {
    uint64_t value = 0;
    load(option, object, &value, sizeof value);
    ssti_text_append(out, "%" PRIu64, value);
  }
}

void ssti_option_print(const ssti_option *option, const void *object, ssti_text *out) {
  switch (option->type) {
  case SSTI_OPTION_FLOAT: {
    float value = 0;
    load(option, object, &value, sizeof value);
    print_float(value, out);
    break;
  }
  case SSTI_OPTION_DOUBLE: {
    double value = 0;
    char text[SSTI_NUMBER_TEXT_SIZE];
    load(option, object, &value, sizeof value);
    ssti_text_append(out, "%s", ssti_number_text(value, text));
    break;
  }
  case SSTI_OPTION_INT:
  case SSTI_OPTION_INT64:
  case SSTI_OPTION_UINT64: print_integer(option, object, out); break;
  case SSTI_OPTION_BOOL: {
    bool value = false;
    load(option, object, &value, sizeof value);
    ssti_text_append(out, "%s", value ? "true" : "false");
    break;
  }
  case SSTI_OPTION_TEXT: print_text((const char *)object + option->offset, out); break;
  case SSTI_OPTION_WORD: {
    int value = 0;
    load(option, object, &value, sizeof value);
    bool known = value >= 0 && value < option->word_count;
    ssti_text_append(out, "%s", known ? option->words[value] : "unknown");
    break;
  }
  }
}
