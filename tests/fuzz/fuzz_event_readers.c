// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the reader, the rest is the file.
#include <stdlib.h>
#include <string.h>

#include "data/event_readers.h"

enum { ATIS, AEDAT2, AEDAT2_CIFAR10_DVS, AEDAT3, LABELS, READERS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_labels(sst_context *context, const uint8_t *data, size_t size) {
  ssti_event_label *labels = NULL;
  int64_t count = 0;
  sst_status status = ssti_event_labels_read(context, "input", data, size, 11, &labels, &count);
  if (status == SST_OK ? count < 1 || labels == NULL : count != 0 || labels != NULL) { abort(); }
  for (int64_t i = 0; i < count; i++) {
    if (labels[i].label < 0 || labels[i].label > 10 || labels[i].begin < 0 || labels[i].end <= labels[i].begin) {
      abort();
    }
  }
  ssti_free(context, labels);
}

static sst_status read_events(int reader, const uint8_t *data, size_t size, ssti_events *events) {
  switch (reader) {
  case ATIS: return ssti_atis_read("input", data, size, events);
  case AEDAT2: return ssti_aedat2_read("input", data, size, SSTI_AEDAT2_DVS128, events);
  case AEDAT2_CIFAR10_DVS: return ssti_aedat2_read("input", data, size, SSTI_AEDAT2_CIFAR10_DVS, events);
  default: return ssti_aedat3_read("input", data, size, events);
  }
}

// What was read is in order and inside the sensor; a failure leaves nothing and says where.
static void check_events(sst_context *context, int reader, const uint8_t *data, size_t size) {
  ssti_events events = ssti_events_begin(context, 128, 128, 2);
  sst_status status = read_events(reader, data, size, &events);
  if (status != SST_OK &&
      (status != SST_FORMAT || events.count != 0 || strstr(sst_context_message(context), "byte ") == NULL)) {
    abort();
  }
  if (events.count > size / 5 || !ssti_events_are_sorted(&events)) { abort(); }
  for (size_t i = 0; i < events.count; i++) {
    ssti_event e = events.items[i];
    if (e.x < 0 || e.x >= 128 || e.y < 0 || e.y >= 128 || e.p < 0 || e.p > 1) { abort(); }
  }
  ssti_events_free(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sst_context *context = NULL;
  if (size < 1 || sst_context_create(NULL, &context) != SST_OK) { return 0; }
  int reader = data[0] % READERS;
  if (reader == LABELS) {
    check_labels(context, data + 1, size - 1);
  } else {
    check_events(context, reader, data + 1, size - 1);
  }
  if (sst_context_bytes_in_use(context) != 0) { abort(); }
  sst_context_destroy(context);
  return 0;
}
