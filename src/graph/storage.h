// SPDX-License-Identifier: Apache-2.0
// Which values lie in memory as bf16, with their gradients: those made and read only by steps of precision BF16 whose
// kernels take it, and that nobody sees from outside. A sum of what is f32 stays f32. Half the memory to move is most
// of what low precision gives besides faster products.
#ifndef SPIKESTILL_GRAPH_STORAGE_H
#define SPIKESTILL_GRAPH_STORAGE_H

#include "graph/graph_internal.h"

// Sets the types of values and gradients; wants to know the steps, their tensors and who lives. Errors: OUT_OF_MEMORY.
sst_status ssti_choose_types(sst_graph *graph);

#endif
