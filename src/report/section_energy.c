// SPDX-License-Identifier: Apache-2.0
// Energy of an inference by each model, beside ANNs of the same shape, layer by layer.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "report/page.h"

enum { OPPONENTS = 3 };

// The energy of the same network as an ANN, by model; NAN where the model cannot say.
static sst_status estimate_opponent(const ssti_run_records *run, int bits, const sst_technology *technology,
                                    double out[SST_ENERGY_MODEL_COUNT]) {
  sst_cost_record *ann = NULL;
  SST_TRY(sst_cost_record_as_ann(run->costs, bits, &ann));
  sst_status status = SST_OK;
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT && status == SST_OK; m++) {
    sst_energy *energy = NULL;
    status = sst_energy_estimate((sst_energy_model)m, ann, technology, &energy);
    out[m] = status == SST_OK ? energy->energy_pj / 1000 : (double)NAN;
    if (status == SST_UNSUPPORTED) { status = SST_OK; }
    sst_energy_destroy(energy);
  }
  sst_cost_record_destroy(ann);
  return status;
}

static void put_ratio(ssti_text *html, double own, double other) {
  ssti_text_append(html, "<td>");
  ssti_put_number(html, other);
  if (isfinite(own) && isfinite(other) && own > 0) {
    ssti_text_append(html, " <small>%.3g\xc3\x97</small>", other / own);
  }
  ssti_text_append(html, "</td>");
}

// A line a model: this network, then its opponents and how many times they take.
static sst_status put_opponents(ssti_page *page, const ssti_run_records *run) {
  ssti_text *html = &page->html;
  const int bits[OPPONENTS] = {32, 8, sst_matched_bits(run->costs->timesteps)};
  int count = run->spiking && bits[2] != 8 ? OPPONENTS : OPPONENTS - 1;
  double other[OPPONENTS][SST_ENERGY_MODEL_COUNT];
  sst_technology *technology = NULL;
  SST_TRY(sst_technology_create(page->context, &technology));
  sst_status status = SST_OK;
  for (int i = 0; i < count && status == SST_OK; i++) {
    status = estimate_opponent(run, bits[i], technology, other[i]);
  }
  sst_technology_destroy(technology);
  SST_TRY(status);
  ssti_table_begin(html, "Energy beside ANNs of the same shape");
  ssti_text_append(html, "<th scope=col>Model</th><th scope=col>This network, nJ</th><th scope=col>Float ANN</th>"
                         "<th scope=col>int8 ANN</th>");
  if (count == OPPONENTS) { ssti_text_append(html, "<th scope=col>%d-bit ANN</th>", bits[2]); }
  ssti_text_append(html, "</tr></thead><tbody>\n");
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT; m++) {
    double own = run->energy[m] ? run->energy[m]->energy_pj / 1000 : (double)NAN;
    ssti_text_append(html, "<tr><th scope=row>%s</th><td>", sst_energy_model_word((sst_energy_model)m));
    ssti_put_number(html, own);
    ssti_text_append(html, "</td>");
    for (int i = 0; i < count; i++) { put_ratio(html, own, other[i][m]); }
    ssti_text_append(html, "</tr>\n");
  }
  ssti_table_end(html);
  return SST_OK;
}

static void put_layers(ssti_page *page, const ssti_run_records *run, sst_energy_model model) {
  const sst_energy *energy = run->energy[model];
  if (energy == NULL) { return; }
  char title[64];
  double most = 0, divisor = 1;
  for (int l = 0; l < energy->layer_count; l++) { most = fmax(most, energy->layers[l].energy_pj / 1000); }
  const char *unit = ssti_energy_unit(most, &divisor);
  snprintf(title, sizeof title, "By %s", sst_energy_model_word(model));
  const ssti_figure_plan plan = {.kind = SSTI_FIGURE_BARS,
                                 .title = title,
                                 .description = sst_energy_model_text(model),
                                 .row_title = "Layer",
                                 .value_title = unit,
                                 .rows = energy->layer_count,
                                 .columns = SST_ENERGY_PART_COUNT};
  ssti_figure *figure = ssti_page_figure(page, &plan);
  for (int l = 0; l < energy->layer_count && figure != NULL; l++) {
    ssti_figure_name_row(figure, l, run->costs->layers[l].name);
    for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) {
      ssti_figure_name_column(figure, p, sst_energy_part_word((sst_energy_part)p));
      *ssti_figure_value(figure, l, p) = energy->layers[l].part_pj[p] / 1000 / divisor;
    }
  }
}

static void put_activity(ssti_page *page, const ssti_run_records *run) {
  ssti_text *html = &page->html;
  sst_spike_density density = sst_spike_density_measure(run->costs);
  sst_neurobench measures = sst_neurobench_measure(run->costs);
  ssti_text_append(html, "<p>");
  if (isfinite(density.spikes_per_synapse)) {
    ssti_text_append(html,
                     "<b>%.3f</b> spikes per synapse and inference, <b>%.2f\xe2\x80\xaf%%</b> of neurons at a step. ",
                     density.spikes_per_synapse, 100 * density.rate);
  }
  ssti_put_number(html, measures.effective_acs);
  ssti_text_append(html, " effective additions, ");
  ssti_put_number(html, measures.effective_macs);
  ssti_text_append(html, " multiply-accumulates, of ");
  ssti_put_number(html, measures.dense_operations);
  ssti_text_append(html, " if nothing were zero; weights take ");
  ssti_put_number(html, measures.footprint_bytes);
  ssti_text_append(html, " bytes. Measured on %" PRId64 " of ", run->costs->samples);
  ssti_put_escaped(html, run->costs->data);
  ssti_text_append(html, ".</p>\n");
}

