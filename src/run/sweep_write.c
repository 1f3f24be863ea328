// SPDX-License-Identifier: Apache-2.0
// A sweep's tables, and the script that draws its front.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "spikestill/sweep.h"

// A field of a CSV line with the comma after it (RFC 4180: quotes around what would be taken apart).
static void put_text(ssti_text *out, const char *field) {
  if (!field) { field = ""; }
  if (!strpbrk(field, ",\"\n\r")) {
    ssti_text_append(out, "%s,", field);
    return;
  }
  ssti_text_append_bytes(out, "\"", 1);
  for (; *field; field++) { ssti_text_append_bytes(out, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1); }
  ssti_text_append_bytes(out, "\",", 2);
}

// Empty where there is no number.
static void put_number(ssti_text *out, double value) {
  char text[SSTI_NUMBER_TEXT_SIZE];
  ssti_text_append(out, "%s,", isfinite(value) ? ssti_number_text(value, text) : "");
}

static void put_values(ssti_text *out, const sst_sweep *sweep, int combination) {
  for (int k = 0; k < sweep->key_count; k++) { put_text(out, sweep->combinations[combination].values[k]); }
}

static void put_runs(ssti_text *out, const sst_sweep *sweep) {
  for (int k = 0; k < sweep->key_count; k++) { put_text(out, sweep->keys[k]); }
  ssti_text_append(out, "seed,test_accuracy,test_accuracy_best_by_validation,validation_accuracy,spikes_per_inference,"
                        "parameters,seconds,run\n");
  for (int i = 0; i < sweep->run_count; i++) {
    const sst_sweep_run *run = &sweep->runs[i];
    if (!run->complete) { continue; }
    put_values(out, sweep, run->combination);
    ssti_text_append(out, "%" PRIu64 ",", run->seed);
    put_number(out, run->result.test_accuracy);
    put_number(out, run->result.test_accuracy_best);
    put_number(out, run->result.validation_accuracy);
    put_number(out, run->result.spikes_per_inference);
    ssti_text_append(out, "%" PRId64 ",", run->result.parameters);
    put_number(out, run->result.seconds);
    ssti_text_append(out, "%s\n", run->name); // needs no quotes
  }
}

static void put_summaries(ssti_text *out, const sst_sweep *sweep, const sst_sweep_summary *summaries) {
  for (int k = 0; k < sweep->key_count; k++) { put_text(out, sweep->keys[k]); }
  ssti_text_append(out, "n,test_accuracy_mean,test_accuracy_deviation,spikes_per_inference_mean,"
                        "spikes_per_inference_deviation,front\n");
  for (int i = 0; i < sweep->combination_count; i++) {
    const sst_sweep_summary *s = &summaries[i];
    put_values(out, sweep, i);
    ssti_text_append(out, "%d,", s->count);
    put_number(out, s->accuracy);
    put_number(out, s->accuracy_deviation);
    put_number(out, s->spikes);
    put_number(out, s->spikes_deviation);
    ssti_text_append(out, "%d\n", s->on_front);
  }
}

static bool is_drawn(const sst_sweep_summary *s) { return isfinite(s->accuracy) && isfinite(s->spikes); }

// Text between gnuplot's single quotes.
static void put_quoted(ssti_text *out, const char *text) {
  ssti_text_append_bytes(out, "'", 1);
  for (; *text; text++) {
    const char *shown = *text == '\n' || *text == '\r' ? " " : text;
    ssti_text_append_bytes(out, *text == '\'' ? "''" : shown, *text == '\'' ? 2 : 1);
  }
  ssti_text_append_bytes(out, "'", 1);
}

static int by_spikes(const void *one, const void *two) {
  const sst_sweep_summary *a = one, *b = two;
  return (a->spikes > b->spikes) - (a->spikes < b->spikes);
}

// The front's points from left to right.
static sst_status put_front(ssti_text *out, const sst_sweep *sweep, const sst_sweep_summary *summaries) {
  sst_sweep_summary *sorted = NULL;
  SST_TRY(ssti_allocate(sweep->context, (size_t)sweep->combination_count, sizeof *sorted, &sorted));
  size_t count = 0;
  for (int i = 0; i < sweep->combination_count; i++) {
    if (summaries[i].on_front) { sorted[count++] = summaries[i]; }
  }
  qsort(sorted, count, sizeof *sorted, by_spikes);
  ssti_text_append(out, "$front << EOD\n");
  for (size_t i = 0; i < count; i++) {
    ssti_text_append(out, "%.17g %.17g\n", sorted[i].spikes, 100 * sorted[i].accuracy);
  }
  ssti_text_append(out, "EOD\n");
  ssti_free(sweep->context, sorted);
  return SST_OK;
}

