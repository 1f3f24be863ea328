// SPDX-License-Identifier: Apache-2.0
#include "run/part_data.h"

#include <stdio.h>

#include "base/memory.h"
#include "run/assemble.h"

// The pictures of a part of the training data, or of the whole test data.
static sst_status choose(ssti_part_data *data, const sst_recipe *recipe, sst_part part, int32_t *chosen) {
  int64_t count = sst_dataset_describe(data->dataset).count, train_count = 0, validation_count = 0;
  if (part == SST_PART_TEST) {
    for (int64_t i = 0; i < count; i++) { chosen[i] = (int32_t)i; }
    data->count = count;
    return SST_OK;
  }
  int32_t *other = NULL;
  SST_TRY(ssti_allocate(data->context, (size_t)count, sizeof *other, &other));
  bool train = part == SST_PART_TRAIN;
  sst_dataset_split(data->dataset, recipe->data.validation, recipe->seed, train ? chosen : other, &train_count,
                    train ? other : chosen, &validation_count);
  data->count = train ? train_count : validation_count;
  ssti_free(data->context, other);
  return SST_OK;
}

static sst_status open_loader(ssti_part_data *data, const sst_recipe *recipe, sst_part part, int64_t limit,
                              int32_t *chosen) {
  SST_TRY(choose(data, recipe, part, chosen));
  if (data->count == 0) {
    SST_FAIL(data->context, SST_INVALID_ARGUMENT, "this part of the data is empty (data.validation is %g)",
             recipe->data.validation);
  }
  if (limit > 0 && limit < data->count) { data->count = limit; }
  return ssti_loader_for(data->context, recipe, data->dataset, chosen, data->count, false, &data->loader);
}

sst_status ssti_part_open(sst_context *context, const sst_recipe *recipe, sst_part part, int64_t limit,
                          ssti_part_data *out) {
  static const char *const words[] = {"train", "validation", "test"};
  *out = (ssti_part_data){.context = context};
  snprintf(out->name, sizeof out->name, "%s %s", sst_dataset_word(recipe->data.kind), words[part]);
  SST_TRY(ssti_open_data(context, recipe, part != SST_PART_TEST, &out->dataset));
  int32_t *chosen = NULL;
  SST_TRY(ssti_allocate(context, (size_t)sst_dataset_describe(out->dataset).count, sizeof *chosen, &chosen));
  sst_status status = open_loader(out, recipe, part, limit, chosen);
  ssti_free(context, chosen);
  return status;
}

void ssti_part_close(ssti_part_data *data) {
  sst_loader_close(data->loader);
  sst_dataset_close(data->dataset);
  *data = (ssti_part_data){0};
}
