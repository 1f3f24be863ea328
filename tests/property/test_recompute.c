// SPDX-License-Identifier: Apache-2.0
// Computing activations again in the backward pass changes memory and nothing else: the same bits of losses,
// parameters, running statistics and gradients as with all of them stored, for networks with dropout, plain and fused
// norms, residual blocks, quantised weights and learned decays, on both backends and with Winograd's algorithm.
#include "graph/graph_internal.h"
#include "networks.h"
#include "spikestill/crossover.h"

enum { TIME = 3, BATCH = 4, CLASSES = 5, SIZE = 12, LAYERS = 17, STEPS = 3 };

typedef struct kind_of_training {
  const char *what;
  sst_device device;
  sst_neuron_kind neuron;
  bool ann, quantized, winograd;
  int norm_bits;
} kind_of_training;

static void fill_layers(sst_layer layers[LAYERS]) {
  const sst_layer list[LAYERS] = {
      layer_of(SST_LAYER_CONV, 16),      layer_of(SST_LAYER_NORM, 0),         layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_CONV, 24),      layer_of(SST_LAYER_NORM, 0),         layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_DROPOUT, 0),    layer_of(SST_LAYER_MAX_POOL, 0),     layer_of(SST_LAYER_BLOCK, 24),
      layer_of(SST_LAYER_BLOCK, 32),     layer_of(SST_LAYER_AVERAGE_POOL, 0), layer_of(SST_LAYER_CONV, 32),
      layer_of(SST_LAYER_NORM, 0),       layer_of(SST_LAYER_ACTIVATION, 0),   layer_of(SST_LAYER_LINEAR, 24),
      layer_of(SST_LAYER_ACTIVATION, 0), layer_of(SST_LAYER_LINEAR, 0)};
  memcpy(layers, list, sizeof list);
  layers[6].rate = 0.25f;
}

static void begin(trained *t, const kind_of_training *kind, sst_memory memory) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  sst_model_options options = network_options(layers, LAYERS, kind->ann ? 1 : TIME, SIZE, CLASSES);
  options.spiking = !kind->ann;
  options.neuron.kind = kind->neuron;
  options.neuron.detach_reset = false;
  options.neuron.threshold = 0.6f;
  options.quantization.norm_bits = kind->norm_bits;
  if (kind->quantized) {
    options.quantization.weights = (sst_weight_quantizer){.kind = SST_WEIGHT_QUANTIZER_LEARNED_STEP, .bits = 4};
    options.quantization.first_last = true;
  }
  sst_context *context = test_context_with_threads(2);
  if (kind->winograd) { sst_context_set_convolution(context, SST_CONVOLUTION_WINOGRAD); }
  trained_build(t, context, kind->device, &options, 1, BATCH);
  sst_graph_set_memory(t->graph, memory);
  t->graph->replay_from = 512;
  sst_optimizer_options optimizer = sst_optimizer_default();
  optimizer.learning_rate = 0.05f;
  trained_compile(t, kind->device, &optimizer);
}

static int replays_of(const sst_graph *graph, const ssti_op *op) {
  int count = 0;
  for (int i = 0; i < graph->replay_count; i++) { count += graph->steps[graph->replays[i].step].op == op; }
  return count;
}

static void check(const kind_of_training *kind) {
  trained stored, again;
  begin(&stored, kind, SST_MEMORY_STORE);
  begin(&again, kind, SST_MEMORY_RECOMPUTE);
  assert_int_equal(replays_of(stored.graph, &ssti_op_conv2d), 0);
  assert_true(replays_of(again.graph, &ssti_op_conv2d) > 0);
  assert_true(sst_graph_planned_bytes(again.graph) < sst_graph_planned_bytes(stored.graph));
  for (int i = 0; i < STEPS; i++) {
    trained_step(&stored);
    trained_step(&again);
    assert_same_bits(sst_graph_data(stored.graph, stored.loss), sst_graph_data(again.graph, again.loss), 1);
    assert_same_parameters(stored.store, again.store);
  }
  const sst_parameter *first = sst_parameters_at(stored.store, 0);
  int64_t alive = 0;
  for (int64_t i = 0; i < first->count; i++) { alive += first->gradient[i] != 0.0f; }
  assert_true(alive > first->count / 2); // equality of silence would prove nothing
  sst_context *contexts[] = {stored.context, again.context};
  trained_end(&stored);
  trained_end(&again);
  for (int i = 0; i < 2; i++) { test_context_end(contexts[i]); }
}

static void test_the_same_bits(void **state) {
  (void)state;
  const kind_of_training kinds[] = {
      {.what = "fused norms and spikes", .neuron = SST_NEURON_LIF},
      {.what = "reference, norms apart", .device = SST_DEVICE_CPU_REFERENCE, .neuron = SST_NEURON_LIF},
      {.what = "adaptive neurons, norms apart", .neuron = SST_NEURON_ALIF},
      {.what = "learned decays", .neuron = SST_NEURON_PLIF},
      {.what = "an ann", .ann = true, .neuron = SST_NEURON_LIF},
      {.what = "quantised, norms in fixed point", .quantized = true, .norm_bits = 8, .neuron = SST_NEURON_LIF},
      {.what = "winograd", .winograd = true, .neuron = SST_NEURON_LIF},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    print_message("  %s\n", kinds[i].what);
    check(&kinds[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_same_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
