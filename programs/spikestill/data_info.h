// SPDX-License-Identifier: Apache-2.0
// What `spikestill data info` measures and prints.
#ifndef SPIKESTILL_PROGRAM_DATA_INFO_H
#define SPIKESTILL_PROGRAM_DATA_INFO_H

#include "command.h"
#include "spikestill/recipe.h"

int show_data_info(sst_context *context, const arguments *a, const sst_recipe *recipe);

#endif
