// SPDX-License-Identifier: Apache-2.0
// Recordings of an event camera: a list of events in order of time. Readers append to it, framing.h counts it into
// frames.
#ifndef SPIKESTILL_DATA_EVENTS_H
#define SPIKESTILL_DATA_EVENTS_H

#include "base/memory.h"

typedef struct ssti_event {
  int64_t t;    // microseconds
  int16_t x, y; // column and row
  int8_t p;     // polarity: 1 brighter, 0 darker; always 0 where the sensor has one channel
} ssti_event;

typedef struct ssti_events {
  sst_context *context;
  ssti_event *items; // [count], owned
  size_t count, capacity;
  int width, height;
  int channels; // 2 with polarity, 1 without
} ssti_events;

enum { SSTI_MAX_SENSOR_SIDE = 4096 };

// An empty recording of a sensor of that size; it owns nothing yet.
ssti_events ssti_events_begin(sst_context *context, int width, int height, int channels);
void ssti_events_free(ssti_events *events);

// Forgets the events and keeps the memory, so that one object reads a folder of recordings.
static inline void ssti_events_clear(ssti_events *events) { events->count = 0; }

// Room for `count` events in all, so that what follows cannot fail. Errors: OUT_OF_MEMORY.
sst_status ssti_events_reserve(ssti_events *events, size_t count);

// Appends one event. Errors: OUT_OF_MEMORY. The coordinates must be inside the sensor.
sst_status ssti_events_append(ssti_events *events, ssti_event event);

// Whether no event is earlier than the one before it.
bool ssti_events_are_sorted(const ssti_events *events);

// Puts the events in order of time; those at the same time keep their order. Errors: OUT_OF_MEMORY.
sst_status ssti_events_sort(ssti_events *events);

// Appends to `out` those of the sorted recording with begin <= t < end. Errors: OUT_OF_MEMORY.
sst_status ssti_events_cut(const ssti_events *events, int64_t begin, int64_t end, ssti_events *out);

#endif
