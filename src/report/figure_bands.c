// SPDX-License-Identifier: Apache-2.0
// Figures in bands as commands of gnuplot: consecutive rows of one name share a band, from top to bottom, and columns
// lie along the lower axis. Band b goes from b to b + 1 on an axis that points down.
#include <math.h>

#include "report/figure_script.h"

static bool begins_band(const ssti_figure *f, int row) {
  return row == 0 || strcmp(f->row_names[row], f->row_names[row - 1]) != 0;
}

static int band_end(const ssti_figure *f, int row) {
  int end = row + 1;
  while (end < f->plan.rows && !begins_band(f, end)) { end++; }
  return end;
}

static double position(const ssti_figure *f, double column) { return f->plan.first + column * f->plan.step; }

static double value_at(const ssti_figure *f, int row, int column) {
  return f->values[(int64_t)row * f->plan.columns + column];
}

static int count_bands(const ssti_figure *f) {
  int bands = 0;
  for (int r = 0; r < f->plan.rows; r++) { bands += begins_band(f, r); }
  return bands;
}

// Frame, names, borders between the bands; the plot command is begun.
static void put_bands_start(const ssti_figure *f, int bands, ssti_text *script) {
  const ssti_figure_plan *plan = &f->plan;
  ssti_figure_put_start(script, SSTI_FIGURE_FRAME + SSTI_FIGURE_BAND * bands);
  ssti_text_append(script, "set ytics (");
  for (int r = 0, band = 0; r < plan->rows; r++) {
    if (!begins_band(f, r)) { continue; }
    ssti_text_append(script, "%s'@%d@' %g", band ? ", " : "", r + 2, band + 0.5);
    band++;
  }
  ssti_text_append(script, ")\nset yrange [%d:0]\nset lmargin at screen %.3f\nset xrange [%.17g:%.17g]\n", bands,
                   ssti_figure_name_margin(f), position(f, -0.5), position(f, plan->columns - 0.5));
  if (plan->kind != SSTI_FIGURE_HISTOGRAMS) {
    ssti_text_append(script, "set xtics %g\n", ssti_figure_whole_step(plan->columns));
  } else {
    ssti_text_append(script, "set grid xtics lt 1 lw 0.7 lc rgb '#01fa66'\n");
  }
  ssti_text_append(script, "$border << EOD\n");
  for (int b = 1; b < bands || b == 1; b++) {
    ssti_text_append(script, "%.17g %d\n%.17g %d\n\n", position(f, -0.5), b, position(f, plan->columns - 0.5), b);
  }
  ssti_text_append(script, "EOD\n");
}

static void put_plot_start(ssti_text *script) {
  ssti_text_append(script, "plot $border using 1:2 with lines lw 0.7 lc rgb '#01fa66'");
}

static void put_raster(const ssti_figure *f, ssti_text *script) {
  bool any = false;
  ssti_text_append(script, "$spikes << EOD\n");
  for (int first = 0, end, band = 0; first < f->plan.rows; first = end, band++) {
    end = band_end(f, first);
    double height = 0.84 / (end - first);
    for (int r = first; r < end; r++) {
      double top = band + 0.08 + (r - first) * height;
      for (int c = 0; c < f->plan.columns; c++) {
        if (!(value_at(f, r, c) > 0)) { continue; }
        double x = position(f, c);
        ssti_text_append(script, "%.17g %.5g %.17g %.17g %.5g %.5g\n", x, top, x - 0.36, x + 0.36, top,
                         top + 0.8 * height);
        any = true;
      }
    }
  }
  ssti_text_append(script, "EOD\n");
  put_plot_start(script);
  if (any) { ssti_text_append(script, ", $spikes using 1:2:3:4:5:6 with boxxyerror lc rgb '#01fa00'"); }
}

