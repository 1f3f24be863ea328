// SPDX-License-Identifier: Apache-2.0
// The engine against golden samples of the same network's C source, for scripts/compare_integers.py: built for a
// processor that an emulator stands for, with the network as tables instead of a file. Every level and way, every logit
// and the hash of every spike.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/spike_hash.h"
#include "golden.h"
#include "network_tables.h"

enum { STEPS = NET_TIMESTEPS, PLACES = GOLDEN_LAYERS * STEPS };

typedef struct observed {
  const sst_integer_network *network;
  int64_t first; // sample
  int layer_of[NET_NODES];
  uint32_t (*hashes)[PLACES];
  long spikes;
} observed;

static void watch(void *state, int64_t picture, int64_t step, int node, const int32_t *spikes,
                  const int32_t *membrane) {
  observed *o = state;
  const sst_integer_value *v = &o->network->values[node + 1];
  uint32_t *hash = &o->hashes[picture][o->layer_of[node] * STEPS + step];
  (void)membrane;
  for (int64_t i = 0; i < v->height * v->width * v->channels; i++) {
    if (spikes[i] == 0) { continue; }
    *hash += ssti_spike_hash((uint32_t)i);
    o->spikes++;
  }
}

static int16_t *take_inputs(const sst_integer_network *network) {
  int16_t *numbers = malloc(sizeof(int16_t) * GOLDEN_SAMPLES * GOLDEN_INPUT_SIZE);
  const int64_t channels = network->values[0].channels;
  for (int64_t i = 0; i < (int64_t)GOLDEN_SAMPLES * GOLDEN_INPUT_SIZE; i++) {
    const int byte = (&golden_inputs[0][0])[i];
    numbers[i] = network->pixel_codes != NULL ? network->pixel_codes[i % channels * 256 + byte] : (int16_t)byte;
  }
  return numbers;
}

// Returns how many samples differ.
static int run_level(sst_context *context, const sst_integer_network *network, const int16_t *numbers,
                     sst_engine_level level, int64_t batch, long *spikes) {
  static uint32_t hashes[GOLDEN_SAMPLES][PLACES];
  static int64_t logits[GOLDEN_SAMPLES][NET_CLASSES];
  observed o = {.network = network, .hashes = hashes};
  int layers = 0, different = 0;
  memset(hashes, 0, sizeof hashes);
  for (int i = 0; i < network->node_count; i++) {
    if (network->nodes[i].kind == SST_INTEGER_NODE_NEURONS) { o.layer_of[i] = layers++; }
  }
  sst_engine_options options = sst_engine_default();
  options.level = level;
  options.batch = batch;
  options.observer = watch;
  options.observer_state = &o;
  sst_engine *engine = NULL;
  if (layers != GOLDEN_LAYERS || sst_engine_open(context, network, &options, &engine) != SST_OK ||
      sst_engine_run(engine, GOLDEN_SAMPLES, numbers, &logits[0][0]) != SST_OK) {
    fprintf(stderr, "%d layers spike, expected %d; %s\n", layers, GOLDEN_LAYERS, sst_context_message(context));
    exit(2);
  }
  for (int n = 0; n < GOLDEN_SAMPLES; n++) {
    bool same = memcmp(hashes[n], golden_hashes[n], sizeof hashes[n]) == 0;
    for (int k = 0; k < NET_CLASSES; k++) { same = same && logits[n][k] == golden_logits[n][k]; }
    different += !same;
  }
  sst_engine_close(engine);
  *spikes = o.spikes;
  return different;
}

int main(void) {
  sst_context *context = NULL;
  sst_integer_network *network = NULL;
  if (sst_context_create(NULL, &context) != SST_OK || make_network(context, &network) != SST_OK) {
    fprintf(stderr, "%s\n", context != NULL ? sst_context_message(context) : "no memory");
    return 2;
  }
  int16_t *numbers = take_inputs(network);
  int different = 0;
  for (int level = 0; level <= (int)sst_engine_best_level(); level++) {
    for (int64_t batch = 1; batch <= 32; batch += 31) {
      long spikes = 0;
      const int found = run_level(context, network, numbers, (sst_engine_level)level, batch, &spikes);
      printf("%s batch %d: %d of %d samples differ, %ld spikes\n", sst_engine_level_word((sst_engine_level)level),
             (int)batch, found, GOLDEN_SAMPLES, spikes);
      different += found;
    }
  }
  free(numbers);
  sst_integer_network_free(network);
  sst_context_destroy(context);
  return different != 0;
}
