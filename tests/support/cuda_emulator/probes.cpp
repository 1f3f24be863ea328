// SPDX-License-Identifier: Apache-2.0
#include "probes.h"

#include "cuda_runtime.h"

namespace {

template <typename... Parameters, typename... Arguments>
cudaError_t start(cudaStream_t stream, void (*kernel)(Parameters...), dim3 grid, dim3 block, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
}

__global__ void places(int *out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[i] = (int)i;
}

__global__ void exchanges(int *out) {
  int sum = (int)threadIdx.x;
  for (int distance = 16; distance > 0; distance /= 2) { sum += __shfl_xor_sync(0xffffffffu, sum, distance); }
  out[threadIdx.x] = sum;
  const unsigned odd = __ballot_sync(0xffffffffu, threadIdx.x % 2 == 1);
  if (threadIdx.x % 32 == 0) { out[64 + threadIdx.x / 32] = (int)(odd >> 1); }
}

__global__ void reverse(int *out, int with_barrier) {
  __shared__ int shared[100];
  shared[threadIdx.x] = (int)threadIdx.x + (int)blockIdx.x * 1000;
  if (with_barrier) { __syncthreads(); }
  out[blockIdx.x * 100 + threadIdx.x] = shared[99 - threadIdx.x];
}

__global__ void multiply(int *value, int factor) { *value *= factor; }

__global__ void wrong(probe_fault fault) {
  const bool first = threadIdx.x < (fault == PROBE_EXCHANGE_OF_SOME ? 16u : 32u);
  switch (fault) {
  case PROBE_BARRIER_OF_SOME:
    if (first) { __syncthreads(); }
    break;
  case PROBE_BARRIERS_APART:
    if (first) {
      __syncthreads();
    } else {
      __syncthreads();
    }
    break;
  case PROBE_EXCHANGE_OF_SOME:
    if (first) { (void)__ballot_sync(0xffffffffu, true); }
    break;
  case PROBE_BARRIER_AND_EXCHANGE:
    if (threadIdx.x < 16) {
      __syncthreads();
    } else {
      (void)__any_sync(0xffffffffu, true);
    }
    break;
  case PROBE_FAULTS: break;
  }
}

} // namespace

cudaError_t probe_places(cudaStream_t stream, int *out) {
  return start(stream, places, dim3(2, 3, 2), dim3(4, 2, 3), out);
}
cudaError_t probe_exchanges(cudaStream_t stream, int *out) { return start(stream, exchanges, dim3(1), dim3(64), out); }
cudaError_t probe_reverse(cudaStream_t stream, int *out, int with_barrier) {
  return start(stream, reverse, dim3(2), dim3(100), out, with_barrier);
}
cudaError_t probe_multiply(cudaStream_t stream, int *value, int factor) {
  return start(stream, multiply, dim3(1), dim3(1), value, factor);
}
cudaError_t probe_wrong(cudaStream_t stream, probe_fault fault) {
  return start(stream, wrong, dim3(1), dim3(64), fault);
}
cudaError_t probe_too_large(cudaStream_t stream, int *out) { return start(stream, places, dim3(1), dim3(1025), out); }
