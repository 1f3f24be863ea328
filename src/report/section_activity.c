// SPDX-License-Identifier: Apache-2.0
// What goes on inside the networks, from activity.json: spikes and membranes of single pictures, histograms of
// membranes and weights. The record has been checked (run_records_check.h).
#include <math.h>
#include <stdio.h>

#include "report/page.h"

static const json_t *entry(const json_t *object, const char *field, int index) {
  return json_array_get(json_object_get(object, field), (size_t)index);
}

static int length_of(const json_t *object, const char *field) {
  return (int)json_array_size(json_object_get(object, field));
}

static const char *name_of(const json_t *layer) { return json_string_value(json_object_get(layer, "name")); }

// Rows of a figure over the samples' layers: shown neurons, or traced ones.
static int count_rows(const json_t *layers, const char *field) {
  int rows = 0;
  for (size_t l = 0; l < json_array_size(layers); l++) { rows += length_of(json_array_get(layers, l), field); }
  return rows;
}

// The neuron of a row: its layer is the band's name, its place in the layer the row's own.
static void name_neuron(ssti_figure *figure, int row, const json_t *layer, int shown, int style) {
  char mark[32];
  snprintf(mark, sizeof mark, "neuron %lld", (long long)json_integer_value(entry(layer, "shown", shown)));
  ssti_figure_name_row(figure, row, name_of(layer));
  ssti_figure_mark_row(figure, row, mark, style);
}

static void sample_title(char out[96], const char *what, const json_t *sample) {
  long long truth = json_integer_value(json_object_get(sample, "class"));
  long long taken = json_integer_value(json_object_get(sample, "taken_for"));
  long long index = json_integer_value(json_object_get(sample, "index"));
  if (truth == taken) {
    snprintf(out, 96, "%s: picture %lld, class %lld, correct", what, index, truth);
  } else {
    snprintf(out, 96, "%s: picture %lld, class %lld, taken for %lld", what, index, truth, taken);
  }
}

// A figure of a sample's steps, with a row for each neuron that the layers list in `field`.
static ssti_figure *sample_figure(ssti_page *page, ssti_figure_kind kind, const json_t *sample, const char *what,
                                  const char *description, const char *field, int steps) {
  char title[96];
  sample_title(title, what, sample);
  const ssti_figure_plan plan = {.kind = kind,
                                 .title = title,
                                 .description = description,
                                 .row_title = "Neuron",
                                 .value_title = "step",
                                 .first = 1,
                                 .step = 1,
                                 .rows = count_rows(json_object_get(sample, "layers"), field),
                                 .columns = steps};
  return ssti_page_figure(page, &plan);
}

static void put_raster(ssti_page *page, const json_t *sample, int steps) {
  const json_t *layers = json_object_get(sample, "layers");
  ssti_figure *figure = sample_figure(page, SSTI_FIGURE_RASTER, sample, "Spikes",
                                      "A line a neuron, evenly spaced ones of each layer from input to output; a mark"
                                      " for each spike.",
                                      "shown", steps);
  int row = 0;
  for (size_t l = 0; l < json_array_size(layers) && figure != NULL; l++) {
    const json_t *layer = json_array_get(layers, l);
    for (int n = 0; n < length_of(layer, "shown"); n++, row++) {
      const char *spikes = json_string_value(entry(layer, "spikes", n));
      name_neuron(figure, row, layer, n, 0);
      for (int t = 0; t < steps; t++) { *ssti_figure_value(figure, row, t) = spikes[t] == '1'; }
    }
  }
}

static void put_traces(ssti_page *page, const json_t *sample, int steps) {
  const json_t *layers = json_object_get(sample, "layers");
  ssti_figure *figure = sample_figure(page, SSTI_FIGURE_TRACES, sample, "Membranes",
                                      "Membranes before firing, in thresholds, of the shown neurons of each layer that"
                                      " fire most. The dashed line is the threshold.",
                                      "traced", steps);
  int row = 0;
  for (size_t l = 0; l < json_array_size(layers) && figure != NULL; l++) {
    const json_t *layer = json_array_get(layers, l);
    for (int n = 0; n < length_of(layer, "traced"); n++, row++) {
      const json_t *trace = entry(layer, "membranes", n);
      name_neuron(figure, row, layer, (int)json_integer_value(entry(layer, "traced", n)), n);
      for (int t = 0; t < steps; t++) {
        *ssti_figure_value(figure, row, t) = json_number_value(json_array_get(trace, (size_t)t));
      }
    }
  }
}

