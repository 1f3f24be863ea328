// SPDX-License-Identifier: Apache-2.0
// Stands for shd.c in builds without libhdf5.
#include "data/event_readers.h"

static sst_status absent(sst_context *context, const char *name, ssti_shd **out) {
  *out = NULL;
  SST_FAIL(context, SST_UNSUPPORTED, "%s: this build has no libhdf5, which reading HDF5 files needs", name);
}

sst_status ssti_shd_open(sst_context *context, const char *path, int classes, ssti_shd **out) {
  (void)classes;
  return absent(context, path, out);
}

sst_status ssti_shd_open_bytes(sst_context *context, const char *name, const void *data, size_t size, int classes,
                               ssti_shd **out) {
  (void)data;
  (void)size;
  (void)classes;
  return absent(context, name, out);
}

// No file can be open, so that nobody has one to ask about.
int64_t ssti_shd_count(const ssti_shd *file) {
  (void)file;
  return 0;
}

int ssti_shd_label(const ssti_shd *file, int64_t index) {
  (void)file;
  (void)index;
  return 0;
}

sst_status ssti_shd_read(ssti_shd *file, int64_t index, ssti_events *events) {
  (void)file;
  (void)index;
  SST_FAIL(events->context, SST_UNSUPPORTED, "this build has no libhdf5, which reading HDF5 files needs");
}

void ssti_shd_close(ssti_shd *file) { (void)file; }