// A band's lines go from its lowest membrane, or 0, to its highest, or a little more than the threshold.
static void put_traces(const ssti_figure *f, ssti_text *script) {
  ssti_text threshold = ssti_text_begin(script->context);
  for (int first = 0, end, band = 0; first < f->plan.rows; first = end, band++) {
    double low = 0, high = 1.1;
    end = band_end(f, first);
    for (int64_t i = (int64_t)first * f->plan.columns; i < (int64_t)end * f->plan.columns; i++) {
      low = fmin(low, f->values[i]);
      high = fmax(high, f->values[i]);
    }
    for (int r = first; r < end; r++) {
      ssti_text_append(script, "$c%d << EOD\n", r);
      for (int c = 0; c < f->plan.columns; c++) {
        double share = (value_at(f, r, c) - low) / (high - low);
        ssti_text_append(script, "%.17g %.5g\n", position(f, c), band + 0.92 - 0.84 * share);
      }
      ssti_text_append(script, "EOD\n");
    }
    double line = band + 0.92 - 0.84 * (1 - low) / (high - low);
    ssti_text_append(&threshold, "%.17g %.5g\n%.17g %.5g\n\n", position(f, -0.5), line,
                     position(f, f->plan.columns - 0.5), line);
  }
  ssti_text_append(script, "$threshold << EOD\n%sEOD\n", threshold.data ? threshold.data : "");
  if (script->status == SST_OK) { script->status = threshold.status; }
  ssti_text_free(&threshold);
  put_plot_start(script);
  ssti_text_append(script, ", $threshold using 1:2 with lines lw 1 dt (5,5) lc rgb '#01fa65'");
  for (int r = 0; r < f->plan.rows; r++) {
    ssti_text_append(script, ", $c%d using 1:2 with %s lw 1.6 lc rgb '#01fa%02x'", r,
                     f->plan.columns <= 8 ? "linespoints pt 7 ps 0.3" : "lines", f->styles[r] % SSTI_COLOURS);
  }
}

// Heights by the square root: a stored state that is 0 after every reset would else hide the others.
static void put_outline(const ssti_figure *f, int row, int band, ssti_text *script) {
  double most = 0, base = band + 0.96;
  for (int c = 0; c < f->plan.columns; c++) { most = fmax(most, value_at(f, row, c)); }
  ssti_text_append(script, "$c%d << EOD\n%.17g %.5g\n", row, position(f, -0.5), base);
  for (int c = 0; c < f->plan.columns; c++) {
    double top = base - (most > 0 ? 0.88 * sqrt(value_at(f, row, c) / most) : 0);
    ssti_text_append(script, "%.17g %.5g\n%.17g %.5g\n", position(f, c - 0.5), top, position(f, c + 0.5), top);
  }
  ssti_text_append(script, "%.17g %.5g\nEOD\n", position(f, f->plan.columns - 0.5), base);
}

static void put_histograms(const ssti_figure *f, ssti_text *script) {
  for (int first = 0, end, band = 0; first < f->plan.rows; first = end, band++) {
    end = band_end(f, first);
    for (int r = first; r < end; r++) { put_outline(f, r, band, script); }
  }
  put_plot_start(script);
  for (int r = 0; r < f->plan.rows; r++) {
    if (begins_band(f, r)) {
      ssti_text_append(script, ", $c%d using 1:2 with filledcurves closed fc rgb '#02%02x00'", r, 70);
    }
    ssti_text_append(script, ", $c%d using 1:2 with lines lw 1.2 lc rgb '#01fa%02x'", r, f->styles[r] % SSTI_COLOURS);
  }
}

void ssti_figure_put_bands(const ssti_figure *f, ssti_text *script) {
  put_bands_start(f, count_bands(f), script);
  if (f->plan.kind == SSTI_FIGURE_RASTER) { put_raster(f, script); }
  if (f->plan.kind == SSTI_FIGURE_TRACES) { put_traces(f, script); }
  if (f->plan.kind == SSTI_FIGURE_HISTOGRAMS) { put_histograms(f, script); }
  ssti_text_append(script, "\n");
}
