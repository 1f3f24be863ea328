// SPDX-License-Identifier: Apache-2.0
// The part of the training pictures that is kept back for validation.
#include <math.h>

#include "base/random.h"
#include "spikestill/data.h"

void sst_split_validation(int64_t count, double share, uint64_t seed, int32_t *train, int64_t *train_count,
                          int32_t *validation, int64_t *validation_count) {
  double wanted = share > 0.0 ? round(share * (double)count) : 0.0; // NaN counts as 0
  int64_t kept = wanted >= (double)count ? count : (int64_t)wanted;
  // The permutation is drawn into `train`, who is chosen is marked in `validation`; then one pass in ascending order
  // rewrites both. Neither is written beyond the place that is being read.
  ssti_random_permutation(seed, ssti_random_stream("validation split"), count, train);
  for (int64_t i = 0; i < count; i++) { validation[i] = 0; }
  for (int64_t i = count - kept; i < count; i++) { validation[train[i]] = 1; }
  int64_t trained = 0, validated = 0;
  for (int64_t i = 0; i < count; i++) {
    if (validation[i] != 0) {
      validation[validated++] = (int32_t)i;
    } else {
      train[trained++] = (int32_t)i;
    }
  }
  *train_count = trained;
  *validation_count = validated;
}

void sst_dataset_split(const sst_dataset *dataset, double share, uint64_t seed, int32_t *train, int64_t *train_count,
                       int32_t *validation, int64_t *validation_count) {
  const sst_dataset_info info = sst_dataset_describe(dataset);
  if (info.validation == 0) {
    sst_split_validation(info.count, share, seed, train, train_count, validation, validation_count);
    return;
  }
  *train_count = info.count - info.validation;
  *validation_count = share > 0.0 ? info.validation : 0;
  for (int64_t i = 0; i < *train_count; i++) { train[i] = (int32_t)i; }
  for (int64_t i = 0; i < *validation_count; i++) { validation[i] = (int32_t)(*train_count + i); }
}
