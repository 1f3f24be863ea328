// SPDX-License-Identifier: Apache-2.0
// V neighbouring elements of a tensor that is f32 or bf16, as f32 in registers. Kernels are compiled for the types of
// what they read and write, so that nothing is asked per element: 4 elements a thread where all is f32, else 8, which
// is 16 bytes of bf16 in one access. Tensors whose rows or addresses do not allow that go one element at a time, in one
// more version for all types (`ssti_either`).
#ifndef SPIKESTILL_BACKEND_CUDA_LANES_CUDA_H
#define SPIKESTILL_BACKEND_CUDA_LANES_CUDA_H

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

#include "backend/cuda/cuda_kernel.h"

template <int V> struct ssti_lanes { float at[V]; };

// A tensor whose type is known when the kernel runs.
struct ssti_either {
  void *data;
  bool is_bf16;
  __host__ __device__ ssti_either operator+(int64_t elements) const {
    return {static_cast<char *>(data) + elements * (is_bf16 ? 2 : 4), is_bf16};
  }
};

__device__ inline bool ssti_is_there(const void *data) { return data != nullptr; }
__device__ inline bool ssti_is_there(const ssti_either &x) { return x.data != nullptr; }

// The device's own instruction where there is one; it differs in the bits of what is no number alone.
__device__ inline ssti_bf16 ssti_rounded(float value) {
#ifdef __CUDA_ARCH__
  return __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
  return ssti_bf16_of(value);
#endif
}
__device__ inline unsigned ssti_rounded2(float low, float high) {
  return (unsigned)ssti_rounded(low) | (unsigned)ssti_rounded(high) << 16;
}
__device__ inline void ssti_widen2(unsigned pair, float *to) {
  to[0] = ssti_bf16_value((ssti_bf16)(pair & 0xffffu));
  to[1] = ssti_bf16_value((ssti_bf16)(pair >> 16));
}

template <int V> __device__ inline ssti_lanes<V> ssti_load(const float *x) {
  static_assert(V == 1 || V % 4 == 0, "whole accesses");
  ssti_lanes<V> lanes;
  if constexpr (V == 1) {
    lanes.at[0] = *x;
  } else {
    for (int v = 0; v < V; v += 4) {
      const float4 four = ssti_load4(x + v);
      lanes.at[v] = four.x, lanes.at[v + 1] = four.y, lanes.at[v + 2] = four.z, lanes.at[v + 3] = four.w;
    }
  }
  return lanes;
}
template <int V> __device__ inline void ssti_store(float *y, const ssti_lanes<V> &lanes) {
  if constexpr (V == 1) {
    *y = lanes.at[0];
  } else {
    for (int v = 0; v < V; v += 4) {
      ssti_store4(y + v, make_float4(lanes.at[v], lanes.at[v + 1], lanes.at[v + 2], lanes.at[v + 3]));
    }
  }
}

template <int V> __device__ inline ssti_lanes<V> ssti_load(const ssti_bf16 *x) {
  static_assert(V == 8, "one access of 16 bytes");
  ssti_lanes<V> lanes;
  const uint4 eight = *reinterpret_cast<const uint4 *>(x);
  ssti_widen2(eight.x, lanes.at), ssti_widen2(eight.y, lanes.at + 2);
  ssti_widen2(eight.z, lanes.at + 4), ssti_widen2(eight.w, lanes.at + 6);
  return lanes;
}
template <int V> __device__ inline void ssti_store(ssti_bf16 *y, const ssti_lanes<V> &lanes) {
  static_assert(V == 8, "one access of 16 bytes");
  const float *at = lanes.at;
  *reinterpret_cast<uint4 *>(y) = make_uint4(ssti_rounded2(at[0], at[1]), ssti_rounded2(at[2], at[3]),
                                             ssti_rounded2(at[4], at[5]), ssti_rounded2(at[6], at[7]));
}

