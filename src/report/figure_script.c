// SPDX-License-Identifier: Apache-2.0
// Figures as commands of gnuplot. Colours are codes (drawing.c): red 1, green 250, blue the colour's number; red 2, and
// green the depth of a shade. Names are '@number@': rows, then the two titles.
#include <math.h>

#include "report/figure_script.h"

// Small enough that text stays readable on a telephone, where the drawing is scaled to its width.
enum { WIDTH = 480, HEIGHT = 290, ROW_HEIGHT = 26, FONT = 14, LONGEST_NAME = 24 };

static const int mark_types[SSTI_COLOURS] = {7, 5, 9, 13, 11, 6, 4};

const char *ssti_style_mark(int style) {
  static const char *const marks[SSTI_COLOURS] = {"\xe2\x97\x8f", "\xe2\x96\xa0", "\xe2\x96\xb2", "\xe2\x97\x86",
                                                  "\xe2\x96\xbc", "\xe2\x97\x8b", "\xe2\x96\xa1"};
  return marks[style % SSTI_COLOURS];
}

static const char *dash_of(int style) {
  static const char *const dashes[SSTI_DASHES] = {"1", "(16,7)", "(3,4)", "(18,5,3,5)"};
  return dashes[style % SSTI_DASHES];
}

void ssti_figures_begin_script(ssti_text *script) {
  ssti_text_append(
      script,
      "set encoding utf8\nset micro\nset decimalsign '.'\nunset key\nset border 3 lc rgb '#01fa65'\n"
      "set tics nomirror out scale 0.5 textcolor rgb '#01fa64'\nset style fill solid noborder\nset datafile missing "
      "'NaN'\nset xlabel textcolor rgb '#01fa64'\nset ylabel textcolor rgb '#01fa64'\n");
}

void ssti_figure_put_start(ssti_text *script, int height) {
  ssti_text_append(script,
                   "set terminal svg size %d,%d dynamic noenhanced font 'inherit,%d'\nset output\nunset logscale\n"
                   "set autoscale\nunset grid\nset xtics auto\nset ytics auto\nset format '%%g'\nset lmargin -1\n"
                   "set rmargin 3.5\nset tmargin 0.6\nset border 3\nset xlabel '@0@' offset 0,0.4\nset ylabel ''\n",
                   WIDTH, height, FONT);
}

double ssti_figure_whole_step(double range) {
  double step = 1;
  while (range / step > 10) {
    if (range / (2 * step) <= 10) { return 2 * step; }
    if (range / (5 * step) <= 10) { return 5 * step; }
    step *= 10;
  }
  return step;
}

static bool column_has_values(const ssti_figure *f, int column) {
  for (int r = 0; r < f->plan.rows; r++) {
    if (isfinite(f->values[(int64_t)r * f->plan.columns + column])) { return true; }
  }
  return false;
}

static double longest_bar(const ssti_figure *f) {
  double longest = 0;
  for (int r = 0; r < f->plan.rows; r++) {
    double length = 0;
    for (int c = 0; c < f->plan.columns; c++) {
      double value = f->values[(int64_t)r * f->plan.columns + c];
      if (isfinite(value)) { length += value; }
    }
    longest = fmax(longest, length);
  }
  return longest;
}

// An axis from a round number to a round number that has the values of one column, or of all (-1), with some room
// around them or from 0. Few labels: they stand beside each other on a telephone too.
static void put_axis(const ssti_figure *f, ssti_text *script, char axis, int column, bool from_zero) {
  const ssti_figure_plan *plan = &f->plan;
  double low = from_zero ? 0 : (double)INFINITY, high = -(double)INFINITY;
  for (int64_t i = 0; i < (int64_t)plan->rows * plan->columns; i++) {
    if (!isfinite(f->values[i]) || (column >= 0 && i % plan->columns != column)) { continue; }
    low = fmin(low, f->values[i]);
    high = fmax(high, f->values[i]);
  }
  if (!(low <= high)) { return; }
  if (plan->kind == SSTI_FIGURE_BARS) { high = longest_bar(f); }
  double range = high > low ? high - low : fmax(fabs(high), 1e-6), margin = from_zero ? 0 : 0.06 * range;
  bool positive = low >= 0, share = plan->percent && (column != 0 || plan->columns == 1);
  low -= margin;
  high += 0.06 * range;
  if (positive && low < 0) { low = 0; }
  if (share && high > 100) { high = 100; }
  double step = pow(10, floor(log10((high - low) / 4)));
  while ((high - low) / step > 6) {
    step *= (high - low) / (2 * step) <= 6 ? 2 : (high - low) / (5 * step) <= 6 ? 5 : 10;
  }
  low = floor(low / step + 1e-9) * step;
  high = ceil(high / step - 1e-9) * step;
  ssti_text_append(script, "set %crange [%.17g:%.17g]\nset %ctics %.17g,%.17g\n", axis, low, high, axis, low, step);
}

