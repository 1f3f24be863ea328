// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_DATA_DATASET_H
#define SPIKESTILL_DATA_DATASET_H

#include "base/memory.h"
#include "spikestill/data.h"

struct sst_dataset {
  sst_context *context;
  sst_dataset_info info;
  uint8_t *pixels; // [count] samples
  int32_t *labels; // [count]
};

// Sample i: borrowed from the data set where it is in memory, else made in `room` [sst_dataset_sample_bytes].
sst_status ssti_dataset_sample(const sst_dataset *dataset, int64_t index, uint8_t *room, const uint8_t **out);

// Where data sets lie: `root`, else the environment's SPIKESTILL_DATA, else "./data". Borrowed.
const char *ssti_data_root(const char *root);

#endif
