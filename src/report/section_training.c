// SPDX-License-Identifier: Apache-2.0
// How training went: what history.jsonl has of each epoch, and the firing rates at the end.
#include <math.h>
#include <stdio.h>

#include "report/page.h"

typedef struct curve {
  const char *title, *value_title, *key, *short_name;
  const char *second_key, *second_name; // drawn into the same figure if there is one run only
  double scale;
  bool spiking_only;
} curve;

static const curve curves[] = {
    {"Training loss", "loss", "train_loss", "training", "validation_loss", "validation", 1, false},
    {"Validation loss", "loss", "validation_loss", "validation", NULL, NULL, 1, false},
    {"Training accuracy", "accuracy, %", "train_accuracy", "training", "validation_accuracy", "validation", 100, false},
    {"Validation accuracy", "accuracy, %", "validation_accuracy", "validation", NULL, NULL, 100, false},
    {"Spikes per inference (validation)", "spikes", "spikes_per_inference", "spikes", NULL, NULL, 1, true},
    {"Learning rate", "learning rate", "learning_rate", "learning rate", NULL, NULL, 1, false},
};

static int most_epochs(const ssti_page *page) {
  size_t most = 0;
  for (int i = 0; i < page->list->count; i++) {
    size_t epochs = json_array_size(page->list->runs[i].history);
    if (epochs > most) { most = epochs; }
  }
  return most < 1000000 ? (int)most : 1000000;
}

static void fill_column(ssti_figure *figure, int column, const ssti_run_records *run, const char *key, double scale) {
  for (int e = 0; e < figure->plan.rows; e++) {
    const json_t *line = json_array_get(run->history, (size_t)e);
    *ssti_figure_value(figure, e, column) = scale * ssti_number_of(line, key);
  }
}

static void put_curve(ssti_page *page, const curve *c, int epochs) {
  bool single = page->list->count == 1;
  if (single && c->second_key == NULL && strcmp(c->short_name, "validation") == 0) { return; } // drawn with training
  char title[64];
  snprintf(title, sizeof title, "%s", single && c->second_key ? strchr(c->title, ' ') + 1 : c->title);
  if (title[0] >= 'a' && title[0] <= 'z') { title[0] = (char)(title[0] - 'a' + 'A'); }
  int columns = single ? 1 + (c->second_key != NULL) : page->list->count;
  const ssti_figure_plan plan = {.kind = SSTI_FIGURE_LINES,
                                 .title = title,
                                 .description = "A line a run, over the epochs of training.",
                                 .row_title = "epoch",
                                 .value_title = c->value_title,
                                 .rows = epochs,
                                 .columns = columns,
                                 .percent = c->scale == 100,
                                 .of_runs = !single};
  ssti_figure *figure = ssti_page_figure(page, &plan);
  if (figure == NULL) { return; }
  if (single) {
    const ssti_run_records *run = &page->list->runs[0];
    ssti_figure_name_column(figure, 0, c->short_name);
    if (!c->spiking_only || run->spiking) { fill_column(figure, 0, run, c->key, c->scale); }
    if (c->second_key != NULL) {
      ssti_figure_name_column(figure, 1, c->second_name);
      fill_column(figure, 1, run, c->second_key, c->scale);
    }
  } else {
    for (int i = 0; i < columns; i++) {
      const ssti_run_records *run = &page->list->runs[i];
      ssti_figure_name_column(figure, i, run->label);
      if (!c->spiking_only || run->spiking) { fill_column(figure, i, run, c->key, c->scale); }
    }
  }
  ssti_page_drop_empty(page, figure);
}

