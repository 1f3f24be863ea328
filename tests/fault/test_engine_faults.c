// SPDX-License-Identifier: Apache-2.0
// Engines opened while memory runs out: nothing leaks, and nothing is handed out that is half open.
#include "faults.h"

#include "random_integer_network.h"
#include "spikestill/engine.h"

typedef struct scene {
  sst_integer_network *network; // of a context without faults
  sst_engine_options options;
} scene;

static sst_status open_and_close(sst_context *context, void *user) {
  const scene *s = user;
  sst_engine *engine = (sst_engine *)context; // a failure has to overwrite it
  const sst_status status = sst_engine_open(context, s->network, &s->options, &engine);
  if (status != SST_OK) { assert_null(engine); }
  sst_engine_close(engine);
  return status;
}

static void try_engine(void **state, int64_t batch, bool stream) {
  const random_integer_options small = {.weight_bits = 2, .most_layers = 4};
  scene s = {.network = random_integer_network(*state, 3, &small), .options = sst_engine_default()};
  s.options.batch = batch;
  s.options.stream = stream;
  const uint64_t faults = try_every_fault(&(fault_trial){.action = open_and_close, .scene = &s, .kind = FAULT_MEMORY});
  assert_true(faults > 10);
  sst_integer_network_free(s.network);
}

static void test_batches(void **state) { try_engine(state, 64, false); }
static void test_single_pictures(void **state) { try_engine(state, 1, false); }
static void test_streams(void **state) { try_engine(state, 1, true); }

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_batches), TEST(test_single_pictures), TEST(test_streams)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
