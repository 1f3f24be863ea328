// SPDX-License-Identifier: Apache-2.0
// Precision bf16 on the CPU: conversions, the slots of slots_bf16.h, and graphs.
#include "backend_pair.h"

#include <float.h>

#include "slots_bf16.h"

static const bool rounds_convolution_weights = false, rounds_before_bias = false;
#define BF16_DEVICE SST_DEVICE_CPU
#include "graphs_bf16.h"

static void set_crossover(pair *p, double number) {
  sst_crossover *c = &ssti_fast_state_of(p->tested)->crossover;
  c->bf16_convolution_forward = c->bf16_convolution_weights = c->bf16_linear_forward = c->bf16_linear_weights = number;
}

// ---- conversions

static void test_conversions(void **state) {
  pair p = pair_make(*state);
  const struct {
    float from;
    ssti_bf16 to;
  } cases[] = {{0.0f, 0},           {-0.0f, 0x8000},         {1.0f, 0x3f80},       {0x1.01p0f, 0x3f80},
               {0x1.03p0f, 0x3f82}, {0x1.010002p0f, 0x3f81}, {-0x1.03p0f, 0xbf82}, {3.0e38f, 0x7f62},
               {FLT_MAX, 0x7f80},   {INFINITY, 0x7f80},      {-INFINITY, 0xff80},  {0x1p-133f, 0x0001},
               {0x1p-149f, 0},      {256.0f, 0x4380},        {-255.0f, 0xc37f}};
  enum { COUNT = sizeof cases / sizeof *cases };
  for (int i = 0; i < COUNT; i++) { assert_int_equal(ssti_bf16_of(cases[i].from), cases[i].to); }
  const uint32_t none[] = {0x7f800001, 0xffffffff, 0x7fffffff, 0xff80ffff};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    float value;
    memcpy(&value, &none[i], sizeof value);
    assert_true(isnan(ssti_bf16_value(ssti_bf16_of(value))));
  }
  for (uint32_t bits = 0; bits <= 0xffff; bits++) { // there and back, but for the quiet bit of no numbers
    const float value = ssti_bf16_value((ssti_bf16)bits);
    if (!isnan(value)) { assert_int_equal(ssti_bf16_of(value), bits); }
  }
  float from[COUNT], back[COUNT];
  ssti_bf16 to[COUNT];
  for (int i = 0; i < COUNT; i++) { from[i] = cases[i].from; }
  EACH_LEVEL(&p, level) {
    ssti_fast_narrow(p.tested, COUNT, from, to);
    for (int i = 0; i < COUNT; i++) { assert_int_equal(to[i], cases[i].to); }
    ssti_fast_widen(p.tested, COUNT, to, back);
    for (int i = 0; i < COUNT; i++) { assert_int_equal(ssti_bf16_of(back[i]), to[i]); }
  }
  pair_end(&p);
}

// Who lacks the instructions says so; nothing else is taken in its place.
static void test_refusal(void **state) {
  sst_context *context = *state;
  sst_parameters *store = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 1, &store));
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  assert_int_equal(sst_graph_use_precision(graph, SST_PRECISION_BF16), SST_PRECISION_F32);
  assert_fails(context, SST_UNSUPPORTED, sst_graph_status(graph),
               "precision bf16 is not to be had on device cpu-ref: it computes in f32 only");
  sst_graph_destroy(graph);
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU, &graph));
  assert_true(ssti_fast_force_level(graph->backend, SSTI_SIMD_BASELINE));
  assert_int_equal(sst_graph_use_precision(graph, SST_PRECISION_F32), SST_PRECISION_F32);
  assert_ok(context, sst_graph_status(graph));
  (void)sst_graph_use_precision(graph, SST_PRECISION_BF16);
  assert_fails(context, SST_UNSUPPORTED, sst_graph_status(graph), "this CPU has no AVX512_BF16 instructions");
  sst_graph_destroy(graph);
  sst_parameters_destroy(store);
}

// With one thread or two, a run is the same bits when it is done again.
static void test_threads(void **state) {
  skip_without_bf16(*state);
  for (int threads = 1; threads <= 2; threads++) {
    sst_context *context = NULL;
    assert_int_equal(sst_context_create(&(sst_context_options){.threads = threads}, &context), SST_OK);
    network first = build_residual(context, SST_PRECISION_BF16, 0);
    network again = build_residual(context, SST_PRECISION_BF16, 0);
    run(&first, false), run(&again, false);
    assert_same_gradients(&first, &again);
    end(&first), end(&again);
    sst_context_destroy(context);
  }
}

static void test_words(void **state) {
  (void)state;
  for (int i = 0; i < SST_PRECISION_COUNT; i++) {
    sst_precision found;
    assert_true(sst_precision_parse(sst_precision_word((sst_precision)i), &found));
    assert_int_equal(found, i);
  }
  sst_precision found;
  assert_false(sst_precision_parse("f16", &found));
  assert_false(sst_precision_parse(NULL, &found));
  assert_string_equal(sst_precision_word(SST_PRECISION_COUNT), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_conversions),      TEST(test_bf16_conv2d),  TEST(test_bf16_linear), TEST(test_bf16_pool),
      TEST(test_bf16_batch_norm),  TEST(test_bf16_sum),     TEST(test_bf16_neuron), TEST(test_residual_gradients),
      TEST(test_residual_storage), TEST(test_repeated_sum), TEST(test_threads),     TEST(test_storage),
      TEST(test_gradients),        TEST(test_spikes),       TEST(test_refusal),     TEST(test_words)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
