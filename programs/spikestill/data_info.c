// SPDX-License-Identifier: Apache-2.0
#include "data_info.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_output.h"

enum { BAR = 40, MOST_BARS = 128 };

// A quantity over all recordings, such as their durations.
typedef struct spread {
  double *values; // [count], ascending once they are all there
  int64_t count;
} spread;

typedef struct summary {
  sst_dataset *dataset;
  sst_dataset_info info;
  int64_t *per_class;                                      // [classes]
  double mean[SST_MAX_CHANNELS], square[SST_MAX_CHANNELS]; // of pixels in 0..1, or of counts
  spread events, milliseconds;                             // of event sets
  double brighter;                                         // share of all events
} summary;

static void free_summary(summary *s) {
  sst_dataset_close(s->dataset);
  free(s->per_class);
  free(s->events.values);
  free(s->milliseconds.values);
  *s = (summary){0};
}

// Of each channel, over all samples. Sums of whole numbers are exact.
static sst_status measure(summary *s) {
  const int64_t channels = s->info.channels, bytes = sst_dataset_sample_bytes(&s->info);
  uint64_t sum[SST_MAX_CHANNELS] = {0}, squares[SST_MAX_CHANNELS] = {0};
  uint8_t *sample = malloc((size_t)bytes);
  s->per_class = calloc((size_t)s->info.classes, sizeof *s->per_class);
  sst_status status = sample && s->per_class ? SST_OK : SST_OUT_OF_MEMORY;
  for (int64_t i = 0; i < s->info.count && status == SST_OK; i++) {
    s->per_class[sst_dataset_label(s->dataset, i)]++;
    status = sst_dataset_read(s->dataset, i, sample);
    for (int64_t p = 0; p < bytes && status == SST_OK; p++) {
      sum[p % channels] += sample[p];
      squares[p % channels] += (uint64_t)sample[p] * sample[p];
    }
  }
  free(sample);
  const int64_t pixels = bytes / channels;
  const double unit = s->info.frames > 0 ? 1.0 : 255.0, total = (double)s->info.count * (double)pixels;
  for (int64_t c = 0; c < channels && total > 0; c++) {
    s->mean[c] = (double)sum[c] / total / unit;
    s->square[c] = (double)squares[c] / total / (unit * unit);
  }
  return status;
}

static double deviation(const summary *s, int64_t c) { return sqrt(fmax(0.0, s->square[c] - s->mean[c] * s->mean[c])); }

