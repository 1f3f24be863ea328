// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_DATA_DATASET_H
#define SPIKESTILL_DATA_DATASET_H

#include "base/memory.h"
#include "spikestill/data.h"

struct sst_dataset {
  sst_context *context;
  sst_dataset_info info;
  uint8_t *pixels; // [count,H,W,C]
  uint8_t *labels; // [count]
};

// Where data sets lie: `root`, else the environment's SPIKESTILL_DATA, else "./data". Borrowed.
const char *ssti_data_root(const char *root);

#endif
