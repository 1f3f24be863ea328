// SPDX-License-Identifier: Apache-2.0
// A figure is a table of numbers that is also drawn: gnuplot gets the numbers, the page gets the drawing and the table.
// No text of a record goes to gnuplot: it draws placeholders, which the page replaces by escaped text, and colours that
// stand for the page's own.
#ifndef SPIKESTILL_REPORT_FIGURE_H
#define SPIKESTILL_REPORT_FIGURE_H

#include "base/text.h"
#include "report/run_records.h"

typedef enum ssti_figure_kind {
  SSTI_FIGURE_LINES,  // columns over the rows' positions
  SSTI_FIGURE_POINTS, // a row is a point: columns x and y; the front (more y, less x) is joined
  SSTI_FIGURE_DOTS,   // a row is a named line, each column a mark on it
  SSTI_FIGURE_BARS,   // a row is a named bar, columns are stacked
  SSTI_FIGURE_MAP,    // a row is a named line of shaded cells, darker for more
  // In bands: consecutive rows of one name share a band, columns lie side by side from `first`, `step` apart.
  SSTI_FIGURE_RASTER,    // a row is a line of marks where its numbers are above 0
  SSTI_FIGURE_TRACES,    // a row is a curve; a dashed line at 1
  SSTI_FIGURE_HISTOGRAMS // a row is an outline, the band's first one filled
} ssti_figure_kind;

typedef struct ssti_figure_plan {
  ssti_figure_kind kind;
  const char *title, *description;
  const char *row_title, *value_title; // of the rows' positions or names, and of the numbers
  int rows, columns;
  double first, step; // positions of the columns of figures in bands
  bool logarithmic;   // numbers on a logarithmic axis (DOTS)
  bool percent;       // numbers end at 100 (POINTS: those of y)
  bool of_runs;       // columns (POINTS: rows) are runs: the section's legend holds for them
} ssti_figure_plan;

typedef struct ssti_figure {
  ssti_figure_plan plan; // its texts are copies
  char *texts[4];
  double *values;                        // [rows][columns]; NAN: none
  double *positions;                     // [rows] of LINES
  char (*row_names)[SSTI_LABEL_SIZE];    // [rows]
  char (*row_marks)[SSTI_LABEL_SIZE];    // [rows] in bands: what the row is in its band
  char (*column_names)[SSTI_LABEL_SIZE]; // [columns]
  int *styles;                           // [columns] (POINTS, bands: [rows]) colour, dashes and mark
  size_t place;                          // in the page's text
} ssti_figure;

// An empty table: names empty, numbers NAN, positions 1, 2, 3, ..., styles 0, 1, 2, ...
sst_status ssti_figure_create(sst_context *context, const ssti_figure_plan *plan, ssti_figure **out);
void ssti_figure_destroy(sst_context *context, ssti_figure *figure);

void ssti_figure_name_row(ssti_figure *figure, int row, const char *name);
void ssti_figure_mark_row(ssti_figure *figure, int row, const char *mark, int style);
bool ssti_figure_has_bands(const ssti_figure *figure);
void ssti_figure_name_column(ssti_figure *figure, int column, const char *name);
double *ssti_figure_value(ssti_figure *figure, int row, int column);
// Whether there is anything to draw.
bool ssti_figure_has_values(const ssti_figure *figure);

// Runs beyond these are compared, but have no figures of their own: a page has to stay a page.
enum { SSTI_MOST_DETAILED = 12 };
// How many colours, dash patterns and marks there are; style i has the i-th of each, modulo their number.
enum { SSTI_COLOURS = 7, SSTI_DASHES = 4 };
// The mark of a style as a character, for legends.
const char *ssti_style_mark(int style);

// What all figures share, then the commands that draw one.
void ssti_figures_begin_script(ssti_text *script);
void ssti_figure_script(const ssti_figure *figure, ssti_text *script);

// gnuplot's SVG as a part of the page: placeholders, colours, title and description put in, names taken out.
// `number` makes its own names unique. False if it is no drawing of gnuplot's.
bool ssti_figure_inline(const ssti_figure *figure, int number, const char *svg, size_t size, ssti_text *html);
// The marks that all drawings use, once a page: from any of them.
bool ssti_marks_inline(const char *svg, size_t size, ssti_text *html);
// The numbers as an HTML table.
void ssti_figure_table(const ssti_figure *figure, ssti_text *html);

#endif
