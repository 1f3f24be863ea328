// SPDX-License-Identifier: Apache-2.0
// Integer networks for people: what inspect and eval say of them.
#ifndef SPIKESTILL_PROGRAM_INTEGER_TABLE_H
#define SPIKESTILL_PROGRAM_INTEGER_TABLE_H

#include "command.h"
#include "spikestill/engine.h"

// Of all nodes.
sst_integer_sizes total_sizes(const sst_integer_network *network);

// What --level says, in *room; NULL without it.
const sst_engine_level *chosen_level(const arguments *a, sst_engine_level *room);

// Each returns an exit code; the first word is the file.
int inspect_integers(sst_context *context, const arguments *a);
int compare_integers(sst_context *context, const arguments *a, sst_part part);

#endif
