// SPDX-License-Identifier: Apache-2.0
// The table of own kernels.
#include "backend/cuda/cuda_kernel.h"

void ssti_cuda_kernels_fill(ssti_kernels *kernels) {
  ssti_cuda_fill_unary(kernels);
  ssti_cuda_fill_flat(kernels);
  ssti_cuda_fill_copy(kernels);
  ssti_cuda_fill_pictures(kernels);
  ssti_cuda_fill_axes(kernels);
  ssti_cuda_fill_rows(kernels);
  ssti_cuda_fill_pool(kernels);
  ssti_cuda_fill_batch_norm(kernels);
  ssti_cuda_fill_neuron(kernels);
  ssti_cuda_fill_quantize(kernels);
}
