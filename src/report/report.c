// SPDX-License-Identifier: Apache-2.0
#include "spikestill/report.h"

#include <stdio.h>

#include "base/file.h"
#include "report/page.h"
#include "report/tensorboard.h"
#include "spikestill/version.h"

struct sst_report {
  sst_context *context;
  ssti_run_list list;
  ssti_page page;
  ssti_text script;
};

static sst_status make_page(sst_report *report) {
  static void (*const sections[])(ssti_page *) = {ssti_section_summary,    ssti_section_sweep,    ssti_section_fronts,
                                                  ssti_section_training,   ssti_section_rates,    ssti_section_activity,
                                                  ssti_section_energy,     ssti_section_mistakes, ssti_section_recipes,
                                                  ssti_section_environment};
  ssti_page *page = &report->page;
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) { sections[i](page); }
  SST_TRY(page->status);
  SST_TRY(page->html.status);
  ssti_figures_begin_script(&report->script);
  for (int i = 0; i < page->figure_count; i++) { ssti_figure_script(page->figures[i], &report->script); }
  return report->script.status;
}

sst_status sst_report_open(sst_context *context, const char *const *paths, int count, sst_report **out) {
  *out = NULL;
  if (count < 1) { SST_FAIL(context, SST_INVALID_ARGUMENT, "a report of no run; expected at least one"); }
  sst_report *report = NULL;
  SST_TRY(ssti_allocate(context, 1, sizeof *report, &report));
  report->context = report->list.context = report->page.context = context;
  report->page.list = &report->list;
  report->page.html = ssti_text_begin(context);
  report->script = ssti_text_begin(context);
  sst_status status = SST_OK;
  for (int i = 0; i < count && status == SST_OK; i++) { status = ssti_run_list_add(&report->list, paths[i]); }
  if (status == SST_OK) { status = ssti_run_list_label(&report->list); }
  if (status == SST_OK) { status = make_page(report); }
  if (status != SST_OK) {
    sst_report_close(report);
    return status;
  }
  *out = report;
  return SST_OK;
}

void sst_report_close(sst_report *report) {
  if (report == NULL) { return; }
  for (int i = 0; i < report->page.figure_count; i++) { ssti_figure_destroy(report->context, report->page.figures[i]); }
  ssti_free(report->context, report->page.figures);
  ssti_text_free(&report->page.html);
  ssti_text_free(&report->script);
  ssti_run_list_free(&report->list);
  ssti_free(report->context, report);
}

int sst_report_run_count(const sst_report *report) { return report->list.count; }

const char *sst_report_script(const sst_report *report) { return report->script.data; }

// ---- the file

typedef struct output {
  const sst_report *report;
  ssti_text html;
  const char *drawings; // what is left of them
  size_t size;
} output;

static void put_head(output *o) {
  const ssti_run_list *list = &o->report->list;
  ssti_text_append(&o->html,
                   "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<meta name=viewport "
                   "content=\"width=device-width, initial-scale=1\">\n<meta name=color-scheme content=\"light "
                   "dark\">\n<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src "
                   "'unsafe-inline'; img-src data:\">\n<meta name=generator content=\"spikestill %s\">\n<title>",
                   sst_version());
  if (list->count == 1) {
    ssti_put_escaped(&o->html, list->runs[0].label);
  } else {
    ssti_text_append(&o->html, "%d runs", list->count);
  }
  ssti_text_append(&o->html, " \xe2\x80\x93 Spikestill report</title>\n<link rel=icon href=\"data:,\">\n<style>\n");
  for (const char *const *piece = ssti_report_style; *piece != NULL; piece++) {
    ssti_text_append_bytes(&o->html, *piece, strlen(*piece));
  }
  ssti_text_append(&o->html, "</style>\n</head>\n<body>\n");
}

// Links to the sections that this page has.
static void put_navigation(output *o) {
  static const char *const parts[][2] = {{"summary", "Summary"}, {"means", "Means"},
                                         {"fronts", "Price"},    {"training", "Training"},
                                         {"rates", "Rates"},     {"activity", "Activity"},
                                         {"energy", "Energy"},   {"mistakes", "Mistakes"},
                                         {"recipes", "Recipes"}, {"environment", "Environment"}};
  ssti_text_append(&o->html, "<nav aria-label=\"Sections\">");
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char mark[64];
    snprintf(mark, sizeof mark, "<section id=%s>", parts[i][0]);
    if (strstr(o->report->page.html.data, mark) == NULL) { continue; }
    ssti_text_append(&o->html, "<a href=\"#%s\">%s</a>", parts[i][0], parts[i][1]);
  }
  ssti_text_append(&o->html, "</nav>\n");
}

