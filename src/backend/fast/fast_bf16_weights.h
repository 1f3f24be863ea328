// SPDX-License-Identifier: Apache-2.0
// Gradients of a convolution's weights from bf16, by own kernels.
#ifndef SPIKESTILL_BACKEND_FAST_BF16_WEIGHTS_H
#define SPIKESTILL_BACKEND_FAST_BF16_WEIGHTS_H

#include "backend/fast/fast.h"

bool ssti_bf16_weights_possible(ssti_backend *backend, const ssti_conv2d *shape);
size_t ssti_bf16_weights_workspace(ssti_backend *backend, const ssti_conv2d *shape);
// x and dy are bf16, whatever the shape says of the tensors.
void ssti_bf16_weights(ssti_backend *backend, const ssti_conv2d *shape, const ssti_bf16 *x, const ssti_bf16 *dy,
                       float *dweight, bool accumulate, void *workspace);

#endif
