// SPDX-License-Identifier: Apache-2.0
#include "graph/memory_plan.h"

#include <stdlib.h>

#include "base/memory.h"

static size_t aligned(size_t bytes, size_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

// Larger first; among equals the one that lives first, so that chains of them take turns in few places; then the one
// that was named first, so that the plan does not depend on the sort.
static int compare_size(const void *left, const void *right) {
  const ssti_plan_buffer *a = *(ssti_plan_buffer *const *)left, *b = *(ssti_plan_buffer *const *)right;
  if (a->bytes != b->bytes) { return a->bytes > b->bytes ? -1 : 1; }
  if (a->first != b->first) { return a->first < b->first ? -1 : 1; }
  return a < b ? -1 : a > b;
}

static bool live_together(const ssti_plan_buffer *a, const ssti_plan_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

// Puts `buffer` into the lowest gap between the already placed ones, which are sorted by offset; returns its place in
// that order.
static int place(ssti_plan_buffer *buffer, ssti_plan_buffer **placed, int placed_count, size_t alignment) {
  size_t need = aligned(buffer->bytes, alignment), gap_start = 0;
  for (int i = 0; i < placed_count; i++) {
    const ssti_plan_buffer *other = placed[i];
    if (!live_together(buffer, other)) { continue; }
    if (other->offset >= gap_start + need) { break; }
    size_t end = other->offset + aligned(other->bytes, alignment);
    if (end > gap_start) { gap_start = end; }
  }
  buffer->offset = gap_start;
  int at = 0;
  while (at < placed_count && placed[at]->offset <= gap_start) { at++; }
  return at;
}

sst_status ssti_memory_plan_aligned(sst_context *context, ssti_plan_buffer *buffers, int count, size_t alignment,
                                    size_t *total) {
  *total = 0;
  ssti_plan_buffer **order = NULL, **placed = NULL;
  sst_status status = SST_OK;
  SST_TRY_GOTO(ssti_allocate(context, (size_t)count, sizeof *order, &order));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)count, sizeof *placed, &placed));
  for (int i = 0; i < count; i++) { order[i] = &buffers[i]; }
  qsort(order, (size_t)count, sizeof *order, compare_size);
  int placed_count = 0;
  for (int i = 0; i < count; i++) {
    ssti_plan_buffer *buffer = order[i];
    if (buffer->bytes == 0) {
      buffer->offset = 0;
      continue;
    }
    int at = place(buffer, placed, placed_count, alignment);
    for (int j = placed_count; j > at; j--) { placed[j] = placed[j - 1]; }
    placed[at] = buffer;
    placed_count++;
    size_t end = buffer->offset + aligned(buffer->bytes, alignment);
    if (end > *total) { *total = end; }
  }
done:
  ssti_free(context, order);
  ssti_free(context, placed);
  return status;
}
