// SPDX-License-Identifier: Apache-2.0
// From our graph to NIR: nodes, edges and fields of a small network, neurons in each target's terms by hand, what is
// refused. That the tools themselves then give the same spikes is shown by tests/peers/nir_peers.py.
#include "../support/support.h"

#include "exchange/nir_neurons.h"
#include "spikestill/model.h"
#include "spikestill/nir.h"

typedef struct network {
  sst_parameters *parameters;
  sst_graph *graph;
  sst_value input, logits;
} network;

static network build(sst_context *context, const sst_layer *layers, int count, const sst_neuron *neuron, bool spiking) {
  network n = {.logits = SST_NO_VALUE};
  sst_model_options options = sst_model_default();
  options.layers = layers;
  options.layer_count = count;
  options.height = options.width = 4;
  options.channels = 2;
  options.classes = 3;
  options.spiking = spiking;
  if (!spiking) { options.timesteps = 1; }
  if (neuron) { options.neuron = *neuron; }
  assert_ok(context, sst_parameters_create(context, 1, &n.parameters));
  assert_ok(context, sst_graph_create(n.parameters, SST_DEVICE_CPU_REFERENCE, &n.graph));
  n.input = sst_graph_input(n.graph, "input", sst_shape_make(1, 1, 4, 4, 2));
  sst_model_build(n.graph, &options, n.input, &n.logits);
  sst_graph_keep(n.graph, n.logits);
  assert_ok(context, sst_graph_compile(n.graph, SST_NO_VALUE));
  return n;
}

static void end(network *n) {
  sst_graph_destroy(n->graph);
  sst_parameters_destroy(n->parameters);
}

static sst_layer layer(sst_layer_kind kind, int64_t out) {
  sst_layer l = sst_layer_default(kind);
  l.out = out;
  return l;
}

static sst_status export(network *n, sst_nir_target target, sst_nir_graph **out) {
  return sst_nir_from_graph(n->graph, n->input, sst_graph_find(n->graph, "step_logits"),
                            &(sst_nir_export_options){.target = target}, out);
}

static const double *numbers(const sst_nir_graph *graph, const char *node, const char *field) {
  const int index = sst_nir_find_node(graph, node);
  assert_true(index >= 0);
  const sst_nir_value *value = sst_nir_find_value(&graph->nodes[index].fields, field);
  assert_non_null(value);
  return value->numbers;
}

static bool has_edge(const sst_nir_graph *graph, const char *source, const char *target) {
  for (int i = 0; i < graph->edge_count; i++) {
    if (strcmp(graph->nodes[graph->edges[i].source].name, source) == 0 &&
        strcmp(graph->nodes[graph->edges[i].target].name, target) == 0) {
      return true;
    }
  }
  return false;
}

static float *parameter(network *n, const char *name) { return sst_parameters_find(n->parameters, name)->value; }

