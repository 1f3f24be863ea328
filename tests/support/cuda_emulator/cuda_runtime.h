// SPDX-License-Identifier: Apache-2.0
// What CUDA C++ adds to C++, as far as our kernels use it, for a compiler that knows nothing of it. A block's threads
// are fibers of one thread of the host (emulator.cpp), so shared memory is a variable of that thread.
#ifndef SPIKESTILL_TESTS_EMULATED_CUDA_RUNTIME_H
#define SPIKESTILL_TESTS_EMULATED_CUDA_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <functional>

#include "cuda_runtime_api.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static thread_local
#define __launch_bounds__(...)

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

// ---- where a thread is

extern thread_local uint3 threadIdx, blockIdx;
extern thread_local dim3 blockDim, gridDim;
constexpr int warpSize = 32;

// ---- what threads do together. All threads of the block, or of the warp, must come to the same place.

void ssti_emulated_syncthreads(const char *file, int line);
// Gives 8 bytes to the other lanes of the warp; returns those of lane `from`.
uint64_t ssti_emulated_exchange(uint64_t bits, int from, unsigned mask, const char *file, int line);
int ssti_emulated_lane(void);
uint64_t ssti_emulated_ballot(bool mine, unsigned mask, const char *file, int line);

template <typename T> T ssti_emulated_shuffle(T value, int from, unsigned mask, const char *file, int line) {
  static_assert(sizeof(T) <= 8, "a shuffle moves 4 or 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  bits = ssti_emulated_exchange(bits, from, mask, file, line);
  memcpy(&value, &bits, sizeof(T));
  return value;
}

#define __syncthreads() ssti_emulated_syncthreads(__FILE__, __LINE__)
#define __syncwarp() ((void)ssti_emulated_exchange(0, 0, 0xffffffffu, __FILE__, __LINE__))
#define __shfl_sync(mask, value, lane) ssti_emulated_shuffle((value), (lane), (mask), __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, distance)                                                                         \
  ssti_emulated_shuffle((value), ssti_emulated_lane() ^ (distance), (mask), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, distance)                                                                        \
  ssti_emulated_shuffle((value), ssti_emulated_lane() + (distance), (mask), __FILE__, __LINE__)
#define __ballot_sync(mask, value) ((unsigned)ssti_emulated_ballot((value), (mask), __FILE__, __LINE__))
#define __any_sync(mask, value) (ssti_emulated_ballot((value), (mask), __FILE__, __LINE__) != 0)

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
template <typename T> T __ldg(const T *address) { return *address; }

// ---- launches

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes; // must be 0: our kernels have shared memory of fixed size
  cudaStream_t stream;
  void *attrs;
  unsigned numAttrs;
};

cudaError_t ssti_emulated_launch(const cudaLaunchConfig_t &config, std::function<void()> thread);

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                               Arguments &&...arguments) {
  // The arguments are copied, as for a real launch: what they point to must live, they need not.
  return ssti_emulated_launch(*config, [kernel, arguments...] { kernel(arguments...); });
}

#endif
