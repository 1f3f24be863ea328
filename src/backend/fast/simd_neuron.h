// SPDX-License-Identifier: Apache-2.0
// The two ways of simd_neuron*.c through a block of neurons: row after row, or columns of sixteen neurons through all
// steps.
#ifndef SPIKESTILL_BACKEND_FAST_SIMD_NEURON_H
#define SPIKESTILL_BACKEND_FAST_SIMD_NEURON_H

#include "backend/fast/simd.h"

// How many of the block's first neurons the columns take.
int64_t SSTI_SIMD(ssti_neuron_columns)(const ssti_neuron_block *block);
void SSTI_SIMD(ssti_neuron_columns_forward)(const ssti_neuron_block *block, int64_t length);
void SSTI_SIMD(ssti_neuron_columns_backward)(const ssti_neuron_block *block, int64_t length);

#endif
