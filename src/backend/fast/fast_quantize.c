// SPDX-License-Identifier: Apache-2.0
// Weight quantisers: the reference's walk over rows and groups, with the loops of the best level.
#include "backend/fast/fast.h"
#include "backend/reference/reference.h"

static void forward(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight, const float *step,
                    float *codes, float *scale, void *workspace) {
  ssti_quantize_forward_by(backend, &ssti_fast_state_of(backend)->simd.quantize, shape, weight, step, codes, scale,
                           workspace);
}

static void backward(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight, const float *scale,
                     const float *dcodes, float *dweight, bool accumulate_weight, float *dstep, bool accumulate_step,
                     void *workspace) {
  ssti_quantize_backward_by(backend, &ssti_fast_state_of(backend)->simd.quantize, shape, weight, scale, dcodes, dweight,
                            accumulate_weight, dstep, accumulate_step, workspace);
}

void ssti_fast_fill_quantize(ssti_kernels *kernels) {
  kernels->quantize_weights_forward = forward;
  kernels->quantize_weights_backward = backward;
}
