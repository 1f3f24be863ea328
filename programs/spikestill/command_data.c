// SPDX-License-Identifier: Apache-2.0
#include "spikestill/data.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json_output.h"

enum { MOST_CLASSES = 1024 };

typedef struct summary {
  sst_dataset_info info;
  int64_t per_class[MOST_CLASSES];
  double mean[SST_MAX_CHANNELS], square[SST_MAX_CHANNELS]; // of pixels in 0..1
} summary;

static void summarise(const sst_dataset *dataset, summary *s) {
  *s = (summary){.info = sst_dataset_describe(dataset)};
  int64_t channels = s->info.channels, pixels = s->info.height * s->info.width;
  for (int64_t i = 0; i < s->info.count; i++) {
    int label = sst_dataset_label(dataset, i);
    if (label >= 0 && label < MOST_CLASSES) { s->per_class[label]++; }
    const uint8_t *picture = sst_dataset_picture(dataset, i);
    for (int64_t p = 0; p < pixels * channels; p++) {
      double value = picture[p] / 255.0;
      s->mean[p % channels] += value;
      s->square[p % channels] += value * value;
    }
  }
  double total = (double)(s->info.count * pixels);
  for (int64_t c = 0; c < channels && total > 0; c++) {
    s->mean[c] /= total;
    s->square[c] /= total;
  }
}

static double deviation(const summary *s, int64_t c) { return sqrt(fmax(0.0, s->square[c] - s->mean[c] * s->mean[c])); }

static void print_summary(const char *part, const summary *s) {
  printf("%s: %" PRId64 " pictures of %" PRId64 "x%" PRId64 "x%" PRId64 ", %d classes\n", part, s->info.count,
         s->info.height, s->info.width, s->info.channels, s->info.classes);
  for (int64_t c = 0; c < s->info.channels; c++) {
    printf("  channel %" PRId64 ": mean %.4f, deviation %.4f (of pixels in 0..1)\n", c, s->mean[c], deviation(s, c));
  }
  printf("  per class:");
  for (int k = 0; k < s->info.classes && k < MOST_CLASSES; k++) { printf(" %" PRId64, s->per_class[k]); }
  printf("\n");
}

static json_t *summary_json(const summary *s) {
  json_t *mean = json_array(), *deviations = json_array(), *classes = json_array();
  for (int64_t c = 0; c < s->info.channels; c++) {
    json_array_append_new(mean, json_real(s->mean[c]));
    json_array_append_new(deviations, json_real(deviation(s, c)));
  }
  for (int k = 0; k < s->info.classes && k < MOST_CLASSES; k++) {
    json_array_append_new(classes, json_integer((json_int_t)s->per_class[k]));
  }
  return json_pack("{s:I, s:[I, I, I], s:i, s:o, s:o, s:o}", "count", (json_int_t)s->info.count, "shape",
                   (json_int_t)s->info.height, (json_int_t)s->info.width, (json_int_t)s->info.channels, "classes",
                   s->info.classes, "mean", mean, "deviation", deviations, "per_class", classes);
}

static int show_info(sst_context *context, const arguments *a, sst_dataset_kind kind) {
  json_t *answer = json_object();
  for (int train = 1; train >= 0; train--) {
    sst_dataset_options options = {
        .kind = kind, .root = a->root, .train = train, .digits_seed = 1, .digits_count = train ? 10000 : 2000};
    sst_dataset *dataset;
    sst_status status = sst_dataset_open(context, &options, &dataset);
    if (status != SST_OK) {
      json_decref(answer);
      return report_failure(context, status);
    }
    summary s;
    summarise(dataset, &s);
    sst_dataset_close(dataset);
    if (a->json) {
      json_object_set_new(answer, train ? "train" : "test", summary_json(&s));
    } else {
      print_summary(train ? "train" : "test", &s);
    }
  }
  if (a->json) { return print_json(answer); }
  json_decref(answer);
  return EXIT_DONE;
}

static void show_download(void *user, const char *file, uint64_t done, uint64_t total) {
  (void)user;
  if (!isatty(STDERR_FILENO)) { return; }
  if (total > 0) {
    fprintf(stderr, "\r\033[K%s  %.1f of %.1f MB", file, (double)done / 1e6, (double)total / 1e6);
  } else {
    fprintf(stderr, "\r\033[K%s  %.1f MB", file, (double)done / 1e6);
  }
}

static int download(sst_context *context, const arguments *a, sst_dataset_kind kind) {
  const char *root = a->root ? a->root : getenv("SPIKESTILL_DATA");
  if (!root || !root[0]) { root = "./data"; }
  stop_on_signals(context);
  sst_status status = sst_dataset_download(context, kind, root, a->url, show_download, NULL);
  if (isatty(STDERR_FILENO)) { fprintf(stderr, "\r\033[K"); }
  if (status != SST_OK) { return report_failure(context, status); }
  if (a->json) { return print_json(json_pack("{s:s, s:s}", "name", sst_dataset_word(kind), "root", root)); }
  printf("%s is in %s\n", sst_dataset_word(kind), root);
  return EXIT_DONE;
}

static int unknown_dataset(const char *name) {
  const char *names[SST_DATASET_COUNT];
  char list[256] = "";
  for (int i = 0; i < SST_DATASET_COUNT; i++) {
    names[i] = sst_dataset_word((sst_dataset_kind)i);
    size_t length = strlen(list);
    snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "", names[i]);
  }
  int nearest = nearest_name(name, names, SST_DATASET_COUNT);
  if (nearest >= 0) { return usage_error("there is no data set '%s'; did you mean '%s'?", name, names[nearest]); }
  return usage_error("there is no data set '%s'; there are %s", name, list);
}

int command_data(sst_context *context, const arguments *a) {
  sst_dataset_kind kind;
  if (!sst_dataset_parse(a->words[1], &kind)) { return unknown_dataset(a->words[1]); }
  return strcmp(a->words[0], "get") == 0 ? download(context, a, kind) : show_info(context, a, kind);
}
