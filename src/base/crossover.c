// SPDX-License-Identifier: Apache-2.0
#include "spikestill/crossover.h"

#include "base/context_state.h"

sst_crossover sst_crossover_default(void) {
  return (sst_crossover){
#define DEFAULT(name, value, meaning) .name = (value),
      SST_CROSSOVER_LIST(DEFAULT)
#undef DEFAULT
  };
}

void sst_context_set_crossover(sst_context *context, sst_crossover crossover) { context->crossover = crossover; }

sst_crossover sst_context_crossover(const sst_context *context) { return context->crossover; }

void sst_context_set_convolution(sst_context *context, sst_convolution convolution) {
  context->convolution = convolution;
}

sst_convolution sst_context_convolution(const sst_context *context) { return context->convolution; }

void sst_context_set_codes(sst_context *context, sst_codes codes) { context->codes = codes; }

sst_codes sst_context_codes(const sst_context *context) { return context->codes; }
