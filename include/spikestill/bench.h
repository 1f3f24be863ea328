// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured: the yardstick beside which speeds are reported.
#ifndef SPIKESTILL_BENCH_H
#define SPIKESTILL_BENCH_H

#include "spikestill/context.h"
#include "spikestill/crossover.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sst_ceiling {
  double f32_gflops;      // multiply-adds in registers, counted as two operations, 1e9 a second
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

#ifdef __cplusplus
}
#endif
#endif
