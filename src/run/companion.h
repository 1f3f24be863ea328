// SPDX-License-Identifier: Apache-2.0
// Companions: what is trained beside the student, takes part in the loss and is discarded afterwards: networks, and the
// parameters that distillation terms have of their own. Each has a store, an optimiser and a scope of its own, so that
// without a term between them neither changes the other.
#ifndef SPIKESTILL_RUN_COMPANION_H
#define SPIKESTILL_RUN_COMPANION_H

#include "spikestill/recipe.h"
#include "spikestill/train.h"

// The student has the first optimiser of a training.
enum { SSTI_MOST_COMPANIONS = SST_MAX_OPTIMIZERS - 1 };

typedef struct ssti_companion {
  const char *name;        // its scope in the loss graph; in checkpoints "companion.<name>." stands before its tensors
  sst_model_options model; // of a network; without what follows from the data set
  float cross_entropy_weight; // of its own cross-entropy in the loss
  sst_parameters *parameters;
  sst_optimizer *optimizer;
} ssti_companion;

typedef struct ssti_companions {
  ssti_companion items[SSTI_MOST_COMPANIONS];
  int count, network_count; // the networks come first
  sst_parameters *terms;    // owned; for the distillation terms, and the last companion once it is known to hold any
} ssti_companions;

// The networks that the recipe asks for, with empty parameter stores: the loss graph fills them. They borrow the
// recipe. On failure too they are to be closed.
sst_status ssti_companions_open(sst_context *context, const sst_recipe *recipe, ssti_companions *out);
void ssti_companions_close(ssti_companions *companions);

// Their optimisers, with the options of the student's; parameters of terms join the list if there are any. After the
// loss graph is compiled.
sst_status ssti_companions_make_optimizers(const sst_recipe *recipe, ssti_companions *companions);

// Scope of the twin, or NULL if there is none.
const char *ssti_companions_twin(const ssti_companions *companions);

#endif
