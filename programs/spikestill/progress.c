// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 24, LINE_SIZE = 256 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int terminal_width(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) { return 80; }
  return size.ws_col;
}

progress_display progress_begin(bool quiet, const char *title) {
  return (progress_display){.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .title = title};
}

void progress_end(progress_display *display) {
  if (display->drawn > 0) { fprintf(stderr, "\r\033[K"); }
  display->drawn = 0;
}

SST_PRINTF(2, 3) static void add(char line[LINE_SIZE], const char *format, ...) {
  size_t length = strlen(line);
  va_list list;
  va_start(list, format);
  // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, one line above
  vsnprintf(line + length, LINE_SIZE - length, format, list);
  va_end(list);
}

// The time to the end of the run at the present rate, as 1:02:03 or 2:03.
static void add_remaining(char line[LINE_SIZE], const sst_progress *p) {
  if (p->samples_per_second <= 0 || p->batch == 0) { return; }
  double batches_left = (double)(p->batches - p->batch) + (double)(p->epochs - p->epoch - 1) * (double)p->batches;
  long left = lround(batches_left * p->samples_per_batch / p->samples_per_second);
  if (left >= 3600) {
    add(line, "  %ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
  } else {
    add(line, "  %ld:%02ld left", left / 60, left % 60);
  }
}

void progress_batch(void *display, const sst_progress *p) {
  progress_display *d = display;
  if (d->quiet || !d->terminal) { return; }
  double moment = now();
  if (moment - d->drawn < 0.1 && p->batch < p->batches) { return; }
  d->drawn = moment;
  int filled = (int)((double)BAR_WIDTH * (double)p->batch / (double)p->batches);
  char bar[BAR_WIDTH + 1];
  for (int i = 0; i < BAR_WIDTH; i++) { bar[i] = i < filled ? '=' : ' '; }
  bar[BAR_WIDTH] = 0;
  char line[LINE_SIZE] = "", tail[LINE_SIZE] = "";
  add(line, "%s%sepoch %" PRId64 "/%" PRId64, d->title, d->title[0] ? ": " : "", p->epoch + 1, p->epochs);
  add(tail, "  loss %.4f  %.2f %%  %.0f samples/s", p->loss, 100 * p->accuracy, p->samples_per_second);
  add_remaining(tail, p);
  // A line that wrapped could not be drawn anew: first the bar goes, then the end of the line.
  int width = terminal_width() - 1;
  if ((int)(strlen(line) + strlen(tail)) + BAR_WIDTH + 3 <= width) { add(line, " [%s]", bar); }
  add(line, "%s", tail);
  fprintf(stderr, "\r\033[K%.*s", width > 0 ? width : 0, line);
  fflush(stderr);
}

void progress_epoch(void *display, int64_t epoch, int64_t epochs, double loss, double train_accuracy,
                    double validation_accuracy, double spikes_per_inference, double seconds) {
  progress_display *d = display;
  if (d->quiet) { return; }
  progress_end(d);
  fprintf(stderr, "%s%sepoch %" PRId64 "/%" PRId64 "  loss %.4f  train %.2f %%", d->title, d->title[0] ? ": " : "",
          epoch, epochs, loss, 100 * train_accuracy);
  if (isfinite(validation_accuracy)) { fprintf(stderr, "  validation %.2f %%", 100 * validation_accuracy); }
  if (isfinite(spikes_per_inference) && spikes_per_inference > 0) {
    fprintf(stderr, "  %.0f spikes", spikes_per_inference);
  }
  fprintf(stderr, "  %.1f s\n", seconds);
}
