// SPDX-License-Identifier: Apache-2.0
#include "data/cifar.h"

#include <inttypes.h>

sst_status ssti_cifar_count(sst_context *context, const char *name, size_t size, ssti_cifar_kind kind, int64_t *count) {
  size_t record = ssti_cifar_record_bytes(kind);
  *count = 0;
  if (size == 0) {
    SST_FAIL(context, SST_FORMAT, "%s: the file is empty, expected records of %zu bytes", name, record);
  }
  if (size % record != 0) {
    SST_FAIL(
        context, SST_FORMAT,
        "%s: ends at byte %zu, %zu bytes into record %zu; expected whole records of %zu bytes: the file is cut off "
        "or of another format",
        name, size, size % record, size / record, record);
  }
  *count = (int64_t)(size / record);
  return SST_OK;
}

static sst_status check_label(sst_context *context, const char *name, uint64_t offset, const char *what, uint8_t found,
                              int classes) {
  if (found >= classes) {
    SST_FAIL(context, SST_FORMAT, "%s: at byte %" PRIu64 ": found %s %d, expected 0 to %d", name, offset, what, found,
             classes - 1);
  }
  return SST_OK;
}

sst_status ssti_cifar_read(sst_context *context, const char *name, const void *data, int64_t count,
                           ssti_cifar_kind kind, uint8_t *pixels, uint8_t *labels) {
  const uint8_t *record = data;
  size_t step = ssti_cifar_record_bytes(kind);
  for (int64_t i = 0; i < count; i++, record += step) {
    uint64_t offset = (uint64_t)i * step;
    const uint8_t *planes = record + step - SSTI_CIFAR_BYTES;
    if (kind == SSTI_CIFAR_100) {
      SST_TRY(check_label(context, name, offset, "coarse label", record[0], 20));
      SST_TRY(check_label(context, name, offset + 1, "fine label", record[1], 100));
    } else {
      SST_TRY(check_label(context, name, offset, "label", record[0], 10));
    }
    labels[i] = planes[-1];
    uint8_t *out = pixels + i * SSTI_CIFAR_BYTES;
    for (int p = 0; p < SSTI_CIFAR_PIXELS; p++) {
      out[3 * p] = planes[p];
      out[3 * p + 1] = planes[SSTI_CIFAR_PIXELS + p];
      out[3 * p + 2] = planes[2 * SSTI_CIFAR_PIXELS + p];
    }
  }
  return SST_OK;
}
