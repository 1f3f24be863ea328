// SPDX-License-Identifier: Apache-2.0
// A backend that has the CUDA kernels and nothing else of CUDA's: the rest of its table is the reference's.
#ifndef SPIKESTILL_TESTS_CUDA_BARE_BACKEND_H
#define SPIKESTILL_TESTS_CUDA_BARE_BACKEND_H

#include "backend/cuda/cuda.h"
#include "support.h"

typedef struct cuda_bare_state {
  cudaStream_t stream;
  ssti_cuda_cells *cells;
  void *scratch;
} cuda_bare_state;

cudaStream_t ssti_cuda_stream(const ssti_backend *backend) { return ((cuda_bare_state *)backend->state)->stream; }
ssti_cuda_cells *ssti_cuda_cells_of(const ssti_backend *backend) { return ((cuda_bare_state *)backend->state)->cells; }
void *ssti_cuda_scratch(const ssti_backend *backend, size_t bytes) {
  assert_true(bytes <= SSTI_CUDA_SCRATCH);
  return ((cuda_bare_state *)backend->state)->scratch;
}
void ssti_cuda_check(const ssti_backend *backend, cudaError_t error, const char *what) {
  (void)backend;
  if (error != cudaSuccess) { fail_msg("%s: %s", what, cudaGetErrorString(error)); }
}
int ssti_cuda_processors(const ssti_backend *backend) {
  (void)backend;
  return 4;
}

static inline sst_status cuda_bare_backend_create(sst_context *context, ssti_backend **out) {
  static cuda_bare_state state;
  assert_ok(context, ssti_backend_create(context, SST_DEVICE_CPU_REFERENCE, out));
  if (state.scratch == NULL) {
    assert_int_equal(cudaStreamCreate(&state.stream), cudaSuccess);
    assert_int_equal(cudaMallocManaged((void **)&state.cells, sizeof *state.cells, cudaMemAttachGlobal), cudaSuccess);
    assert_int_equal(cudaMalloc(&state.scratch, SSTI_CUDA_SCRATCH), cudaSuccess);
  }
  (*out)->state = &state;
  ssti_cuda_kernels_fill(&(*out)->kernels);
  return SST_OK;
}

#endif
