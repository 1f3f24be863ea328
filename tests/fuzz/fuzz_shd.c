// SPDX-License-Identifier: Apache-2.0
// The input is an HDF5 file in memory, every recording of which is read.
#include <stdlib.h>

#include "data/event_readers.h"

enum { MAX_READ = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(sst_context *context, ssti_shd *file) {
  ssti_events events = ssti_events_begin(context, SSTI_SHD_UNITS, 1, 1);
  for (int64_t i = 0; i < ssti_shd_count(file) && i < MAX_READ; i++) {
    sst_status status = ssti_shd_read(file, i, &events);
    if (status != SST_OK && (status != SST_FORMAT || events.count != 0)) { abort(); }
    if (!ssti_events_are_sorted(&events)) { abort(); }
    for (size_t k = 0; k < events.count; k++) {
      if (events.items[k].x < 0 || events.items[k].x >= SSTI_SHD_UNITS || events.items[k].t < 0) { abort(); }
    }
  }
  ssti_events_free(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  ssti_shd *file = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 0; }
  sst_status status = ssti_shd_open_bytes(context, "input", data, size, 20, &file);
  if (status == SST_OK) {
    read_all(context, file);
  } else if ((status != SST_FORMAT && status != SST_UNSUPPORTED) || file != NULL) {
    abort();
  }
  ssti_shd_close(file);
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
