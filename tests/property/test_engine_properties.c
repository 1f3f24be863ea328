// SPDX-License-Identifier: Apache-2.0
// The engine gives what the definition gives: every logit, every spike, every membrane, whatever kernel, instruction
// set, batch and number of threads. SPIKESTILL_CASES sets the number of random networks (default 200).
#include "support.h"

#include <inttypes.h>

#include "deploy/bench_network.h"
#include "deploy/integer_build.h"
#include "random_integer_network.h"
#include "spikestill/engine.h"

// Spikes and membranes of all neurons nodes: [node][picture][step][count].
typedef struct record {
  const sst_integer_network *network;
  int64_t pictures;
  int32_t **spikes, **membranes; // [nodes]
  uint64_t *totals;              // [nodes]
  int64_t told;
} record;

static int64_t count_of(const sst_integer_network *network, int node) {
  const sst_integer_value *v = &network->values[network->nodes[node].output];
  return v->height * v->width * v->channels;
}

static record record_begin(const sst_integer_network *network, int64_t pictures) {
  const size_t nodes = (size_t)network->node_count;
  record r = {network,
              pictures,
              calloc(nodes, sizeof(int32_t *)),
              calloc(nodes, sizeof(int32_t *)),
              calloc(nodes, sizeof(uint64_t)),
              0};
  for (int i = 0; i < network->node_count; i++) {
    if (network->nodes[i].kind != SST_INTEGER_NODE_NEURONS) { continue; }
    const size_t size = (size_t)(pictures * network->timesteps * count_of(network, i)) * sizeof(int32_t);
    r.spikes[i] = malloc(size);
    r.membranes[i] = malloc(size);
    memset(r.spikes[i], 0x55, size);
    memset(r.membranes[i], 0x55, size);
  }
  return r;
}

static void record_end(record *r) {
  for (int i = 0; i < r->network->node_count; i++) {
    free(r->spikes[i]);
    free(r->membranes[i]);
  }
  free(r->spikes);
  free(r->membranes);
  free(r->totals);
}

static void keep(void *state, int64_t picture, int64_t step, int node, const int32_t *spikes, const int32_t *membrane) {
  record *r = state;
  if (membrane == NULL) { return; }
  const int64_t count = count_of(r->network, node), at = (picture * r->network->timesteps + step) * count;
  memcpy(r->spikes[node] + at, spikes, (size_t)count * sizeof *spikes);
  memcpy(r->membranes[node] + at, membrane, (size_t)count * sizeof *membrane);
  for (int64_t i = 0; i < count; i++) { r->totals[node] += (uint64_t)spikes[i]; }
  r->told++;
}

typedef struct example {
  uint64_t seed;
  int64_t pictures, batch;
  sst_engine_kernel kernel;
  sst_engine_level level;
  bool observed, stream;
} example;

static void describe(const example *c) {
  print_error("seed %" PRIu64 ", %" PRId64 " pictures, batch %" PRId64 ", kernel %s, level %s%s%s\n", c->seed,
              c->pictures, c->batch, sst_engine_kernel_word(c->kernel), sst_engine_level_word(c->level),
              c->observed ? ", observed" : "", c->stream ? ", stream" : "");
}

static void compare_records(const example *c, const record *expected, const record *found) {
  assert_int_equal(found->told, expected->told);
  for (int i = 0; i < expected->network->node_count; i++) {
    if (expected->spikes[i] == NULL) { continue; }
    const int64_t count = count_of(expected->network, i) * expected->network->timesteps;
    for (int64_t k = 0; k < expected->pictures * count; k++) {
      if (expected->spikes[i][k] == found->spikes[i][k] && expected->membranes[i][k] == found->membranes[i][k]) {
        continue;
      }
      describe(c);
      fail_msg("node %s, picture %" PRId64 ", place %" PRId64 " of %" PRId64 ": spike %d, membrane %d; expected %d, %d",
               expected->network->nodes[i].name, k / count, k % count, count, found->spikes[i][k],
               found->membranes[i][k], expected->spikes[i][k], expected->membranes[i][k]);
    }
  }
}

static void run_stream(sst_context *context, const sst_integer_network *network, sst_engine *engine, int64_t pictures,
                       const int16_t *input, int64_t *logits) {
  const int64_t each = random_integer_input_count(network, 1), steps = network->timesteps;
  for (int64_t p = 0; p < pictures; p++) {
    sst_engine_reset(engine);
    for (int64_t t = 0; t < steps; t++) {
      const int16_t *x = input + p * each + (network->input_each_step ? t * (each / steps) : 0);
      assert_ok(context, sst_engine_step(engine, x, t == steps - 1 ? logits + p * network->classes : NULL));
    }
  }
}

