// SPDX-License-Identifier: Apache-2.0
// Sums over the threads of a warp and of a block, each in one order whatever the device does.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_REDUCE_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_REDUCE_H

#include "backend/cuda/cuda_kernel.h"

constexpr unsigned ssti_all_lanes = 0xffffffffu;

// All lanes get the result; a sum of two is the same from both sides, so they get the same bits.
__device__ inline double ssti_warp_sum(double value) {
  for (int distance = 16; distance > 0; distance /= 2) { value += __shfl_xor_sync(ssti_all_lanes, value, distance); }
  return value;
}

// NaN, once met, stays.
__device__ inline float ssti_larger(float a, float b) { return a > b || a != a ? a : b; }

// The sum over a block of 256 threads in one dimension, for all of them. Every thread must come here.
__device__ inline double ssti_block_sum(double value) {
  __shared__ double warp_sums[8];
  value = ssti_warp_sum(value);
  if (threadIdx.x % 32 == 0) { warp_sums[threadIdx.x / 32] = value; }
  __syncthreads();
  double sum = 0.0;
  for (int i = 0; i < 8; i++) { sum += warp_sums[i]; }
  __syncthreads(); // before the next call writes
  return sum;
}

#endif
