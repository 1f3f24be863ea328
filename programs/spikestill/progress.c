// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

progress_display progress_begin(bool quiet, const char *title) {
  return (progress_display){.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .title = title};
}

// The time to the end of the run at the present rate, as 1:02:03 or 2:03.
static void print_remaining(const sst_progress *p) {
  if (p->samples_per_second <= 0 || p->batch == 0) { return; }
  double batches_left = (double)(p->batches - p->batch) + (double)(p->epochs - p->epoch - 1) * (double)p->batches;
  double per_batch = p->samples_per_batch > 0 ? p->samples_per_batch : 0;
  long left = lround(batches_left * per_batch / p->samples_per_second);
  if (left >= 3600) {
    fprintf(stderr, "  %ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
  } else {
    fprintf(stderr, "  %ld:%02ld left", left / 60, left % 60);
  }
}

void progress_batch(void *display, const sst_progress *p) {
  progress_display *d = display;
  if (d->quiet || !d->terminal) { return; }
  double moment = now();
  if (moment - d->drawn < 0.1 && p->batch < p->batches) { return; }
  d->drawn = moment;
  enum { WIDTH = 24 };
  int filled = (int)((double)WIDTH * (double)p->batch / (double)p->batches);
  char bar[WIDTH + 1];
  for (int i = 0; i < WIDTH; i++) { bar[i] = i < filled ? '=' : ' '; }
  bar[WIDTH] = 0;
  fprintf(stderr, "\r\033[K%s%sepoch %" PRId64 "/%" PRId64 " [%s] loss %.4f  accuracy %.2f %%  %.0f samples/s",
          d->title, d->title[0] ? ": " : "", p->epoch + 1, p->epochs, bar, p->loss, 100 * p->accuracy,
          p->samples_per_second);
  print_remaining(p);
  fflush(stderr);
}

void progress_epoch(void *display, int64_t epoch, int64_t epochs, double loss, double train_accuracy,
                    double validation_accuracy, double spikes_per_inference, double seconds) {
  progress_display *d = display;
  if (d->quiet) { return; }
  fprintf(stderr, "%s%s%sepoch %" PRId64 "/%" PRId64 "  loss %.4f  train %.2f %%", d->terminal ? "\r\033[K" : "",
          d->title, d->title[0] ? ": " : "", epoch, epochs, loss, 100 * train_accuracy);
  if (isfinite(validation_accuracy)) { fprintf(stderr, "  validation %.2f %%", 100 * validation_accuracy); }
  if (isfinite(spikes_per_inference) && spikes_per_inference > 0) {
    fprintf(stderr, "  %.0f spikes", spikes_per_inference);
  }
  fprintf(stderr, "  %.1f s\n", seconds);
}
