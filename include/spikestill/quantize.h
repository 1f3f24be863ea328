// SPDX-License-Identifier: Apache-2.0
// Quantisation-aware training. What lies between spikes is kept on dyadic grids, so that a quantised network in
// evaluation mode is integer arithmetic that f32 happens to carry out without error:
//
//     input       multiples of a power of two (input_bits of model.h), so that the first layer is exact as well
//     weights     integer codes; the full-precision shadow weights learn through them (ops.h: sst_quantize_weights)
//     norms       factor and offset of each channel are multiples of powers of two (sst_batch_norm, sst_rescale)
//     membranes   the stored state is a multiple of a power of two (neuron.h: membrane_bits)
//
// One rounding rule everywhere: half up, floor(x + 1/2). Grids are symmetric: b bits hold -(2^(b-1)-1) .. 2^(b-1)-1.
// Gradients pass every rounding as if it were not there (straight through), and none pass where a value was clipped.
#ifndef SPIKESTILL_QUANTIZE_H
#define SPIKESTILL_QUANTIZE_H

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(NAME, "word in recipes", "one line")
#define SST_WEIGHT_QUANTIZER_LIST(X)                                                                                   \
  X(NONE, "none", "full precision")                                                                                    \
  X(TERNARY, "ternary", "-1, 0, 1 by the mean size of the weights (arXiv 1605.04711)")                                 \
  X(LEARNED_STEP, "learned_step", "weight_bits bits with a learned step (arXiv 1902.08153)")
typedef enum sst_weight_quantizer_kind {
#define SST_WEIGHT_QUANTIZER_ENUM(name, word, text) SST_WEIGHT_QUANTIZER_##name,
  SST_WEIGHT_QUANTIZER_LIST(SST_WEIGHT_QUANTIZER_ENUM)
#undef SST_WEIGHT_QUANTIZER_ENUM
      SST_WEIGHT_QUANTIZER_COUNT
} sst_weight_quantizer_kind;

enum {
  SST_MIN_BITS = 2,
  SST_MAX_WEIGHT_BITS = 8,
  SST_MAX_INPUT_BITS = 12,
  SST_MAX_BITS = 16
}; // one symmetric bit could only hold 0

typedef struct sst_weight_quantizer {
  sst_weight_quantizer_kind kind;
  int bits;             // learned_step: 2..8; 2 bits are ternary with a learned step
  bool per_channel;     // one scale for each output channel instead of one for the layer
  float gradient_limit; // ternary: weights larger than this receive no gradient; 0: no limit
} sst_weight_quantizer;
SST_API sst_weight_quantizer sst_weight_quantizer_default(void); // none, 4 bits, one scale, no limit

// The word used in recipes, and back; false for an unknown word.
SST_API const char *sst_weight_quantizer_word(sst_weight_quantizer_kind kind);
SST_API bool sst_weight_quantizer_parse(const char *word, sst_weight_quantizer_kind *out);

// Bits that a code takes: 2 for ternary, `bits` for learned_step, 32 without quantisation.
SST_API int sst_weight_quantizer_bits(const sst_weight_quantizer *quantizer);

#ifdef __cplusplus
}
#endif
#endif
