// SPDX-License-Identifier: Apache-2.0
// The table of own kernels.
#include "backend/cuda/cuda_kernel.h"

void ssti_cuda_kernels_fill(ssti_kernels *kernels) {
  ssti_cuda_fill_unary(kernels);
}
