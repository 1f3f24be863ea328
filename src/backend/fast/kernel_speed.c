// SPDX-License-Identifier: Apache-2.0
// Measures single kernels for `spikestill bench` (spikestill/bench.h), on numbers around zero.

#include "backend/fast/fast.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "spikestill/bench.h"

typedef struct fused_bench {
  ssti_norm_neuron shape;
  float *x, *spikes, *other;
  float *vectors; // gamma, beta, mean, variance, what is saved [3], gradients [2]
  void *workspace;
} fused_bench;

static void run_fused(ssti_backend *backend, const fused_bench *b) {
  const ssti_kernels *k = &backend->kernels;
  const int64_t n = b->shape.norm.channels;
  float *v = b->vectors, *saved = v + 4 * n;
  k->norm_neuron_statistics(backend, &b->shape.norm, b->x, v, v + 2 * n, v + 3 * n, saved);
  k->norm_neuron_forward(backend, &b->shape, b->x, v + n, saved, NULL, b->spikes, NULL, b->workspace);
  // The spikes serve as their own gradient, and are overwritten by that of x, as in a graph.
  const ssti_norm_neuron_gradients out = {.dx = b->spikes, .dgamma = v + 7 * n, .dbeta = v + 8 * n};
  k->norm_neuron_backward(backend, &b->shape, b->x, v, v + n, saved, true, NULL, b->spikes, NULL, &out, b->workspace);
}

typedef struct triad_work {
  const ssti_simd *simd;
  const fused_bench *bench;
} triad_work;

// What stood in the spikes is made anew by the next run.
static void triad_range(void *arg, int64_t begin, int64_t end) {
  const triad_work *w = arg;
  w->simd->triad(end - begin, 0.5f, w->bench->x + begin, w->bench->other + begin, w->bench->spikes + begin);
}

static double median(double *seconds, int count) {
  ssti_sort_seconds(count, seconds);
  return seconds[count / 2];
}

static void fill(fused_bench *b, int64_t count) {
  const int64_t n = b->shape.norm.channels;
  const uint64_t stream = ssti_random_stream("bench");
  for (int64_t i = 0; i < count; i++) {
    b->x[i] = ssti_random_uniform(1, stream, (uint64_t)i) - 0.5f;
    b->other[i] = 1.0f; // memory that nobody has written is not read from memory
  }
  for (int64_t c = 0; c < 9 * n; c++) { b->vectors[c] = c < n || (c >= 3 * n && c < 4 * n) ? 1.0f : 0.0f; }
}

sst_status sst_measure_norm_neuron(sst_context *context, int repetitions, sst_kernel_speed *out) {
  enum { STEPS = 4, BATCH = 64, SIZE = 32, CHANNELS = 64, TENSORS_MOVED = 8, TRIAD_GRAIN = 1 << 16 };
  const int64_t pixels = BATCH * SIZE * SIZE, count = STEPS * pixels * CHANNELS;
  *out = (sst_kernel_speed){0};
  fused_bench b = {
      .shape = {.norm = {.rows = STEPS * pixels,
                         .channels = CHANNELS,
                         .steps = STEPS,
                         .epsilon = 1e-5f,
                         .momentum = 0.1f,
                         .scale = 1.0f},
                .neuron = {
                    .neuron = sst_neuron_default(), .steps = STEPS, .input_steps = STEPS, .count = pixels * CHANNELS}}};
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
  SST_TRY_GOTO(ssti_allocate_tensors(context, (size_t)count * sizeof(float), &b.other));
  SST_TRY_GOTO(ssti_allocate(context, (size_t)9 * CHANNELS, sizeof(float), &b.vectors));
  SST_TRY_GOTO(
      ssti_allocate_tensors(context, backend->kernels.norm_neuron_workspace(backend, &b.shape, true), &b.workspace));
  fill(&b, count);
  triad_work triad = {.simd = &ssti_fast_state_of(backend)->simd, .bench = &b};
  for (int i = -1; i < repetitions; i++) { // one to warm up
    const double start = ssti_clock_seconds();
    run_fused(backend, &b);
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
  ssti_free(context, b.other);
  ssti_free(context, triads);
  ssti_free(context, b.x);
  ssti_free(context, seconds);
  ssti_backend_destroy(backend);
  return status;
}
