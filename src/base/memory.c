// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/context_state.h"

// In front of every block: how large it is (for the statistics) and where the allocator's memory starts. One cache
// line, so that the block keeps the allocator's alignment.
typedef struct block_header {
  size_t bytes;                   // as asked for
  size_t offset;                  // from the allocator's memory to the block
  const ssti_memory_space *space; // that it is from; NULL: the allocator
} block_header;

enum { HEADER_SPACE = 64, HUGE_PAGE = 2 << 20, HUGE_PAGE_THRESHOLD = 4 << 20 };
// A header in a device's memory keeps the block's alignment for the device's widest accesses.
enum { SPACE_HEADER = 256 };
static_assert(sizeof(block_header) <= HEADER_SPACE, "the header has to fit into its space");

static block_header *header_of(void *block) { return (block_header *)(void *)((char *)block - sizeof(block_header)); }

// Writes `value` to the pointer that `out` points to; its type is unknown here, and memcpy asks no questions.
static void store_pointer(void *out, void *value) { memcpy(out, &value, sizeof value); }

// A block whose address is a multiple of `alignment` (64, or more for the default allocator), or NULL.
static void *obtain(sst_context *context, size_t bytes, size_t alignment) {
  size_t extra = alignment > HEADER_SPACE ? alignment + HEADER_SPACE : HEADER_SPACE;
  if (bytes > SIZE_MAX - extra) { return NULL; }
  atomic_fetch_add(&context->allocation_count, 1);
  char *memory = context->allocator.allocate(context->allocator.user, bytes + extra);
  if (memory == NULL) { return NULL; }
  uintptr_t start = (uintptr_t)memory;
  uintptr_t aligned = (start + HEADER_SPACE + alignment - 1) / alignment * alignment;
  char *block = memory + (aligned - start);
  *header_of(block) = (block_header){.bytes = bytes, .offset = aligned - start};
  atomic_fetch_add(&context->bytes_in_use, bytes);
  return block;
}

static sst_status allocate_bytes(sst_context *context, size_t count, size_t size, size_t alignment, void *out) {
  store_pointer(out, NULL);
  if (size != 0 && count > SIZE_MAX / size) {
    SST_FAIL(context, SST_OUT_OF_MEMORY, "%zu elements of %zu bytes are more than this machine can address", count,
             size);
  }
  void *block = obtain(context, count * size, alignment);
  if (block == NULL) {
    SST_FAIL(context, SST_OUT_OF_MEMORY, "%zu bytes of memory could not be allocated", count * size);
  }
  store_pointer(out, block);
  return SST_OK;
}

sst_status ssti_allocate_raw(sst_context *context, size_t count, size_t size, void *out) {
  return allocate_bytes(context, count, size, HEADER_SPACE, out);
}

sst_status ssti_allocate(sst_context *context, size_t count, size_t size, void *out) {
  SST_TRY(ssti_allocate_raw(context, count, size, out));
  void *block = NULL;
  memcpy(&block, out, sizeof block);
  memset(block, 0, count * size);
  return SST_OK;
}

sst_status ssti_allocate_tensors(sst_context *context, size_t bytes, void *out) {
  // Somebody else's allocator keeps its own counsel about pages.
  if (!context->default_allocator || bytes < HUGE_PAGE_THRESHOLD) { return ssti_allocate_raw(context, bytes, 1, out); }
  SST_TRY(allocate_bytes(context, bytes, 1, HUGE_PAGE, out));
  void *block = NULL;
  memcpy(&block, out, sizeof block);
  // Advice only: a kernel without huge pages says no, and nothing is lost but speed. The part of a page at the end
  // may hold the neighbours of this block, and stays as it is.
  (void)madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
  return SST_OK;
}

sst_status ssti_grow(sst_context *context, void *block, size_t *capacity, size_t needed, size_t size) {
  if (needed <= *capacity) { return SST_OK; }
  size_t larger = *capacity + *capacity / 2;
  if (larger < needed) { larger = needed; }
  if (larger < 8) { larger = 8; }
  void *fresh = NULL;
  SST_TRY(ssti_allocate(context, larger, size, &fresh));
  void *old = NULL;
  memcpy(&old, block, sizeof old);
  if (old != NULL) { memcpy(fresh, old, *capacity * size); }
  ssti_free(context, old);
  store_pointer(block, fresh);
  *capacity = larger;
  return SST_OK;
}

sst_status ssti_copy_text(sst_context *context, const char *text, char **out) {
  size_t length = strlen(text) + 1;
  SST_TRY(ssti_allocate_raw(context, length, 1, out));
  memcpy(*out, text, length);
  return SST_OK;
}

// Also of a device's blocks the header lies in front: host code may read it, and nobody else does.
sst_status ssti_allocate_in(sst_context *context, const ssti_memory_space *space, size_t bytes, void *out) {
  if (space == NULL) {
    SST_TRY(ssti_allocate_tensors(context, bytes, out));
    void *block = NULL;
    memcpy(&block, out, sizeof block);
    memset(block, 0, bytes);
    return SST_OK;
  }
  store_pointer(out, NULL);
  if (bytes > SIZE_MAX - SPACE_HEADER) {
    SST_FAIL(context, SST_OUT_OF_MEMORY, "%zu bytes are more than any device has", bytes);
  }
  atomic_fetch_add(&context->allocation_count, 1);
  void *memory = NULL;
  SST_TRY(space->allocate(space->user, bytes + SPACE_HEADER, &memory));
  char *block = (char *)memory + SPACE_HEADER;
  *header_of(block) = (block_header){.bytes = bytes, .offset = SPACE_HEADER, .space = space};
  space->clear(space->user, block, bytes);
  atomic_fetch_add(&context->bytes_in_use, bytes);
  store_pointer(out, block);
  return SST_OK;
}

void ssti_free(sst_context *context, void *block) {
  if (block == NULL) { return; }
  block_header header = *header_of(block);
  atomic_fetch_sub(&context->bytes_in_use, header.bytes);
  if (header.space != NULL) {
    header.space->release(header.space->user, (char *)block - header.offset, header.bytes + SPACE_HEADER);
    return;
  }
  context->allocator.release(context->allocator.user, (char *)block - header.offset);
}
