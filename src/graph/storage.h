// SPDX-License-Identifier: Apache-2.0
// Which values lie in memory as bf16: those made and read only by steps of precision BF16 that can do so, and that
// nobody sees from outside. Half the memory to move is most of what low precision gives besides faster products.
#ifndef SPIKESTILL_GRAPH_STORAGE_H
#define SPIKESTILL_GRAPH_STORAGE_H

#include "graph/graph_internal.h"

// Sets the types of values and gradients; wants to know the steps and who lives. Errors: OUT_OF_MEMORY.
sst_status ssti_choose_types(sst_graph *graph);

#endif
