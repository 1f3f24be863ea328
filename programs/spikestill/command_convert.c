// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "results.h"

// "1,2,4" into the options; ranges and order are the library's business.
static bool parse_timesteps(const char *text, sst_conversion_options *options) {
  options->point_count = 0;
  for (const char *at = text; options->point_count < SST_MAX_CONVERSION_POINTS; at++) {
    char *end = NULL;
    long value = strtol(at, &end, 10);
    if (end == at || value < 1) { return false; }
    options->timesteps[options->point_count++] = value;
    if (*end == '\0') { return true; }
    if (*end != ',') { return false; }
    at = end;
  }
  return false;
}

// The method that the network was trained for.
static sst_conversion_method own_method(const sst_network *network) {
  const sst_model_options *model = &sst_network_recipe(network)->student.options;
  return model->activation == SST_ACTIVATION_RELU ? SST_CONVERSION_THRESHOLD_BALANCING : SST_CONVERSION_QCFS;
}

typedef struct display {
  bool terminal;    // where a line is drawn over the one before; else there is one for each layer and tenth of pictures
  const char *what; // of the last line; NULL before the first
  int64_t place;    // of the last line: layer, or tenth
} display;

static void print_progress(void *user, const char *what, int64_t done, int64_t total) {
  display *d = user;
  const int64_t place = total > 0 ? 10 * done / total : done;
  if (!d->terminal && d->what && strcmp(d->what, what) == 0 && d->place == place) { return; }
  d->what = what;
  d->place = place;
  fprintf(stderr, "%s%s %" PRId64, d->terminal ? "\r\033[K" : "", what, done);
  if (total > 0) { fprintf(stderr, " of %" PRId64, total); }
  fputs(d->terminal ? "" : "\n", stderr);
  fflush(stderr);
}

static void print_conversion(const char *folder, const sst_conversion_options *o, const sst_conversion_result *r) {
  printf("method                 %s\n", sst_conversion_word(o->method));
  printf("ann                    %.2f %% of %" PRId64 " pictures\n", 100 * r->ann_accuracy, r->pictures);
  printf("time                   %.1f s\n", r->seconds);
  printf("run directory          %s\n\n", folder);
  printf("%9s %10s %10s %16s\n", "T", "accuracy", "to ann", "spikes");
  for (int i = 0; i < r->point_count; i++) {
    const sst_conversion_point *p = &r->points[i];
    printf("%9" PRId64 " %8.2f %% %+10.2f %16.1f\n", p->timesteps, 100 * p->accuracy,
           100 * (p->accuracy - r->ann_accuracy), p->spikes_per_inference);
  }
}

int command_convert(sst_context *context, const arguments *a) {
  if (!a->out) { return usage_error("convert needs --out DIR; see 'spikestill help convert'"); }
  sst_conversion_options options = sst_conversion_default();
  if (a->timesteps && !parse_timesteps(a->timesteps, &options)) {
    return usage_error("--timesteps is '%s', expected at most %d whole numbers such as 1,2,4", a->timesteps,
                       (int)SST_MAX_CONVERSION_POINTS);
  }
  if (!isnan(a->percentile)) { options.percentile = a->percentile; }
  if (!isnan(a->initial_membrane)) { options.initial_membrane = (float)a->initial_membrane; }
  if (a->samples) { options.samples = a->samples; }
  if (a->calibration_steps) { options.calibration_steps = a->calibration_steps; }
  sst_network *network = NULL;
  sst_status status = sst_network_open(context, a->words[0], a->overrides, a->override_count, &network);
  if (status != SST_OK) { return report_failure(context, status); }
  options.method = own_method(network);
  if (a->method) { sst_conversion_parse(a->method, &options.method); } // it is one of the list
  stop_on_signals(context);
  display shown = {.terminal = isatty(STDERR_FILENO) == 1};
  sst_conversion_result result;
  status = sst_run_convert(network, &options, a->out, a->overwrite, a->quiet ? NULL : print_progress, &shown, &result);
  sst_network_close(network);
  if (shown.terminal && shown.what) { fprintf(stderr, "\r\033[K"); }
  if (status != SST_OK) { return report_failure(context, status); }
  if (a->json) { return print_result_json(a->out); }
  print_conversion(a->out, &options, &result);
  return EXIT_DONE;
}
