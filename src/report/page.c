// SPDX-License-Identifier: Apache-2.0
#include "report/page.h"

#include <math.h>
#include <stdio.h>

// Records that ask for more are no run's.
enum { MOST_FIGURE_NUMBERS = 10000000 };

ssti_figure *ssti_page_figure(ssti_page *page, const ssti_figure_plan *plan) {
  if (page->status != SST_OK || plan->rows < 1 || plan->columns < 1) { return NULL; }
  if ((int64_t)plan->rows * plan->columns > MOST_FIGURE_NUMBERS) {
    page->status = ssti_fail(page->context, SST_FORMAT, "the figure '%s' would have %d times %d numbers, more than %d",
                             plan->title, plan->rows, plan->columns, (int)MOST_FIGURE_NUMBERS);
    return NULL;
  }
  page->status = ssti_grow(page->context, &page->figures, &page->figure_capacity, (size_t)page->figure_count + 1,
                           sizeof(ssti_figure *));
  ssti_figure *figure = NULL;
  if (page->status == SST_OK) { page->status = ssti_figure_create(page->context, plan, &figure); }
  if (page->status != SST_OK) { return NULL; }
  figure->place = page->html.length;
  page->figures[page->figure_count++] = figure;
  return figure;
}

void ssti_page_drop_empty(ssti_page *page, ssti_figure *figure) {
  if (figure == NULL || ssti_figure_has_values(figure)) { return; }
  ssti_figure_destroy(page->context, page->figures[--page->figure_count]);
}

void ssti_put_escaped(ssti_text *out, const char *text) {
  for (const char *at = text; *at; at++) {
    unsigned char c = (unsigned char)*at;
    switch (c) {
    case '&': ssti_text_append_bytes(out, "&amp;", 5); break;
    case '<': ssti_text_append_bytes(out, "&lt;", 4); break;
    case '>': ssti_text_append_bytes(out, "&gt;", 4); break;
    case '"': ssti_text_append_bytes(out, "&quot;", 6); break;
    case '\'': ssti_text_append_bytes(out, "&#39;", 5); break;
    default:
      if (c >= 0x20 || c == '\n' || c == '\t') { ssti_text_append_bytes(out, at, 1); }
    }
  }
}

// Whole numbers in groups of three.
static void put_grouped(ssti_text *out, double value) {
  char digits[64];
  int length = snprintf(digits, sizeof digits, "%.0f", fabs(value));
  if (value < 0) { ssti_text_append(out, "\xe2\x88\x92"); }
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) { ssti_text_append(out, "\xe2\x80\xaf"); }
    ssti_text_append_bytes(out, &digits[i], 1);
  }
}

void ssti_put_number(ssti_text *out, double value) {
  if (!isfinite(value)) {
    ssti_text_append(out, "\xe2\x80\x93");
  } else if (fabs(value) >= 1000 && fabs(value) < 1e15) {
    put_grouped(out, value);
  } else {
    ssti_text_append(out, "%.4g", value);
  }
}

void ssti_put_percent(ssti_text *out, double share) {
  if (isfinite(share)) {
    ssti_text_append(out, "%.2f\xe2\x80\xaf%%", 100 * share);
  } else {
    ssti_text_append(out, "\xe2\x80\x93");
  }
}

const char *ssti_energy_unit(double most_nj, double *divisor) {
  static const char *const units[] = {"nJ per inference", "\xc2\xb5J per inference", "mJ per inference"};
  int unit = most_nj >= 1e6 ? 2 : most_nj >= 1e3 ? 1 : 0;
  *divisor = unit == 2 ? 1e6 : unit == 1 ? 1e3 : 1;
  return units[unit];
}

void ssti_put_seconds(ssti_text *out, double seconds) {
  if (!isfinite(seconds)) {
    ssti_text_append(out, "\xe2\x80\x93");
  } else if (seconds < 100) {
    ssti_text_append(out, "%.1f\xe2\x80\xafs", seconds);
  } else if (seconds < 6000) {
    ssti_text_append(out, "%.1f\xe2\x80\xafmin", seconds / 60);
  } else {
    ssti_text_append(out, "%.1f\xe2\x80\xafh", seconds / 3600);
  }
}

void ssti_table_begin(ssti_text *out, const char *label) {
  ssti_text_append(out, "<div class=scroll role=region tabindex=0 aria-label=\"");
  ssti_put_escaped(out, label);
  ssti_text_append(out, "\"><table><thead><tr>");
}

void ssti_table_end(ssti_text *out) { ssti_text_append(out, "</tbody></table></div>\n"); }

void ssti_put_heading(ssti_text *out, const char *text) {
  ssti_text_append(out, "<th scope=col>");
  ssti_put_escaped(out, text);
  ssti_text_append(out, "</th>");
}

void ssti_put_run(ssti_page *page, int run) {
  if (page->list->count > 1) {
    ssti_text_append(&page->html, "<i class=\"mark k%d\" aria-hidden=true>%s</i>", run % SSTI_COLOURS,
                     ssti_style_mark(run));
  }
  ssti_put_escaped(&page->html, page->list->runs[run].label);
}

void ssti_put_run_legend(ssti_page *page, bool lines, bool spiking_only) {
  if (page->list->count < 2) { return; }
  ssti_text_append(&page->html, "<ul class=legend>");
  for (int i = 0; i < page->list->count; i++) {
    if (spiking_only && !page->list->runs[i].spiking) { continue; }
    ssti_text_append(&page->html, "<li>");
    if (lines) {
      ssti_text_append(&page->html, "<i class=\"dash k%d d%d\" aria-hidden=true></i>", i % SSTI_COLOURS,
                       i % SSTI_DASHES);
      ssti_put_escaped(&page->html, page->list->runs[i].label);
    } else {
      ssti_put_run(page, i);
    }
    ssti_text_append(&page->html, "</li>");
  }
  ssti_text_append(&page->html, "</ul>\n");
}
