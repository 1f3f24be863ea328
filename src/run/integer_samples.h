// SPDX-License-Identifier: Apache-2.0
// Samples of a recipe's data as integer networks take them.
#ifndef SPIKESTILL_RUN_INTEGER_SAMPLES_H
#define SPIKESTILL_RUN_INTEGER_SAMPLES_H

#include "data/batch_maker.h"
#include "spikestill/run.h"

// Whether its samples are bytes (pictures, frames of events) rather than spikes.
bool ssti_recipe_gives_bytes(const sst_recipe *recipe);

// What a network's input is for each byte, [channels][256].
void ssti_recipe_byte_values(const sst_recipe *recipe, float *out);

// The recipe inside an integer network, with overrides; `path` is for messages. Errors: INVALID_ARGUMENT (there is
// none), SHAPE (its data do not fit), those of sst_recipe_from_text.
sst_status ssti_integer_recipe(sst_context *context, const sst_integer_network *network, const char *path,
                               const char *const *overrides, int override_count, sst_recipe **out);

typedef struct ssti_integer_samples {
  const sst_integer_network *network;
  bool bytes;
  int64_t picture, steps;               // numbers of a picture; pictures of a sample
  float values[SST_MAX_CHANNELS * 256]; // of bytes
} ssti_integer_samples;
void ssti_integer_samples_begin(const sst_integer_network *network, const sst_recipe *recipe,
                                ssti_integer_samples *out);

// The first `count` samples of a loader's batch [T,batch,H,W,C] as [count][T][H,W,C].
void ssti_integer_samples_fill(const ssti_integer_samples *s, const float *input, int64_t batch, int64_t count,
                               int16_t *out);

#endif
