// SPDX-License-Identifier: Apache-2.0
// HDF5 keeps sequences of variable length in heaps of its file. They are looked up here rather than by libhdf5, which
// believes a heap's sizes, whatever they say.
#ifndef SPIKESTILL_BASE_HDF5_HEAP_H
#define SPIKESTILL_BASE_HDF5_HEAP_H

#include <stddef.h>
#include <stdint.h>

// What the file holds in place of a sequence: 16 bytes, where its addresses have 8.
enum { SSTI_HDF5_REFERENCE = 16, SSTI_HDF5_HEAP_HEAD = 16 };
typedef struct ssti_hdf5_reference {
  uint32_t length;  // elements of the sequence
  uint64_t address; // of the heap in the file
  uint32_t index;   // of the object in the heap
} ssti_hdf5_reference;
ssti_hdf5_reference ssti_hdf5_reference_decode(const uint8_t bytes[SSTI_HDF5_REFERENCE]);

// The whole heap's size, from its head; 0 if it is none.
uint64_t ssti_hdf5_heap_size(const uint8_t head[SSTI_HDF5_HEAP_HEAD]);

// The object of that number in a heap of `size` bytes, and how many bytes it has; NULL if there is none.
const uint8_t *ssti_hdf5_heap_find(const uint8_t *heap, uint64_t size, uint32_t index, uint64_t *bytes);

#endif
