// SPDX-License-Identifier: Apache-2.0
// Measures convolutions of codes for `spikestill bench` (spikestill/bench.h).

#include "backend/fast/fast.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "spikestill/bench.h"

enum { IMAGES = 256, SIZE = 32, CHANNELS = 64, CODE_BITS = 4 };

typedef struct code_bench {
  ssti_conv2d shape;
  float *x, *weight, *y;
  double *seconds; // [repetitions]
  int repetitions;
} code_bench;

static void fill(const code_bench *b, int64_t inputs, int64_t weights) {
  const uint64_t stream = ssti_random_stream("bench");
  for (int64_t i = 0; i < inputs; i++) { b->x[i] = ssti_random_uniform(1, stream, (uint64_t)i) < 0.2f ? 1.0f : 0.0f; }
  for (int64_t i = 0; i < weights; i++) { b->weight[i] = (float)(i % 15 - 7); }
}

// The median of the forward passes of a backend made with that choice, none of them from spikes.
static sst_status time_choice(sst_context *context, const code_bench *b, sst_codes codes, double *median,
                              bool *in_integers) {
  ssti_backend *backend = NULL;
  ssti_plan *plan = NULL;
  void *workspace = NULL, *saved = NULL;
  sst_context_set_codes(context, codes);
  sst_status status = ssti_backend_create(context, SST_DEVICE_CPU, &backend);
  if (status != SST_OK) { return status; }
  SST_TRY_GOTO(backend->kernels.conv2d_plan(backend, &b->shape, false, &plan));
  SST_TRY_GOTO(ssti_allocate_tensors(context, plan->forward_workspace, &workspace));
  SST_TRY_GOTO(ssti_allocate_tensors(context, plan->saved, &saved));
  for (int i = -1; i < b->repetitions; i++) { // one to warm up
    const double start = ssti_clock_seconds();
    backend->kernels.conv2d_forward(backend, &b->shape, plan, b->x, b->weight, NULL, b->y, saved, workspace);
    if (i >= 0) { b->seconds[i] = ssti_clock_seconds() - start; }
  }
  ssti_sort_seconds(b->repetitions, b->seconds);
  *median = b->seconds[b->repetitions / 2];
  *in_integers = plan->forward_by_codes;
done:
  backend->kernels.plan_destroy(backend, plan);
  ssti_free(context, workspace);
  ssti_free(context, saved);
  ssti_backend_destroy(backend);
  return status;
}

static sst_status measure(sst_context *context, code_bench *b, sst_code_speed *out) {
  const int64_t inputs = (int64_t)IMAGES * SIZE * SIZE * CHANNELS, weights = (int64_t)9 * CHANNELS * CHANNELS;
  SST_TRY(ssti_allocate(context, (size_t)b->repetitions, sizeof *b->seconds, &b->seconds));
  SST_TRY(ssti_allocate_tensors(context, (size_t)inputs * sizeof(float), &b->x));
  SST_TRY(ssti_allocate_tensors(context, (size_t)weights * sizeof(float), &b->weight));
  SST_TRY(ssti_allocate_tensors(context, (size_t)inputs * sizeof(float), &b->y));
  fill(b, inputs, weights);
  out->products = (double)inputs * 9 * CHANNELS;
  bool unused;
  SST_TRY(time_choice(context, b, SST_CODES_FLOAT, &out->float_seconds, &unused));
  return time_choice(context, b, SST_CODES_INTEGER, &out->seconds, &out->in_integers);
}

sst_status sst_measure_code_product(sst_context *context, int repetitions, sst_code_speed *out) {
  *out = (sst_code_speed){0};
  if (repetitions < 1) {
    SST_FAIL(context, SST_INVALID_ARGUMENT, "repetitions are %d, expected at least 1", repetitions);
  }
  code_bench b = {.shape = ssti_conv2d_3x3(IMAGES, SIZE, CHANNELS, CHANNELS), .repetitions = repetitions};
  b.shape.code_bits = CODE_BITS;
  const sst_crossover crossover = sst_context_crossover(context);
  const sst_codes codes = sst_context_codes(context);
  sst_context_set_crossover(context, (sst_crossover){
#define NEVER(name, value, meaning) .name = -1.0,
                                         SST_CROSSOVER_LIST(NEVER)
#undef NEVER
                                     });
  const sst_status status = measure(context, &b, out);
  sst_context_set_crossover(context, crossover);
  sst_context_set_codes(context, codes);
  ssti_free(context, b.seconds);
  ssti_free(context, b.x);
  ssti_free(context, b.weight);
  ssti_free(context, b.y);
  return status;
}
