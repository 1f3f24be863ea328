// SPDX-License-Identifier: Apache-2.0
// Times the engine layer by layer: a line a node with its kernel, way, microseconds a picture (the least of all
// runs, of one worker), share of the whole, and spikes a neuron and step.
//
//   bench_engine [--model cnn|vgg9] [--batch N] [--threads N] [--kernel WORD] [--level WORD] [--max-pool]
//                [--repetitions N]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "deploy/bench_network.h"
#include "spikestill/bench.h"
#include "spikestill/engine.h"

static void require(sst_context *context, sst_status status) {
  if (status == SST_OK) { return; }
  fprintf(stderr, "bench_engine: %s\n", sst_context_message(context));
  exit(1);
}

int main(int argc, char **argv) {
  sst_deploy_model model = SST_DEPLOY_VGG9;
  sst_engine_options options = sst_engine_default();
  bool max_pool = false;
  int repetitions = 5;
  options.batch = 64;
  options.timed = true;
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--max-pool") == 0) {
      max_pool = true;
      continue;
    }
    if (strcmp(argv[i], "--model") == 0) { model = strcmp(value, "cnn") == 0 ? SST_DEPLOY_CNN : SST_DEPLOY_VGG9; }
    if (strcmp(argv[i], "--batch") == 0) { options.batch = atoi(value); }
    if (strcmp(argv[i], "--threads") == 0) { options.threads = atoi(value); }
    if (strcmp(argv[i], "--repetitions") == 0) { repetitions = atoi(value); }
    if (strcmp(argv[i], "--kernel") == 0 && !sst_engine_kernel_parse(value, &options.kernel)) { return 2; }
    if (strcmp(argv[i], "--level") == 0 && !sst_engine_level_parse(value, &options.level)) { return 2; }
    i++;
  }
  sst_context *context = NULL;
  if (sst_context_create(NULL, &context) != SST_OK) { return 1; }
  sst_integer_network *network = NULL;
  require(context, ssti_bench_network(context, model, max_pool, &network));
  const sst_integer_value *v = &network->values[0];
  const int64_t count = v->height * v->width * v->channels, pictures = options.batch > 8 ? options.batch : 8;
  int16_t *input = malloc((size_t)(count * pictures) * sizeof *input);
  int64_t *logits = malloc((size_t)(network->classes * pictures) * sizeof *logits);
  ssti_random draw = ssti_random_begin(2, ssti_random_stream("deploy bench"));
  for (int64_t i = 0; i < count * pictures; i++) { input[i] = (int16_t)((int64_t)ssti_draw_below(&draw, 256) - 128); }
  require(context, ssti_bench_settle(context, network, 8, input));
  sst_engine *engine = NULL;
  require(context, sst_engine_open(context, network, &options, &engine));
  require(context, sst_engine_run(engine, options.batch, input, logits));
  double best = 1e9, all = 0, *least = malloc((size_t)network->node_count * sizeof *least);
  for (int i = 0; i < network->node_count; i++) { least[i] = 1e9; }
  for (int r = 0; r < repetitions; r++) {
    sst_engine_clear_counts(engine);
    const double start = ssti_clock_seconds();
    require(context, sst_engine_run(engine, options.batch, input, logits));
    const double seconds = ssti_clock_seconds() - start;
    best = seconds < best ? seconds : best;
    for (int i = 0; i < network->node_count; i++) {
      const double now = sst_engine_seconds(engine, i);
      least[i] = now < least[i] ? now : least[i];
    }
  }
  for (int i = 0; i < network->node_count; i++) { all += least[i]; }
  for (int i = 0; i < network->node_count; i++) {
    const sst_engine_layer layer = sst_engine_layer_of(engine, i);
    const sst_integer_value *out = network->nodes[i].output >= 0 ? &network->values[network->nodes[i].output] : v;
    printf("%-14s %-10s %-6s %9.1f us a picture %5.1f %%  rate %.3f\n", network->nodes[i].name,
           network->nodes[i].kind == SST_INTEGER_NODE_SYNAPSES ? sst_engine_kernel_word(layer.kernel) : "",
           layer.sliced ? "slices" : "rows", least[i] * 1e6 / (double)options.batch, 100 * least[i] / all,
           (double)sst_engine_spikes(engine, i) / (double)(options.batch * network->timesteps) /
               (double)(out->height * out->width * out->channels));
  }
  const sst_kernel_ceiling ceiling = sst_measure_kernel_ceiling(context);
  printf("least of %d runs of each node: %.1f us a picture of one worker; ceilings of a thread: %.2f T adders, "
         "%.2f T population counts, %.2f T products, %.2f T additions\n",
         repetitions, all * 1e6 / (double)options.batch, ceiling.adders * 1e-12 / ceiling.threads,
         ceiling.popcounts * 1e-12 / ceiling.threads, ceiling.products * 1e-12 / ceiling.threads,
         ceiling.additions * 1e-12 / ceiling.threads);
  free(least);
  const sst_engine_memory m = sst_engine_memory_of(engine);
  printf("%s, batch %d: %.1f pictures/s at best, %.0f us a run; bytes: weights %zu, planes %zu, scratch %zu, all %zu\n",
         sst_engine_level_word(sst_engine_level_of(engine)), (int)options.batch, (double)options.batch / best,
         best * 1e6, m.weights, m.planes, m.scratch, m.total);
  sst_engine_close(engine);
  sst_integer_network_free(network);
  free(input);
  free(logits);
  sst_context_destroy(context);
  return 0;
}