static void test_a_chain(void **state) {
  sst_context *context = *state;
  const sst_layer layers[] = {layer(SST_LAYER_CONV, 2), layer(SST_LAYER_NORM, 0), layer(SST_LAYER_ACTIVATION, 0),
                              layer(SST_LAYER_AVERAGE_POOL, 0), layer(SST_LAYER_LINEAR, 0)};
  network n = build(context, layers, 5, NULL, true);
  float *gamma = parameter(&n, "1.norm.gamma"), *mean = parameter(&n, "1.norm.running_mean");
  gamma[1] = 3;
  mean[1] = 0.5f;
  sst_nir_graph *graph = NULL;
  assert_ok(context, export(&n, SST_NIR_TARGET_NORSE, &graph));
  assert_int_equal(graph->node_count, 7);
  assert_true(has_edge(graph, "input", "layer0_conv") && has_edge(graph, "layer0_conv", "layer2_act") &&
              has_edge(graph, "layer2_act", "layer3_avgpool") && has_edge(graph, "layer3_avgpool", "layer4_flatten") &&
              has_edge(graph, "layer4_flatten", "layer4_linear") && has_edge(graph, "layer4_linear", "output"));
  // [O,Kh,Kw,I] to (O,I,Kh,Kw), times gamma/sqrt(1 + 1e-5).
  const float *weight = parameter(&n, "0.conv.weight");
  const double *written = numbers(graph, "layer0_conv", "weight"), factor = 3 / sqrt(1 + 1e-5);
  for (int y = 0; y < 9; y++) {
    for (int i = 0; i < 2; i++) {
      assert_near(written[18 + i * 9 + y], factor * (double)weight[18 + y * 2 + i], 1e-6, 0);
    }
  }
  assert_near(numbers(graph, "layer0_conv", "bias")[1], -0.5 * factor, 1e-6, 0);
  // Norse sums four pixels: the weights behind are a quarter; (H,W,C) to (C,H,W).
  const float *linear = parameter(&n, "4.linear.weight");
  const double *affine = numbers(graph, "layer4_linear", "weight");
  for (int p = 0; p < 4; p++) {
    for (int c = 0; c < 2; c++) { assert_near(affine[8 + c * 4 + p], 0.25 * (double)linear[8 + p * 2 + c], 1e-6, 0); }
  }
  sst_nir_destroy(graph);
  end(&n);
}

static void test_a_residual_block(void **state) {
  sst_context *context = *state;
  const sst_layer layers[] = {layer(SST_LAYER_CONV, 2), layer(SST_LAYER_ACTIVATION, 0), layer(SST_LAYER_BLOCK, 2),
                              layer(SST_LAYER_GLOBAL_POOL, 0), layer(SST_LAYER_LINEAR, 0)};
  network n = build(context, layers, 5, NULL, true);
  sst_nir_graph *graph = NULL;
  assert_ok(context, export(&n, SST_NIR_TARGET_GENERIC, &graph));
  assert_true(has_edge(graph, "layer2_conv2", "layer2_act2") && has_edge(graph, "layer1_act", "layer2_act2"));
  sst_nir_destroy(graph);
  assert_fails(context, SST_UNSUPPORTED, export(&n, SST_NIR_TARGET_SNNTORCH, &graph),
               "node layer2_act2 cannot be exported for snntorch: it does not add");
  assert_null(graph);
  end(&n);
}

// A sum of four pixels could not be taken out of a block's shortcut: the average is written as a convolution.
static void test_pooling_before_a_block(void **state) {
  sst_context *context = *state;
  const sst_layer layers[] = {layer(SST_LAYER_ACTIVATION, 0), layer(SST_LAYER_AVERAGE_POOL, 0),
                              layer(SST_LAYER_BLOCK, 2), layer(SST_LAYER_LINEAR, 0)};
  network n = build(context, layers, 4, NULL, true);
  sst_nir_graph *graph = NULL;
  assert_ok(context, export(&n, SST_NIR_TARGET_NORSE, &graph));
  const sst_nir_node *pool = &graph->nodes[sst_nir_find_node(graph, "layer1_avgpool")];
  assert_int_equal(pool->type, SST_NIR_TYPE_CONV2D);
  assert_int_equal(sst_nir_find_value(&pool->fields, "groups")->integers[0], 1); // Norse reads no groups
  const double *weight = numbers(graph, "layer1_avgpool", "weight");
  for (int i = 0; i < 16; i++) { assert_true(weight[i] == (i / 4 == 0 || i / 4 == 3 ? 0.25 : 0)); } // (out, in, 2, 2)
  sst_nir_destroy(graph);
  assert_fails(context, SST_UNSUPPORTED, export(&n, SST_NIR_TARGET_SPYX, &graph), "layer 0.act");
  end(&n);
}

