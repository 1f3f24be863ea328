// SPDX-License-Identifier: Apache-2.0
// IDX, the format of MNIST and Fashion-MNIST: a big-endian magic number (0x00000803 pictures, 0x00000801 labels), one
// big-endian size per axis, then bytes. The content may be gzip.
#ifndef SPIKESTILL_DATA_IDX_H
#define SPIKESTILL_DATA_IDX_H

#include "base/memory.h"

// Reads pictures of the given size from `data` [size]. At most `limit` of them (0: all). *pixels [count,height,width]
// is owned by the caller. Errors: FORMAT with name, byte offset, found, expected; OUT_OF_MEMORY.
sst_status ssti_idx_read_pictures(sst_context *context, const char *name, const void *data, size_t size, int64_t height,
                                  int64_t width, int64_t limit, uint8_t **pixels, int64_t *count);

// Reads labels 0..classes-1. *labels [count] is owned by the caller.
sst_status ssti_idx_read_labels(sst_context *context, const char *name, const void *data, size_t size, int classes,
                                int64_t limit, uint8_t **labels, int64_t *count);

#endif
