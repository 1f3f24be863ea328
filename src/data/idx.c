// SPDX-License-Identifier: Apache-2.0
#include "data/idx.h"

#include <inttypes.h>

#include "data/byte_source.h"

enum { MAGIC_PICTURES = 0x00000803, MAGIC_LABELS = 0x00000801 };

static sst_status read_u32(ssti_byte_source *source, const char *what, uint32_t *out) {
  uint8_t bytes[4];
  SST_TRY(ssti_byte_source_read(source, bytes, sizeof bytes, what));
  *out = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
  return SST_OK;
}

static sst_status read_magic(ssti_byte_source *source, uint32_t expected, const char *kind) {
  uint32_t magic = 0;
  SST_TRY(read_u32(source, "the header", &magic));
  if (magic != expected) {
    SST_FAIL(source->context, SST_FORMAT, "%s: at byte 0: found 0x%08" PRIx32 ", expected 0x%08" PRIx32 " (IDX %s)",
             source->name, magic, expected, kind);
  }
  return SST_OK;
}

static sst_status read_size(ssti_byte_source *source, const char *what, int64_t expected) {
  char place[SSTI_BYTE_PLACE_SIZE];
  uint32_t found = 0;
  ssti_byte_source_place(source, source->offset, place);
  SST_TRY(read_u32(source, "the header", &found));
  if ((int64_t)found != expected) {
    SST_FAIL(source->context, SST_FORMAT, "%s: at %s: found a %s of %" PRIu32 ", expected %" PRId64, source->name,
             place, what, found, expected);
  }
  return SST_OK;
}

// The promised count, checked against what the data can hold before anything is allocated for it.
static sst_status check_count(ssti_byte_source *source, uint32_t count, uint64_t bytes_each) {
  uint64_t needed = count * bytes_each, most = ssti_byte_source_most_left(source);
  if (count == 0) { SST_FAIL(source->context, SST_FORMAT, "%s: at byte 4: found a count of 0", source->name); }
  if (needed > most) {
    SST_FAIL(source->context, SST_FORMAT,
             "%s: at byte 4: the header promises %" PRIu32 " records, %" PRIu64 " bytes, but at most %" PRIu64
             " follow; the file is cut off or damaged",
             source->name, count, needed, most);
  }
  return SST_OK;
}

// The first `limit` records, then, unless the limit left some out, the end.
static sst_status read_records(ssti_byte_source *source, uint32_t found, uint64_t bytes_each, int64_t limit,
                               const char *what, uint8_t **out, int64_t *count) {
  sst_status status = SST_OK;
  int64_t wanted = limit > 0 && limit < (int64_t)found ? limit : (int64_t)found;
  uint8_t *bytes = NULL;
  SST_TRY(ssti_allocate_raw(source->context, (size_t)wanted, (size_t)bytes_each, &bytes));
  SST_TRY_GOTO(ssti_byte_source_read(source, bytes, (size_t)wanted * (size_t)bytes_each, what));
  if (wanted == (int64_t)found) { SST_TRY_GOTO(ssti_byte_source_finish(source)); }
  *out = bytes;
  *count = wanted;
  return SST_OK;
done:
  ssti_free(source->context, bytes);
  return status;
}

static sst_status read_pictures(ssti_byte_source *source, int64_t height, int64_t width, int64_t limit,
                                uint8_t **pixels, int64_t *count) {
  uint32_t found = 0;
  SST_TRY(read_magic(source, MAGIC_PICTURES, "pictures"));
  SST_TRY(read_u32(source, "the header", &found));
  SST_TRY(read_size(source, "height", height));
  SST_TRY(read_size(source, "width", width));
  uint64_t bytes_each = (uint64_t)(height * width);
  SST_TRY(check_count(source, found, bytes_each));
  return read_records(source, found, bytes_each, limit, "the pictures", pixels, count);
}

static sst_status read_labels(ssti_byte_source *source, int classes, int64_t limit, uint8_t **labels, int64_t *count) {
  uint32_t found = 0;
  SST_TRY(read_magic(source, MAGIC_LABELS, "labels"));
  SST_TRY(read_u32(source, "the header", &found));
  SST_TRY(check_count(source, found, 1));
  uint64_t start = source->offset;
  SST_TRY(read_records(source, found, 1, limit, "the labels", labels, count));
  for (int64_t i = 0; i < *count; i++) {
    if ((*labels)[i] >= classes) {
      char place[SSTI_BYTE_PLACE_SIZE];
      ssti_byte_source_place(source, start + (uint64_t)i, place);
      sst_status status = ssti_fail(source->context, SST_FORMAT, "%s: at %s: found label %d, expected 0 to %d",
                                    source->name, place, (*labels)[i], classes - 1);
      ssti_free(source->context, *labels);
      *labels = NULL;
      return status;
    }
  }
  return SST_OK;
}

sst_status ssti_idx_read_pictures(sst_context *context, const char *name, const void *data, size_t size, int64_t height,
                                  int64_t width, int64_t limit, uint8_t **pixels, int64_t *count) {
  ssti_byte_source source;
  *pixels = NULL;
  *count = 0;
  SST_TRY(ssti_byte_source_begin(context, name, data, size, &source));
  sst_status status = read_pictures(&source, height, width, limit, pixels, count);
  ssti_byte_source_end(&source);
  return status;
}

sst_status ssti_idx_read_labels(sst_context *context, const char *name, const void *data, size_t size, int classes,
                                int64_t limit, uint8_t **labels, int64_t *count) {
  ssti_byte_source source;
  *labels = NULL;
  *count = 0;
  SST_TRY(ssti_byte_source_begin(context, name, data, size, &source));
  sst_status status = read_labels(&source, classes, limit, labels, count);
  ssti_byte_source_end(&source);
  if (status != SST_OK) { *count = 0; }
  return status;
}
