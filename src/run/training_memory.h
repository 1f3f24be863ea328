// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_RUN_TRAINING_MEMORY_H
#define SPIKESTILL_RUN_TRAINING_MEMORY_H

#include "run/assemble.h"

// What training with this loss graph takes; `teacher` may be NULL. Without data.
sst_training_memory ssti_training_memory(const ssti_loss_graph *loss, const sst_parameters *parameters,
                                         const sst_network *teacher, const ssti_companions *companions,
                                         const sst_optimizer *optimizer);

// Operations of one run of a compiled graph's convolutions and linear layers, forward and, where it has a loss,
// backward.
double ssti_graph_flops(const sst_graph *graph);

#endif