static void put_lines(const ssti_figure *f, ssti_text *script) {
  const ssti_figure_plan *plan = &f->plan;
  double first = f->positions[0], last = f->positions[plan->rows - 1];
  bool whole = floor(first) == first && floor(last) == last; // positions are epochs or steps
  ssti_figure_put_start(script, HEIGHT);
  ssti_text_append(script, "set grid ytics lt 1 lw 0.7 lc rgb '#01fa66'\n");
  put_axis(f, script, 'y', -1, false);
  if (whole) { ssti_text_append(script, "set xtics %g\n", ssti_figure_whole_step(last - first)); }
  if (first == last) { ssti_text_append(script, "set xrange [%.17g:%.17g]\n", first - 1, first + 1); }
  bool any = false;
  for (int c = 0; c < plan->columns; c++) {
    ssti_text_append(script, "$c%d << EOD\n", c);
    for (int r = 0; r < plan->rows; r++) {
      double value = f->values[(int64_t)r * plan->columns + c];
      if (isfinite(value)) { ssti_text_append(script, "%.17g %.17g\n", f->positions[r], value); }
    }
    ssti_text_append(script, "EOD\n");
  }
  for (int c = 0; c < plan->columns; c++) {
    if (!column_has_values(f, c)) { continue; }
    ssti_text_append(script, "%s $c%d using 1:2 with %s lw 2 dt %s lc rgb '#01fa%02x'%s", any ? ", " : "plot", c,
                     plan->rows <= 24 ? "linespoints" : "lines", dash_of(f->styles[c]), f->styles[c] % SSTI_COLOURS,
                     plan->rows <= 24 ? " pt 7 ps 0.35" : "");
    any = true;
  }
  ssti_text_append(script, "\n");
}

// No other point has at least its y and at most its x.
static bool on_front(const ssti_figure *f, int row) {
  const double *p = &f->values[2 * (int64_t)row];
  if (!isfinite(p[0]) || !isfinite(p[1])) { return false; }
  for (int i = 0; i < f->plan.rows; i++) {
    const double *q = &f->values[2 * (int64_t)i];
    if (q[0] <= p[0] && q[1] >= p[1] && (q[0] < p[0] || q[1] > p[1])) { return false; }
  }
  return true;
}

static void put_points(const ssti_figure *f, ssti_text *script) {
  ssti_figure_put_start(script, HEIGHT);
  ssti_text_append(script, "set ylabel '@1@'\nset grid lt 1 lw 0.7 lc rgb '#01fa66'\n");
  put_axis(f, script, 'x', 0, false);
  put_axis(f, script, 'y', 1, false);
  ssti_text_append(script, "$front << EOD\n");
  for (int r = 0; r < f->plan.rows; r++) {
    if (on_front(f, r)) { ssti_text_append(script, "%.17g %.17g\n", f->values[2 * r], f->values[2 * r + 1]); }
  }
  ssti_text_append(script, "EOD\n");
  for (int r = 0; r < f->plan.rows; r++) {
    const double *p = &f->values[2 * (int64_t)r];
    if (isfinite(p[0]) && isfinite(p[1])) {
      ssti_text_append(script, "$p%d << EOD\n%.17g %.17g\nEOD\n", r, p[0], p[1]);
    }
  }
  ssti_text_append(script, "plot $front using 1:2 smooth unique with lines lw 1.5 dt (6,5) lc rgb '#01fa65'");
  for (int r = 0; r < f->plan.rows; r++) {
    const double *p = &f->values[2 * (int64_t)r];
    if (!isfinite(p[0]) || !isfinite(p[1])) { continue; }
    ssti_text_append(script, ", $p%d using 1:2 with points pt %d ps 0.9 lc rgb '#01fa%02x'", r,
                     mark_types[f->styles[r] % SSTI_COLOURS], f->styles[r] % SSTI_COLOURS);
  }
  ssti_text_append(script, "\n");
}

// gnuplot cannot know how long the names are.
double ssti_figure_name_margin(const ssti_figure *f) {
  size_t longest = 3;
  for (int r = 0; r < f->plan.rows; r++) {
    size_t length = strlen(f->row_names[r]);
    if (length > longest) { longest = length; }
  }
  if (longest > LONGEST_NAME) { longest = LONGEST_NAME; }
  return (18.0 + 0.56 * FONT * (double)longest) / WIDTH;
}

// The frame of figures with a named line for each row, from top to bottom.
static void put_rows_start(const ssti_figure *f, ssti_text *script) {
  const ssti_figure_plan *plan = &f->plan;
  ssti_figure_put_start(script, SSTI_FIGURE_FRAME + ROW_HEIGHT * plan->rows);
  ssti_text_append(script, "set ytics (");
  for (int r = 0; r < plan->rows; r++) { ssti_text_append(script, "%s'@%d@' %d", r ? ", " : "", r + 2, r + 1); }
  ssti_text_append(script, ")\nset yrange [%g:0.4]\nset lmargin at screen %.3f\n", plan->rows + 0.6,
                   ssti_figure_name_margin(f));
}

