// SPDX-License-Identifier: Apache-2.0
// From events to frames: counts of events for each bin of time, pixel and polarity, [T,H,W,C]. A count stops at 255.
#ifndef SPIKESTILL_DATA_FRAMING_H
#define SPIKESTILL_DATA_FRAMING_H

#include "data/events.h"
#include "spikestill/events.h"

// Errors: INVALID_ARGUMENT: an option outside its range.
sst_status ssti_framing_check(sst_context *context, const sst_framing *framing);

// How many frames the mode itself makes of the sorted recording, before `frames` pads or cuts: 0 for one without events
// in the modes that do not fix the number.
int64_t ssti_framing_natural(const ssti_events *events, const sst_framing *framing);

// Counts the sorted recording into out [framing->frames,H,W,C]. The framing must have passed the check.
void ssti_framing_count(const ssti_events *events, const sst_framing *framing, uint8_t *out);

// The frames added up as a picture rgb [H,W,3] on white: brighter events blue, darker ones red (one channel: black).
// The pixel with the most events has the full colour.
void ssti_frames_picture(const uint8_t *counts, int64_t timesteps, int height, int width, int channels, uint8_t *rgb);

#endif
