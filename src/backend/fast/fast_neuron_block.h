// SPDX-License-Identifier: Apache-2.0
// Blocks of neurons whose tensors may be bf16, for kernels that know f32 alone.
#ifndef SPIKESTILL_BACKEND_FAST_NEURON_BLOCK_H
#define SPIKESTILL_BACKEND_FAST_NEURON_BLOCK_H

#include "backend/fast/simd.h"

// Of x and its gradient, and of the spikes and theirs. What neurons are asked for besides is f32.
typedef struct ssti_block_types {
  ssti_type in, out;
} ssti_block_types;

// Floats of scratch that a thread wants for its blocks; 0 where all is f32.
int64_t ssti_block_scratch(ssti_block_types types, int64_t input_steps, int64_t steps);

// Calls the kernel for the block: at its place in the tensors where `scratch` is NULL, otherwise as in tensors of one
// block in f32, which it is laid out in and rounded from.
void ssti_run_block(const ssti_simd *simd, void (*kernel)(const ssti_neuron_block *), const ssti_neuron_block *block,
                    ssti_block_types types, float *scratch);

#endif
