// SPDX-License-Identifier: Apache-2.0
// Makes one batch: from picture numbers to plans and targets, and from plans to augmented, normalised or encoded input.
// Knows nothing of threads; what a batch holds depends on (seed, epoch, position in the epoch) alone, whoever makes it.
#ifndef SPIKESTILL_DATA_BATCH_MAKER_H
#define SPIKESTILL_DATA_BATCH_MAKER_H

#include "data/augment.h"
#include "data/dataset.h"

typedef struct ssti_batch_maker {
  const sst_dataset *dataset;
  sst_loader_options options;
  sst_dataset_info info;
  int64_t timesteps;    // of the input: 1 for direct encoding
  int64_t frames;       // stored ones of a sample; 1 for pictures
  int64_t picture_size; // H * W * C, of one frame
  int64_t sample_size;  // frames * picture_size
  bool mixes;           // mixup is on
  bool stages;          // pictures pass through `values` before they reach the input
  uint64_t augment_stream, mix_stream, encode_stream;
  float table[SST_MAX_CHANNELS][256]; // what a byte becomes
} ssti_batch_maker;

// One thread's room.
typedef struct ssti_batch_room {
  ssti_sample_room sample; // bytes: a sample and a picture
  float *values;           // [staged samples, sample_size]; NULL if nothing is staged
  int32_t *partners;       // [N]; NULL without mixup
} ssti_batch_room;

// Where a batch goes: plans [N], input [T,N,H,W,C], target [N,classes], labels [N].
typedef struct ssti_batch_slot {
  ssti_picture_plan *plans; // of frames of events: which samples are mixed, and how
  float *input, *target;
  int32_t *labels;
  int64_t count;
  sst_status status;  // of making it
  char failure[1024]; // the sentence, where it failed
} ssti_batch_slot;

// What bytes become under these options (encoding, mean, deviation): [channels][256].
void ssti_byte_values(const sst_loader_options *options, int64_t channels, float *out);

void ssti_batch_maker_begin(const sst_dataset *dataset, const sst_loader_options *options, ssti_batch_maker *maker);

sst_status ssti_batch_room_allocate(sst_context *context, const ssti_batch_maker *maker, ssti_batch_room *room);
void ssti_batch_room_free(sst_context *context, ssti_batch_room *room);

// What a device needs beside the plans to make the batches. False, with the reason as the end of a sentence, where it
// cannot: what it makes are batches of small pictures that lie in memory.
bool ssti_batch_form(const ssti_batch_maker *maker, ssti_picture_form *out, const char **why);

// Makes batch `index` of `epoch` from `pictures` [count], count <= N; the rest of the slot becomes zeros. With
// `plans_only` the input is left as it is. Where a sample cannot be read, the slot says so and its content is of no
// use.
void ssti_batch_make(const ssti_batch_maker *maker, const int32_t *pictures, int64_t count, int64_t epoch,
                     int64_t index, bool plans_only, ssti_batch_room *room, ssti_batch_slot *slot);

#endif
