// SPDX-License-Identifier: Apache-2.0
// Undoes the filters of a chunk.
#include <zlib.h>

#include "hdf5/hdf5_parts.h"

sst_status ssti_hdf5_unpacker_begin(const ssti_hdf5 *file, size_t chunk_bytes, ssti_hdf5_unpacker *out) {
  *out =
      (ssti_hdf5_unpacker){.capacity = chunk_bytes + chunk_bytes / 256 + 64}; // checksums, data that deflate enlarged
  for (int i = 0; i < 2; i++) { SST_TRY(ssti_allocate_raw(file->context, out->capacity, 1, &out->buffers[i])); }
  return SST_OK;
}

void ssti_hdf5_unpacker_end(const ssti_hdf5 *file, ssti_hdf5_unpacker *unpacker) {
  for (int i = 0; i < 2; i++) { ssti_free(file->context, unpacker->buffers[i]); }
  *unpacker = (ssti_hdf5_unpacker){0};
}

// False if it is no deflate stream, or holds more than `capacity` bytes.
static bool undo_deflate(const uint8_t *from, size_t size, uint8_t *to, size_t capacity, size_t *out) {
  uLongf made = (uLongf)capacity;
  uLong used = (uLong)size;
  const bool good = uncompress2(to, &made, from, &used) == Z_OK;
  *out = (size_t)made;
  return good;
}

// First all first bytes of the elements, then all second ones; what is left over comes last, as it was.
static void undo_shuffle(const uint8_t *from, size_t size, size_t element, uint8_t *to) {
  const size_t count = size / element;
  for (size_t k = 0; count > 0 && k < element; k++) {
    for (size_t i = 0; i < count; i++) { to[i * element + k] = from[k * count + i]; }
  }
  memcpy(to + count * element, from + count * element, size - count * element);
}

// Fletcher's sums modulo 65535 over big-endian pairs of bytes; a sum of 0 that began above is 65535.
static uint32_t fletcher32(const uint8_t *bytes, size_t size) {
  uint32_t first = 0, second = 0;
  for (size_t i = 0; i < size; i += 2) {
    const uint32_t low = i + 1 < size ? bytes[i + 1] : 0;
    first += (uint32_t)bytes[i] << 8 | low;
    first = (first & 0xffff) + (first >> 16);
    second += first;
    second = (second & 0xffff) + (second >> 16);
  }
  return second << 16 | first;
}

sst_status ssti_hdf5_unpack(const ssti_hdf5 *file, const ssti_hdf5_set *set, uint32_t skipped,
                            const ssti_hdf5_block *packed, size_t expected, ssti_hdf5_unpacker *unpacker,
                            const uint8_t **out) {
  const uint8_t *data = packed->bytes;
  size_t size = packed->size;
  for (int i = set->filter_count - 1; i >= 0; i--) {
    if (skipped >> i & 1) { continue; }
    uint8_t *to = data == unpacker->buffers[0] ? unpacker->buffers[1] : unpacker->buffers[0];
    const ssti_hdf5_filter filter = set->filters[i];
    if (filter.id == SSTI_HDF5_DEFLATE) {
      if (!undo_deflate(data, size, to, unpacker->capacity, &size)) {
        return ssti_hdf5_fail(file, set->place, "its packed data is damaged");
      }
      data = to;
    } else if (filter.id == SSTI_HDF5_FLETCHER32) {
      uint32_t kept = 0;
      if (size >= 4) {
        size -= 4;
        ssti_hdf5_cursor c = ssti_hdf5_cursor_begin(data + size, 4);
        kept = (uint32_t)ssti_hdf5_take(&c, 4);
      }
      if (fletcher32(data, size) != kept) { return ssti_hdf5_fail(file, set->place, "its data has a wrong checksum"); }
    } else {
      if (size > unpacker->capacity) { break; }
      undo_shuffle(data, size, filter.value > 0 ? filter.value : set->type.size, to);
      data = to;
    }
  }
  if (size != expected) {
    return ssti_hdf5_fail(file, set->place, "a chunk has %zu bytes, expected %zu", size, expected);
  }
  *out = data;
  return SST_OK;
}
