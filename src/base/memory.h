// SPDX-License-Identifier: Apache-2.0
// All memory of the library comes from here, through the context's allocator. Blocks are aligned to 64 bytes.
#ifndef SPIKESTILL_BASE_MEMORY_H
#define SPIKESTILL_BASE_MEMORY_H

#include "base/fail.h"

// Writes a zeroed block of `count * size` bytes to *out (a pointer to any object pointer). A count of 0 gives a
// valid block. Errors: OUT_OF_MEMORY with the number of bytes (also when the product overflows); *out is NULL then.
sst_status ssti_allocate(sst_context *context, size_t count, size_t size, void *out);

// As above without clearing: for large buffers that are written before they are read.
sst_status ssti_allocate_raw(sst_context *context, size_t count, size_t size, void *out);

// A block for tensors: aligned to 2 MiB where it is large enough to gain from huge pages, which it asks for. Not
// cleared.
sst_status ssti_allocate_tensors(sst_context *context, size_t bytes, void *out);

// Memory that a device works on and the host reads too. `allocate` gives 64-byte aligned memory or fails with a
// sentence.
typedef struct ssti_memory_space {
  sst_status (*allocate)(void *user, size_t bytes, void **out);
  void (*clear)(void *user, void *memory, size_t bytes); // done when it returns
  void (*release)(void *user, void *memory, size_t bytes);
  size_t (*available)(void *user); // bytes that could be had now
  void *user;
} ssti_memory_space;

// A cleared block for tensors in a space, which must stay as long as the block; NULL: in the host's memory.
sst_status ssti_allocate_in(sst_context *context, const ssti_memory_space *space, size_t bytes, void *out);

// Makes *block (NULL or from here) at least `needed` elements long: grows by half, keeps what was there, clears the
// rest. *capacity is in elements. On failure nothing changes.
sst_status ssti_grow(sst_context *context, void *block, size_t *capacity, size_t needed, size_t size);

// A copy of the text; owned by the caller.
sst_status ssti_copy_text(sst_context *context, const char *text, char **out);

// Gives a block back. NULL is allowed.
void ssti_free(sst_context *context, void *block);

#endif
