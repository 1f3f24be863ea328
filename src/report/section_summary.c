// SPDX-License-Identifier: Apache-2.0
// The runs side by side: what they came to, a sweep's table, and accuracy against what it costs.
#include <inttypes.h>
#include <math.h>

#include "report/page.h"

static const char *recipe_text(const ssti_run_records *run, const char *section, const char *key) {
  const ssti_yaml_node *node = ssti_yaml_get(ssti_yaml_get(ssti_yaml_root(run->recipe), section), key);
  return node != NULL && node->kind == SSTI_YAML_SCALAR ? node->text : "";
}

static void put_cell(ssti_text *html, double value) {
  ssti_text_append(html, "<td>");
  ssti_put_number(html, value);
  ssti_text_append(html, "</td>");
}

static void put_share_cell(ssti_text *html, double share) {
  ssti_text_append(html, "<td>");
  ssti_put_percent(html, share);
  ssti_text_append(html, "</td>");
}

static double energy_nj(const ssti_run_records *run, sst_energy_model model) {
  return run->energy[model] != NULL ? run->energy[model]->energy_pj / 1000 : (double)NAN;
}

static double spikes_of(const ssti_run_records *run) {
  return run->spiking ? ssti_number_of(run->result, "spikes_per_inference") : (double)NAN;
}

static void put_row(ssti_page *page, int index) {
  ssti_text *html = &page->html;
  const ssti_run_records *run = &page->list->runs[index];
  ssti_text_append(html, "<tr><th scope=row>");
  ssti_put_run(page, index);
  ssti_text_append(html, "</th><td>%s", run->spiking ? "SNN, T\xe2\x80\xaf=\xe2\x80\xaf" : "ANN");
  if (run->spiking) { ssti_put_escaped(html, recipe_text(run, "student", "timesteps")); }
  ssti_text_append(html, "</td>");
  put_share_cell(html, ssti_number_of(run->result, "test_accuracy"));
  put_share_cell(html, ssti_number_of(run->result, "test_accuracy_best_by_validation"));
  put_cell(html, spikes_of(run));
  put_cell(html, energy_nj(run, SST_ENERGY_OPERATIONS));
  put_cell(html, ssti_number_of(run->result, "parameters"));
  ssti_text_append(html, "<td>");
  const ssti_yaml_node *seed = ssti_yaml_get(ssti_yaml_root(run->recipe), "seed");
  ssti_put_escaped(html, seed != NULL ? seed->text : "");
  ssti_text_append(html, "</td><td>");
  if (run->result == NULL) { ssti_text_append(html, "%zu of ", json_array_size(run->history)); }
  ssti_put_escaped(html, recipe_text(run, "train", "epochs"));
  ssti_text_append(html, "</td><td>");
  double seconds = ssti_number_of(run->result, "seconds");
  ssti_put_seconds(html, isfinite(seconds) ? seconds : run->seconds);
  ssti_text_append(html, "</td></tr>\n");
}

void ssti_section_summary(ssti_page *page) {
  static const char *const heads[] = {"Run",
                                      "Network",
                                      "Test accuracy, last epoch",
                                      "best by validation",
                                      "Spikes per inference",
                                      "Energy per inference, nJ",
                                      "Parameters",
                                      "Seed",
                                      "Epochs",
                                      "Training time"};
  ssti_text *html = &page->html;
  int incomplete = 0;
  ssti_text_append(html, "<section id=summary><h2>Summary</h2>\n");
  ssti_table_begin(html, "Summary");
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) { ssti_put_heading(html, heads[i]); }
  ssti_text_append(html, "</tr></thead><tbody>\n");
  for (int i = 0; i < page->list->count; i++) {
    put_row(page, i);
    incomplete += page->list->runs[i].result == NULL;
  }
  ssti_table_end(html);
  ssti_text_append(
      html, "<p class=note>Energy by the model <i>operations</i>: multiplications and additions at 45\xe2\x80\xaf"
            "nm, no memory; other models <a href=\"#energy\">below</a>.");
  if (incomplete > 0) {
    ssti_text_append(html, " %d of these runs %s not complete: no result is written yet.", incomplete,
                     incomplete == 1 ? "is" : "are");
  }
  ssti_text_append(html, "</p></section>\n");
}

// ---- a sweep's table

