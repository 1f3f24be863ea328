// SPDX-License-Identifier: Apache-2.0
// How kernels that know a number or a sum for each channel go over [rows, channels]: a block of 256 threads is a tile
// of `across` neighbouring threads, each with V neighbouring channels, times 256 / across rows; a grid is tiles of
// channels times chunks of rows. A thread stays at its channels, so it loads their numbers once and adds in registers;
// then the block adds its rows as a tree, and a second kernel the chunks in order. All of that depends on the shape
// alone.
#ifndef SPIKESTILL_BACKEND_CUDA_CHANNELS_CUDA_H
#define SPIKESTILL_BACKEND_CUDA_CHANNELS_CUDA_H

#include "backend/cuda/lanes_cuda.h"

// How [rows, channels] is cut. rows: positions, whatever is done at each.
struct ssti_tiling {
  int64_t rows, channels;
  int across; // threads side by side, a power of two
  int64_t chunks;
};

template <int V> inline ssti_tiling ssti_tiling_of(int64_t rows, int64_t channels) {
  const int64_t groups = channels / V, wanted_blocks = 1024, least_rows = 4; // rows a thread that are worth a chunk
  ssti_tiling t = {rows, channels, 1, 1};
  while (t.across < 32 && t.across < groups) { t.across *= 2; }
  const int64_t tiles = (groups + t.across - 1) / t.across, height = ssti_block_threads / t.across;
  const int64_t useful = (rows + height * least_rows - 1) / (height * least_rows);
  t.chunks = wanted_blocks / (tiles < 1 ? 1 : tiles);
  t.chunks = t.chunks < useful ? t.chunks : useful;
  t.chunks = t.chunks < 1 ? 1 : t.chunks;
  return t;
}
template <int V> inline dim3 ssti_tiling_grid(const ssti_tiling &t) {
  const int64_t groups = t.channels / V;
  return dim3((unsigned)((groups + t.across - 1) / t.across), (unsigned)t.chunks);
}

// A thread's channel (not below t.channels: it has none), and its rows: begin, begin + step, ... below end.
struct ssti_tile_place {
  int64_t channel, begin, end;
  int step, lane, row;
};
template <int V> __device__ inline ssti_tile_place ssti_place_in(const ssti_tiling &t) {
  ssti_tile_place p;
  p.lane = (int)threadIdx.x % t.across;
  p.row = (int)threadIdx.x / t.across;
  p.step = ssti_block_threads / t.across;
  p.channel = ((int64_t)blockIdx.x * t.across + p.lane) * V;
  p.begin = blockIdx.y * t.rows / t.chunks + p.row;
  p.end = (blockIdx.y + 1) * t.rows / t.chunks;
  return p;
}

// The sum of `value` over the rows of the block, at its row 0. Every thread must come here.
__device__ inline double ssti_tile_sum(const ssti_tiling &t, const ssti_tile_place &p, double value) {
  __shared__ double shared[ssti_block_threads];
  shared[threadIdx.x] = value;
  for (int half = p.step / 2; half > 0; half /= 2) {
    __syncthreads();
    if (p.row < half) { shared[threadIdx.x] += shared[threadIdx.x + half * t.across]; }
  }
  __syncthreads();
  const double sum = shared[p.lane];
  __syncthreads(); // before the next call writes
  return sum;
}

// Partial sums [chunk][which][channel].
__device__ inline double *ssti_partial(double *partial, const ssti_tiling &t, int sums, int64_t chunk, int which) {
  return partial + (chunk * sums + which) * t.channels;
}
__device__ inline double ssti_sum_of_chunks(const double *partial, const ssti_tiling &t, int sums, int which,
                                            int64_t channel) {
  double sum = 0.0;
  for (int64_t chunk = 0; chunk < t.chunks; chunk++) { sum += partial[(chunk * sums + which) * t.channels + channel]; }
  return sum;
}
inline size_t ssti_partial_bytes(const ssti_tiling &t, int sums) {
  return (size_t)(t.chunks * sums * t.channels) * sizeof(double);
}

#endif
