// SPDX-License-Identifier: Apache-2.0
// Words, options, refusals, memory and streams of the engine. That it computes what the definition says is in
// tests/property/test_engine_properties.c.
#include "support.h"

#include "random_integer_network.h"
#include "spikestill/engine.h"

static void test_words(void **state) {
  (void)state;
  for (int i = 0; i < SST_ENGINE_KERNEL_COUNT; i++) {
    sst_engine_kernel kernel = SST_ENGINE_KERNEL_COUNT;
    assert_true(sst_engine_kernel_parse(sst_engine_kernel_word((sst_engine_kernel)i), &kernel));
    assert_int_equal(kernel, i);
  }
  for (int i = 0; i < SST_ENGINE_LEVEL_COUNT; i++) {
    sst_engine_level level = SST_ENGINE_LEVEL_COUNT;
    assert_true(sst_engine_level_parse(sst_engine_level_word((sst_engine_level)i), &level));
    assert_int_equal(level, i);
  }
  sst_engine_kernel kernel;
  sst_engine_level level;
  assert_false(sst_engine_kernel_parse("fast", &kernel));
  assert_false(sst_engine_level_parse("fast", &level));
  assert_string_equal(sst_engine_kernel_word(SST_ENGINE_KERNEL_COUNT), "unknown");
  assert_string_equal(sst_engine_level_word(SST_ENGINE_LEVEL_COUNT), "unknown");
}

static void refuse(sst_context *context, const sst_integer_network *network, sst_engine_options options,
                   const char *part) {
  sst_engine *engine = (sst_engine *)context;
  assert_fails(context, SST_INVALID_ARGUMENT, sst_engine_open(context, network, &options, &engine), part);
  assert_null(engine);
}

static void test_options(void **state) {
  sst_context *context = *state;
  sst_integer_network *network = random_integer_network(context, 1, NULL);
  sst_engine_options options = sst_engine_default();
  options.threads = -1;
  refuse(context, network, options, "threads are -1");
  options = sst_engine_default();
  options.batch = 0;
  refuse(context, network, options, "batch is 0");
  options.batch = 4097;
  refuse(context, network, options, "batch is 4097");
  options.batch = 8;
  options.stream = true;
  refuse(context, network, options, "batch of 8");
  options = sst_engine_default();
  options.kernel = SST_ENGINE_KERNEL_COUNT;
  refuse(context, network, options, "kernel is");
  sst_engine_close(NULL);
  sst_integer_network_free(network);
}

// A network whose input has the bounds asked for, and that is shown one picture or not.
static sst_integer_network *network_with(sst_context *context, bool each_step) {
  for (uint64_t seed = 0;; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, NULL);
    if (network->input_each_step == each_step && network->values[0].high < 30000 && network->timesteps > 1) {
      return network;
    }
    sst_integer_network_free(network);
  }
}

static void test_inputs(void **state) {
  sst_context *context = *state;
  sst_integer_network *network = network_with(context, true);
  const int64_t each = random_integer_input_count(network, 1), step = each / network->timesteps;
  sst_engine_options options = sst_engine_default();
  options.batch = 8;
  sst_engine *engine = NULL;
  assert_ok(context, sst_engine_open(context, network, &options, &engine));
  int16_t *input = calloc((size_t)(each * 9), sizeof *input);
  int64_t *logits = malloc((size_t)(9 * network->classes) * sizeof *logits);
  random_integer_input(network, 9, 1, input);
  assert_ok(context, sst_engine_run(engine, 9, input, logits));
  assert_ok(context, sst_engine_run(engine, 0, input, logits));
  input[8 * each + step] = (int16_t)(network->values[0].high + 1);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_engine_run(engine, 9, input, logits),
               "picture 8, step 1: the input at row 0, column 0, channel 0 is");
  assert_fails(context, SST_INVALID_ARGUMENT, sst_engine_step(engine, input, logits), "opened for runs");
  sst_engine_close(engine);
  free(input);
  free(logits);
  sst_integer_network_free(network);
}

static bool may_go_on(const sst_integer_network *network) {
  for (int i = 0; i < network->node_count; i++) {
    const sst_integer_node *node = &network->nodes[i];
    if (node->kind == SST_INTEGER_NODE_NEURONS && node->neurons.limit == 0) { return false; }
    if (node->kind == SST_INTEGER_NODE_READOUT && node->readout.kind == SST_INTEGER_READOUT_INTEGRATOR) {
      return false;
    }
  }
  return true;
}

static void test_streams_end(void **state) {
  sst_context *context = *state;
  int endless = 0, ending = 0;
  for (uint64_t seed = 0; endless == 0 || ending == 0; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, NULL);
    sst_engine_options options = sst_engine_default();
    options.stream = true;
    sst_engine *engine = NULL;
    assert_ok(context, sst_engine_open(context, network, &options, &engine));
    int16_t *input = calloc((size_t)random_integer_input_count(network, 1), sizeof *input);
    random_integer_input(network, 1, seed, input);
    for (int round = 0; round < 2; round++) {
      sst_engine_reset(engine);
      for (int64_t t = 0; t < network->timesteps; t++) { assert_ok(context, sst_engine_step(engine, input, NULL)); }
    }
    if (may_go_on(network)) {
      for (int t = 0; t < 50; t++) { assert_ok(context, sst_engine_step(engine, input, NULL)); }
      endless++;
    } else {
      assert_fails(context, SST_INVALID_ARGUMENT, sst_engine_step(engine, input, NULL), "a stream may go on");
      ending++;
    }
    assert_fails(context, SST_INVALID_ARGUMENT, sst_engine_run(engine, 1, input, NULL), "opened for a stream");
    sst_engine_close(engine);
    free(input);
    sst_integer_network_free(network);
  }
}

// All that an engine takes is in its account, but for the headers of a few blocks.
static void test_memory(void **state) {
  sst_context *context = *state;
  for (uint64_t seed = 0; seed < 20; seed++) {
    sst_integer_network *network = random_integer_network(context, seed, NULL);
    sst_engine_options options = sst_engine_default();
    options.batch = seed % 2 ? 64 : 1;
    options.stream = seed % 4 == 0;
    const uint64_t before = sst_context_bytes_in_use(context);
    sst_engine *engine = NULL;
    assert_ok(context, sst_engine_open(context, network, &options, &engine));
    assert_int_equal(sst_engine_memory_of(engine).total, sst_context_bytes_in_use(context) - before);
    sst_engine_close(engine);
    assert_int_equal(sst_context_bytes_in_use(context), before);
    sst_integer_network_free(network);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_words), TEST(test_options), TEST(test_inputs), TEST(test_streams_end),
                                     TEST(test_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