static double drawn_deviation(double deviation) { return isfinite(deviation) ? deviation : 0; }

// What is drawn, the same for both pictures.
static void put_plot(ssti_text *out, const sst_sweep *sweep, const sst_sweep_summary *summaries) {
  static const int shapes[] = {7, 5, 9, 11, 13}; // filled ones; gnuplot has eight colours
  ssti_text_append(out, "plot $front using 1:2 with linespoints linecolor 'gray' dashtype 2 pointtype 6 pointsize 2 "
                        "title 'front'");
  for (int i = 0; i < sweep->combination_count; i++) {
    if (!is_drawn(&summaries[i])) { continue; }
    ssti_text_append(out, ", \\\n  $combination%d using 1:2:3:4 with xyerrorbars linetype %d pointtype %d title ", i,
                     i + 1, shapes[i / 8 % 5]);
    put_quoted(out, sweep->combinations[i].label);
  }
  ssti_text_append(out, "\n");
}

static sst_status put_drawing(ssti_text *out, const sst_sweep *sweep, const sst_sweep_summary *summaries) {
  int height = 560; // and the legend below, a line a combination
  ssti_text_append(
      out, "# 'gnuplot front.gnuplot' draws front.svg and front.png. Bars: one standard deviation over the seeds.\n"
           "set encoding utf8\nset xlabel 'spikes per inference'\nset ylabel 'test accuracy (%%)'\n"
           "set grid\nset key below vertical maxcols 1 Left reverse noenhanced\n"
           "set offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05\n");
  for (int i = 0; i < sweep->combination_count; i++) {
    const sst_sweep_summary *s = &summaries[i];
    if (!is_drawn(s)) { continue; }
    height += 18;
    ssti_text_append(out, "$combination%d << EOD\n%.17g %.17g %.17g %.17g\nEOD\n", i, s->spikes, 100 * s->accuracy,
                     drawn_deviation(s->spikes_deviation), 100 * drawn_deviation(s->accuracy_deviation));
  }
  SST_TRY(put_front(out, sweep, summaries));
  ssti_text_append(out, "set terminal svg size 800,%d background 'white'\nset output 'front.svg'\n", height);
  put_plot(out, sweep, summaries);
  ssti_text_append(out,
                   "if (strstrt(GPVAL_TERMINALS, ' pngcairo ')) { set terminal pngcairo size 800,%d } "
                   "else { set terminal png size 800,%d }\nset output 'front.png'\nreplot\n",
                   height, height);
  return SST_OK;
}

// Writes the text, unless making it failed, and frees it.
static sst_status write_text(const sst_sweep *sweep, const char *name, ssti_text *text) {
  sst_status status = text->status;
  char *path = NULL;
  if (status == SST_OK) { status = ssti_path_join(sweep->context, sweep->out, name, &path); }
  if (status == SST_OK) { status = ssti_file_write(sweep->context, path, text->data, text->length); }
  ssti_free(sweep->context, path);
  ssti_text_free(text);
  return status;
}

sst_status sst_sweep_write(const sst_sweep *sweep, const sst_sweep_summary *summaries, bool *drawable) {
  *drawable = false;
  SST_TRY(ssti_folder_make(sweep->context, sweep->out));
  ssti_text text = ssti_text_begin(sweep->context);
  put_runs(&text, sweep);
  SST_TRY(write_text(sweep, "sweep.csv", &text));
  text = ssti_text_begin(sweep->context);
  put_summaries(&text, sweep, summaries);
  SST_TRY(write_text(sweep, "summary.csv", &text));
  for (int i = 0; i < sweep->combination_count; i++) { *drawable = *drawable || is_drawn(&summaries[i]); }
  if (!*drawable) { return SST_OK; }
  text = ssti_text_begin(sweep->context);
  sst_status status = put_drawing(&text, sweep, summaries);
  if (status != SST_OK) {
    ssti_text_free(&text);
    return status;
  }
  return write_text(sweep, "front.gnuplot", &text);
}
