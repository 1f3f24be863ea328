// SPDX-License-Identifier: Apache-2.0
// Between the CUDA backend's host side and its kernels.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#include "backend/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// What changes from step to step, in memory of the device: kernels read it there, so that a captured graph stays valid.
typedef struct ssti_cuda_cells {
  uint64_t seed, step; // of the run under way: dropout, noise
  float learning_rate, gradient_scale;
  double correction1, correction2; // AdamW: 1 - beta1^n, 1 - beta2^n
  double norm;                     // of the gradient, where it was clipped
} ssti_cuda_cells;

enum { SSTI_CUDA_SCRATCH = 4 << 20 };

// The one stream, and the cells.
cudaStream_t ssti_cuda_stream(const ssti_backend *backend);
ssti_cuda_cells *ssti_cuda_cells_of(const ssti_backend *backend);

// Memory of the device, at most SSTI_CUDA_SCRATCH bytes, for partial sums of one slot call: the next call may use it
// too.
void *ssti_cuda_scratch(const ssti_backend *backend, size_t bytes);

// Keeps the first failure, to be reported when somebody waits for the device.
void ssti_cuda_check(const ssti_backend *backend, cudaError_t error, const char *what);

// Multiprocessors of the device.
int ssti_cuda_processors(const ssti_backend *backend);

// y [rows,channels] += bias, and the gradient of that, sums over the rows in a fixed order. y and dy are of that type.
void ssti_cuda_add_bias(const ssti_backend *backend, int64_t rows, int64_t channels, ssti_type type, float *y,
                        const float *bias);
void ssti_cuda_bias_gradient(const ssti_backend *backend, int64_t rows, int64_t channels, ssti_type type,
                             const float *dy, float *dbias, bool accumulate);

// Copies elements to another type, or adds them. `through_bf16`: f32 elements are rounded to bf16 and stay f32.
void ssti_cuda_convert(const ssti_backend *backend, int64_t count, const void *from, ssti_type from_type, void *to,
                       ssti_type to_type, bool through_bf16, bool accumulate);

// Puts the slots of all own kernels into the table.
void ssti_cuda_kernels_fill(ssti_kernels *kernels);

#ifdef __cplusplus
}
#endif
#endif
