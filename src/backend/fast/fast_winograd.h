// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd's algorithm, where oneDNN has it for the shape.
#ifndef SPIKESTILL_BACKEND_FAST_WINOGRAD_H
#define SPIKESTILL_BACKEND_FAST_WINOGRAD_H

#include "backend/fast/fast.h"

typedef struct ssti_winograd ssti_winograd;

// `weights` tells how ours lie. *out is NULL where the shape is not suited. Errors: OUT_OF_MEMORY.
sst_status ssti_winograd_create(ssti_backend *backend, const ssti_conv2d *shape, const dnnl_memory_desc_t *weights,
                                bool with_bias, ssti_winograd **out);
void ssti_winograd_destroy(ssti_backend *backend, ssti_winograd *w);
size_t ssti_winograd_workspace(const ssti_winograd *w); // bytes

// y = convolution of x; `bias` is NULL where it was made without.
void ssti_winograd_run(ssti_backend *backend, ssti_winograd *w, int64_t images, const float *x, const float *weight,
                       const float *bias, float *y, void *workspace);

#endif
