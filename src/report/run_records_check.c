// SPDX-License-Identifier: Apache-2.0
#include "report/run_records_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// More than any record of ours has, and few enough to be drawn.
enum {
  MOST_SAMPLES = 16,
  MOST_LAYERS = 256,
  MOST_NEURONS = 256,
  MOST_STEPS = 4096,
  MOST_BINS = 4096,
  MOST_CLASSES = 1000,
  MOST_PICTURES = 100,
  MOST_SIDE = 256
};
#define MOST_COUNT 9007199254740992.0 // whole numbers up to there are exact

// Where in which record: "samples[0].layers[2]".
typedef struct place {
  sst_context *context;
  const char *path;
  char at[160];
} place;

static place inside(const place *p, const char *field, int64_t index) {
  place out = *p;
  size_t length = strlen(out.at);
  if (index < 0) {
    snprintf(out.at + length, sizeof out.at - length, "%s%.40s", length ? "." : "", field);
  } else {
    snprintf(out.at + length, sizeof out.at - length, "%s%.40s[%lld]", length ? "." : "", field, (long long)index);
  }
  return out;
}

static const char *kind_of(const json_t *value) {
  if (value == NULL) { return "nothing"; }
  switch (json_typeof(value)) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "a list";
  case JSON_STRING: return "a text";
  case JSON_INTEGER:
  case JSON_REAL: return "a number out of range";
  case JSON_TRUE:
  case JSON_FALSE: return "a truth value";
  case JSON_NULL: break;
  }
  return "null";
}

static sst_status wrong(const place *p, const char *field, const json_t *found, const char *expected) {
  const place at = inside(p, field, -1);
  SST_FAIL(p->context, SST_FORMAT, "%s: %s is %s, expected %s", p->path, at.at, kind_of(found), expected);
}

static sst_status get_whole(const place *p, const json_t *object, const char *field, int64_t low, int64_t high,
                            int64_t *out) {
  const json_t *value = json_object_get(object, field);
  char expected[80];
  *out = json_integer_value(value);
  if (json_is_integer(value) && *out >= low && *out <= high) { return SST_OK; }
  snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)low, (long long)high);
  return wrong(p, field, value, expected);
}

static sst_status check_text(const place *p, const json_t *object, const char *field) {
  const json_t *value = json_object_get(object, field);
  return json_is_string(value) ? SST_OK : wrong(p, field, value, "a text");
}

// A list of `fewest` to `most` entries; *out is its length.
static sst_status get_list(const place *p, const json_t *object, const char *field, int fewest, int most, int *out) {
  const json_t *value = json_object_get(object, field);
  size_t size = json_array_size(value);
  *out = 0;
  if (!json_is_array(value)) { return wrong(p, field, value, "a list"); }
  if (size < (size_t)fewest || size > (size_t)most) {
    const place at = inside(p, field, -1);
    SST_FAIL(p->context, SST_FORMAT, "%s: %s has %zu entries, expected %d to %d", p->path, at.at, size, fewest, most);
  }
  *out = (int)size;
  return SST_OK;
}

static const json_t *entry(const json_t *object, const char *field, int index) {
  return json_array_get(json_object_get(object, field), (size_t)index);
}

static sst_status check_numbers(const place *p, const json_t *list, const char *field, double low, double high) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *value = json_array_get(list, i);
    const double number = json_number_value(value);
    char expected[80];
    if (json_is_number(value) && isfinite(number) && number >= low && number <= high) { continue; }
    const place at = inside(p, field, (int64_t)i);
    snprintf(expected, sizeof expected, "a number from %g to %g", low, high);
    SST_FAIL(p->context, SST_FORMAT, "%s: %s is %s, expected %s", p->path, at.at, kind_of(value), expected);
  }
  return SST_OK;
}

// ---- activity.json

static sst_status check_rows(const place *p, const json_t *layer, int shown, int steps) {
  for (int i = 0; i < shown; i++) {
    const json_t *row = entry(layer, "spikes", i);
    const char *text = json_string_value(row);
    if (text != NULL && strlen(text) == (size_t)steps && strspn(text, "01") == (size_t)steps) { continue; }
    const place at = inside(p, "spikes", i);
    SST_FAIL(p->context, SST_FORMAT, "%s: %s is no text of %d digits 0 and 1", p->path, at.at, steps);
  }
  return SST_OK;
}

static sst_status check_sample_layer(const place *p, const json_t *layer, int *steps) {
  int64_t neurons;
  int shown, rows, traced, traces;
  SST_TRY(check_text(p, layer, "name"));
  SST_TRY(get_whole(p, layer, "neurons", 1, INT64_C(1) << 53, &neurons));
  SST_TRY(get_list(p, layer, "shown", 1, MOST_NEURONS, &shown));
  SST_TRY(check_numbers(p, json_object_get(layer, "shown"), "shown", 0, (double)(neurons - 1)));
  SST_TRY(get_list(p, layer, "spikes", shown, shown, &rows));
  const char *first = json_string_value(entry(layer, "spikes", 0));
  if (*steps == 0 && first != NULL) { *steps = (int)strnlen(first, MOST_STEPS); }
  if (*steps == 0) { return wrong(p, "spikes[0]", entry(layer, "spikes", 0), "a text of digits 0 and 1"); }
  SST_TRY(check_rows(p, layer, shown, *steps));
  SST_TRY(get_list(p, layer, "traced", 0, shown, &traced));
  SST_TRY(check_numbers(p, json_object_get(layer, "traced"), "traced", 0, shown - 1));
  SST_TRY(get_list(p, layer, "membranes", traced, traced, &traces));
  for (int i = 0; i < traces; i++) {
    const json_t *trace = entry(layer, "membranes", i);
    const place at = inside(p, "membranes", i);
    if (json_array_size(trace) != (size_t)*steps) {
      SST_FAIL(p->context, SST_FORMAT, "%s: %s is no list of %d numbers", p->path, at.at, *steps);
    }
    SST_TRY(check_numbers(&at, trace, "", -1e30, 1e30));
  }
  return SST_OK;
}

