// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// Makes room for `more` characters and the end; false if an append has failed, now or before.
static bool make_room(ssti_text *text, size_t more) {
  if (text->status != SST_OK) { return false; }
  text->status = ssti_grow(text->context, &text->data, &text->capacity, text->length + more + 1, 1);
  return text->status == SST_OK;
}

void ssti_text_append(ssti_text *text, const char *format, ...) {
  char small[256];
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int wanted = vsnprintf(small, sizeof small, format, arguments);
  va_end(arguments);
  if (wanted >= 0 && (size_t)wanted < sizeof small) {
    ssti_text_append_bytes(text, small, (size_t)wanted);
  } else if (wanted >= 0 && make_room(text, (size_t)wanted)) {
    vsnprintf(text->data + text->length, (size_t)wanted + 1, format, again);
    text->length += (size_t)wanted;
  }
  va_end(again);
}

void ssti_text_append_bytes(ssti_text *text, const char *bytes, size_t length) {
  if (!make_room(text, length)) { return; }
  if (length > 0) { memcpy(text->data + text->length, bytes, length); }
  text->length += length;
  text->data[text->length] = '\0';
}

void ssti_text_free(ssti_text *text) {
  ssti_free(text->context, text->data);
  *text = ssti_text_begin(text->context);
}

// Numbers are written with a point, whatever the host program's locale says.
static locale_t plain_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

bool ssti_parse_double(const char *word, double *out) {
  // strtod also takes blanks in front, hexadecimals, "inf" and "nan", which here are typing errors.
  if (word[0] == '\0' || word[strspn(word, "0123456789+-.eE")] != '\0') { return false; }
  locale_t locale = plain_locale();
  if (locale == (locale_t)0) { return false; }
  char *end = NULL;
  double value = strtod_l(word, &end, locale);
  freelocale(locale);
  if (end == word || *end != '\0' || !isfinite(value)) { return false; }
  *out = value;
  return true;
}

bool ssti_parse_int64(const char *word, int64_t *out) {
  if (word[0] == '\0' || word[strspn(word, "0123456789+-")] != '\0') { return false; }
  char *end = NULL;
  errno = 0;
  long long value = strtoll(word, &end, 10);
  if (end == word || *end != '\0' || errno == ERANGE) { return false; }
  *out = value;
  return true;
}

bool ssti_parse_bool(const char *word, bool *out) {
  static const char *const yes[] = {"true", "yes", "on"};
  static const char *const no[] = {"false", "no", "off"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(word, yes[i]) == 0 || strcmp(word, no[i]) == 0) {
      *out = strcmp(word, yes[i]) == 0;
      return true;
    }
  }
  return false;
}

const char *ssti_number_text(double value, char text[SSTI_NUMBER_TEXT_SIZE]) {
  locale_t locale = plain_locale();
  locale_t before = locale == (locale_t)0 ? (locale_t)0 : uselocale(locale);
  if (value == floor(value) && fabs(value) < 1e15) {
    snprintf(text, SSTI_NUMBER_TEXT_SIZE, "%.0f", value); // 100000, not 1e+05
  } else {
    for (int digits = 1; digits <= 17; digits++) {
      snprintf(text, SSTI_NUMBER_TEXT_SIZE, "%.*g", digits, value);
      if (strtod(text, NULL) == value) { break; }
    }
  }
  if (locale != (locale_t)0) {
    uselocale(before);
    freelocale(locale);
  }
  return text;
}

enum { MAX_NAME = 63 };

// Edit distance (Levenshtein, and a swap of neighbours counts as one), capital letters equal to small ones.
static int edit_distance(const char *a, int a_length, const char *b, int b_length) {
  int rows[3][MAX_NAME + 2];
  for (int j = 0; j <= b_length; j++) { rows[0][j] = j; }
  for (int i = 1; i <= a_length; i++) {
    int *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= b_length; j++) {
      int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
      int best = last[j - 1] + (ca != cb);
      if (last[j] + 1 < best) { best = last[j] + 1; }
      if (now[j - 1] + 1 < best) { best = now[j - 1] + 1; }
      if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && cb == tolower((unsigned char)a[i - 2]) &&
          before[j - 2] + 1 < best) {
        best = before[j - 2] + 1;
      }
      now[j] = best;
    }
  }
  return rows[a_length % 3][b_length];
}

int ssti_find_word(const char *word, const char *const *words, int count) {
  for (int i = 0; word != NULL && i < count; i++) {
    if (strcmp(word, words[i]) == 0) { return i; }
  }
  return -1;
}

int ssti_nearest_name(const char *word, const char *const *names, int count) {
  size_t length = strlen(word);
  if (length == 0 || length > MAX_NAME) { return -1; }
  int nearest = -1, smallest = 0;
  for (int i = 0; i < count; i++) {
    size_t name_length = strlen(names[i]);
    if (name_length > MAX_NAME) { continue; }
    int distance = edit_distance(word, (int)length, names[i], (int)name_length);
    // More than a third of the letters wrong is another word, not a misspelling.
    int limit = (int)(length > name_length ? length : name_length) / 3;
    if (limit < 1) { limit = 1; }
    if (distance <= limit && (nearest < 0 || distance < smallest)) {
      nearest = i;
      smallest = distance;
    }
  }
  return nearest;
}
