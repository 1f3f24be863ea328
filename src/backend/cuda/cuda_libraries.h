// SPDX-License-Identifier: Apache-2.0
// The libraries for products, opened once a card.
#ifndef SPIKESTILL_BACKEND_CUDA_CUDA_LIBRARIES_H
#define SPIKESTILL_BACKEND_CUDA_CUDA_LIBRARIES_H

#include <cublasLt.h>
#include <cudnn.h>

#include "backend/cuda/cuda_products.h"

struct ssti_cuda_libraries {
  cudnnHandle_t dnn;
  cublasLtHandle_t blas;
};

#endif
