// SPDX-License-Identifier: Apache-2.0
// The binary form of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of one label byte (CIFAR-100: coarse, then fine)
// and 3,072 bytes of 32x32 red, green and blue planes, nothing else.
#ifndef SPIKESTILL_DATA_CIFAR_H
#define SPIKESTILL_DATA_CIFAR_H

#include "base/memory.h"

enum { SSTI_CIFAR_SIDE = 32, SSTI_CIFAR_PIXELS = 32 * 32, SSTI_CIFAR_BYTES = 3 * 32 * 32 };

typedef enum ssti_cifar_kind { SSTI_CIFAR_10, SSTI_CIFAR_100 } ssti_cifar_kind;

// Bytes of a record.
static inline size_t ssti_cifar_record_bytes(ssti_cifar_kind kind) {
  return (kind == SSTI_CIFAR_100 ? 2u : 1u) + SSTI_CIFAR_BYTES;
}

// Checks that `size` bytes are a whole number of records, at least one, and writes that number.
sst_status ssti_cifar_count(sst_context *context, const char *name, size_t size, ssti_cifar_kind kind, int64_t *count);

// Unpacks the first `count` records of `data` to pixels [count,32,32,3] and labels [count] (CIFAR-100: fine ones).
// `data` holds that many. Errors: FORMAT for a label outside its range, with name and byte offset.
sst_status ssti_cifar_read(sst_context *context, const char *name, const void *data, int64_t count,
                           ssti_cifar_kind kind, uint8_t *pixels, uint8_t *labels);

#endif
