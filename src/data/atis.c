// SPDX-License-Identifier: Apache-2.0
// No gzip here, unlike in the readers of pictures: a recording may begin with its two bytes (x = 31, y = 139).
#include <inttypes.h>

#include "data/event_readers.h"

enum { RECORD = 5, OVERFLOW_ROW = 240, OVERFLOW_US = 8192 };

sst_status ssti_atis_read(const char *name, const void *data, size_t size, ssti_events *events) {
  sst_context *context = events->context;
  const uint8_t *bytes = data;
  int64_t added = 0;
  ssti_events_clear(events);
  if (size == 0 || size % RECORD != 0) {
    SST_FAIL(context, SST_FORMAT, "%s: ends at byte %zu, expected whole records of %d bytes, at least one", name, size,
             RECORD);
  }
  SST_TRY(ssti_events_reserve(events, size / RECORD));
  for (size_t at = 0; at < size; at += RECORD) {
    const uint8_t *b = bytes + at;
    if (b[1] == OVERFLOW_ROW) {
      added += OVERFLOW_US;
      continue;
    }
    if (b[0] >= events->width || b[1] >= events->height) {
      ssti_events_clear(events);
      SST_FAIL(context, SST_FORMAT, "%s: at byte %zu: found an event at x = %d, y = %d, expected it inside %dx%d", name,
               at, b[0], b[1], events->width, events->height);
    }
    int64_t t = (int64_t)(b[2] & 0x7f) << 16 | b[3] << 8 | b[4];
    int8_t p = events->channels == 2 ? (int8_t)(b[2] >> 7) : 0;
    SST_TRY(ssti_events_append(events, (ssti_event){t + added, b[0], b[1], p}));
  }
  return ssti_events_sort(events);
}