static void check_example(sst_context *context, const sst_integer_network *network, const example *c) {
  const int64_t inputs = random_integer_input_count(network, c->pictures), classes = network->classes;
  int16_t *input = malloc((size_t)inputs * sizeof *input);
  int64_t *expected = malloc((size_t)(c->pictures * classes) * sizeof *expected);
  int64_t *found = calloc((size_t)(c->pictures * classes), sizeof *found);
  random_integer_input(network, c->pictures, c->seed, input);
  record definition = record_begin(network, c->pictures), seen = record_begin(network, c->pictures);
  assert_ok(context, sst_integer_simulate(network, c->pictures, input, expected, keep, &definition));
  sst_engine_options options = sst_engine_default();
  options.batch = c->stream ? 1 : c->batch;
  options.kernel = c->kernel;
  options.level = c->level;
  options.stream = c->stream;
  if (c->observed && !c->stream) { options.observer = keep, options.observer_state = &seen; }
  sst_engine *engine = NULL;
  assert_ok(context, sst_engine_open(context, network, &options, &engine));
  const uint64_t allocations = sst_context_allocation_count(context);
  for (int repeat = 0; repeat < (c->observed ? 1 : 2); repeat++) { // nothing is left of the run before
    sst_engine_clear_counts(engine);
    if (c->stream) {
      run_stream(context, network, engine, c->pictures, input, found);
    } else {
      assert_ok(context, sst_engine_run(engine, c->pictures, input, found));
    }
    for (int64_t i = 0; i < c->pictures * classes; i++) {
      if (found[i] == expected[i]) { continue; }
      describe(c);
      fail_msg("logit %" PRId64 " of picture %" PRId64 " is %" PRId64 ", expected %" PRId64, i % classes, i / classes,
               found[i], expected[i]);
    }
    for (int i = 0; i < network->node_count; i++) {
      if (sst_engine_spikes(engine, i) == definition.totals[i]) { continue; }
      describe(c);
      fail_msg("node %s: %" PRIu64 " spikes, expected %" PRIu64, network->nodes[i].name, sst_engine_spikes(engine, i),
               definition.totals[i]);
    }
  }
  assert_int_equal(sst_context_allocation_count(context), allocations);
  if (options.observer != NULL) { compare_records(c, &definition, &seen); }
  sst_engine_close(engine);
  record_end(&definition);
  record_end(&seen);
  free(input);
  free(expected);
  free(found);
}

static int case_count(void) {
  const char *text = getenv("SPIKESTILL_CASES");
  return text != NULL ? atoi(text) : 200;
}

// Every seed is another network; what it is run with goes round.
static void test_random_networks(void **state) {
  sst_context *context = *state;
  static const int64_t pictures[] = {1, 3, 8, 13, 2, 33, 64, 20};
  const int levels = (int)sst_engine_best_level() + 1;
  for (int i = 0; i < case_count(); i++) {
    sst_integer_network *network = random_integer_network(context, (uint64_t)i, NULL);
    example c = {.seed = (uint64_t)i,
                 .pictures = pictures[i % 8],
                 .kernel = (sst_engine_kernel)(i / 3 % SST_ENGINE_KERNEL_COUNT),
                 .level = (sst_engine_level)(levels - 1 - i % levels)};
    c.batch = i % 7 == 6 ? 8 : c.pictures;
    check_example(context, network, &c);
    c.batch = 16; // more or fewer than there are
    c.kernel = i % 2 ? SST_ENGINE_KERNEL_BITSLICED : SST_ENGINE_KERNEL_AUTO;
    c.observed = true;
    check_example(context, network, &c);
    c.stream = true;
    c.kernel = (sst_engine_kernel)(i / 5 % SST_ENGINE_KERNEL_COUNT);
    check_example(context, network, &c);
    sst_integer_network_free(network);
  }
}

// Ternary networks of more channels than a word has, every kernel at every level.
static void test_all_kernels(void **state) {
  sst_context *context = *state;
  const random_integer_options options = {.weight_bits = 2, .most_size = 6, .most_channels = 90, .most_layers = 4};
  for (uint64_t seed = 1000; seed < 1006; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, &options);
    for (int kernel = 0; kernel < SST_ENGINE_KERNEL_COUNT; kernel++) {
      for (int level = 0; level <= (int)sst_engine_best_level(); level++) {
        example c = {.seed = seed,
                     .pictures = 9,
                     .batch = 9,
                     .kernel = (sst_engine_kernel)kernel,
                     .level = (sst_engine_level)level};
        check_example(context, network, &c);
        c.batch = 1;
        check_example(context, network, &c);
      }
    }
    sst_integer_network_free(network);
  }
}

static void test_many_pictures(void **state) {
  sst_context *context = *state;
  const random_integer_options options = {.most_size = 5, .most_channels = 5, .most_layers = 3, .most_steps = 3};
  for (uint64_t seed = 2000; seed < 2004; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, &options);
    const example c = {.seed = seed,
                       .pictures = 513,
                       .batch = 513,
                       .kernel = SST_ENGINE_KERNEL_BITSLICED,
                       .level = sst_engine_best_level()};
    check_example(context, network, &c);
    sst_integer_network_free(network);
  }
}

