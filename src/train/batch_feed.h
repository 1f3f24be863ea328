// SPDX-License-Identifier: Apache-2.0
// From a loader to a graph's inputs. A device beside the host keeps the set's pictures where they fit, and makes
// batches of them itself: the loader then draws random numbers only, and its plans are all that is copied. Else batches
// are copied.
#ifndef SPIKESTILL_TRAIN_BATCH_FEED_H
#define SPIKESTILL_TRAIN_BATCH_FEED_H

#include "backend/backend.h"
#include "spikestill/data.h"
#include "spikestill/graph.h"

typedef struct ssti_batch_feed {
  sst_context *context;
  sst_graph *graph; // compiled
  sst_value input, target;
  sst_loader *loader;
  const uint8_t *pictures; // the set's, on the device; NULL: batches are the host's. What follows is for them.
  ssti_picture_form form;
  float *values;            // [SST_MAX_CHANNELS,256] and
  ssti_picture_plan *plans; // [N] of the batch given last, in the device's memory
  ssti_passage *passage;
  int place; // of the passage, taken last
} ssti_batch_feed;

// Before the loader's start, which makes plans or batches. `looked_at` says that somebody wants to see the input of
// batches. Errors: OUT_OF_MEMORY, and what the device failed in.
sst_status ssti_batch_feed_open(sst_context *context, sst_graph *graph, sst_value input, sst_value target,
                                sst_loader *loader, bool looked_at, ssti_batch_feed *out);
// Lets the graph's next step read the batch, the one that came out last.
void ssti_batch_feed_give(ssti_batch_feed *feed, const sst_batch *batch);
// Waits for the device. The loader makes whole batches again from its next start on. Also one that could not be opened.
void ssti_batch_feed_close(ssti_batch_feed *feed);

#endif