template <int V> __device__ inline ssti_lanes<V> ssti_load(const ssti_either &x) {
  static_assert(V == 1, "an element at a time");
  if (x.is_bf16) { return {{ssti_bf16_value(*static_cast<const ssti_bf16 *>(x.data))}}; }
  return {{*static_cast<const float *>(x.data)}};
}
template <int V> __device__ inline void ssti_store(const ssti_either &y, const ssti_lanes<V> &lanes) {
  static_assert(V == 1, "an element at a time");
  if (y.is_bf16) {
    *static_cast<ssti_bf16 *>(y.data) = ssti_rounded(lanes.at[0]);
  } else {
    *static_cast<float *>(y.data) = lanes.at[0];
  }
}

// One element, whatever the kernel's accesses are.
__device__ inline float ssti_load_one(const float *x) { return *x; }
__device__ inline float ssti_load_one(const ssti_bf16 *x) { return ssti_bf16_value(*x); }
__device__ inline float ssti_load_one(const ssti_either &x) { return ssti_load<1>(x).at[0]; }

template <int V> __device__ inline ssti_lanes<V> ssti_splat(float value) {
  ssti_lanes<V> lanes;
  for (int v = 0; v < V; v++) { lanes.at[v] = value; }
  return lanes;
}
template <int V, typename Tensor> __device__ inline ssti_lanes<V> ssti_load_or(Tensor x, int64_t at, float otherwise) {
  return ssti_is_there(x) ? ssti_load<V>(x + at) : ssti_splat<V>(otherwise);
}
// Adds in f32 to what is there; a bf16 sum is rounded once.
template <int V, typename Tensor>
__device__ inline void ssti_store_or_add(Tensor y, ssti_lanes<V> lanes, bool accumulate) {
  if (accumulate) {
    const ssti_lanes<V> before = ssti_load<V>(y);
    for (int v = 0; v < V; v++) { lanes.at[v] = before.at[v] + lanes.at[v]; }
  }
  ssti_store<V>(y, lanes);
}

// ---- the versions of a kernel, on the host

// How a kernel sees tensors of two types, from pointers as slots have them. What is read and what is written has the
// same type of pointer: kernels with a const one would be other kernels.
template <int LANES, typename FIRST, typename SECOND> struct ssti_access {
  static constexpr int V = LANES;
  using A = FIRST *;
  using B = SECOND *;
  static A a(const float *x, ssti_type) { return reinterpret_cast<A>(const_cast<float *>(x)); }
  static B b(const float *x, ssti_type) { return reinterpret_cast<B>(const_cast<float *>(x)); }
};
struct ssti_single_access {
  static constexpr int V = 1;
  using A = ssti_either;
  using B = ssti_either;
  static A a(const float *x, ssti_type type) { return {const_cast<float *>(x), type == SSTI_BF16}; }
  static B b(const float *x, ssti_type type) { return a(x, type); }
};

// Elements of a whole access where tensors have these types.
inline int ssti_lane_count(ssti_type a, ssti_type b) { return a == SSTI_BF16 || b == SSTI_BF16 ? 8 : 4; }

// Calls f(access) for tensors of two types: in whole accesses or one by one. `f` starts a kernel with access.V lanes
// and tensors access.a(...), access.b(...).
template <typename F> void ssti_with_access(bool whole, ssti_type a, ssti_type b, const F &f) {
  if (!whole) {
    f(ssti_single_access());
  } else if (a == SSTI_BF16) {
    b == SSTI_BF16 ? f(ssti_access<8, ssti_bf16, ssti_bf16>()) : f(ssti_access<8, ssti_bf16, float>());
  } else {
    b == SSTI_BF16 ? f(ssti_access<8, float, ssti_bf16>()) : f(ssti_access<4, float, float>());
  }
}

// The same for tensors of one type: fewer versions.
template <typename F> void ssti_with_access(bool whole, ssti_type type, const F &f) {
  if (!whole) {
    f(ssti_single_access());
  } else {
    type == SSTI_BF16 ? f(ssti_access<8, ssti_bf16, ssti_bf16>()) : f(ssti_access<4, float, float>());
  }
}

#endif
