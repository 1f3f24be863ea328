// SPDX-License-Identifier: Apache-2.0
// What the graph and the optimiser see of a parameter store: flat blocks. Order inside: decaying weights, other
// trainable parameters, buffers. Each parameter starts at a multiple of 16 floats; the padding stays zero.
#ifndef SPIKESTILL_GRAPH_PARAMETERS_INTERNAL_H
#define SPIKESTILL_GRAPH_PARAMETERS_INTERNAL_H

#include "base/memory.h"
#include "spikestill/parameters.h"

sst_context *ssti_parameters_context(const sst_parameters *parameters);

// sst_parameters_seal into the memory of a device; a store that is sealed moves there, unless graphs hold it. Errors:
// OUT_OF_MEMORY, INVALID_ARGUMENT (held).
sst_status ssti_parameters_seal_in(sst_parameters *parameters, const ssti_memory_space *space);

// While held, the store stays where it is.
void ssti_parameters_hold(sst_parameters *parameters);
void ssti_parameters_let_go(sst_parameters *parameters);

// All values, and the gradients of the trainable prefix. NULL before the store is sealed.
float *ssti_parameters_values(sst_parameters *parameters);
float *ssti_parameters_gradients(sst_parameters *parameters);

// Lengths in floats, padding included: decaying prefix <= trainable prefix <= everything.
int64_t ssti_parameters_decay_count(const sst_parameters *parameters);
int64_t ssti_parameters_trainable_count(const sst_parameters *parameters);
int64_t ssti_parameters_total_count(const sst_parameters *parameters);

#endif
