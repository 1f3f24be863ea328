// SPDX-License-Identifier: Apache-2.0
// Memory planning: buffers with a size and a life span get offsets in one block so that no two that live at the same
// time overlap. Greedy by size, lowest fitting gap: simple, and within a few percent of the lower bound on the networks
// built here.
#ifndef SPIKESTILL_GRAPH_MEMORY_PLAN_H
#define SPIKESTILL_GRAPH_MEMORY_PLAN_H

#include "base/fail.h"

enum { SSTI_PLAN_ALIGNMENT = 64 };

// A size in bytes, or in elements of whatever kind the block is an array of.
typedef struct ssti_plan_buffer {
  size_t bytes;
  int first, last; // moments of life, both included
  size_t offset;   // result, a multiple of the alignment
} ssti_plan_buffer;

// Sets the offsets; *total is the size of the block. Buffers of 0 bytes get offset 0. Errors: OUT_OF_MEMORY.
sst_status ssti_memory_plan_aligned(sst_context *context, ssti_plan_buffer *buffers, int count, size_t alignment,
                                    size_t *total);
static inline sst_status ssti_memory_plan(sst_context *context, ssti_plan_buffer *buffers, int count, size_t *total) {
  return ssti_memory_plan_aligned(context, buffers, count, SSTI_PLAN_ALIGNMENT, total);
}

#endif
