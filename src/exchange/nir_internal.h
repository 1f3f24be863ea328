// SPDX-License-Identifier: Apache-2.0
// What the files of NIR share: nir_graph.c (graphs in memory), nir_read.c and nir_write.c (HDF5), nir_neurons.c (what
// tools make of a neuron's parameters), nir_export.c (from our graph), nir_flat.c and nir_import.c (to our graph).
#ifndef SPIKESTILL_NIR_INTERNAL_H
#define SPIKESTILL_NIR_INTERNAL_H

#include "base/memory.h"
#include "spikestill/nir.h"

// Far above anything a network has, far below anything that overflows.
#define SSTI_NIR_MOST_ELEMENTS (1LL << 30)

bool ssti_nir_type_parse(const char *word, sst_nir_type *out);

// Adds a value whose array is there but not filled; a text is NULL.
sst_status ssti_nir_add_value(sst_context *context, sst_nir_values *values, const char *name, sst_nir_kind kind,
                              int rank, const int64_t *shape, sst_nir_value **out);

// Whether the node has all fields of its type and no other; `failure` is the code of the error.
sst_status ssti_nir_check_node(sst_context *context, const sst_nir_node *node, sst_status failure);

#endif