static int compare_doubles(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

// Events and durations, from the recordings as they are.
static sst_status measure_recordings(summary *s) {
  const size_t count = (size_t)s->info.count;
  int64_t events = 0, brighter = 0;
  s->events.values = calloc(count, sizeof(double));
  s->milliseconds.values = calloc(count, sizeof(double));
  if (!s->events.values || !s->milliseconds.values) { return SST_OUT_OF_MEMORY; }
  for (size_t i = 0; i < count; i++) {
    sst_recording_info r;
    const sst_status status = sst_dataset_recording(s->dataset, (int64_t)i, &r);
    if (status != SST_OK) { return status; }
    s->events.values[s->events.count++] = (double)r.events;
    s->milliseconds.values[s->milliseconds.count++] = (double)r.duration_us / 1000.0;
    events += r.events;
    brighter += r.brighter;
  }
  s->brighter = events > 0 ? (double)brighter / (double)events : 0;
  qsort(s->events.values, count, sizeof(double), compare_doubles);
  qsort(s->milliseconds.values, count, sizeof(double), compare_doubles);
  return SST_OK;
}

static double median(const spread *v) { return v->values[v->count / 2]; }

static sst_status open_part(sst_context *context, const sst_recipe *recipe, bool train, summary *s) {
  *s = (summary){0};
  const sst_dataset_options options = sst_recipe_dataset(recipe, train);
  sst_status status = sst_dataset_open(context, &options, &s->dataset);
  if (status != SST_OK) { return status; }
  s->info = sst_dataset_describe(s->dataset);
  status = measure(s);
  if (status == SST_OK && s->info.frames > 0) { status = measure_recordings(s); }
  if (status != SST_OK) { free_summary(s); }
  return status;
}

static void print_bar(const char *label, int64_t value, int64_t most) {
  printf("  %-16s %8" PRId64 " ", label, value);
  for (int64_t i = 0; most > 0 && i < (value * BAR + most - 1) / most; i++) { putchar('#'); }
  putchar('\n');
}

enum { BINS = 8 };

// Least, median and most, and how many recordings lie in each eighth of that range.
static void print_spread(const char *what, const char *unit, const spread *v) {
  const double least = v->values[0], most = v->values[v->count - 1], width = (most - least) / BINS;
  int64_t bins[BINS] = {0}, highest = 0;
  printf("  %s: %.0f to %.0f %s, median %.0f\n", what, least, most, unit, median(v));
  for (int64_t i = 0; i < v->count && width > 0; i++) {
    int bin = (int)((v->values[i] - least) / width);
    bins[bin < BINS ? bin : BINS - 1]++;
  }
  for (int i = 0; i < BINS; i++) { highest = bins[i] > highest ? bins[i] : highest; }
  for (int i = 0; i < BINS && width > 0; i++) {
    char label[32];
    snprintf(label, sizeof label, "from %.0f", least + i * width);
    print_bar(label, bins[i], highest);
  }
}

static void print_classes(const summary *s) {
  int64_t most = 0, least = s->info.count;
  for (int k = 0; k < s->info.classes; k++) {
    if (s->per_class[k] > most) { most = s->per_class[k]; }
    if (s->per_class[k] < least) { least = s->per_class[k]; }
  }
  printf("  a class has %" PRId64 " to %" PRId64 " samples\n", least, most);
  for (int k = 0; k < s->info.classes && s->info.classes <= MOST_BARS; k++) {
    char number[16];
    snprintf(number, sizeof number, "%d", k);
    const char *name = sst_dataset_class_name(s->dataset, k);
    print_bar(name ? name : number, s->per_class[k], most);
  }
}

static void print_list(const char *key, const summary *s, bool deviations) {
  printf("%s: [", key);
  for (int64_t c = 0; c < s->info.channels; c++) {
    printf("%s%.4f", c ? ", " : "", deviations ? deviation(s, c) : s->mean[c]);
  }
  printf("]");
}

static void print_summary(const char *part, const summary *s, const char *split) {
  const char *what = s->info.frames > 0 ? "recordings" : "pictures";
  printf("%s: %" PRId64 " %s of ", part, s->info.count, what);
  if (s->info.frames > 0) { printf("%" PRId64 " frames, ", s->info.frames); }
  printf("%" PRId64 "x%" PRId64 "x%" PRId64 ", %d classes\n", s->info.height, s->info.width, s->info.channels,
         s->info.classes);
  if (split) { printf("  split: %s\n", split); }
  if (s->info.validation > 0) {
    printf("  the last %" PRId64 " are the set's own validation part\n", s->info.validation);
  }
  if (s->info.skipped > 0) { printf("  %" PRId64 " broken files are left out\n", s->info.skipped); }
  printf("  ");
  print_list("mean", s, false);
  printf("\n  ");
  print_list("deviation", s, true);
  printf("   # of %s; a recipe's data section takes both\n", s->info.frames > 0 ? "counts" : "pixels in 0..1");
  if (s->events.count > 0) {
    printf("  polarity: %.1f %% of the events are brighter\n", 100 * s->brighter);
    print_spread("events of a recording", "events", &s->events);
    print_spread("durations", "ms", &s->milliseconds);
  }
  print_classes(s);
}

static json_t *spread_json(const spread *v) {
  return json_pack("{s:f, s:f, s:f}", "least", v->values[0], "median", median(v), "most", v->values[v->count - 1]);
}

static json_t *summary_json(const summary *s) {
  json_t *mean = json_array(), *deviations = json_array(), *classes = json_array(), *names = json_array();
  for (int64_t c = 0; c < s->info.channels; c++) {
    json_array_append_new(mean, json_real(s->mean[c]));
    json_array_append_new(deviations, json_real(deviation(s, c)));
  }
  for (int k = 0; k < s->info.classes; k++) {
    json_array_append_new(classes, json_integer((json_int_t)s->per_class[k]));
    const char *name = sst_dataset_class_name(s->dataset, k);
    if (name) { json_array_append_new(names, json_string(name)); }
  }
  json_t *value =
      json_pack("{s:I, s:[I, I, I], s:I, s:I, s:i, s:o, s:o, s:o}", "count", (json_int_t)s->info.count, "shape",
                (json_int_t)s->info.height, (json_int_t)s->info.width, (json_int_t)s->info.channels, "frames",
                (json_int_t)s->info.frames, "skipped", (json_int_t)s->info.skipped, "classes", s->info.classes, "mean",
                mean, "deviation", deviations, "per_class", classes);
  if (s->info.validation > 0) {
    json_object_set_new(value, "validation", json_integer((json_int_t)s->info.validation));
  }
  if (s->events.count > 0) {
    json_object_set_new(value, "events", spread_json(&s->events));
    json_object_set_new(value, "duration_ms", spread_json(&s->milliseconds));
    json_object_set_new(value, "brighter", json_real(s->brighter));
  }
  if (json_array_size(names) > 0) {
    json_object_set_new(value, "names", names);
  } else {
    json_decref(names);
  }
  return value;
}

int show_data_info(sst_context *context, const arguments *a, const sst_recipe *recipe) {
  json_t *answer = json_object();
  const sst_dataset_kind kind = recipe->data.kind;
  const bool has_split = kind == SST_DATASET_NCALTECH101 || kind == SST_DATASET_CIFAR10_DVS;
  const char *split = has_split ? sst_event_split_word(recipe->data.split) : NULL;
  if (split) { json_object_set_new(answer, "split", json_string(split)); }
  for (int train = 1; train >= 0; train--) {
    summary s;
    const sst_status status = open_part(context, recipe, train == 1, &s);
    if (status != SST_OK) {
      json_decref(answer);
      return report_failure(context, status);
    }
    if (a->json) {
      json_object_set_new(answer, train ? "train" : "test", summary_json(&s));
    } else {
      print_summary(train ? "train" : "test", &s, split);
    }
    free_summary(&s);
  }
  if (a->json) { return print_json(answer); }
  json_decref(answer);
  return EXIT_DONE;
}
