// SPDX-License-Identifier: Apache-2.0
// Batch norm with running statistics is a factor and an offset a channel, so it folds into the layer before it:
//   w' = f * w,  b' = f * (b - mean) + beta,  f = scale * gamma / sqrt(variance + epsilon)
#ifndef SPIKESTILL_BASE_FOLD_NORM_H
#define SPIKESTILL_BASE_FOLD_NORM_H

#include <stdint.h>

typedef struct ssti_norm_values {
  const float *gamma, *beta, *mean, *variance; // [outputs]
  float epsilon, scale;
} ssti_norm_values;

// weight [outputs,fan_in] and bias [outputs] are changed in place; arithmetic in double.
void ssti_fold_norm(const ssti_norm_values *norm, int64_t outputs, int64_t fan_in, float *weight, float *bias);

#endif
