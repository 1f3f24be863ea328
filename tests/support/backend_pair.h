// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend beside the reference, at every SIMD level that this machine has: see slot_pair.h.
#ifndef SPIKESTILL_TESTS_BACKEND_PAIR_H
#define SPIKESTILL_TESTS_BACKEND_PAIR_H

#include "backend/fast/fast.h"
#include "slot_pair.h"

static inline pair pair_make(sst_context *context) {
  pair p = {.context = context};
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU, &p.tested));
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, &p.reference));
  return p;
}

static inline void pair_wait(pair *p) { (void)p; }

static inline void *memory_of(size_t bytes) {
  return memory_marked(aligned_alloc(64, (bytes + 63) / 64 * 64 + CANARY), bytes);
}
static inline void release(void *memory) { free(memory); }

// Runs a statement for each level.
#define EACH_LEVEL(p, level)                                                                                           \
  for (int level = 0; level < SSTI_SIMD_LEVELS; level++)                                                               \
    if (ssti_fast_force_level((p)->tested, (ssti_simd_level)level))

#endif
