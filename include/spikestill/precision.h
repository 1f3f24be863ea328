// SPDX-License-Identifier: Apache-2.0
// In which numbers layers multiply. There is no silent fallback from one precision to another.
#ifndef SPIKESTILL_PRECISION_H
#define SPIKESTILL_PRECISION_H

#include <stdbool.h>

#include "spikestill/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word", "one line"). bf16 is the upper half of an f32: the same range, 8 bits of precision; spikes are exact.
// With BF16, convolutions and linear layers multiply inputs, weights and gradients rounded to bf16 and add the products
// up in f32; between such layers, fused norms, neurons and pools, values and their gradients are kept as bf16.
// Parameters, their gradients, optimisers, statistics, membranes, losses and whatever is read from outside stay f32.
// With TF32, which cards alone have, the same layers multiply numbers rounded to 11 bits of precision and add up in
// f32; everything that is stored is f32.
#define SST_PRECISION_LIST(X)                                                                                          \
  X(F32, "f32", "32-bit floating point throughout")                                                                    \
  X(BF16, "bf16", "products of bfloat16 numbers, summed in f32; parameters stay f32")                                  \
  X(TF32, "tf32", "on cards: products of numbers rounded to 11 bits, summed in f32; all that is stored is f32")

typedef enum sst_precision {
#define SST_PRECISION_ENUM(name, word, text) SST_PRECISION_##name,
  SST_PRECISION_LIST(SST_PRECISION_ENUM)
#undef SST_PRECISION_ENUM
      SST_PRECISION_COUNT
} sst_precision;

// The word used in recipes and on the command line, and back; false for an unknown word.
SST_API const char *sst_precision_word(sst_precision precision);
SST_API bool sst_precision_parse(const char *word, sst_precision *out);

// Whether graphs on that device can compute in that precision: OK, or why not in one sentence. Errors: UNSUPPORTED
// (this CPU or card has no instructions for it), INVALID_ARGUMENT (no such precision), those of sst_device_check.
SST_MUST_CHECK SST_API sst_status sst_precision_check(sst_context *context, sst_device device, sst_precision precision);

#ifdef __cplusplus
}
#endif
#endif