static void put_header(output *o, bool drawn) {
  const ssti_run_list *list = &o->report->list;
  ssti_text_append(&o->html, "<header>\n<p class=over>Spikestill report</p>\n<h1>");
  for (int i = 0; i < list->count && i < SSTI_MOST_DETAILED; i++) {
    ssti_text_append(&o->html, i ? " <span class=and>\xc2\xb7</span> " : "");
    ssti_put_escaped(&o->html, list->runs[i].label);
  }
  if (list->count > SSTI_MOST_DETAILED) {
    ssti_text_append(&o->html, " and %d more", list->count - SSTI_MOST_DETAILED);
  }
  ssti_text_append(&o->html, "</h1>\n");
  put_navigation(o);
  ssti_text_append(&o->html, "</header>\n<main>\n");
  if (!drawn) {
    ssti_text_append(&o->html, "<p class=note id=undrawn>gnuplot was not there when this report was made, so it has "
                               "tables instead of figures.</p>\n");
  }
  if (list->count > SSTI_MOST_DETAILED) {
    ssti_text_append(&o->html,
                     "<p class=note>Of %d runs all are compared; the first %d have figures of their own.</p>\n",
                     list->count, (int)SSTI_MOST_DETAILED);
  }
}

// What the colours of columns mean, where they are not the runs.
static void put_legend_item(ssti_text *html, const char *kind, int style, const char *name) {
  ssti_text_append(html, "<li><i class=\"%s k%d d%d\" aria-hidden=true></i>", kind, style % SSTI_COLOURS,
                   style % SSTI_DASHES);
  ssti_put_escaped(html, name);
  ssti_text_append(html, "</li>");
}

// What the outlines of histograms mean: each style once.
static void put_outline_legend(const ssti_figure *figure, ssti_text *html) {
  int next = 0;
  ssti_text_append(html, "<ul class=legend>");
  for (int r = 0; r < figure->plan.rows; r++) {
    if (figure->styles[r] == next) { put_legend_item(html, "box", next++, figure->row_marks[r]); }
  }
  ssti_text_append(html, "</ul>");
}

static void put_legend(const ssti_figure *figure, ssti_text *html) {
  if (figure->plan.kind == SSTI_FIGURE_HISTOGRAMS) { put_outline_legend(figure, html); }
  if (figure->plan.of_runs || figure->plan.columns < 2 || figure->plan.kind == SSTI_FIGURE_MAP ||
      ssti_figure_has_bands(figure)) {
    return;
  }
  bool lines = figure->plan.kind == SSTI_FIGURE_LINES;
  ssti_text_append(html, "<ul class=legend>");
  for (int c = 0; c < figure->plan.columns; c++) {
    put_legend_item(html, lines ? "dash" : "box", figure->styles[c], figure->column_names[c]);
  }
  ssti_text_append(html, "</ul>");
}

// The next drawing of gnuplot's output; false if there is none.
static bool take_drawing(output *o, const char **svg, size_t *size) {
  const char *begin = o->drawings ? strstr(o->drawings, "<svg") : NULL;
  const char *end = begin ? strstr(begin, "</svg>") : NULL;
  if (end == NULL) { return false; }
  end += strlen("</svg>");
  *svg = begin;
  *size = (size_t)(end - begin);
  o->drawings = end;
  return true;
}

static sst_status put_figure(output *o, int number) {
  const ssti_figure *figure = o->report->page.figures[number];
  bool drawn = o->drawings != NULL;
  ssti_text_append(&o->html, "<figure><figcaption>");
  ssti_put_escaped(&o->html, figure->plan.title);
  ssti_text_append(&o->html, "</figcaption>");
  if (drawn) {
    const char *svg = NULL;
    size_t size = 0;
    put_legend(figure, &o->html);
    if (!take_drawing(o, &svg, &size) || (number == 0 && !ssti_marks_inline(svg, size, &o->html)) ||
        !ssti_figure_inline(figure, number, svg, size, &o->html)) {
      SST_FAIL(o->report->context, SST_FORMAT, "figure %d of the report, \"%s\", is missing in what gnuplot wrote",
               number + 1, figure->plan.title);
    }
    ssti_text_append(&o->html, "<details class=numbers><summary>Numbers</summary>");
  }
  ssti_figure_table(figure, &o->html);
  ssti_text_append(&o->html, drawn ? "</details></figure>\n" : "</figure>\n");
  return SST_OK;
}

static sst_status put_body(output *o) {
  const ssti_page *page = &o->report->page;
  size_t at = 0;
  for (int i = 0; i < page->figure_count; i++) {
    ssti_text_append_bytes(&o->html, page->html.data + at, page->figures[i]->place - at);
    at = page->figures[i]->place;
    SST_TRY(put_figure(o, i));
  }
  ssti_text_append_bytes(&o->html, page->html.data + at, page->html.length - at);
  ssti_text_append(&o->html, "</main>\n<footer>Made from run records by spikestill %s.</footer>\n</body>\n</html>\n",
                   sst_version());
  return o->html.status;
}

sst_status sst_report_write(const sst_report *report, const char *drawings, size_t size, const char *path) {
  output o = {.report = report, .html = ssti_text_begin(report->context), .drawings = drawings, .size = size};
  put_head(&o);
  put_header(&o, drawings != NULL);
  sst_status status = put_body(&o);
  if (status == SST_OK) { status = ssti_file_write(report->context, path, o.html.data, o.html.length); }
  ssti_text_free(&o.html);
  return status;
}

sst_status sst_report_write_events(const sst_report *report, const char *folder) {
  for (int i = 0; i < report->list.count; i++) { SST_TRY(ssti_tensorboard_write(&report->list, i, folder)); }
  return SST_OK;
}
