// SPDX-License-Identifier: Apache-2.0
// What convolutions (cuDNN) and linear layers (cuBLASLt) share. The emulated build has neither of them.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_PRODUCTS_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_PRODUCTS_H

#include <cublasLt.h>
#include <cudnn.h>

#include "backend/cuda/cuda_state.h"

struct ssti_cuda_products {
  cudnnHandle_t dnn;
  cublasLtHandle_t blas;
};

void ssti_cuda_fill_conv2d(ssti_kernels *kernels);
void ssti_cuda_fill_linear(ssti_kernels *kernels);

// Plans of either kind begin with this.
typedef struct ssti_cuda_plan {
  ssti_plan plan;
  void (*destroy)(ssti_backend *backend, ssti_plan *plan);
} ssti_cuda_plan;

#endif
