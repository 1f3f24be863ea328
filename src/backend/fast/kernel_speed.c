// SPDX-License-Identifier: Apache-2.0
// Measures single kernels for `spikestill bench` (spikestill/bench.h), on numbers around zero.

#include "backend/fast/fast.h"
#include "backend/norm_neuron_run.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "spikestill/bench.h"

typedef struct triad_work {
  const ssti_simd *simd;
  const float *x, *other;
  float *to;
} triad_work;

// What stood in the spikes is made anew by the next run.
static void triad_range(void *arg, int64_t begin, int64_t end) {
  const triad_work *w = arg;
  w->simd->triad(end - begin, 0.5f, w->x + begin, w->other + begin, w->to + begin);
}

static double median(double *seconds, int count) {
  ssti_sort_seconds(count, seconds);
  return seconds[count / 2];
}

// Memory that nobody has written is not read from memory.
static void fill(int64_t count, float *x, float *other) {
  const uint64_t stream = ssti_random_stream("bench");
  for (int64_t i = 0; i < count; i++) {
    x[i] = ssti_random_uniform(1, stream, (uint64_t)i) - 0.5f;
    other[i] = 1.0f;
  }
}

sst_status sst_measure_norm_neuron(sst_context *context, int repetitions, sst_kernel_speed *out) {
  enum { STEPS = 4, BATCH = 64, SIZE = 32, CHANNELS = 64, TENSORS_MOVED = 8, TRIAD_GRAIN = 1 << 16 };
  const int64_t pixels = BATCH * SIZE * SIZE, count = STEPS * pixels * CHANNELS;
  *out = (sst_kernel_speed){0};
  ssti_norm_neuron_run b = {.shape = ssti_norm_neuron_run_shape(STEPS, pixels, CHANNELS, SSTI_F32)};
  float *other = NULL;
  ssti_backend *backend = NULL;
  double *seconds = NULL, *triads = NULL;
  sst_status status = SST_OK;
  if (repetitions < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "repetitions are %d, expected at least 1", repetitions);
  }
  SST_TRY_GOTO(ssti_backend_create(context, SST_DEVICE_CPU, &backend));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)repetitions, sizeof *seconds, &seconds));
  SST_TRY_GOTO(ssti_allocate_tensors(context, (size_t)count * sizeof(float), &b.x));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)repetitions, sizeof *triads, &triads));
  SST_TRY_GOTO(ssti_allocate_tensors(context, (size_t)count * sizeof(float), &b.spikes));
  SST_TRY_GOTO(ssti_allocate_tensors(context, (size_t)count * sizeof(float), &other));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)ssti_norm_neuron_run_vectors(&b.shape), sizeof *b.vectors, &b.vectors));
  SST_TRY_GOTO(ssti_allocate_tensors(context, ssti_norm_neuron_run_workspace(backend, &b.shape), &b.workspace));
  // The spikes serve as their own gradient, and are overwritten by that of x, as in a graph.
  b.dspikes = b.dx = b.spikes;
  fill(count, b.x, other);
  ssti_norm_neuron_run_begin(backend, &b);
  triad_work triad = {.simd = &ssti_fast_state_of(backend)->simd, .x = b.x, .other = other, .to = b.spikes};
  for (int i = -1; i < repetitions; i++) { // one to warm up
    const double start = ssti_clock_seconds();
    ssti_norm_neuron_run_pass(backend, &b);
    const double between = ssti_clock_seconds();
    ssti_parallel_for(context, count, TRIAD_GRAIN, triad_range, &triad);
    if (i < 0) { continue; }
    seconds[i] = between - start;
    triads[i] = ssti_clock_seconds() - between;
  }
  out->seconds = median(seconds, repetitions);
  out->bytes = (double)TENSORS_MOVED * (double)count * sizeof(float);
  out->triad_gb_per_s = 3.0 * (double)count * sizeof(float) / median(triads, repetitions) * 1e-9;
done:
  ssti_free(context, b.workspace);
  ssti_free(context, b.vectors);
  ssti_free(context, b.spikes);
  ssti_free(context, other);
  ssti_free(context, triads);
  ssti_free(context, b.x);
  ssti_free(context, seconds);
  ssti_backend_destroy(backend);
  return status;
}
