// SPDX-License-Identifier: Apache-2.0
// Progress of training on standard error: a bar that is redrawn on a terminal, plain lines otherwise.
#ifndef SPIKESTILL_PROGRAM_PROGRESS_H
#define SPIKESTILL_PROGRAM_PROGRESS_H

#include "spikestill/run.h"

// On a terminal one line that is drawn anew; elsewhere a line for each epoch.

typedef struct progress_display {
  bool quiet, terminal;
  const char *title; // "teacher", or "" for none
  double drawn;      // moment of the last redraw; 0: nothing is drawn
} progress_display;

progress_display progress_begin(bool quiet, const char *title);
void progress_batch(void *display, const sst_progress *progress);
void progress_epoch(void *display, int64_t epoch, int64_t epochs, double loss, double train_accuracy,
                    double validation_accuracy, double spikes_per_inference, double seconds);
// Takes away what is drawn, so that a sentence can stand there.
void progress_end(progress_display *display);

#endif
