// SPDX-License-Identifier: Apache-2.0
// The two halves of sst_optimizer_step, for training steps that a device has written down.
#ifndef SPIKESTILL_OPTIM_OPTIMIZER_PARTS_H
#define SPIKESTILL_OPTIM_OPTIMIZER_PARTS_H

#include "spikestill/optim.h"

// Counts the step and sets its learning rate.
void ssti_optimizer_begin(sst_optimizer *optimizer, double rate_factor);

// The kernel calls. Returns the norm as sst_optimizer_step does.
double ssti_optimizer_run(sst_optimizer *optimizer);

#endif
