// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <inttypes.h>

#include "base/text.h"

sst_status ssti_json_parse(sst_context *context, const char *name, const char *data, size_t size, json_t **out) {
  json_error_t error = {0}; // jansson does not fill it in for every failure of memory
  *out = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
  if (*out != NULL) { return SST_OK; }
  if (json_error_code(&error) == json_error_out_of_memory) {
    SST_FAIL(context, SST_OUT_OF_MEMORY, "%s: no memory for the parsed JSON of %zu bytes", name, size);
  }
  SST_FAIL(context, SST_FORMAT, "%s: line %d, column %d: not valid JSON: %s", name, error.line, error.column,
           error.text);
}

static void write_string(const char *bytes, size_t length, ssti_text *out) {
  ssti_text_append_bytes(out, "\"", 1);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c == '"' || c == '\\') {
      ssti_text_append(out, "\\%c", c);
    } else if (c == '\n') {
      ssti_text_append_bytes(out, "\\n", 2);
    } else if (c == '\t') {
      ssti_text_append_bytes(out, "\\t", 2);
    } else if (c < 0x20 || c == 0x7f) {
      ssti_text_append(out, "\\u%04x", (unsigned)c);
    } else {
      ssti_text_append_bytes(out, &bytes[i], 1); // UTF-8 stays as it is; jansson has checked it
    }
  }
  ssti_text_append_bytes(out, "\"", 1);
}

// A real keeps its point, so that it is a real when it is read back.
static void write_real(double value, ssti_text *out) {
  char text[SSTI_NUMBER_TEXT_SIZE];
  ssti_number_text(value, text);
  ssti_text_append(out, "%s%s", text, strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void new_line(bool pretty, int depth, ssti_text *out) {
  if (pretty) { ssti_text_append(out, "\n%*s", 2 * depth, ""); }
}

static void write_value(const json_t *value, bool pretty, int depth, ssti_text *out);

static void write_object(const json_t *value, bool pretty, int depth, ssti_text *out) {
  // jansson's iterator takes the object without const, but changes nothing.
  json_t *object = NULL;
  memcpy(&object, &value, sizeof object);
  const char *key = NULL;
  json_t *member = NULL;
  bool first = true;
  ssti_text_append_bytes(out, "{", 1);
  json_object_foreach(object, key, member) {
    if (!first) { ssti_text_append_bytes(out, pretty ? "," : ", ", pretty ? 1 : 2); }
    first = false;
    new_line(pretty, depth + 1, out);
    write_string(key, strlen(key), out);
    ssti_text_append_bytes(out, ": ", 2);
    write_value(member, pretty, depth + 1, out);
  }
  if (!first) { new_line(pretty, depth, out); }
  ssti_text_append_bytes(out, "}", 1);
}

// Lists of plain values stay on one line, however long: they are rows of numbers.
static void write_array(const json_t *value, bool pretty, int depth, ssti_text *out) {
  size_t count = json_array_size(value);
  bool nested = false;
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(value, i);
    nested = nested || json_is_object(item) || json_is_array(item);
  }
  bool spread = pretty && nested;
  ssti_text_append_bytes(out, "[", 1);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) { ssti_text_append_bytes(out, spread ? "," : ", ", spread ? 1 : 2); }
    new_line(spread, depth + 1, out);
    write_value(json_array_get(value, i), pretty, depth + 1, out);
  }
  if (count > 0) { new_line(spread, depth, out); }
  ssti_text_append_bytes(out, "]", 1);
}

static void write_value(const json_t *value, bool pretty, int depth, ssti_text *out) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: write_object(value, pretty, depth, out); break;
  case JSON_ARRAY: write_array(value, pretty, depth, out); break;
  case JSON_STRING: write_string(json_string_value(value), json_string_length(value), out); break;
  case JSON_INTEGER: ssti_text_append(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
  case JSON_REAL: write_real(json_real_value(value), out); break;
  case JSON_TRUE: ssti_text_append_bytes(out, "true", 4); break;
  case JSON_FALSE: ssti_text_append_bytes(out, "false", 5); break;
  case JSON_NULL: ssti_text_append_bytes(out, "null", 4); break;
  }
}

sst_status ssti_json_text(sst_context *context, const json_t *value, bool pretty, char **out) {
  *out = NULL;
  // jansson's own builders answer NULL when memory runs out; that arrives here as a missing value.
  if (value == NULL) { SST_FAIL(context, SST_OUT_OF_MEMORY, "no memory for a JSON value"); }
  ssti_text text = ssti_text_begin(context);
  write_value(value, pretty, 0, &text);
  if (text.status != SST_OK) {
    sst_status status = text.status;
    ssti_text_free(&text);
    return status;
  }
  *out = text.data;
  return SST_OK;
}
