// SPDX-License-Identifier: Apache-2.0
// Speed of deployed networks, all in one run: ternary networks in the engine, in batches and alone; what its kernels
// could do at most; and the float network of the same shape as this program infers it fastest.
#include "deploy_bench.h"

#include <stdio.h>

#include "json_output.h"
#include "spikestill/bench.h"

static const struct {
  const char *name;
  sst_deploy_options options;
} rows[] = {
    {"vgg9", {.model = SST_DEPLOY_VGG9, .batch = 64}},
    {"vgg9, max pooling", {.model = SST_DEPLOY_VGG9, .max_pool = true, .batch = 64}},
    {"vgg9", {.model = SST_DEPLOY_VGG9, .batch = 1}},
    {"cnn", {.model = SST_DEPLOY_CNN, .batch = 64}},
    {"cnn", {.model = SST_DEPLOY_CNN, .batch = 1}},
};
enum { ROWS = sizeof rows / sizeof *rows, ALONE_REPETITIONS = 100 };

static const char peer_recipe[] = "data: {name: cifar10}\n"
                                  "student: {kind: snn, model: vgg9, timesteps: 4, readout: spike_count}\n"
                                  "train: {batch: 64}\n";

typedef struct deploy_result {
  sst_kernel_ceiling ceiling;
  sst_deploy_bench row[ROWS];
  double peer; // pictures/s of the float network
  sst_precision peer_precision;
} deploy_result;

static double rate_of(const sst_deploy_bench *b) { return (double)b->batch / b->seconds; }

// In the precision in which it is fastest, of those that this CPU has.
static sst_status measure_peer(sst_context *context, const arguments *a, deploy_result *out) {
  sst_recipe *recipe;
  sst_step_bench bench;
  sst_status status = sst_recipe_from_text(context, "vgg9", peer_recipe, a->overrides, a->override_count, &recipe);
  if (status != SST_OK) { return status; }
  for (int i = 0; i < SST_PRECISION_COUNT && status == SST_OK; i++) {
    if (sst_precision_check(context, recipe->device, (sst_precision)i) != SST_OK) { continue; }
    recipe->precision = (sst_precision)i;
    status = sst_run_bench(context, recipe, a->repetitions, &bench);
    if (status != SST_OK) { break; }
    const double rate = (double)bench.batch / bench.inference_seconds;
    if (rate > out->peer) { out->peer = rate, out->peer_precision = recipe->precision; }
  }
  sst_recipe_close(context, recipe);
  return status;
}

static sst_status measure(sst_context *context, const arguments *a, deploy_result *out) {
  out->ceiling = sst_measure_kernel_ceiling(context);
  for (int i = 0; i < ROWS; i++) {
    sst_deploy_options options = rows[i].options;
    // A single picture takes a moment: one of many moments is like the others.
    options.repetitions = options.batch == 1 ? a->repetitions * ALONE_REPETITIONS : a->repetitions;
    const sst_status status = sst_measure_deploy(context, &options, &out->ceiling, &out->row[i]);
    if (status != SST_OK) { return status; }
  }
  return measure_peer(context, a, out);
}

// All of the engine's memory beside what it must hold: weights of two bits and all planes.
static double memory_ratio(const sst_deploy_bench *b) {
  return (double)b->memory.total / ((double)b->weights / 4 + (double)b->memory.planes);
}

static void print(const deploy_result *r) {
  const sst_deploy_bench *first = &r->row[0];
  printf(
      "ceilings, %s, %d threads: %.2f T/s bits through full adders, %.2f T/s bits counted, %.2f T/s 8-bit products,\n"
      "%.2f T/s 8-bit additions\n",
      r->ceiling.level, r->ceiling.threads, r->ceiling.adders * 1e-12, r->ceiling.popcounts * 1e-12,
      r->ceiling.products * 1e-12, r->ceiling.additions * 1e-12);
  printf(
      "random ternary weights, %.0f %% of them 0; T = 4, leak 1/2, hard reset, 8-bit membranes, 8-bit pixels;\n"
      "thresholds set so that 10 to 15 %% of each layer fires; share: of the time, that sums take at the ceilings\n\n",
      100 * first->zero_share);
  printf("%-18s %5s %11s %11s %8s %14s %8s %8s\n", "network", "batch", "pictures/s", "us a run", "share", "spikes",
         "MiB", "memory");
  for (int i = 0; i < ROWS; i++) {
    const sst_deploy_bench *b = &r->row[i];
    printf("%-18s %5lld %11.0f %11.0f %6.1f %% %.3f .. %.3f %8.1f %6.2f x\n", rows[i].name, (long long)b->batch,
           rate_of(b), b->seconds * 1e6, 100 * b->share, b->least_rate, b->most_rate, (double)b->memory.total / 1048576,
           memory_ratio(b));
  }
  printf("\nvgg9 in floating point (%s), batch 64: %.0f pictures/s; the engine is %.1f times as fast, %.1f with max "
         "pooling\n",
         sst_precision_word(r->peer_precision), r->peer, rate_of(&r->row[0]) / r->peer, rate_of(&r->row[1]) / r->peer);
  printf("memory: times the weights at two bits and all planes (%.2f and %.2f MiB for vgg9, batch 64)\n",
         (double)first->weights / 4 / 1048576, (double)first->memory.planes / 1048576);
}

static json_t *row_json(int i, const sst_deploy_bench *b) {
  return json_pack("{s:s, s:b, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f, s:f, s:I, s:I, s:I, s:f}", "network",
                   rows[i].options.model == SST_DEPLOY_CNN ? "cnn" : "vgg9", "max_pool", rows[i].options.max_pool,
                   "batch", (json_int_t)b->batch, "pictures_per_second", rate_of(b), "run_seconds", b->seconds,
                   "least_run_seconds", b->least_seconds, "share", b->share, "spike_rate", b->rate, "least_layer_rate",
                   b->least_rate, "most_layer_rate", b->most_rate, "weights", (json_int_t)b->weights, "zero_share",
                   b->zero_share, "multiply_adds", b->products, "weight_bytes", (json_int_t)b->memory.weights,
                   "plane_bytes", (json_int_t)b->memory.planes, "bytes", (json_int_t)b->memory.total, "memory_ratio",
                   memory_ratio(b));
}

int bench_deploy(sst_context *context, const arguments *a) {
  if (a->word_count > 1) { return usage_error("bench deploy takes no further word; see 'spikestill help bench'"); }
  deploy_result result = {.peer = 0};
  const sst_status status = measure(context, a, &result);
  if (status != SST_OK) { return report_failure(context, status); }
  if (!a->json) {
    print(&result);
    return EXIT_DONE;
  }
  json_t *list = json_array();
  for (int i = 0; i < ROWS; i++) { json_array_append_new(list, row_json(i, &result.row[i])); }
  return print_json(json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:s, s:f, s:f, s:o}", "level", result.ceiling.level,
                              "threads", result.ceiling.threads, "ceiling_adder_bits_per_second", result.ceiling.adders,
                              "ceiling_popcount_bits_per_second", result.ceiling.popcounts,
                              "ceiling_products_per_second", result.ceiling.products, "ceiling_additions_per_second",
                              result.ceiling.additions, "float_precision", sst_precision_word(result.peer_precision),
                              "float_pictures_per_second", result.peer, "times_float",
                              rate_of(&result.row[0]) / result.peer, "networks", list));
}
