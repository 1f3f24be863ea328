// SPDX-License-Identifier: Apache-2.0
// Learned thresholds of layers, folded into weights.
#ifndef SPIKESTILL_RUN_THRESHOLD_FOLDING_H
#define SPIKESTILL_RUN_THRESHOLD_FOLDING_H

#include <math.h>

#include "spikestill/run.h"

// The statistics of a norm that reads x / s in place of x and gives the same.
static inline void ssti_scale_statistics(double s, double epsilon, float *mean, float *variance) {
  *mean = (float)((double)*mean / s);
  *variance = (float)fmax(0.0, ((double)*variance + epsilon) / (s * s) - epsilon);
}

// `to` is the network of `from`, which has layer_thresholds, without them, and has its other parameters: changes them
// so that each of its spikes, now of size 1, is one of `from`. Logits are the same unless spikes of such neurons are
// read as such: those are times a positive number. Errors: UNSUPPORTED with the layer, where sides of a sum or readers
// of a value need different scales; NOT_FINITE (a threshold that is no finite number above 0), OUT_OF_MEMORY.
sst_status ssti_fold_thresholds(const sst_network *from, sst_network *to);

#endif
