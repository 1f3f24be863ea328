// SPDX-License-Identifier: Apache-2.0
// Augmentation of framed recordings. Everything drawn for a recording comes from one generator, which the loader keys
// by (seed, epoch, position). Sources: flip, roll, shear and cutout: Li, Kim, Park, Geller, Panda 2022, "Neuromorphic
// Data Augmentation for Training Spiking Neural Networks"; drops by time, area and point: Gu, Sng, Hu, Yu 2021,
// "EventDrop: Data Augmentation for Event-based Learning". Both draw one kind for a recording; here each that is
// switched on is made, with a drawn amount.
#ifndef SPIKESTILL_DATA_EVENT_AUGMENT_H
#define SPIKESTILL_DATA_EVENT_AUGMENT_H

#include "base/fail.h"
#include "base/random.h"
#include "spikestill/events.h"

// One recording's frames, and room of the size of one frame.
typedef struct ssti_frames {
  int64_t timesteps;
  int height, width, channels;
  uint8_t *counts; // [T,H,W,C]
  uint8_t *room;   // [H,W,C]
} ssti_frames;

// Errors: INVALID_ARGUMENT: an option outside its range.
sst_status ssti_event_augmentation_check(sst_context *context, const sst_event_augmentation *options);

// Changes the frames as the options, which must have passed the check, say. Drops work on counts as well as on events,
// so that framed recordings can be kept: each counted event is lost or stays by itself, and a frame that the stretch of
// time covers in part loses that part of its events.
void ssti_event_augment(ssti_frames *frames, const sst_event_augmentation *options, ssti_random *random);

#endif