// A field of a CSV line; returns what follows it.
static const char *put_field(ssti_text *html, const char *at, const char *tag) {
  char one[2] = "";
  bool quoted = *at == '"';
  ssti_text_append(html, "<%s>", tag);
  for (at += quoted; *at; at++) {
    if (quoted && at[0] == '"' && at[1] == '"') {
      at++;
    } else if (quoted && *at == '"') {
      at++;
      break;
    } else if (!quoted && (*at == ',' || *at == '\n')) {
      break;
    }
    one[0] = *at;
    ssti_put_escaped(html, one);
  }
  ssti_text_append(html, "</%s>", tag);
  return at;
}

void ssti_section_sweep(ssti_page *page) {
  ssti_text *html = &page->html;
  for (int i = 0; i < page->list->summary_count; i++) {
    ssti_text_append(html, "<section%s><h2>Means over seeds</h2>\n", i == 0 ? " id=means" : "");
    ssti_table_begin(html, "Means over seeds");
    bool head = true;
    for (const char *at = page->list->summaries[i]; *at;) {
      if (!head) { ssti_text_append(html, "<tr>"); }
      do { at = put_field(html, *at == ',' ? at + 1 : at, head ? "th scope=col" : "td"); } while (*at == ',');
      while (*at && *at != '\n') { at++; }
      at += *at == '\n';
      ssti_text_append(html, head ? "</tr></thead><tbody>\n" : "</tr>\n");
      head = false;
    }
    ssti_table_end(html);
    ssti_text_append(html, "<p class=note>A line a combination, as <code>summary.csv</code> of the sweep has it; "
                           "<i>front</i>: no other combination has at least the accuracy with at most the "
                           "spikes.</p></section>\n");
  }
}

// ---- fronts

static bool put_front(ssti_page *page, const char *title, const char *x_title, bool energy,
                      double (*cost)(const ssti_run_records *)) {
  const ssti_figure_plan plan = {.kind = SSTI_FIGURE_POINTS,
                                 .title = title,
                                 .description = "Each point is a run; the dashed line joins those that no other run "
                                                "beats in both.",
                                 .row_title = "Run",
                                 .rows = page->list->count,
                                 .columns = 2,
                                 .percent = true,
                                 .of_runs = true};
  int points = 0;
  double most = 0, divisor = 1;
  for (int i = 0; i < page->list->count; i++) {
    const ssti_run_records *run = &page->list->runs[i];
    if (energy && cost(run) > most) { most = cost(run); }
    points += isfinite(cost(run)) && isfinite(ssti_number_of(run->result, "test_accuracy"));
  }
  if (points < 2) { return false; }
  if (energy) { x_title = ssti_energy_unit(most, &divisor); }
  ssti_figure *figure = ssti_page_figure(page, &plan);
  if (figure == NULL) { return false; }
  ssti_figure_name_column(figure, 0, x_title);
  ssti_figure_name_column(figure, 1, "test accuracy, %");
  for (int i = 0; i < page->list->count; i++) {
    const ssti_run_records *run = &page->list->runs[i];
    ssti_figure_name_row(figure, i, run->label);
    *ssti_figure_value(figure, i, 0) = cost(run) / divisor;
    *ssti_figure_value(figure, i, 1) = 100 * ssti_number_of(run->result, "test_accuracy");
  }
  return true;
}

static double operations_nj(const ssti_run_records *run) { return energy_nj(run, SST_ENERGY_OPERATIONS); }
static double lemaire_nj(const ssti_run_records *run) { return energy_nj(run, SST_ENERGY_LEMAIRE); }

void ssti_section_fronts(ssti_page *page) {
  size_t before = page->html.length;
  ssti_text_append(&page->html, "<section id=fronts><h2>Accuracy and its price</h2>\n");
  ssti_put_run_legend(page, false, false);
  ssti_text_append(&page->html, "<div class=figures>\n");
  bool any = put_front(page, "Accuracy against spikes", "spikes per inference", false, spikes_of);
  any = put_front(page, "Accuracy against energy of operations", "", true, operations_nj) || any;
  any = put_front(page, "Accuracy against energy with memory (Lemaire)", "", true, lemaire_nj) || any;
  ssti_text_append(&page->html, "</div></section>\n");
  if (!any && page->html.status == SST_OK) { page->html.length = before; }
}
