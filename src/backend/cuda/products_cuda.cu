// SPDX-License-Identifier: Apache-2.0
// What surrounds the libraries' products: biases and their gradients.
#include "backend/cuda/cuda_kernel.h"

constexpr int64_t most_pieces = 64; // of the rows, each summed by itself

void ssti_cuda_add_bias(const ssti_backend *backend, int64_t rows, int64_t channels, float *y, const float *bias) {
  ssti_for_each(backend, rows * channels, [=] __device__(int64_t i) { y[i] += bias[i % channels]; });
}

// First each piece of the rows, then the pieces, in order: neighbouring threads have neighbouring channels.
void ssti_cuda_bias_gradient(const ssti_backend *backend, int64_t rows, int64_t channels, const float *dy, float *dbias,
                             bool accumulate) {
  const int64_t room = SSTI_CUDA_SCRATCH / ((int64_t)sizeof(float) * channels);
  int64_t pieces = rows < most_pieces ? rows : most_pieces;
  if (pieces > room) { pieces = room; }
  assert(pieces > 0);
  const int64_t length = (rows + pieces - 1) / pieces;
  float *sums = static_cast<float *>(ssti_cuda_scratch(backend, (size_t)(pieces * channels) * sizeof(float)));
  ssti_for_each(backend, pieces * channels, [=] __device__(int64_t i) {
    const int64_t first = i / channels * length, end = first + length < rows ? first + length : rows;
    float sum = 0.0f;
    for (int64_t row = first; row < end; row++) { sum += dy[row * channels + i % channels]; }
    sums[i] = sum;
  });
  ssti_for_each(backend, channels, [=] __device__(int64_t c) {
    float sum = 0.0f;
    for (int64_t piece = 0; piece < pieces; piece++) { sum += sums[piece * channels + c]; }
    ssti_put(dbias + c, sum, accumulate);
  });
}
