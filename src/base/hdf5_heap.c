// SPDX-License-Identifier: Apache-2.0
#include "base/hdf5_heap.h"

#include <string.h>

static uint64_t little_endian(const uint8_t *bytes, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; i--) { value = value << 8 | bytes[i]; }
  return value;
}

ssti_hdf5_reference ssti_hdf5_reference_decode(const uint8_t bytes[SSTI_HDF5_REFERENCE]) {
  return (ssti_hdf5_reference){(uint32_t)little_endian(bytes, 4), little_endian(bytes + 4, 8),
                               (uint32_t)little_endian(bytes + 12, 4)};
}

uint64_t ssti_hdf5_heap_size(const uint8_t head[SSTI_HDF5_HEAP_HEAD]) {
  return memcmp(head, "GCOL\1", 5) == 0 ? little_endian(head + 8, 8) : 0;
}

const uint8_t *ssti_hdf5_heap_find(const uint8_t *heap, uint64_t size, uint32_t index, uint64_t *bytes) {
  enum { HEAD = SSTI_HDF5_HEAP_HEAD }; // of the heap, and of each object in it
  if (size < HEAD) { return NULL; }
  const uint8_t *at = heap + HEAD;
  for (uint64_t left = size - HEAD; left >= HEAD;) {
    uint64_t number = little_endian(at, 2), held = little_endian(at + 8, 8);
    if (number == 0 || held > left - HEAD) { return NULL; } // number 0 is the free space at the end
    if (number == index) {
      *bytes = held;
      return at + HEAD;
    }
    uint64_t step = HEAD + (held + 7) / 8 * 8;
    if (step > left) { return NULL; }
    left -= step;
    at += step;
  }
  return NULL;
}
