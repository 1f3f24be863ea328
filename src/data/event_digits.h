// SPDX-License-Identifier: Apache-2.0
// Moving digits before a simulated event camera: 34x34, two polarities, ten classes, so that networks for dynamic data
// can be tried without a download.
#ifndef SPIKESTILL_DATA_EVENT_DIGITS_H
#define SPIKESTILL_DATA_EVENT_DIGITS_H

#include "data/events.h"

enum { SSTI_EVENT_DIGIT_SIDE = 34, SSTI_EVENT_DIGIT_CLASSES = 10 };

// Recording `index` of the training or the test part in place of what is in `events`, which must be 34x34x2, and its
// label. It depends on (seed, part, index) alone; every ten in a row hold each class once. May be called from several
// threads, each with its own `events`. Errors: OUT_OF_MEMORY.
sst_status ssti_event_digits_record(uint64_t seed, bool train, int64_t index, ssti_events *events, int *label);

#endif
