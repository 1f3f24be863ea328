// SPDX-License-Identifier: Apache-2.0
// Measures the machine's ceilings (spikestill/bench.h) with the own kernels.
#include <string.h>

#include "backend/fast/fast.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "spikestill/bench.h"

enum { ROUNDS = 15, ARRAY_ELEMENTS = 16 << 20, ARRAY_GRAIN = 1 << 16, CHAIN_ROUNDS = 4000000 };

typedef struct ceiling_work {
  const ssti_simd *simd;
  float factor, offset; // not constants, so that nothing is computed in advance
  float *a, *b, *c;
  float *results; // [threads]
} ceiling_work;

static void chains_range(void *arg, int64_t begin, int64_t end) {
  const ceiling_work *w = arg;
  for (int64_t i = begin; i < end; i++) {
    w->results[i] = w->simd->multiply_add_chains(CHAIN_ROUNDS, w->factor, w->offset);
  }
}

static void fill_range(void *arg, int64_t begin, int64_t end) {
  const ceiling_work *w = arg;
  for (int64_t i = begin; i < end; i++) { w->a[i] = w->b[i] = w->c[i] = w->offset; }
}

static void triad_range(void *arg, int64_t begin, int64_t end) {
  const ceiling_work *w = arg;
  w->simd->triad(end - begin, w->factor, w->b + begin, w->c + begin, w->a + begin);
}

static void copy_range(void *arg, int64_t begin, int64_t end) {
  const ceiling_work *w = arg;
  memcpy(w->a + begin, w->b + begin, (size_t)(end - begin) * sizeof *w->a);
}

static void bf16_range(void *arg, int64_t begin, int64_t end) {
  const ceiling_work *w = arg;
  for (int64_t i = begin; i < end; i++) { w->results[i] = ssti_bf16_chains(CHAIN_ROUNDS); }
}

// Seconds of the fastest of several rounds: whatever else runs on the machine only makes a round slower.
static double best_seconds(sst_context *context, int64_t count, int64_t grain, ssti_range_function *function,
                           ceiling_work *work) {
  double best = 1e9;
  for (int i = 0; i < ROUNDS; i++) {
    double start = ssti_clock_seconds();
    ssti_parallel_for(context, count, grain, function, work);
    double seconds = ssti_clock_seconds() - start;
    if (seconds < best) { best = seconds; }
  }
  return best;
}

sst_status sst_measure_ceiling(sst_context *context, sst_ceiling *out) {
  *out = (sst_ceiling){.threads = sst_context_threads(context), .simd_level = ssti_simd_word(ssti_simd_best())};
  ssti_simd simd;
  (void)ssti_simd_fill(ssti_simd_best(), &simd);
  ceiling_work work = {.simd = &simd, .factor = 0.999f, .offset = 0.001f};
  const double bytes = (double)ARRAY_ELEMENTS * sizeof(float);
  sst_status status = ssti_allocate(context, (size_t)out->threads, sizeof(float), &work.results);
  if (status == SST_OK) { status = ssti_allocate_tensors(context, (size_t)bytes, &work.a); }
  if (status == SST_OK) { status = ssti_allocate_tensors(context, (size_t)bytes, &work.b); }
  if (status == SST_OK) { status = ssti_allocate_tensors(context, (size_t)bytes, &work.c); }
  if (status == SST_OK) {
    const double operations = (double)CHAIN_ROUNDS * simd.chain_operations * out->threads;
    out->f32_gflops = operations / best_seconds(context, out->threads, 1, chains_range, &work) * 1e-9;
    if (ssti_bf16_is_supported()) {
      const double products = (double)CHAIN_ROUNDS * SSTI_BF16_CHAIN_OPERATIONS * out->threads;
      out->bf16_gflops = products / best_seconds(context, out->threads, 1, bf16_range, &work) * 1e-9;
    }
    ssti_parallel_for(context, ARRAY_ELEMENTS, ARRAY_GRAIN, fill_range, &work);
    out->triad_gb_per_s = 3 * bytes / best_seconds(context, ARRAY_ELEMENTS, ARRAY_GRAIN, triad_range, &work) * 1e-9;
    out->copy_gb_per_s = 2 * bytes / best_seconds(context, ARRAY_ELEMENTS, ARRAY_GRAIN, copy_range, &work) * 1e-9;
  }
  ssti_free(context, work.results);
  ssti_free(context, work.a);
  ssti_free(context, work.b);
  ssti_free(context, work.c);
  return status;
}