static sst_status check_samples(const place *p, const json_t *record) {
  static const char *const numbers[] = {"index", "class", "taken_for"};
  int samples;
  SST_TRY(get_list(p, record, "samples", 0, MOST_SAMPLES, &samples));
  for (int s = 0; s < samples; s++) {
    const json_t *sample = entry(record, "samples", s);
    const place at = inside(p, "samples", s);
    int64_t ignored;
    int layers, steps = 0;
    for (int i = 0; i < 3; i++) { SST_TRY(get_whole(&at, sample, numbers[i], 0, INT64_C(1) << 53, &ignored)); }
    SST_TRY(get_list(&at, sample, "layers", 0, MOST_LAYERS, &layers));
    for (int l = 0; l < layers; l++) {
      const place of_layer = inside(&at, "layers", l);
      SST_TRY(check_sample_layer(&of_layer, entry(sample, "layers", l), &steps));
    }
  }
  return SST_OK;
}

// The first kind of counts is always there, the others where the layer has bits. All layers have as many bins.
static sst_status check_histograms(const place *parent, const json_t *record, const char *field,
                                   const char *const *kinds, int kind_count) {
  const json_t *part = json_object_get(record, field);
  if (part == NULL) { return SST_OK; }
  const place p = inside(parent, field, -1);
  int64_t low, high, bits;
  int layers, bins = 0, count;
  SST_TRY(get_whole(&p, part, "low", -1000000, 1000000, &low));
  SST_TRY(get_whole(&p, part, "high", low + 1, 1000001, &high));
  SST_TRY(get_list(&p, part, "layers", 0, MOST_LAYERS, &layers));
  for (int l = 0; l < layers; l++) {
    const json_t *layer = entry(part, "layers", l);
    const place at = inside(&p, "layers", l);
    SST_TRY(check_text(&at, layer, "name"));
    SST_TRY(get_whole(&at, layer, "bits", 0, 64, &bits));
    for (int k = 0; k < (bits > 0 ? kind_count : 1); k++) {
      SST_TRY(get_list(&at, layer, kinds[k], bins ? bins : 2, bins ? bins : MOST_BINS, &count));
      bins = count;
      SST_TRY(check_numbers(&at, json_object_get(layer, kinds[k]), kinds[k], 0, MOST_COUNT));
    }
  }
  return SST_OK;
}

sst_status ssti_activity_check(sst_context *context, const char *path, const json_t *record) {
  static const char *const membranes[] = {"before_firing", "before_storing", "stored"};
  static const char *const weights[] = {"full", "quantised"};
  const place p = {.context = context, .path = path};
  int64_t version;
  SST_TRY(get_whole(&p, record, "version", 1, 1, &version));
  SST_TRY(check_samples(&p, record));
  SST_TRY(check_histograms(&p, record, "membranes", membranes, 3));
  return check_histograms(&p, record, "weights", weights, 2);
}

// ---- mistakes.json

static sst_status check_picture(const place *p, const json_t *picture) {
  int64_t ignored, height, width, channels;
  SST_TRY(get_whole(p, picture, "index", 0, INT64_C(1) << 53, &ignored));
  SST_TRY(get_whole(p, picture, "class", 0, INT32_MAX, &ignored));
  SST_TRY(get_whole(p, picture, "taken_for", 0, INT32_MAX, &ignored));
  SST_TRY(get_whole(p, picture, "height", 1, MOST_SIDE, &height));
  SST_TRY(get_whole(p, picture, "width", 1, MOST_SIDE, &width));
  SST_TRY(get_whole(p, picture, "channels", 1, MOST_SIDE, &channels));
  const json_t *confidence = json_object_get(picture, "confidence");
  if (!json_is_number(confidence)) { return wrong(p, "confidence", confidence, "a number"); }
  const char *pixels = json_string_value(json_object_get(picture, "pixels"));
  size_t length = 2 * (size_t)(height * width * channels);
  if (pixels == NULL || strlen(pixels) != length || strspn(pixels, "0123456789abcdef") != length) {
    SST_FAIL(p->context, SST_FORMAT, "%s: %s.pixels is no text of %zu hexadecimal digits", p->path, p->at, length);
  }
  return SST_OK;
}

sst_status ssti_mistakes_check(sst_context *context, const char *path, const json_t *record) {
  const place p = {.context = context, .path = path};
  int rows, columns, pictures;
  if (json_object_get(record, "confusion") != NULL) {
    SST_TRY(get_list(&p, record, "confusion", 1, MOST_CLASSES, &rows));
    for (int r = 0; r < rows; r++) {
      const json_t *row = entry(record, "confusion", r);
      const place at = inside(&p, "confusion", r);
      columns = (int)json_array_size(row);
      if (columns != rows) { SST_FAIL(context, SST_FORMAT, "%s: %s is no list of %d counts", path, at.at, rows); }
      SST_TRY(check_numbers(&at, row, "", 0, MOST_COUNT));
    }
  }
  SST_TRY(get_list(&p, record, "pictures", 0, MOST_PICTURES, &pictures));
  for (int i = 0; i < pictures; i++) {
    const place at = inside(&p, "pictures", i);
    SST_TRY(check_picture(&at, entry(record, "pictures", i)));
  }
  return SST_OK;
}
