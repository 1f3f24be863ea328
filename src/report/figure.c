// SPDX-License-Identifier: Apache-2.0
// Figures as numbers: made, named, and printed as a table.
#include "report/figure.h"

#include <math.h>
#include <stdio.h>

#include "report/page.h"

static sst_status copy_texts(sst_context *context, ssti_figure *figure) {
  const char **own[] = {&figure->plan.title, &figure->plan.description, &figure->plan.row_title,
                        &figure->plan.value_title};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    SST_TRY(ssti_copy_text(context, *own[i] ? *own[i] : "", &figure->texts[i]));
    *own[i] = figure->texts[i];
  }
  return SST_OK;
}

sst_status ssti_figure_create(sst_context *context, const ssti_figure_plan *plan, ssti_figure **out) {
  *out = NULL;
  ssti_figure *figure = NULL;
  size_t rows = (size_t)plan->rows, columns = (size_t)plan->columns, styles = rows > columns ? rows : columns;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(context, 1, sizeof *figure, &figure));
  figure->plan = *plan;
  SST_TRY_GOTO(copy_texts(context, figure));
  SST_TRY_GOTO(ssti_allocate(context, rows * columns, sizeof *figure->values, &figure->values));
  SST_TRY_GOTO(ssti_allocate(context, rows, sizeof *figure->positions, &figure->positions));
  SST_TRY_GOTO(ssti_allocate(context, rows, sizeof *figure->row_names, &figure->row_names));
  SST_TRY_GOTO(ssti_allocate(context, columns, sizeof *figure->column_names, &figure->column_names));
  SST_TRY_GOTO(ssti_allocate(context, styles, sizeof *figure->styles, &figure->styles));
  SST_TRY_GOTO(ssti_allocate(context, rows, sizeof *figure->row_marks, &figure->row_marks));
  for (size_t i = 0; i < rows * columns; i++) { figure->values[i] = (double)NAN; }
  for (size_t i = 0; i < rows; i++) { figure->positions[i] = (double)(i + 1); }
  for (size_t i = 0; i < styles; i++) { figure->styles[i] = (int)i; }
  *out = figure;
  return SST_OK;
done:
  ssti_figure_destroy(context, figure);
  return status;
}

void ssti_figure_destroy(sst_context *context, ssti_figure *figure) {
  if (figure == NULL) { return; }
  for (size_t i = 0; i < sizeof figure->texts / sizeof *figure->texts; i++) { ssti_free(context, figure->texts[i]); }
  ssti_free(context, figure->values);
  ssti_free(context, figure->positions);
  ssti_free(context, figure->row_names);
  ssti_free(context, figure->row_marks);
  ssti_free(context, figure->column_names);
  ssti_free(context, figure->styles);
  ssti_free(context, figure);
}

void ssti_figure_name_row(ssti_figure *figure, int row, const char *name) {
  ssti_label_copy(figure->row_names[row], name);
}

void ssti_figure_mark_row(ssti_figure *figure, int row, const char *mark, int style) {
  ssti_label_copy(figure->row_marks[row], mark);
  figure->styles[row] = style;
}

bool ssti_figure_has_bands(const ssti_figure *figure) { return figure->plan.kind >= SSTI_FIGURE_RASTER; }

void ssti_figure_name_column(ssti_figure *figure, int column, const char *name) {
  ssti_label_copy(figure->column_names[column], name);
}

double *ssti_figure_value(ssti_figure *figure, int row, int column) {
  return &figure->values[(int64_t)row * figure->plan.columns + column];
}

bool ssti_figure_has_values(const ssti_figure *figure) {
  int64_t count = (int64_t)figure->plan.rows * figure->plan.columns;
  for (int64_t i = 0; i < count; i++) {
    if (isfinite(figure->values[i])) { return true; }
  }
  return false;
}

void ssti_figure_table(const ssti_figure *figure, ssti_text *html) {
  const ssti_figure_plan *plan = &figure->plan;
  ssti_table_begin(html, plan->title);
  ssti_put_heading(html, plan->row_title);
  for (int c = 0; c < plan->columns; c++) {
    char position[32];
    snprintf(position, sizeof position, "%.4g", plan->first + c * plan->step);
    ssti_put_heading(html, ssti_figure_has_bands(figure) ? position : figure->column_names[c]);
  }
  ssti_text_append(html, "</tr></thead><tbody>");
  for (int r = 0; r < plan->rows; r++) {
    ssti_text_append(html, "<tr><th scope=row>");
    if (plan->kind == SSTI_FIGURE_LINES) {
      ssti_put_number(html, figure->positions[r]);
    } else {
      ssti_put_escaped(html, figure->row_names[r]);
      if (figure->row_marks[r][0]) {
        ssti_text_append(html, ", ");
        ssti_put_escaped(html, figure->row_marks[r]);
      }
    }
    ssti_text_append(html, "</th>");
    for (int c = 0; c < plan->columns; c++) {
      ssti_text_append(html, "<td>");
      ssti_put_number(html, figure->values[(int64_t)r * plan->columns + c]);
      ssti_text_append(html, "</td>");
    }
    ssti_text_append(html, "</tr>\n");
  }
  ssti_table_end(html);
}
