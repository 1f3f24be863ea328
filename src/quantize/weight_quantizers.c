// SPDX-License-Identifier: Apache-2.0
// Words, defaults and ranges of weight quantisers.
#include <math.h>

#include "base/text.h"
#include "quantize/grid.h"

static const char *const words[] = {
#define QUANTIZER_WORD(name, word, text) word,
    SST_WEIGHT_QUANTIZER_LIST(QUANTIZER_WORD)
#undef QUANTIZER_WORD
};

sst_weight_quantizer sst_weight_quantizer_default(void) {
  return (sst_weight_quantizer){.kind = SST_WEIGHT_QUANTIZER_NONE, .bits = 4};
}

static bool is_kind(sst_weight_quantizer_kind kind) { return (unsigned)kind < (unsigned)SST_WEIGHT_QUANTIZER_COUNT; }

const char *sst_weight_quantizer_word(sst_weight_quantizer_kind kind) {
  return is_kind(kind) ? words[kind] : "unknown";
}

bool sst_weight_quantizer_parse(const char *word, sst_weight_quantizer_kind *out) {
  const int found = ssti_find_word(word, words, SST_WEIGHT_QUANTIZER_COUNT);
  if (found >= 0) { *out = (sst_weight_quantizer_kind)found; }
  return found >= 0;
}

int sst_weight_quantizer_bits(const sst_weight_quantizer *quantizer) {
  switch (quantizer->kind) {
  case SST_WEIGHT_QUANTIZER_TERNARY: return 2;
  case SST_WEIGHT_QUANTIZER_LEARNED_STEP: return quantizer->bits;
  case SST_WEIGHT_QUANTIZER_NONE:
  case SST_WEIGHT_QUANTIZER_COUNT: break;
  }
  return 32;
}

sst_status ssti_weight_quantizer_check(sst_context *context, const sst_weight_quantizer *quantizer) {
  if (!is_kind(quantizer->kind)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "there is no weight quantiser %d; they are 0..%d", (int)quantizer->kind,
             (int)SST_WEIGHT_QUANTIZER_COUNT - 1);
  }
  if (quantizer->kind == SST_WEIGHT_QUANTIZER_LEARNED_STEP &&
      (quantizer->bits < SST_MIN_BITS || quantizer->bits > SST_MAX_WEIGHT_BITS)) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the weights have %d bits, expected %d to %d", quantizer->bits,
             SST_MIN_BITS, SST_MAX_WEIGHT_BITS);
  }
  if (!(quantizer->gradient_limit >= 0.0f && isfinite(quantizer->gradient_limit))) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "the weights' gradient_limit is %g, expected a finite number of at least 0",
             (double)quantizer->gradient_limit);
  }
  return SST_OK;
}
