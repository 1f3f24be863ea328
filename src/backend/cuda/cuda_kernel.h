// SPDX-License-Identifier: Apache-2.0
// What the files of kernels (*_cuda.cu) share. They are CUDA C++ for nvcc, and C++ for the tests' emulator: kernels are
// started by ssti_launch and never by <<<>>>, shared memory has a fixed size, and nothing else is asked of the runtime.
// No kernel adds with atomics, so that the order of every sum is that of the shape alone: same seed, same bits.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_KERNEL_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_KERNEL_H

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include <cuda_runtime.h>

extern "C" {
#include "backend/backend.h"
}
#include "backend/cuda/cuda.h"

constexpr int ssti_block_threads = 256;
// Blocks of a grid that strides over its elements: enough to keep the largest card busy, few enough to start quickly.
constexpr int64_t ssti_most_blocks = 4096;

template <typename... Parameters, typename... Arguments>
void ssti_launch(const ssti_backend *backend, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                 const Arguments &...arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = ssti_cuda_stream(backend);
  ssti_cuda_check(backend, cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...), "starting a kernel");
}

inline int64_t ssti_blocks_for(int64_t items, int64_t items_a_block) {
  const int64_t blocks = (items + items_a_block - 1) / items_a_block;
  return blocks < ssti_most_blocks ? blocks : ssti_most_blocks;
}

// ---- elementwise

// This thread's first element of a grid that strides, and its stride.
__device__ inline int64_t ssti_thread_index() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline int64_t ssti_thread_count() { return (int64_t)gridDim.x * blockDim.x; }

template <typename F> __global__ void __launch_bounds__(256) ssti_each_kernel(int64_t count, F f) {
  for (int64_t i = ssti_thread_index(); i < count; i += ssti_thread_count()) { f(i); }
}

// f(i) for i = 0 .. count - 1, neighbouring ones at neighbouring threads.
template <typename F> void ssti_for_each(const ssti_backend *backend, int64_t count, const F &f) {
  if (count <= 0) { return; }
  const unsigned blocks = (unsigned)ssti_blocks_for(count, ssti_block_threads);
  ssti_launch(backend, ssti_each_kernel<F>, dim3(blocks), dim3(ssti_block_threads), count, f);
}

__device__ inline void ssti_put(float *y, float value, bool accumulate) { *y = accumulate ? *y + value : value; }

__device__ inline float4 ssti_load4(const float *x) { return *reinterpret_cast<const float4 *>(x); }
__device__ inline void ssti_store4(float *y, float4 value) { *reinterpret_cast<float4 *>(y) = value; }

// y[i] (+)= f(i, x[i]...): 16 bytes at a time, and what is left over one by one. `y` may be one of the inputs.
template <typename F, typename... Inputs>
__global__ void __launch_bounds__(256) ssti_map4_kernel(int64_t count, bool accumulate, F f, float *y, Inputs... x) {
  const int64_t fours = count / 4;
  for (int64_t i = ssti_thread_index(); i < fours; i += ssti_thread_count()) {
    const int64_t at = i * 4;
    const float4 before = accumulate ? ssti_load4(y + at) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    // A braced list is evaluated from left to right, so every input is loaded once, as a whole.
    const auto four = [&](auto... in) {
      float4 out = make_float4(f(at, in.x...), f(at + 1, in.y...), f(at + 2, in.z...), f(at + 3, in.w...));
      if (accumulate) {
        out.x = before.x + out.x;
        out.y = before.y + out.y;
        out.z = before.z + out.z;
        out.w = before.w + out.w;
      }
      ssti_store4(y + at, out);
    };
    four(ssti_load4(x + at)...);
  }
  const int64_t i = fours * 4 + ssti_thread_index();
  if (i < count) { ssti_put(y + i, f(i, x[i]...), accumulate); }
}

template <typename F, typename... Inputs>
__global__ void __launch_bounds__(256) ssti_map1_kernel(int64_t count, bool accumulate, F f, float *y, Inputs... x) {
  for (int64_t i = ssti_thread_index(); i < count; i += ssti_thread_count()) {
    ssti_put(y + i, f(i, x[i]...), accumulate);
  }
}

inline bool ssti_is_aligned16(const float *memory) { return reinterpret_cast<uintptr_t>(memory) % 16 == 0; }

// `f` is a device lambda of the index and one float an input. Moves 4 bytes an input element and 4 (8 with
// `accumulate`) an output element.
template <typename F, typename... Inputs>
void ssti_map(const ssti_backend *backend, int64_t count, float *y, bool accumulate, const F &f, Inputs... x) {
  if (count <= 0) { return; }
  const bool aligned = (ssti_is_aligned16(y) && ... && ssti_is_aligned16(x));
  const dim3 grid((unsigned)ssti_blocks_for(count, ssti_block_threads * (aligned ? 4 : 1)));
  if (aligned) {
    ssti_launch(backend, ssti_map4_kernel<F, Inputs...>, grid, dim3(ssti_block_threads), count, accumulate, f, y, x...);
  } else {
    ssti_launch(backend, ssti_map1_kernel<F, Inputs...>, grid, dim3(ssti_block_threads), count, accumulate, f, y, x...);
  }
}

// ---- each file puts its slots into the table

void ssti_cuda_fill_unary(ssti_kernels *kernels);
void ssti_cuda_fill_flat(ssti_kernels *kernels);
void ssti_cuda_fill_copy(ssti_kernels *kernels);
void ssti_cuda_fill_pictures(ssti_kernels *kernels);
void ssti_cuda_fill_axes(ssti_kernels *kernels);
void ssti_cuda_fill_rows(ssti_kernels *kernels);
void ssti_cuda_fill_pool(ssti_kernels *kernels);
void ssti_cuda_fill_batch_norm(ssti_kernels *kernels);
void ssti_cuda_fill_neuron(ssti_kernels *kernels);
void ssti_cuda_fill_quantize(ssti_kernels *kernels);

#endif
