// SPDX-License-Identifier: Apache-2.0
// In the place of cuDNN and cuBLASLt: the reference's convolutions and linear layers, as work of the stream, so that
// recorded steps do them when they are played.
extern "C" {
#include "backend/reference/reference.h"

#include "backend/cuda/cuda_state.h"
}
#include "emulator_stream.h"

namespace {

void conv2d_forward(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *x,
                    const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  ssti_emulated_do(ssti_cuda_stream(backend), [=, s = *shape] {
    ssti_reference_conv2d_forward(backend, &s, plan, x, weight, bias, y, saved, workspace);
  });
}

void conv2d_backward_data(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *dy,
                          const float *weight, float *dx, bool accumulate, void *workspace) {
  ssti_emulated_do(ssti_cuda_stream(backend), [=, s = *shape] {
    ssti_reference_conv2d_backward_data(backend, &s, plan, dy, weight, dx, accumulate, workspace);
  });
}

void conv2d_backward_weights(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *x,
                             const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                             bool accumulate_bias, const void *saved, void *workspace) {
  ssti_emulated_do(ssti_cuda_stream(backend), [=, s = *shape] {
    ssti_reference_conv2d_backward_weights(backend, &s, plan, x, dy, dweight, accumulate_weight, dbias, accumulate_bias,
                                           saved, workspace);
  });
}

void linear_forward(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *x,
                    const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  ssti_emulated_do(ssti_cuda_stream(backend), [=, s = *shape] {
    ssti_reference_linear_forward(backend, &s, plan, x, weight, bias, y, saved, workspace);
  });
}

void linear_backward_data(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *dy,
                          const float *weight, float *dx, bool accumulate, void *workspace) {
  ssti_emulated_do(ssti_cuda_stream(backend), [=, s = *shape] {
    ssti_reference_linear_backward_data(backend, &s, plan, dy, weight, dx, accumulate, workspace);
  });
}

void linear_backward_weights(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *x,
                             const float *dy, float *dweight, bool accumulate_weight, float *dbias,
                             bool accumulate_bias, const void *saved, void *workspace) {
  ssti_emulated_do(ssti_cuda_stream(backend), [=, s = *shape] {
    ssti_reference_linear_backward_weights(backend, &s, plan, x, dy, dweight, accumulate_weight, dbias, accumulate_bias,
                                           saved, workspace);
  });
}

} // namespace

extern "C" {

sst_status ssti_cuda_products_open(ssti_cuda_card *) { return SST_OK; }

void ssti_cuda_products_close(ssti_cuda_card *) {}

void ssti_cuda_products_fill(ssti_kernels *kernels) {
  kernels->conv2d_forward = conv2d_forward;
  kernels->conv2d_backward_data = conv2d_backward_data;
  kernels->conv2d_backward_weights = conv2d_backward_weights;
  kernels->linear_forward = linear_forward;
  kernels->linear_backward_data = linear_backward_data;
  kernels->linear_backward_weights = linear_backward_weights;
}
}
