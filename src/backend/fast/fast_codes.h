// SPDX-License-Identifier: Apache-2.0
// Forward passes in 8-bit integers: weights that are codes, inputs that are spikes or their averages.
#ifndef SPIKESTILL_BACKEND_FAST_CODES_H
#define SPIKESTILL_BACKEND_FAST_CODES_H

#include "backend/fast/fast.h"

typedef struct ssti_codes ssti_codes;

// *out is NULL where weights are no codes, where sums might not fit into 32 bits, where oneDNN has no kernel, and for
// shapes that are so small that integers gain nothing; but a negative crossover takes all shapes. Errors:
// OUT_OF_MEMORY.
sst_status ssti_codes_create(ssti_backend *backend, const ssti_conv2d *shape, double crossover, ssti_codes **out);
void ssti_codes_destroy(ssti_backend *backend, ssti_codes *codes);
size_t ssti_codes_workspace(const ssti_codes *codes); // bytes

// y = convolution of x, of the shape's in_type, without bias. False where x is not on the grid: nothing was computed.
bool ssti_codes_run(ssti_backend *backend, ssti_codes *codes, const void *x, const float *weight, float *y,
                    void *workspace);

#endif
