// SPDX-License-Identifier: Apache-2.0
// The page being written: text with figures at places in it, and the helpers that sections share.
#ifndef SPIKESTILL_REPORT_PAGE_H
#define SPIKESTILL_REPORT_PAGE_H

#include "report/figure.h"

typedef struct ssti_page {
  sst_context *context;
  const ssti_run_list *list;
  ssti_text html;
  ssti_figure **figures;
  int figure_count;
  size_t figure_capacity;
  sst_status status; // the first failure of a figure
} ssti_page;

// Puts a figure here. NULL after a failure, which is kept; sections then leave it out.
ssti_figure *ssti_page_figure(ssti_page *page, const ssti_figure_plan *plan);
// Takes the last figure back if it turned out to hold nothing.
void ssti_page_drop_empty(ssti_page *page, ssti_figure *figure);

// Text with what HTML would take for its own replaced; characters that no page may hold are left out.
void ssti_put_escaped(ssti_text *out, const char *text);
// A number for people: four digits, thousands apart; a dash for NAN.
void ssti_put_number(ssti_text *out, double value);
void ssti_put_percent(ssti_text *out, double share);
// The unit for the energies of a figure whose largest is `most_nj`: its name, and what a number of nJ is divided by.
const char *ssti_energy_unit(double most_nj, double *divisor);
void ssti_put_seconds(ssti_text *out, double seconds);

// Tables scroll in a box of their own; the head is given as cells.
void ssti_table_begin(ssti_text *out, const char *label);
void ssti_table_end(ssti_text *out);
void ssti_put_heading(ssti_text *out, const char *text); // <th> of a column
// A run's label with its colour and mark.
void ssti_put_run(ssti_page *page, int run);
// The legend of figures whose columns are runs, maybe only spiking ones; nothing for a single run.
void ssti_put_run_legend(ssti_page *page, bool lines, bool spiking_only);

// Sections, in order of the page. Each writes nothing if the records have nothing for it.
void ssti_section_summary(ssti_page *page);
void ssti_section_sweep(ssti_page *page);
void ssti_section_fronts(ssti_page *page);
void ssti_section_training(ssti_page *page);
void ssti_section_rates(ssti_page *page);
void ssti_section_activity(ssti_page *page);
void ssti_section_energy(ssti_page *page);
void ssti_section_mistakes(ssti_page *page);
void ssti_section_recipes(ssti_page *page);
void ssti_section_environment(ssti_page *page);

// The page's style sheet, in pieces; NULL ends them.
extern const char *const ssti_report_style[];

#endif
