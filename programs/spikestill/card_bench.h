// SPDX-License-Identifier: Apache-2.0
#ifndef SPIKESTILL_PROGRAM_CARD_BENCH_H
#define SPIKESTILL_PROGRAM_CARD_BENCH_H

#include "command.h"
#include "spikestill/recipe.h"

// Whether the command line puts the benchmark on a card.
bool is_card_bench(const arguments *a);

// What `bench` does there: with a recipe its training and inference, else neuron kernels and networks of published
// sizes.
int bench_card(sst_context *context, const arguments *a, const sst_recipe *recipe);

#endif
