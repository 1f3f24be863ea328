// SPDX-License-Identifier: Apache-2.0
// How convolutions and linear layers are computed.
//
// When convolutions and linear layers are computed from spikes alone. Where an input is spikes (every value is 0 or one
// other value), a product is a sum of the weights whose input fired; that is exact up to the order of additions, and
// faster than multiplying everything where few inputs fire. Which way is taken is decided for each layer, batch and
// pass by the measured density of spikes alone, so the same data and the same numbers here give the same bits.
#ifndef SPIKESTILL_CROSSOVER_H
#define SPIKESTILL_CROSSOVER_H

#include "spikestill/context.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(name, default, meaning): the density up to which spikes are the faster way, with 64 input channels or more. Fewer
// channels and few positions lower it. A negative number: never; 1 or more: always, whatever the shape.
#define SST_CROSSOVER_LIST(X)                                                                                          \
  X(convolution_forward, 0.3, "outputs of convolutions")                                                               \
  X(convolution_weights, 0.3, "weight gradients of convolutions")                                                      \
  X(linear_forward, 0.15, "outputs of linear layers")                                                                  \
  X(linear_weights, -1, "weight gradients of linear layers")                                                           \
  X(bf16_convolution_forward, 0.25, "outputs of convolutions in precision bf16")                                       \
  X(bf16_convolution_weights, 0.19, "weight gradients of convolutions in precision bf16")                              \
  X(bf16_linear_forward, -1, "outputs of linear layers in precision bf16")                                             \
  X(bf16_linear_weights, -1, "weight gradients of linear layers in precision bf16")                                    \
  X(winograd_convolution_forward, 0.17, "outputs of convolutions that Winograd's algorithm would give otherwise")      \
  X(winograd_convolution_weights, 0.13,                                                                                \
    "weight gradients of convolutions that Winograd's algorithm would give otherwise")                                 \
  X(code_convolution_forward, 0.15, "outputs of convolutions that 8-bit integers would give otherwise")                \
  X(code_linear_forward, 0.15, "outputs of linear layers that 8-bit integers would give otherwise")

typedef struct sst_crossover {
#define SST_CROSSOVER_FIELD(name, value, meaning) double name;
  SST_CROSSOVER_LIST(SST_CROSSOVER_FIELD)
#undef SST_CROSSOVER_FIELD
} sst_crossover;

// The defaults above, measured on a CPU with AVX-512.
SST_API sst_crossover sst_crossover_default(void);

// The numbers that graphs obey which are compiled from now on. A context begins with the defaults.
SST_API void sst_context_set_crossover(sst_context *context, sst_crossover crossover);
SST_API sst_crossover sst_context_crossover(const sst_context *context);

// X(NAME, word, meaning): the algorithm of dense 3x3 convolutions of stride 1 whose channels are multiples of 16 and at
// least 32, in all three passes. Winograd's is 2 to 3 times as fast in f32; its largest error is below 1e-4 of the
// standard deviation of what it computes, where direct has 1e-6. In precision bf16 values between layers stay bf16, and
// products are in f32. All other convolutions are direct.
#define SST_CONVOLUTION_LIST(X) X(DIRECT, "direct", "as defined") X(WINOGRAD, "winograd", "fewer multiplications")
typedef enum sst_convolution {
#define SST_CONVOLUTION_ENUM(name, word, meaning) SST_CONVOLUTION_##name,
  SST_CONVOLUTION_LIST(SST_CONVOLUTION_ENUM)
#undef SST_CONVOLUTION_ENUM
} sst_convolution;

// The algorithm of graphs that are compiled from now on. A context begins with DIRECT.
SST_API void sst_context_set_convolution(sst_context *context, sst_convolution convolution);
SST_API sst_convolution sst_context_convolution(const sst_context *context);

// X(NAME, word, meaning): how products of weights that are codes (quantize.h) are computed forward, where the input is
// spikes of 0 and 1 or averages of up to sixteen of them: multiples of 1/16 below 8. Sums of integers are exact. Those
// of f32 are too, in any order, while they stay below 2^24 steps of the input's grid; then both give the same bits.
// Only beyond that (at weights of 8 bits from 132,000 spikes of a neuron on, or 8,000 averages of sixteen) may the last
// one differ.
#define SST_CODES_LIST(X)                                                                                              \
  X(INTEGER, "integer", "in 8-bit integers, if the CPU's kernels can")                                                 \
  X(FLOAT, "float", "as other weights are")
typedef enum sst_codes {
#define SST_CODES_ENUM(name, word, meaning) SST_CODES_##name,
  SST_CODES_LIST(SST_CODES_ENUM)
#undef SST_CODES_ENUM
} sst_codes;

// The same for products of codes. A context begins with INTEGER.
SST_API void sst_context_set_codes(sst_context *context, sst_codes codes);
SST_API sst_codes sst_context_codes(const sst_context *context);

#ifdef __cplusplus
}
#endif
#endif
