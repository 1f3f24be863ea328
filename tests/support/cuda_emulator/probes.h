// SPDX-License-Identifier: Apache-2.0
// Small kernels for the emulator's own test.
#ifndef SPIKESTILL_TESTS_EMULATOR_PROBES_H
#define SPIKESTILL_TESTS_EMULATOR_PROBES_H

#include "cuda_runtime_api.h"

#ifdef __cplusplus
extern "C" {
#endif

// out[i] = where thread i of a grid of 2x3x2 blocks of 4x2x3 threads is: 288 numbers, each its own index.
cudaError_t probe_places(cudaStream_t stream, int *out);
// out[0..63]: of two warps, the sum over all lanes by exchanges; [64], [65]: the ballot of the odd lanes.
cudaError_t probe_exchanges(cudaStream_t stream, int *out);
// out[i] = i reversed within 100 threads through shared memory, with the barrier or without it.
cudaError_t probe_reverse(cudaStream_t stream, int *out, int with_barrier);
// *value *= factor; the factor is the launch's own.
cudaError_t probe_multiply(cudaStream_t stream, int *value, int factor);

// These end the program.
typedef enum probe_fault {
  PROBE_BARRIER_OF_SOME,      // half of the block
  PROBE_BARRIERS_APART,       // two halves at two barriers
  PROBE_EXCHANGE_OF_SOME,     // half of a warp
  PROBE_BARRIER_AND_EXCHANGE, // one warp here, the other there
  PROBE_FAULTS
} probe_fault;
cudaError_t probe_wrong(cudaStream_t stream, probe_fault fault);
// A block that no device takes.
cudaError_t probe_too_large(cudaStream_t stream, int *out);

#ifdef __cplusplus
}
#endif
#endif
