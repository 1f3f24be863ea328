// SPDX-License-Identifier: Apache-2.0
// What commands that look at data share, and what `spikestill data info` measures and prints.
#ifndef SPIKESTILL_PROGRAM_DATA_INFO_H
#define SPIKESTILL_PROGRAM_DATA_INFO_H

#include "command.h"
#include "spikestill/recipe.h"

// The recipe that tells how the data is opened: a recipe's file, or the name of a data set, with the program's defaults
// and `student` for its network. --root and --set count. The message of an unknown word is printed, with *code; else
// *code is EXIT_FAILED with the sentence printed, or EXIT_DONE.
sst_recipe *open_data_recipe(sst_context *context, const arguments *a, const char *word, const char *student,
                             int *code);

// `spikestill bench data`: pictures a second out of a loader, beside what the network of the recipe takes.
int bench_data(sst_context *context, const arguments *a);

int show_data_info(sst_context *context, const arguments *a, const sst_recipe *recipe);

#endif