static void put_dots(const ssti_figure *f, ssti_text *script) {
  const ssti_figure_plan *plan = &f->plan;
  put_rows_start(f, script);
  ssti_text_append(script, "set grid ytics xtics lt 1 lw 0.7 lc rgb '#01fa66'\n");
  if (plan->logarithmic) {
    ssti_text_append(script, "set logscale x\nset format x '%%.0s %%c'\n");
  } else {
    put_axis(f, script, 'x', -1, true);
  }
  bool any = false;
  for (int c = 0; c < plan->columns; c++) {
    ssti_text_append(script, "$c%d << EOD\n", c);
    for (int r = 0; r < plan->rows; r++) {
      double value = f->values[(int64_t)r * plan->columns + c];
      // A few runs stand beside each other on the line: equal values stay visible.
      double shift = plan->columns > 1 && plan->columns <= 12 ? 0.5 * ((double)c / (plan->columns - 1) - 0.5) : 0;
      if (isfinite(value)) { ssti_text_append(script, "%.17g %.17g\n", value, r + 1 + shift); }
    }
    ssti_text_append(script, "EOD\n");
  }
  for (int c = 0; c < plan->columns; c++) {
    if (!column_has_values(f, c)) { continue; }
    ssti_text_append(script, "%s $c%d using 1:2 with points pt %d ps 0.75 lc rgb '#01fa%02x'", any ? "," : "plot", c,
                     mark_types[f->styles[c] % SSTI_COLOURS], f->styles[c] % SSTI_COLOURS);
    any = true;
  }
  ssti_text_append(script, "\n");
}

static void put_bars(const ssti_figure *f, ssti_text *script) {
  const ssti_figure_plan *plan = &f->plan;
  put_rows_start(f, script);
  ssti_text_append(script, "set grid xtics lt 1 lw 0.7 lc rgb '#01fa66'\n");
  put_axis(f, script, 'x', -1, true);
  for (int c = 0; c < plan->columns; c++) {
    ssti_text_append(script, "$c%d << EOD\n", c);
    for (int r = 0; r < plan->rows; r++) {
      double low = 0, value = f->values[(int64_t)r * plan->columns + c];
      for (int i = 0; i < c; i++) {
        double before = f->values[(int64_t)r * plan->columns + i];
        if (isfinite(before)) { low += before; }
      }
      if (!isfinite(value)) { value = 0; }
      ssti_text_append(script, "%.17g %d %.17g %.17g %g %g\n", low, r + 1, low, low + value, r + 0.68, r + 1.32);
    }
    ssti_text_append(script, "EOD\n");
  }
  for (int c = 0; c < plan->columns; c++) {
    ssti_text_append(script, "%s $c%d using 1:2:3:4:5:6 with boxxyerror lc rgb '#01fa%02x'", c ? "," : "plot", c,
                     f->styles[c] % SSTI_COLOURS);
  }
  ssti_text_append(script, "\n");
}

static void put_map(const ssti_figure *f, ssti_text *script) {
  const ssti_figure_plan *plan = &f->plan;
  double most = 0;
  for (int64_t i = 0; i < (int64_t)plan->rows * plan->columns; i++) {
    if (f->values[i] > most) { most = f->values[i]; }
  }
  ssti_figure_put_start(script, WIDTH);
  ssti_text_append(script, "set ylabel '@1@'\nset border 0\nset xrange [-0.6:%g]\nset yrange [%g:-0.6]\n$d << EOD\n",
                   plan->columns - 0.4, plan->rows - 0.4);
  for (int r = 0; r < plan->rows; r++) {
    for (int c = 0; c < plan->columns; c++) {
      double value = f->values[(int64_t)r * plan->columns + c];
      if (!(value > 0)) { continue; }
      int depth = (int)(255 * sqrt(value / most)); // the root: what is rare is what one looks for
      ssti_text_append(script, "%d %d %d\n", c, r, (2 << 16) + (depth << 8));
    }
  }
  ssti_text_append(script,
                   "EOD\nset xtics %g\nset ytics %g\n"
                   "plot $d using 1:2:($1-0.48):($1+0.48):($2-0.48):($2+0.48):3 with boxxyerror lc rgb variable\n",
                   ssti_figure_whole_step(plan->columns), ssti_figure_whole_step(plan->rows));
}

void ssti_figure_script(const ssti_figure *figure, ssti_text *script) {
  switch (figure->plan.kind) {
  case SSTI_FIGURE_LINES: put_lines(figure, script); break;
  case SSTI_FIGURE_POINTS: put_points(figure, script); break;
  case SSTI_FIGURE_DOTS: put_dots(figure, script); break;
  case SSTI_FIGURE_BARS: put_bars(figure, script); break;
  case SSTI_FIGURE_MAP: put_map(figure, script); break;
  case SSTI_FIGURE_RASTER:
  case SSTI_FIGURE_TRACES:
  case SSTI_FIGURE_HISTOGRAMS: ssti_figure_put_bands(figure, script); break;
  }
  ssti_text_append(script, "unset output\nundefine $*\n");
}
