// SPDX-License-Identifier: Apache-2.0
// Readers of recordings, from bytes in memory. `name` is for messages. Each puts the recording into `events`, which
// says how large the sensor is, in place of what was there, in order of time. Errors: FORMAT, with name, byte offset,
// what was found and what was expected; OUT_OF_MEMORY.
#ifndef SPIKESTILL_DATA_EVENT_READERS_H
#define SPIKESTILL_DATA_EVENT_READERS_H

#include "data/events.h"

// ATIS 40-bit (N-MNIST 34x34, N-Caltech101 240x180; Orchard et al. 2015): x, y, polarity bit and 23 bits of time. A
// record with y = 240 is no event: it adds 8,192 us to all later times.
sst_status ssti_atis_read(const char *name, const void *data, size_t size, ssti_events *events);

typedef enum ssti_aedat2_layout {
  SSTI_AEDAT2_DVS128,     // x = address bits 1 to 7, y = bits 8 to 14, polarity = bit 0, as they are
  SSTI_AEDAT2_CIFAR10_DVS // as the field reads CIFAR10-DVS: x' = 127 - y, y' = 127 - x, p' = 1 - p
} ssti_aedat2_layout;

// AEDAT 2.0 of a DVS128 camera, 128x128: text lines that begin with '#', then big-endian pairs of address and time.
// Times that wrap at 2^32 us go on. Records with bit 15 set are the camera's special events and are skipped.
sst_status ssti_aedat2_read(const char *name, const void *data, size_t size, ssti_aedat2_layout layout,
                            ssti_events *events);

// AEDAT 3.1 (DVS128 Gesture): packets. Those that do not hold polarity events, and invalid events, are skipped.
sst_status ssti_aedat3_read(const char *name, const void *data, size_t size, ssti_events *events);

// A stretch of a recording that is one sample: begin <= t < end.
typedef struct ssti_event_label {
  int label; // from 0
  int64_t begin, end;
} ssti_event_label;

// The labels beside a DVS128 Gesture recording: a heading, then lines "class,start us,end us" with classes 1..classes,
// handed out from 0. *out is owned by the caller.
sst_status ssti_event_labels_read(sst_context *context, const char *name, const void *data, size_t size, int classes,
                                  ssti_event_label **out, int64_t *count);

// SHD and SSC (Cramer et al. 2020), HDF5: spikes of 700 cochlea channels, 700x1, one channel. A file holds many
// recordings. Errors also: NOT_FOUND.
typedef struct ssti_shd ssti_shd;
enum { SSTI_SHD_UNITS = 700 };
sst_status ssti_shd_open(sst_context *context, const char *path, int classes, ssti_shd **out);
// The same from the bytes of such a file, borrowed until close.
sst_status ssti_shd_open_bytes(sst_context *context, const char *name, const void *data, size_t size, int classes,
                               ssti_shd **out);
int64_t ssti_shd_count(const ssti_shd *file);
int ssti_shd_label(const ssti_shd *file, int64_t index);
// Recording `index`; times are cut off to whole microseconds. Threads may read at the same time.
sst_status ssti_shd_read(ssti_shd *file, int64_t index, ssti_events *events);
void ssti_shd_close(ssti_shd *file);

#endif
