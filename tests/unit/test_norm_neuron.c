// SPDX-License-Identifier: Apache-2.0
// Batch norm and neurons in one kernel against the two, of the fast backend and of the reference: odd sizes, one step, one
// input step, every reset, grid and surrogate, adding and overwriting, at every SIMD level that this machine has.
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

// ---- x and spikes as bf16, one or both: the f32 kernel on the same numbers, with what it writes rounded once

static float *narrowed(float *numbers, int64_t count, ssti_type type) {
  if (type == SSTI_F32) { return numbers; }
  ssti_bf16 *to = memory_of((size_t)count * sizeof *to);
  for (int64_t i = 0; i < count; i++) {
    to[i] = ssti_bf16_of(numbers[i]);
    numbers[i] = ssti_bf16_value(to[i]);
  }
  return (float *)(void *)to;
}

static void assert_narrowed(const float *found, const float *expected, int64_t count, ssti_type type) {
  if (type == SSTI_F32) {
    assert_same_bits(found, expected, count);
    return;
  }
  const ssti_bf16 *half = (const ssti_bf16 *)(const void *)found;
  for (int64_t i = 0; i < count; i++) { assert_int_equal(half[i], ssti_bf16_of(expected[i])); }
}

static void check_types(pair *p, const fused_case *c, ssti_type in, ssti_type out) {
  const ssti_neuron_shape *n = &c->shape.neuron;
  const int64_t channels = c->shape.norm.channels, ny = n->steps * n->count, nx = n->input_steps * n->count;
  fused_case wide = *c, half = *c;
  half.shape.norm.in_type = in;
  half.shape.out_type = out;
  half.x = narrowed(wide.x, nx, in);
  half.dspikes = narrowed(wide.dspikes, ny, out);
  EACH_LEVEL(p, level) {
    fused_result expected = fused_result_make(&wide), found = fused_result_make(&half);
    float *dx = found.dx, *dx_half = narrowed(expected.dx, nx, in);
    if (dx_half != expected.dx) { found.dx = dx_half; } else { memcpy(dx, expected.dx, (size_t)nx * sizeof *dx); }
    run_fused(p, p->tested, &wide, &expected);
    run_fused(p, p->tested, &half, &found);
    assert_narrowed(found.spikes, expected.spikes, ny, out);
    assert_narrowed(found.dx, expected.dx, nx, in);
    if (c->membrane) { assert_same_bits(found.membrane, expected.membrane, ny); }
    assert_same_bits(found.vectors, expected.vectors, 6 * channels);
    assert_same_bits(found.ddecay, expected.ddecay, 1);
    found.dx = dx;
    if (dx_half != expected.dx) { release(dx_half); }
    fused_result_end(&expected), fused_result_end(&found);
  }
  if (half.x != wide.x) { release(half.x); }
  if (half.dspikes != wide.dspikes) { release(half.dspikes); }
}

static void test_norm_neuron_bf16(void **state) {
  pair p = pair_make(*state);
  const sst_neuron_kind kinds[] = {SST_NEURON_IF, SST_NEURON_LIF, SST_NEURON_PLIF};
  for (int number = 0; number < 60; number++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.kind = kinds[number % 3];
    neuron.hard_reset = number % 2;
    neuron.detach_reset = number % 4 < 2;
    const size_t shape = (size_t)number % (sizeof fused_shapes / sizeof *fused_shapes);
    const int64_t steps = 1 + number % 5;
    fused_case c = fused_case_make(neuron, fused_shapes[shape].pixels, fused_shapes[shape].channels, steps,
                                   number % 4 == 0 ? 1 : steps, number % 2 ? 1.0f : 0.5f);
    c.membrane = number % 7 == 1;
    c.accumulate = number % 5 == 1;
    c.batch_statistics = number % 7 != 3;
    check_types(&p, &c, number % 4 != 1 ? SSTI_BF16 : SSTI_F32, number % 4 != 2 ? SSTI_BF16 : SSTI_F32);
    fused_case_end(&c);
  }
  pair_end(&p);
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
