// SPDX-License-Identifier: Apache-2.0
// What the graph and the optimiser see of a parameter store: flat blocks. Order inside: decaying weights, other
// trainable parameters, buffers. Each parameter starts at a multiple of 16 floats; the padding stays zero.
#ifndef SPIKESTILL_GRAPH_PARAMETERS_INTERNAL_H
#define SPIKESTILL_GRAPH_PARAMETERS_INTERNAL_H

#include "base/fail.h"
#include "spikestill/parameters.h"

sst_context *ssti_parameters_context(const sst_parameters *parameters);

// All values, and the gradients of the trainable prefix. NULL before the store is sealed.
float *ssti_parameters_values(sst_parameters *parameters);
float *ssti_parameters_gradients(sst_parameters *parameters);

// Lengths in floats, padding included: decaying prefix <= trainable prefix <= everything.
int64_t ssti_parameters_decay_count(const sst_parameters *parameters);
int64_t ssti_parameters_trainable_count(const sst_parameters *parameters);
int64_t ssti_parameters_total_count(const sst_parameters *parameters);

#endif
