// SPDX-License-Identifier: Apache-2.0
// A part of a recipe's data, opened for measuring: in order, without augmentation.
#ifndef SPIKESTILL_RUN_PART_DATA_H
#define SPIKESTILL_RUN_PART_DATA_H

#include "spikestill/run.h"

typedef struct ssti_part_data {
  sst_context *context;
  sst_dataset *dataset;
  sst_loader *loader;
  int64_t count; // pictures
  char name[64]; // "mnist test"
} ssti_part_data;

// The first `limit` pictures of the part, or all of it (0). To be closed after a failure too.
// Errors: INVALID_ARGUMENT (the part is empty), those of opening the data.
sst_status ssti_part_open(sst_context *context, const sst_recipe *recipe, sst_part part, int64_t limit,
                          ssti_part_data *out);
void ssti_part_close(ssti_part_data *data);

#endif
