// SPDX-License-Identifier: Apache-2.0
// Batch norm and neurons in one kernel against the two, of the fast backend and of the reference: odd sizes, one step,
// one input step, every reset, grid and surrogate, adding and overwriting, at every SIMD level that this machine has.
#include "backend_pair.h"
#include "slots_norm_neuron.h"
#include "spikestill/bench.h"

// The same bits whoever makes the partial sums.
static void test_norm_neuron_threads(void **state) {
  (void)state;
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = SST_NEURON_PLIF;
  fused_case c = fused_case_make(neuron, 1900, 48, 4, 4, 1.0f);
  c.batch_statistics = true;
  fused_result results[2];
  for (int i = 0; i < 2; i++) {
    sst_context *context = test_context_with_threads(i == 0 ? 1 : 3);
    pair p = pair_make(context);
    results[i] = fused_result_make(&c);
    run_fused(&p, p.tested, &c, &results[i]);
    pair_end(&p);
    test_context_end(context);
  }
  assert_same_bits(results[1].dx, results[0].dx, 4 * 1900 * 48);
  assert_same_bits(results[1].vectors, results[0].vectors, 6 * 48);
  assert_same_bits(results[1].ddecay, results[0].ddecay, 1);
  fused_result_end(&results[0]);
  fused_result_end(&results[1]);
  fused_case_end(&c);
}

// What `spikestill bench` measures: as many bytes as its comment says, and a time.
static void test_speed(void **state) {
  sst_kernel_speed speed;
  assert_ok(*state, sst_measure_norm_neuron(*state, 2, &speed));
  assert_true(speed.bytes == 8.0 * 4 * 64 * 32 * 32 * 64 * sizeof(float));
  assert_true(speed.seconds > 1e-4 && speed.seconds < 600);
  assert_fails(*state, SST_INVALID_ARGUMENT, sst_measure_norm_neuron(*state, 0, &speed), "at least 1");
}

static void test_speed_out_of_memory(void **state) {
  (void)state;
  for (uint64_t k = 1; k <= 8; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    sst_kernel_speed speed;
    assert_fails(context, SST_OUT_OF_MEMORY, sst_measure_norm_neuron(context, 1, &speed), "bytes");
    test_context_end(context);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_norm_neuron),
      TEST(test_norm_neuron_without_some),
      TEST(test_norm_neuron_many_steps),
      TEST(test_norm_neuron_threads),
      TEST(test_norm_neuron_bf16),
      TEST(test_speed),
      cmocka_unit_test(test_speed_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
