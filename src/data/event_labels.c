// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "base/text.h"
#include "data/event_readers.h"

enum { MAX_FIELD = 31, FIELDS = 3 };

typedef struct label_lines {
  sst_context *context;
  const char *name;
  const char *data;
  size_t size, at;
  int line;
} label_lines;

// The number in [begin, end), without spaces around it.
static bool parse_field(const char *begin, const char *end, int64_t *out) {
  char word[MAX_FIELD + 1];
  while (begin < end && *begin == ' ') { begin++; }
  while (begin < end && (end[-1] == ' ' || end[-1] == '\r')) { end--; }
  size_t length = (size_t)(end - begin);
  if (length < 1 || length > MAX_FIELD) { return false; }
  memcpy(word, begin, length);
  word[length] = '\0';
  return strlen(word) == length && ssti_parse_int64(word, out);
}

static bool parse_fields(const char *begin, const char *end, int64_t fields[FIELDS]) {
  for (int i = 0; i < FIELDS; i++) {
    const char *comma = memchr(begin, ',', (size_t)(end - begin));
    if ((comma == NULL) != (i == FIELDS - 1)) { return false; }
    const char *field_end = comma != NULL ? comma : end;
    if (!parse_field(begin, field_end, &fields[i])) { return false; }
    begin = field_end + 1;
  }
  return true;
}

// The next line, without its end; false where there is none.
static bool next_line(label_lines *lines, const char **begin, const char **end) {
  if (lines->at >= lines->size) { return false; }
  *begin = lines->data + lines->at;
  const char *found = memchr(*begin, '\n', lines->size - lines->at);
  *end = found != NULL ? found : lines->data + lines->size;
  lines->at = (size_t)(*end - lines->data) + 1;
  lines->line++;
  return true;
}

static bool is_blank(const char *begin, const char *end) {
  for (; begin < end; begin++) {
    if (*begin != ' ' && *begin != '\r') { return false; }
  }
  return true;
}

static sst_status read_lines(label_lines *lines, int classes, ssti_event_label **out, int64_t *count) {
  const char *begin = NULL, *end = NULL;
  size_t capacity = 0;
  next_line(lines, &begin, &end); // the heading
  while (next_line(lines, &begin, &end)) {
    int64_t fields[FIELDS] = {0};
    if (is_blank(begin, end)) { continue; }
    if (!parse_fields(begin, end, fields)) {
      SST_FAIL(lines->context, SST_FORMAT, "%s:%d: at byte %td: expected three numbers: class,start us,end us",
               lines->name, lines->line, begin - lines->data);
    }
    if (fields[0] < 1 || fields[0] > classes || fields[1] < 0 || fields[2] <= fields[1]) {
      SST_FAIL(lines->context, SST_FORMAT,
               "%s:%d: at byte %td: found class %" PRId64 " from %" PRId64 " to %" PRId64
               " us, expected class 1 to %d and an end after the start",
               lines->name, lines->line, begin - lines->data, fields[0], fields[1], fields[2], classes);
    }
    SST_TRY(ssti_grow(lines->context, out, &capacity, (size_t)*count + 1, sizeof **out));
    (*out)[(*count)++] = (ssti_event_label){(int)fields[0] - 1, fields[1], fields[2]};
  }
  if (*count == 0) {
    SST_FAIL(lines->context, SST_FORMAT, "%s: ends at byte %zu without a label; expected a heading and lines under it",
             lines->name, lines->size);
  }
  return SST_OK;
}

sst_status ssti_event_labels_read(sst_context *context, const char *name, const void *data, size_t size, int classes,
                                  ssti_event_label **out, int64_t *count) {
  label_lines lines = {context, name, data, size, 0, 0};
  *out = NULL;
  *count = 0;
  sst_status status = read_lines(&lines, classes, out, count);
  if (status != SST_OK) {
    ssti_free(context, *out);
    *out = NULL;
    *count = 0;
  }
  return status;
}