static void put_run(ssti_page *page, int index, bool open) {
  const ssti_run_records *run = &page->list->runs[index];
  ssti_text *html = &page->html;
  ssti_text_append(html, "<details class=run%s><summary>", open ? " open" : "");
  ssti_put_run(page, index);
  ssti_text_append(html, "</summary>\n");
  put_activity(page, run);
  sst_status status = put_opponents(page, run);
  if (page->status == SST_OK) { page->status = status; }
  ssti_text_append(html, "<div class=figures>\n");
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT; m++) { put_layers(page, run, (sst_energy_model)m); }
  ssti_text_append(html, "</div></details>\n");
}

static bool judges_any(const ssti_page *page, int model) {
  for (int i = 0; i < page->list->count; i++) {
    const sst_energy *energy = page->list->runs[i].energy[model];
    if (energy != NULL && energy->energy_pj > 0) { return true; }
  }
  return false;
}

static void put_comparison(ssti_page *page) {
  int models[SST_ENERGY_MODEL_COUNT], count = 0;
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT; m++) {
    if (judges_any(page, m)) { models[count++] = m; }
  }
  const ssti_figure_plan plan = {.kind = SSTI_FIGURE_DOTS,
                                 .title = "Energy of each run by each model",
                                 .description = "A mark a run on the line of each model; the axis is logarithmic.",
                                 .row_title = "Model",
                                 .value_title = "J per inference",
                                 .rows = count,
                                 .columns = page->list->count,
                                 .logarithmic = true,
                                 .of_runs = true};
  ssti_put_run_legend(page, false, false);
  ssti_text_append(&page->html, "<div class=\"figures wide\">\n");
  ssti_figure *figure = ssti_page_figure(page, &plan);
  for (int r = 0; r < count && figure != NULL; r++) {
    ssti_figure_name_row(figure, r, sst_energy_model_word((sst_energy_model)models[r]));
    for (int i = 0; i < page->list->count; i++) {
      const sst_energy *energy = page->list->runs[i].energy[models[r]];
      ssti_figure_name_column(figure, i, page->list->runs[i].label);
      *ssti_figure_value(figure, r, i) = energy && energy->energy_pj > 0 ? energy->energy_pj * 1e-12 : (double)NAN;
    }
  }
  ssti_text_append(&page->html, "</div>\n");
}

static void put_break_even(ssti_text *html) {
  ssti_text_append(html, "<details><summary>When a spiking network pays, from the literature</summary><ul>\n");
  for (int i = 0; i < sst_break_even_count(); i++) {
    const sst_break_even *b = sst_break_even_get(i);
    double scale = b->per_step ? 100 : 1;
    ssti_text_append(html, "<li>below %g", b->low * scale);
    if (b->high > b->low) { ssti_text_append(html, " to %g", b->high * scale); }
    ssti_text_append(html,
                     "%s: ", b->per_step ? "\xe2\x80\xaf% of neurons at a step" : " spikes per synapse and inference");
    ssti_put_escaped(html, b->source);
    ssti_text_append(html, "</li>\n");
  }
  ssti_text_append(html, "</ul></details>\n<details><summary>How the models count</summary><dl class=models>\n");
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT; m++) {
    ssti_text_append(html, "<dt>%s</dt><dd>", sst_energy_model_word((sst_energy_model)m));
    ssti_put_escaped(html, sst_energy_model_formula((sst_energy_model)m));
    ssti_text_append(html, "</dd>\n");
  }
  ssti_text_append(html, "</dl></details>\n");
}

void ssti_section_energy(ssti_page *page) {
  int first = -1, without = 0, shown = 0; // shown open: the first spiking run, else the first
  for (int i = page->list->count - 1; i >= 0; i--) {
    const ssti_run_records *run = &page->list->runs[i];
    bool better = first < 0 || run->spiking || !page->list->runs[first].spiking;
    if (run->costs != NULL && better) { first = i; }
    without += run->costs == NULL;
  }
  ssti_text *html = &page->html;
  ssti_text_append(html, "<section id=energy><h2>Energy</h2>\n");
  if (without > 0) {
    ssti_text_append(html,
                     "<p class=note>%d of %d runs have no <code>costs.json</code>: it is written when training "
                     "ends.</p>\n",
                     without, page->list->count);
  }
  if (first >= 0) {
    if (page->list->count > 1) { put_comparison(page); }
    for (int i = 0; i < page->list->count && shown < SSTI_MOST_DETAILED; i++) {
      if (page->list->runs[i].costs == NULL) { continue; }
      put_run(page, i, i == first);
      shown++;
    }
    put_break_even(html);
  }
  ssti_text_append(html, "</section>\n");
}
