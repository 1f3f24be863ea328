// SPDX-License-Identifier: Apache-2.0
// Gradients of a convolution's weights in either precision, by own kernels.
#ifndef SPIKESTILL_BACKEND_FAST_DENSE_WEIGHTS_H
#define SPIKESTILL_BACKEND_FAST_DENSE_WEIGHTS_H

#include "backend/fast/fast.h"

bool ssti_dense_weights_possible(ssti_backend *backend, const ssti_conv2d *shape);
size_t ssti_dense_weights_workspace(ssti_backend *backend, const ssti_conv2d *shape);
// x and dy are bf16 in that precision, whatever the shape says of the tensors, else f32.
void ssti_dense_weights(ssti_backend *backend, const ssti_conv2d *shape, const void *x, const void *dy, float *dweight,
                        bool accumulate, void *workspace);

#endif
