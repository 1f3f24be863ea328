// SPDX-License-Identifier: Apache-2.0
// Convolutions in bf16 with few output channels, for which oneDNN 2.6 reaches a third to a half of the ceiling:
// forward, the gradient of the input as a convolution with turned weights, and gradients of weights. Tensors may be
// f32: they are rounded on their way into the caches.
#ifndef SPIKESTILL_BACKEND_FAST_FAST_BF16_SLIM_H
#define SPIKESTILL_BACKEND_FAST_FAST_BF16_SLIM_H

#include "backend/fast/fast.h"

// Whether these are for the shape; of the gradient of the input that is the convolution that computes it. Stride and
// kernel may be any, pictures must be small.
bool ssti_bf16_slim_possible(const ssti_backend *backend, const ssti_conv2d *shape);
size_t ssti_bf16_slim_workspace(const ssti_backend *backend, const ssti_conv2d *shape);
// y (+)= the convolution, plus the bias, which may be NULL. `turned`: `shape` computes the gradient of the input of a
// convolution whose weights, [in_c, kernel_h, kernel_w, out_c] of this shape, are given.
void ssti_bf16_slim_forward(ssti_backend *backend, const ssti_conv2d *shape, bool turned, const void *x,
                            const float *weight, const float *bias, void *y, bool add, void *workspace);

bool ssti_bf16_slim_weights_possible(const ssti_backend *backend, const ssti_conv2d *shape);
size_t ssti_bf16_slim_weights_workspace(const ssti_backend *backend, const ssti_conv2d *shape);
void ssti_bf16_slim_weights(ssti_backend *backend, const ssti_conv2d *shape, const void *x, const void *dy,
                            float *dweight, bool accumulate, void *workspace);

#endif
