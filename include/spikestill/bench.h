// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured: the yardstick beside which speeds are reported.
#ifndef SPIKESTILL_BENCH_H
#define SPIKESTILL_BENCH_H

#include "spikestill/crossover.h"
#include "spikestill/engine.h"
#include "spikestill/precision.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_ceiling {
  double f32_gflops;      // multiply-adds in registers, counted as two operations, 1e9 a second
  double bf16_gflops;     // the same of bf16 products summed in f32; 0 where the CPU has no AVX512_BF16
  double triad_gb_per_s;  // a = b + factor * c on arrays larger than the caches: bytes read and written, 1e9 a second
  double copy_gb_per_s;   // memcpy of such arrays, bytes read and written
  int threads;            // that took part
  const char *simd_level; // "baseline", "x86-64-v3" or "x86-64-v4": what the kernels were compiled for; static storage
} sst_ceiling;

// Measures with the context's threads and the instruction set that the kernels use; the best of several rounds, about
// half a second in all. Errors: OUT_OF_MEMORY (it takes 192 MiB for the memory part).
SST_MUST_CHECK SST_API sst_status sst_measure_ceiling(sst_context *context, sst_ceiling *out);

// Measures with the context's threads below which density of spikes a layer is computed faster from spikes alone, on a
// convolution and a linear layer of middle size; a second or so. Changes nothing in the context.
// Errors: OUT_OF_MEMORY, UNSUPPORTED (no fast backend for this CPU).
SST_MUST_CHECK SST_API sst_status sst_measure_crossover(sst_context *context, sst_crossover *out);

// What a card can do at most, measured on device cuda.
typedef struct sst_card_ceiling {
  double copy_gb_per_s; // copies within the card's memory: bytes read and written, 1e9 a second
  // Products of square matrices by cuBLASLt in each precision, 1e9 operations a second; bf16 matrices give bf16. 0:
  // this card has no such products.
  double gflops[SST_PRECISION_COUNT];
} sst_card_ceiling;
enum { SST_CARD_SIDE = 8192 }; // of matrices with which a card is measured: three of 256 MiB

// From square matrices with that many rows; the best of `repetitions`, each timed by the card.
// Errors: INVALID_ARGUMENT (side or repetitions below 1, side above 32768), those of sst_device_check.
SST_MUST_CHECK SST_API sst_status sst_measure_card(sst_context *context, int64_t side, int repetitions,
                                                   sst_card_ceiling *out);

// LIF neurons, forward and backward, on [steps, batch, size, size, channels], alone or fused with the batch norm before
// them.
typedef struct sst_neuron_work {
  int64_t steps, batch, size, channels;
  bool norm;
  bool bf16; // x, spikes and their gradients are; else f32
} sst_neuron_work;
typedef struct sst_card_speed {
  double seconds; // median, timed by the card
  double
      bytes; // that have to move at least. Alone: x read twice, spikes written, their gradient read, that of x written;
             // with the norm: x read four times (statistics, firing, sums, gradient), the spikes' gradient twice
} sst_card_speed;

// On device cuda. Errors: INVALID_ARGUMENT (a number below 1, or 2^31 elements), OUT_OF_MEMORY (it takes four tensors
// of that shape, and one of f32), those of sst_device_check and sst_precision_check.
SST_MUST_CHECK SST_API sst_status sst_measure_card_neuron(sst_context *context, const sst_neuron_work *work,
                                                          int repetitions, sst_card_speed *out);

// What the engine's kernels can do at most: their operations in registers on all threads, a second.
typedef struct sst_kernel_ceiling {
  double adders;    // bits through a full adder: one input of one output for one picture (bitsliced)
  double popcounts; // bits through AND, population count and addition (popcount: one for each bit of a ternary weight,
                    // two at levels plain and avx2)
  double products;  // 8-bit multiply-adds (int8, and event for inputs that are no small counts)
  double additions; // 8-bit additions (event: one for each output and count of an input)
  int threads;
  const char *level; // static storage
} sst_kernel_ceiling;

// The best of several rounds at the best level; about a second.
SST_API sst_kernel_ceiling sst_measure_kernel_ceiling(sst_context *context);

// X(NAME, "word", "one line")
#define SST_DEPLOY_LIST(X)                                                                                             \
  X(CNN, "cnn", "32-P-64-P-fc256-fc10 on 28x28x1")                                                                     \
  X(VGG9, "vgg9", "64-64-P-128-128-P-256-256-P-fc1024-fc10 on 32x32x3")
typedef enum sst_deploy_model {
#define SST_DEPLOY_ENUM(name, word, text) SST_DEPLOY_##name,
  SST_DEPLOY_LIST(SST_DEPLOY_ENUM)
#undef SST_DEPLOY_ENUM
      SST_DEPLOY_COUNT
} sst_deploy_model;

typedef struct sst_deploy_options {
  sst_deploy_model model;
  bool max_pool; // else average pooling
  int64_t batch; // pictures of a run
  int repetitions;
} sst_deploy_options;

typedef struct sst_deploy_bench {
  int64_t batch;
  double seconds, least_seconds;      // of a run: median and least
  double share;                       // of the time, that the sums of synapses take at the ceilings of their kernels
  double rate, least_rate, most_rate; // spikes a neuron and step: of all, of the layers with the fewest and the most
  int64_t weights;
  double zero_share; // of the weights
  double products;   // multiply-adds of a picture, all steps; the stem once
  sst_engine_memory memory;
} sst_deploy_bench;

// The engine's speed with a network of the model's shape: T = 4, ternary weights at random, LIF neurons with 8-bit
// membranes and a hard reset, thresholds moved until 10 to 15 % of each layer's neurons fire in a step, pixels that are
// noise. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY.
SST_MUST_CHECK SST_API sst_status sst_measure_deploy(sst_context *context, const sst_deploy_options *options,
                                                     const sst_kernel_ceiling *ceiling, sst_deploy_bench *out);

typedef struct sst_kernel_speed {
  double seconds;        // median
  double bytes;          // that have to move to and from memory at least
  double triad_gb_per_s; // of a = b + factor * c on the same arrays, once after each run of the kernel: median
} sst_kernel_speed;

// Batch norm and LIF, forward and backward, fused as in a training graph, on [4,64,32,32,64], the first layers of a
// VGG-9 at batch 64. The bytes are those of x read four times (statistics, firing, sums, gradient), the spikes written,
// their gradient read twice and the gradient of x written. Errors: OUT_OF_MEMORY (it takes 200 MiB), UNSUPPORTED,
// INVALID_ARGUMENT (repetitions below 1).
SST_MUST_CHECK SST_API sst_status sst_measure_norm_neuron(sst_context *context, int repetitions, sst_kernel_speed *out);

typedef struct sst_code_speed {
  double seconds, float_seconds; // medians: in 8-bit integers, and the same numbers in f32 by dense products
  double products;               // multiply-adds
  bool in_integers;              // false: there is no such kernel here; both are f32
} sst_code_speed;

// The forward pass of a 3x3 convolution of spikes [4,64,32,32,64], a fifth of which is 1, with 64 outputs of 4-bit
// codes, as quantised networks have it (sst_codes). Errors: OUT_OF_MEMORY (it takes 150 MiB), UNSUPPORTED,
// INVALID_ARGUMENT (repetitions below 1).
SST_MUST_CHECK SST_API sst_status sst_measure_code_product(sst_context *context, int repetitions, sst_code_speed *out);

#ifdef __cplusplus
}
#endif
#endif
