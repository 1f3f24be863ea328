// SPDX-License-Identifier: Apache-2.0
#include "base/fold_norm.h"

#include <math.h>

void ssti_fold_norm(const ssti_norm_values *norm, int64_t outputs, int64_t fan_in, float *weight, float *bias) {
  for (int64_t o = 0; o < outputs; o++) {
    const double factor =
        (double)norm->scale * (double)norm->gamma[o] / sqrt((double)norm->variance[o] + (double)norm->epsilon);
    for (int64_t i = 0; i < fan_in; i++) { weight[o * fan_in + i] = (float)(factor * (double)weight[o * fan_in + i]); }
    bias[o] = (float)(factor * ((double)bias[o] - (double)norm->mean[o]) + (double)norm->beta[o]);
  }
}