// Linear neurons that see 2100 inputs, all 1, with weights all 1 or all -1: counters are as full as they get.
static void test_full_counters(void **state) {
  sst_context *context = *state;
  enum { INPUTS = 2100, OUTPUTS = 3 };
  int8_t codes[OUTPUTS][INPUTS];
  const int32_t factor[OUTPUTS] = {1, 1, -3}, offset[OUTPUTS] = {0, 1, 2};
  for (int o = 0; o < OUTPUTS; o++) { memset(codes[o], o == 1 ? -1 : 1, INPUTS); }
  const ssti_integer_header header = {
      .timesteps = 2, .classes = OUTPUTS, .input_each_step = true, .input = {1, 1, INPUTS, 0, 0, 1, false}};
  sst_integer_network *network = NULL;
  assert_ok(context, ssti_integer_begin(context, &header, &network));
  sst_integer_node node = {.kind = SST_INTEGER_NODE_SYNAPSES, .name = "synapses", .input = {0, -1}};
  node.synapses = (sst_integer_synapses){1, 1, 1, 1, 0, 0, 1, 1, 1, 2, NULL, NULL, NULL};
  assert_ok(context, ssti_integer_array(network, codes, sizeof codes, 1, &node.synapses.codes));
  assert_ok(context, ssti_integer_array(network, factor, OUTPUTS, sizeof *factor, &node.synapses.factor));
  assert_ok(context, ssti_integer_array(network, offset, OUTPUTS, sizeof *offset, &node.synapses.offset));
  assert_ok(context, ssti_integer_add(network, &node, OUTPUTS, 0, NULL));
  node = (sst_integer_node){.kind = SST_INTEGER_NODE_READOUT, .name = "readout", .input = {1, -1}};
  node.readout = (sst_integer_readout){.kind = SST_INTEGER_READOUT_SUM, .scale = 1};
  assert_ok(context, ssti_integer_add(network, &node, 0, 0, NULL));
  assert_ok(context, sst_integer_network_check(network));
  int16_t input[8 * 2 * INPUTS];
  for (int i = 0; i < 8 * 2 * INPUTS; i++) { input[i] = 1; }
  const int levels = (int)sst_engine_best_level() + 1;
  for (int i = 0; i < levels * SST_ENGINE_KERNEL_COUNT; i++) {
    sst_engine_options options = sst_engine_default();
    options.batch = 8;
    options.kernel = (sst_engine_kernel)(i / levels);
    options.level = (sst_engine_level)(i % levels);
    sst_engine *engine = NULL;
    int64_t logits[8][OUTPUTS];
    assert_ok(context, sst_engine_open(context, network, &options, &engine));
    assert_ok(context, sst_engine_run(engine, 8, input, logits[0]));
    for (int p = 0; p < 8; p++) {
      assert_int_equal(logits[p][0], 2 * INPUTS);
      assert_int_equal(logits[p][1], 2 * (1 - INPUTS));
      assert_int_equal(logits[p][2], 2 * (2 - 3 * INPUTS));
    }
    sst_engine_close(engine);
  }
  sst_integer_network_free(network);
}

// A picture that is alone is shared among threads, by positions and where there is only one by outputs: layers of a
// size at which that is done.
static void test_shared_picture(void **state) {
  (void)state;
  sst_context *context = NULL;
  const sst_context_options three = {.threads = 3}; // 256 outputs are no multiple
  assert_int_equal(sst_context_create(&three, &context), SST_OK);
  sst_integer_network *network = NULL;
  assert_ok(context, ssti_bench_network(context, SST_DEPLOY_CNN, false, &network));
  int16_t input[8 * 28 * 28];
  for (int i = 0; i < 8 * 28 * 28; i++) { input[i] = (int16_t)(i * 37 % 256 - 128); }
  assert_ok(context, ssti_bench_settle(context, network, 8, input));
  const int levels = (int)sst_engine_best_level() + 1;
  int64_t expected[10];
  uint64_t spikes[32];
  for (int i = -1; i < levels * SST_ENGINE_KERNEL_COUNT; i++) {
    sst_engine_options options = sst_engine_default();
    options.kernel = i < 0 ? SST_ENGINE_KERNEL_REFERENCE : (sst_engine_kernel)(i / levels);
    options.level = i < 0 ? SST_ENGINE_LEVEL_PLAIN : (sst_engine_level)(i % levels);
    sst_engine *engine = NULL;
    int64_t logits[10];
    assert_ok(context, sst_engine_open(context, network, &options, &engine));
    assert_ok(context, sst_engine_run(engine, 1, input, i < 0 ? expected : logits));
    if (i >= 0) { assert_memory_equal(logits, expected, sizeof logits); }
    for (int n = 0; n < network->node_count; n++) {
      if (i < 0) { spikes[n] = sst_engine_spikes(engine, n); }
      assert_int_equal(sst_engine_spikes(engine, n), spikes[n]);
    }
    sst_engine_close(engine);
  }
  sst_integer_network_free(network);
  sst_context_destroy(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_random_networks), TEST(test_all_kernels), TEST(test_many_pictures),
                                     TEST(test_full_counters), TEST(test_shared_picture)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
