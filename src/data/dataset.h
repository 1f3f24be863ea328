// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_DATA_DATASET_H
#define SPIKESTILL_DATA_DATASET_H

#include <pthread.h>

#include "base/memory.h"
#include "data/event_set.h"
#include "data/picture_folder.h"
#include "spikestill/data.h"

// The samples' bytes in the memory of a device, once somebody wanted them there (train/resident_pictures.h).
typedef struct ssti_resident {
  pthread_mutex_t mutex; // of what follows
  const ssti_memory_space *space;
  uint8_t *bytes; // NULL: nobody has
} ssti_resident;

struct sst_dataset {
  sst_context *context;
  sst_dataset_info info;
  uint8_t *pixels;               // [count] samples; NULL for picture files
  ssti_picture_folder *pictures; // picture files, else NULL
  ssti_event_set *recordings;    // event sets, else NULL
  ssti_framed framed;            // theirs; `pixels` points into it
  int32_t *labels;               // [count]
  ssti_resident *resident;
};

// One thread's room for a sample.
typedef struct ssti_sample_room {
  uint8_t *bytes; // [sample_bytes]
  ssti_picture_room decoding;
} ssti_sample_room;

// Sample i: borrowed from the data set where it is in memory, else made in room->bytes.
sst_status ssti_dataset_sample(const sst_dataset *dataset, int64_t index, ssti_sample_room *room, const uint8_t **out);

// Where data sets lie: `root`, else the environment's SPIKESTILL_DATA, else "./data". Borrowed.
const char *ssti_data_root(const char *root);

#endif