static void test_refuses(void **state) {
  sst_context *context = *state;
  const sst_layer layers[] = {layer(SST_LAYER_CONV, 2), layer(SST_LAYER_ACTIVATION, 0), layer(SST_LAYER_MAX_POOL, 0),
                              layer(SST_LAYER_LINEAR, 0)};
  sst_nir_graph *graph = NULL;
  network n = build(context, layers, 4, NULL, true);
  assert_fails(context, SST_UNSUPPORTED, export(&n, SST_NIR_TARGET_GENERIC, &graph),
               "layer 2.maxpool cannot be exported for generic: NIR has no max pooling");
  end(&n);
  n = build(context, layers, 4, NULL, false);
  assert_fails(context, SST_UNSUPPORTED, export(&n, SST_NIR_TARGET_GENERIC, &graph), "layer 1.act cannot be exported");
  end(&n);
  sst_neuron soft = sst_neuron_default(), alif = soft;
  soft.hard_reset = false;
  alif.kind = SST_NEURON_ALIF;
  n = build(context, layers, 4, &soft, true);
  assert_fails(context, SST_UNSUPPORTED, export(&n, SST_NIR_TARGET_NORSE, &graph),
               "layer 1.act cannot be exported for norse");
  end(&n);
  n = build(context, layers, 4, &alif, true);
  assert_fails(context, SST_UNSUPPORTED, export(&n, SST_NIR_TARGET_GENERIC, &graph), "adaptive threshold");
  assert_fails(context, SST_INVALID_ARGUMENT,
               sst_nir_from_graph(n.graph, n.input, n.logits, &(sst_nir_export_options){.dt = -1}, &graph), "dt -1");
  end(&n);
}

static ssti_nir_neuron written(sst_nir_target target, const sst_neuron *neuron, double scale) {
  const ssti_dynamics dynamics = ssti_dynamics_make(neuron, NULL);
  ssti_nir_neuron out;
  assert_null(ssti_nir_neuron_for(target, sst_nir_target_dt(target), neuron, &dynamics, scale, &out));
  return out;
}

static void test_neurons_by_hand(void **state) {
  (void)state;
  sst_neuron lif = sst_neuron_default();
  lif.decay = 0.75f;
  ssti_nir_neuron n = written(SST_NIR_TARGET_SNNTORCH, &lif, 1);
  assert_near(n.tau, 4e-4, 1e-6, 0);
  assert_near(n.r, 4, 1e-6, 0);
  assert_true(1.0f - 1e-4f / n.tau == 0.75f);
  assert_true(n.v_threshold < 1.0f && nextafterf(n.v_threshold, 2) == 1.0f); // fires above
  n = written(SST_NIR_TARGET_SPIKINGJELLY, &lif, 1);
  assert_true(n.v_threshold == 1.0f);         // fires at
  n = written(SST_NIR_TARGET_NORSE, &lif, 1); // takes a quarter of the input: a quarter of the threshold
  assert_true(n.r == 1.0f && nextafterf(n.v_threshold, 2) == 0.25f);
  n = written(SST_NIR_TARGET_SINABS, &lif, 4);
  assert_true(expf(-1.0f / n.tau) == 0.75f && n.v_threshold == 4.0f); // sums of 4 pixels arrive
  sst_neuron plain = lif;
  plain.kind = SST_NEURON_IF;
  n = written(SST_NIR_TARGET_SNNTORCH, &plain, 1); // has no IF: a decay of 1 in 32 bits
  assert_int_equal(n.type, SST_NIR_TYPE_LIF);
  assert_true(1.0f - 1e-4f / n.tau == 1.0f);
  n = written(SST_NIR_TARGET_GENERIC, &plain, 1);
  assert_int_equal(n.type, SST_NIR_TYPE_IF);
  assert_near(n.r, 1e4, 1e-6, 0);
  sst_neuron cuba = lif;
  cuba.kind = SST_NEURON_CUBALIF;
  n = written(SST_NIR_TARGET_GENERIC, &cuba, 1);
  assert_near(n.tau_syn, 2e-4, 1e-6, 0);
  assert_near(n.w_in, 2, 1e-6, 0);
  assert_near(n.r, 4, 1e-6, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_a_chain), TEST(test_a_residual_block), TEST(test_pooling_before_a_block),
                                     TEST(test_refuses), TEST(test_neurons_by_hand)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