typedef struct histogram {
  const char *field, *title, *description, *value_title;
  const char *kinds[3], *words[3]; // keys of the record and what they are called; NULL ends them
} histogram;

static const histogram histograms[] = {
    {"membranes",
     "Membranes of each layer",
     "How often which membrane was there, all neurons and steps of the first test pictures; by the square "
     "root, each curve by its own highest bin. Neurons fire from 1 on.",
     "membrane, in thresholds",
     {"before_firing", "before_storing", "stored"},
     {"before firing", "carried, before rounding", "carried, as stored"}},
    {"weights",
     "Weights of each layer",
     "How many weights have which value, in standard deviations of the layer's full-precision ones; by the square "
     "root, each curve by its own highest bin.",
     "weight, in standard deviations",
     {"full", "quantised", NULL},
     {"full precision", "quantised", NULL}},
};

static void put_histogram(ssti_page *page, const histogram *h, const json_t *record) {
  const json_t *part = json_object_get(record, h->field), *layers = json_object_get(part, "layers");
  int rows = 0, bins = length_of(json_array_get(layers, 0), h->kinds[0]);
  for (size_t l = 0; l < json_array_size(layers); l++) {
    for (int k = 0; k < 3 && h->kinds[k] != NULL; k++) {
      rows += length_of(json_array_get(layers, l), h->kinds[k]) > 0;
    }
  }
  if (rows == 0) { return; }
  const double low = ssti_number_of(part, "low"), width = (ssti_number_of(part, "high") - low) / bins;
  const ssti_figure_plan plan = {.kind = SSTI_FIGURE_HISTOGRAMS,
                                 .title = h->title,
                                 .description = h->description,
                                 .row_title = "Layer",
                                 .value_title = h->value_title,
                                 .first = low + width / 2,
                                 .step = width,
                                 .rows = rows,
                                 .columns = bins};
  ssti_figure *figure = ssti_page_figure(page, &plan);
  int row = 0;
  for (size_t l = 0; l < json_array_size(layers) && figure != NULL; l++) {
    const json_t *layer = json_array_get(layers, l);
    for (int k = 0; k < 3 && h->kinds[k] != NULL; k++) {
      if (length_of(layer, h->kinds[k]) == 0) { continue; }
      ssti_figure_name_row(figure, row, name_of(layer));
      ssti_figure_mark_row(figure, row, h->words[k], k);
      for (int b = 0; b < bins; b++) {
        *ssti_figure_value(figure, row, b) = json_number_value(entry(layer, h->kinds[k], b));
      }
      row++;
    }
  }
}

static void put_run(ssti_page *page, const json_t *record) {
  for (int s = 0; s < length_of(record, "samples"); s++) {
    const json_t *sample = entry(record, "samples", s), *first = entry(sample, "layers", 0);
    const char *spikes = json_string_value(entry(first, "spikes", 0));
    if (spikes == NULL) { continue; }
    put_raster(page, sample, (int)strlen(spikes));
    put_traces(page, sample, (int)strlen(spikes));
  }
  for (size_t i = 0; i < sizeof histograms / sizeof *histograms; i++) { put_histogram(page, &histograms[i], record); }
}

void ssti_section_activity(ssti_page *page) {
  int shown = 0;
  ssti_text *html = &page->html;
  for (int i = 0; i < page->list->count && shown < SSTI_MOST_DETAILED; i++) {
    const ssti_run_records *run = &page->list->runs[i];
    if (run->activity == NULL) { continue; }
    if (shown == 0) {
      ssti_text_append(html, "<section id=activity><h2>Activity</h2>\n<p class=note>What goes on inside: the first "
                             "picture of the test part that is classified correctly and the first that is not, neuron "
                             "by neuron, and how membranes and weights are spread. Dashed lines are thresholds; the "
                             "heights of histograms go by the square root, each by its own highest bin.</p>\n");
    }
    ssti_text_append(html, "<details class=run%s><summary>", shown == 0 ? " open" : "");
    ssti_put_run(page, i);
    ssti_text_append(html, "</summary>\n<div class=figures>\n");
    put_run(page, run->activity);
    ssti_text_append(html, "</div></details>\n");
    shown++;
  }
  if (shown > 0) { ssti_text_append(html, "</section>\n"); }
}
