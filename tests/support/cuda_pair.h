// SPDX-License-Identifier: Apache-2.0
// The CUDA backend beside the reference: see slot_pair.h. On the emulator everything runs twice, with the threads in
// order and in reverse.
#ifndef SPIKESTILL_TESTS_CUDA_PAIR_H
#define SPIKESTILL_TESTS_CUDA_PAIR_H

#include "backend/cuda/cuda.h"
#include "cuda_bare_backend.h"
#include "slot_pair.h"

static inline pair pair_make(sst_context *context) {
  pair p = {.context = context};
  assert_ok(context, cuda_bare_backend_create(context, &p.tested));
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, &p.reference));
  return p;
}

static inline void pair_wait(pair *p) {
  const cudaError_t error = cudaStreamSynchronize(ssti_cuda_stream(p->tested));
  if (error != cudaSuccess) { fail_msg("the device says %s", cudaGetErrorString(error)); }
}

static inline void *memory_of(size_t bytes) {
  void *memory = NULL;
  const cudaError_t error = cudaMallocManaged(&memory, (bytes + 63) / 64 * 64 + CANARY, cudaMemAttachGlobal);
  return memory_marked(error == cudaSuccess ? memory : NULL, bytes);
}
static inline void release(void *memory) {
  const cudaError_t error = cudaFree(memory);
  if (error != cudaSuccess) { fail_msg("cudaFree: %s", cudaGetErrorString(error)); }
}

#ifdef SSTI_CUDA_IS_EMULATED
enum { CUDA_ORDERS = 2 };
static inline bool cuda_choose_order(int order) {
  ssti_emulator_reverse(order);
  return true;
}
#else
enum { CUDA_ORDERS = 1 };
static inline bool cuda_choose_order(int order) {
  (void)order;
  return true;
}
#endif

// Runs a statement for each order of the threads.
#define EACH_LEVEL(p, level)                                                                                           \
  for (int level = 0; level < CUDA_ORDERS; level++)                                                                    \
    if (cuda_choose_order(level))

#endif
