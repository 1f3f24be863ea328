// SPDX-License-Identifier: Apache-2.0
// Training steps given to a device that works beside the host: kernel by kernel at first, then written down once and
// given as one. What differs from step to step is set before each.
#ifndef SPIKESTILL_TRAIN_GIVEN_STEPS_H
#define SPIKESTILL_TRAIN_GIVEN_STEPS_H

#include "spikestill/train.h"

// A step is written down once a device has done some: by then its libraries have loaded what they need.
enum { SSTI_RECORD_AFTER = 2 };

typedef struct ssti_given_steps {
  sst_graph *graph;                 // compiled; on a device beside the host
  sst_optimizer *const *optimizers; // borrowed
  int optimizer_count;
  bool records;
  int64_t given;
  struct ssti_recording *recording; // NULL: none yet
} ssti_given_steps;

// The next step: forward, backward, optimisers. Returns before the device has done it. Errors: OUT_OF_MEMORY.
sst_status ssti_give_step(ssti_given_steps *steps, const sst_run_options *options, double rate_factor);

// The device has done the steps by now.
void ssti_given_steps_end(ssti_given_steps *steps);

#endif
