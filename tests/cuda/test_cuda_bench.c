// SPDX-License-Identifier: Apache-2.0
// What `bench --device cuda` measures, on the emulator with small shapes, or on a card: numbers of the right kind, the
// bytes that the documentation promises, steps that train, and refusals.
#include "cuda_bare_backend.h"

#include "spikestill/bench.h"
#include "spikestill/run.h"

static void require_card(sst_context *context) {
  ssti_backend *backend = NULL;
  assert_ok(context, cuda_bare_backend_create(context, &backend));
  ssti_backend_destroy(backend);
}

static void test_ceilings(void **state) {
  require_card(*state);
  sst_card_ceiling card;
  assert_ok(*state, sst_measure_card(*state, 64, 3, &card));
  assert_true(card.copy_gb_per_s > 0 && card.copy_gb_per_s < 1e5);
  for (int i = 0; i < SST_PRECISION_COUNT; i++) {
    const bool has = sst_precision_check(*state, SST_DEVICE_CUDA, (sst_precision)i) == SST_OK;
    assert_true(has ? card.gflops[i] > 0 && card.gflops[i] < 1e7 : card.gflops[i] == 0);
  }
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_measure_card(*state, 0, 3, &card), "side is 0");
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_measure_card(*state, 64, 0, &card), "repetitions are 0");
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_measure_card(*state, 32769, 1, &card), "1 to 32768");
}

static void test_neurons(void **state) {
  require_card(*state);
  sst_card_speed speed;
  const bool has_bf16 = sst_precision_check(*state, SST_DEVICE_CUDA, SST_PRECISION_BF16) == SST_OK;
  for (int i = 0; i < (has_bf16 ? 8 : 4); i++) {
    const sst_neuron_work work = {
        .steps = i & 2 ? 32 : 4, .batch = 2, .size = 3, .channels = 8, .norm = i & 1, .bf16 = i & 4};
    assert_ok(*state, sst_measure_card_neuron(*state, &work, 2, &speed));
    assert_true(speed.seconds > 0 && speed.seconds < 10);
    assert_true(speed.bytes == (work.norm ? 8.0 : 5.0) * (double)work.steps * 2 * 3 * 3 * 8 * (work.bf16 ? 2 : 4));
  }
  const sst_neuron_work none = {.steps = 0, .batch = 2, .size = 3, .channels = 8};
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_measure_card_neuron(*state, &none, 2, &speed), "above 0");
  const sst_neuron_work large = {.steps = 32, .batch = 1024, .size = 32, .channels = 64};
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_measure_card_neuron(*state, &large, 2, &speed), "fewer than 2^31");
}

// Recorded or kernel by kernel, a companion with an optimiser of its own included.
static void test_steps(void **state) {
  require_card(*state);
  for (int record = 0; record < 2; record++) {
    char text[512];
    snprintf(text, sizeof text,
             "device: cuda\nspeed: {record: %s}\ndata: {name: digits}\n"
             "student: {timesteps: 2, layers: [avgpool: {kernel: 4, stride: 4}, conv: {out: 4}, norm, act, flatten, "
             "linear]}\n"
             "distill: [{method: twin, weight: 0.005}]\ntwin: {enabled: true}\ntrain: {batch: 6}\n",
             record ? "true" : "false");
    sst_recipe *recipe = NULL;
    assert_ok(*state, sst_recipe_from_text(*state, "bench.yaml", text, NULL, 0, &recipe));
    sst_step_bench bench;
    assert_ok(*state, sst_run_bench(*state, recipe, 2, &bench));
    sst_recipe_close(*state, recipe);
    assert_true(bench.train_seconds > 0 && bench.inference_seconds > 0 &&
                bench.start_seconds >= bench.train_seconds / 10);
    // The graph's block, values and gradients of parameters, their velocities: all of that and no more than a little.
    const sst_training_memory *m = &bench.memory;
    const size_t tensors = m->planned + m->parameters + m->gradients;
    assert_true(bench.train_device_bytes >= m->planned);
    assert_true(bench.train_device_bytes <= tensors + m->optimizer + 65536);
    assert_true(bench.op_count > 0);
  }
  // Nothing is left open, so nothing is counted.
  sst_device_info card;
  assert_ok(*state, sst_device_describe(*state, SST_DEVICE_CUDA, &card));
  assert_true(card.used_bytes == 0 && card.most_bytes == 0 && card.memory_bytes > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_ceilings), TEST(test_neurons), TEST(test_steps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
