// SPDX-License-Identifier: Apache-2.0
// What surrounds the libraries' products: biases and their gradients, and copies in another type.
#include "backend/cuda/channels_cuda.h"

namespace {

constexpr int64_t most_pieces = 64; // of the rows, each summed by itself

template <int V, typename Y> __global__ void __launch_bounds__(256) bias_kernel(ssti_tiling t, Y y, const float *bias) {
  const ssti_tile_place p = ssti_place_in<V>(t);
  if (p.channel >= t.channels) { return; }
  const ssti_lanes<V> more = ssti_load<V>(bias + p.channel);
#pragma unroll 4
  for (int64_t row = p.begin; row < p.end; row += p.step) {
    ssti_store_or_add<V>(y + (row * t.channels + p.channel), more, true);
  }
}

// 16 bytes of the narrower side at a time; what is left over one by one.
template <int V, typename From, typename To>
__global__ void __launch_bounds__(256)
    convert_kernel(int64_t count, From from, To to, bool through_bf16, bool accumulate) {
  for (int64_t i = ssti_thread_index() * V; i < count; i += ssti_thread_count() * V) {
    ssti_lanes<V> lanes = ssti_load<V>(from + i);
    for (int v = 0; through_bf16 && v < V; v++) { lanes.at[v] = ssti_bf16_value(ssti_rounded(lanes.at[v])); }
    ssti_store_or_add<V>(to + i, lanes, accumulate);
  }
}

} // namespace

void ssti_cuda_add_bias(const ssti_backend *backend, int64_t rows, int64_t channels, ssti_type type, float *y,
                        const float *bias) {
  const bool whole = channels % ssti_lane_count(type, type) == 0 && ssti_is_aligned16(y) && ssti_is_aligned16(bias);
  ssti_with_access(whole, type, [&](auto access) {
    using types = decltype(access);
    constexpr int V = types::V;
    const ssti_tiling t = ssti_tiling_of<V>(rows, channels);
    ssti_launch(backend, bias_kernel<V, typename types::A>, ssti_tiling_grid<V>(t), dim3(ssti_block_threads), t,
                types::a(y, type), bias);
  });
}

// First each piece of the rows, then the pieces, in order: neighbouring threads have neighbouring channels.
void ssti_cuda_bias_gradient(const ssti_backend *backend, int64_t rows, int64_t channels, ssti_type type,
                             const float *dy, float *dbias, bool accumulate) {
  const int64_t room = SSTI_CUDA_SCRATCH / ((int64_t)sizeof(float) * channels);
  int64_t pieces = rows < most_pieces ? rows : most_pieces;
  if (pieces > room) { pieces = room; }
  assert(pieces > 0);
  const int64_t length = (rows + pieces - 1) / pieces;
  float *sums = static_cast<float *>(ssti_cuda_scratch(backend, (size_t)(pieces * channels) * sizeof(float)));
  const ssti_either from = ssti_single_access::a(dy, type);
  ssti_for_each(backend, pieces * channels, [=] __device__(int64_t i) {
    const int64_t first = i / channels * length, end = first + length < rows ? first + length : rows;
    float sum = 0.0f;
    for (int64_t row = first; row < end; row++) { sum += ssti_load_one(from + (row * channels + i % channels)); }
    sums[i] = sum;
  });
  ssti_for_each(backend, channels, [=] __device__(int64_t c) {
    float sum = 0.0f;
    for (int64_t piece = 0; piece < pieces; piece++) { sum += sums[piece * channels + c]; }
    ssti_put(dbias + c, sum, accumulate);
  });
}

void ssti_cuda_convert(const ssti_backend *backend, int64_t count, const void *from, ssti_type from_type, void *to,
                       ssti_type to_type, bool through_bf16, bool accumulate) {
  const float *x = static_cast<const float *>(from), *y = static_cast<const float *>(to);
  const int lanes = ssti_lane_count(from_type, to_type);
  const int64_t whole = ssti_is_aligned16(x) && ssti_is_aligned16(y) ? count / lanes * lanes : 0;
  const auto start = [&](auto access, int64_t first, int64_t elements) {
    using types = decltype(access);
    constexpr int V = types::V;
    if (elements == 0) { return; }
    ssti_launch(backend, convert_kernel<V, typename types::A, typename types::B>,
                dim3((unsigned)ssti_blocks_for(elements / V, ssti_block_threads)), dim3(ssti_block_threads), elements,
                types::a(x, from_type) + first, types::b(y, to_type) + first, through_bf16, accumulate);
  };
  ssti_with_access(true, from_type, to_type, [&](auto access) { start(access, 0, whole); });
  start(ssti_single_access(), whole, count - whole);
}