// The terms of a run's loss; in a run whose terms come and go, those of any epoch.
static void put_parts(ssti_page *page, const ssti_run_records *run) {
  json_t *names = json_object();
  json_t *line = NULL, *value = NULL;
  const char *name = NULL;
  size_t e = 0;
  json_array_foreach(run->history, e, line) {
    json_object_foreach(json_object_get(line, "parts"), name, value) { json_object_set(names, name, value); }
  }
  if (json_object_size(names) > 1) {
    char title[SSTI_LABEL_SIZE + 32];
    snprintf(title, sizeof title, page->list->count == 1 ? "Parts of the loss" : "Parts of the loss: %s", run->label);
    const ssti_figure_plan plan = {.kind = SSTI_FIGURE_LINES,
                                   .title = title,
                                   .description = "Mean of each term of the training loss before its weight, over the "
                                                  "epochs.",
                                   .row_title = "epoch",
                                   .value_title = "mean of the term",
                                   .rows = (int)json_array_size(run->history),
                                   .columns = (int)json_object_size(names)};
    ssti_figure *figure = ssti_page_figure(page, &plan);
    int column = 0;
    json_object_foreach(names, name, value) {
      if (figure == NULL) { break; }
      ssti_figure_name_column(figure, column, name);
      for (int r = 0; r < plan.rows; r++) {
        const json_t *parts = json_object_get(json_array_get(run->history, (size_t)r), "parts");
        *ssti_figure_value(figure, r, column) = ssti_number_of(parts, name);
      }
      column++;
    }
    ssti_page_drop_empty(page, figure);
  }
  json_decref(names);
}

void ssti_section_training(ssti_page *page) {
  int epochs = most_epochs(page);
  if (epochs == 0) { return; }
  ssti_text_append(&page->html, "<section id=training><h2>Training</h2>\n");
  ssti_put_run_legend(page, true, false);
  ssti_text_append(&page->html, "<div class=figures>\n");
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) { put_curve(page, &curves[i], epochs); }
  for (int i = 0; i < page->list->count && i < SSTI_MOST_DETAILED; i++) { put_parts(page, &page->list->runs[i]); }
  ssti_text_append(&page->html, "</div></section>\n");
}

// ---- firing rates

void ssti_section_rates(ssti_page *page) {
  json_t *layers = json_object(), *value = NULL; // their names, each once, in order
  const char *name = NULL;
  for (int i = 0; i < page->list->count; i++) {
    const ssti_run_records *run = &page->list->runs[i];
    if (!run->spiking) { continue; }
    json_object_foreach(json_object_get(run->result, "firing_rate"), name, value) {
      json_object_set(layers, name, value);
    }
  }
  int rows = (int)json_object_size(layers);
  if (rows > 0) {
    ssti_text_append(&page->html,
                     "<section id=rates><h2>Firing rates</h2>\n<p class=note>Share of the neurons of a layer "
                     "that fire at a step, mean over the test part and all steps.</p>\n");
    ssti_put_run_legend(page, false, true);
    ssti_text_append(&page->html, "<div class=\"figures wide\">\n");
    const ssti_figure_plan plan = {.kind = SSTI_FIGURE_DOTS,
                                   .title = "Firing rate of each layer",
                                   .description = "A mark a run on the line of each layer, from input to output.",
                                   .row_title = "Layer",
                                   .value_title = "% of neurons at a step",
                                   .percent = true,
                                   .rows = rows,
                                   .columns = page->list->count,
                                   .of_runs = true};
    ssti_figure *figure = ssti_page_figure(page, &plan);
    for (int i = 0; i < page->list->count && figure != NULL; i++) {
      const ssti_run_records *run = &page->list->runs[i];
      int row = 0;
      ssti_figure_name_column(figure, i, run->label);
      json_object_foreach(layers, name, value) {
        ssti_figure_name_row(figure, row, name);
        const json_t *rates = run->spiking ? json_object_get(run->result, "firing_rate") : NULL;
        *ssti_figure_value(figure, row++, i) = 100 * ssti_number_of(rates, name);
      }
    }
    ssti_text_append(&page->html, "</div></section>\n");
  }
  json_decref(layers);
}
