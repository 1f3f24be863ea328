// SPDX-License-Identifier: Apache-2.0
// Data sets of event recordings: where the files of each lie, which part they belong to, and frames of all of them.
#ifndef SPIKESTILL_DATA_EVENT_SET_H
#define SPIKESTILL_DATA_EVENT_SET_H

#include "data/events.h"
#include "data/frame_cache.h"
#include "spikestill/data.h"

typedef struct ssti_event_set ssti_event_set;

// How many classes there are; reads no recording. Errors: NOT_FOUND, IO.
sst_status ssti_event_set_classes(sst_context *context, const sst_dataset_options *options, int *out);

// Lists the recordings; info->height and ->width are those of the frames wanted. Fills in count and classes.
sst_status ssti_event_set_open(sst_context *context, const sst_dataset_options *options, sst_dataset_info *info,
                               ssti_event_set **out);
void ssti_event_set_close(ssti_event_set *set);

// All recordings as frames, by all threads, from the cache if it has them and into it otherwise. *framed is the
// caller's.
sst_status ssti_event_set_frames(ssti_event_set *set, const sst_dataset_options *options, ssti_framed *framed);

// Recording i as it is in its file, sorted, in place of what is in `events`, which becomes the caller's.
sst_status ssti_event_set_record(ssti_event_set *set, int64_t index, ssti_events *events);
const char *ssti_event_set_class(const ssti_event_set *set, int label);

#endif
