// SPDX-License-Identifier: Apache-2.0
// Fused steps, and spikes made again in the backward pass, against the same graph without either, because its norms'
// outputs are kept: the same bits of spikes, running statistics and gradients, but for the order of a learned decay's
// sum.
#include "graph/graph_internal.h"
#include "graphs.h"

enum { BATCH = 4, SIZE = 5, CHANNELS = 6, CLASSES = 3, TIME = 3 };

typedef struct kind_of_network {
  const char *what;
  sst_neuron_kind neuron;
  sst_device device;
  int input_steps;
  bool frozen, membrane, streams, shared, bits;
} kind_of_network;

typedef struct network {
  sst_parameters *store;
  sst_graph *graph;
  sst_value input, spikes, loss, norm;
} network;

static sst_value constant(sst_graph *g, const char *name, sst_parameter_kind kind, float value) {
  return sst_graph_parameter(g, name, vector_shape(CHANNELS), kind, (sst_initializer){SST_INIT_CONSTANT, value});
}

// Convolution, norm, neurons, and a second layer of them; the loss is a weighted sum of spikes.
static network build(sst_context *context, const kind_of_network *kind, bool keep_norms) {
  network n = {.norm = SST_NO_VALUE};
  assert_ok(context, sst_parameters_create(context, 5, &n.store));
  assert_ok(context, sst_graph_create(n.store, kind->device, &n.graph));
  sst_graph *g = n.graph;
  n.input = sst_graph_input(g, "x", sst_shape_make(kind->input_steps, BATCH, SIZE, SIZE, CHANNELS));
  sst_value x = n.input, membrane = SST_NO_VALUE;
  sst_neuron neuron = sst_neuron_default();
  neuron.kind = kind->neuron;
  neuron.threshold = 0.7f;
  neuron.detach_reset = false;
  neuron.adaptation = 0.2f;
  neuron.adaptation_decay = 0.5f;
  neuron.current_decay = 0.5f;
  sst_batch_norm_options options = sst_batch_norm_default();
  options.scale = 1.5f;
  options.bits = kind->bits ? 6 : 0;
  for (int layer = 0; layer < 2; layer++) {
    sst_graph_push(g, layer == 0 ? "first" : "second", kind->frozen && layer == 1);
    const sst_value weight = graph_weight(g, "weight", sst_shape_make(1, CHANNELS, 3, 3, CHANNELS));
    sst_conv2d_options conv = sst_conv2d_default();
    conv.pad_h = conv.pad_w = 1;
    sst_value y = sst_conv2d(g, x, weight, SST_NONE, &conv);
    y = sst_batch_norm(g, y, constant(g, "gamma", SST_PARAMETER_NORM, 0.8f),
                       constant(g, "beta", SST_PARAMETER_NORM, 0.3f), constant(g, "mean", SST_PARAMETER_BUFFER, 0.1f),
                       constant(g, "variance", SST_PARAMETER_BUFFER, 1.5f), &options);
    n.norm = sst_graph_tap(g, "norm", y);
    if (keep_norms) { sst_graph_keep(g, y); }
    const bool learns = kind->neuron == SST_NEURON_PLIF;
    const sst_value w = learns ? sst_graph_parameter(g, "w", vector_shape(1), SST_PARAMETER_NEURON,
                                                     (sst_initializer){SST_INIT_CONSTANT, 0.2f})
                               : SST_NONE;
    x = sst_neuron_layer(g, y, TIME, &neuron, w, kind->membrane ? &membrane : NULL);
    if (kind->shared) { x = sst_add(g, x, sst_mean(g, y, SST_AXES_T)); } // the norm has another reader
    sst_graph_pop(g);
  }
  n.spikes = x;
  sst_graph_keep(g, x);
  if (kind->streams) {
    sst_graph_stream(g);
  } else {
    const sst_value factor = graph_weight(g, "factor", sst_shape_make(TIME, BATCH, SIZE, SIZE, CHANNELS));
    n.loss = sst_sum(g, sst_multiply(g, x, factor), SST_AXES_ALL);
    if (kind->membrane) { n.loss = sst_add(g, n.loss, sst_sum(g, sst_square(g, membrane), SST_AXES_ALL)); }
  }
  if (!keep_norms) { g->replay_from = 1; }
  assert_ok(context, sst_graph_compile(g, kind->streams ? SST_NO_VALUE : n.loss));
  fill_normal(sst_graph_data(g, n.input), sst_shape_count(sst_graph_shape(g, n.input)), 1.0f, 11);
  return n;
}

static void end(network *n) {
  sst_graph_destroy(n->graph);
  sst_parameters_destroy(n->store);
}

static int fused_steps(const sst_graph *graph) {
  int count = 0;
  for (int i = 0; i < graph->node_count; i++) { count += graph->steps[i].fused; }
  return count;
}

static void check_same(network *a, network *b) {
  const int64_t count = sst_shape_count(sst_graph_shape(a->graph, a->spikes));
  float *x = sst_graph_data(a->graph, a->spikes), *y = sst_graph_data(b->graph, b->spikes);
  assert_same_bits(x, y, count);
  for (int i = 0; i < sst_parameters_count(a->store); i++) {
    const sst_parameter *p = sst_parameters_at(a->store, i), *q = sst_parameters_at(b->store, i);
    assert_string_equal(p->name, q->name);
    assert_same_bits(p->value, q->value, p->count);
    if (p->gradient == NULL) { continue; }
    if (p->kind == SST_PARAMETER_NEURON) {
      support_assert_all_near(p->gradient, q->gradient, p->count, 1e-4, 1e-4, p->name, __FILE__, __LINE__);
    } else {
      assert_same_bits(p->gradient, q->gradient, p->count);
    }
  }
}

static void check_kind(sst_context *context, const kind_of_network *kind, int expected_fused) {
  network apart = build(context, kind, true), fused = build(context, kind, false);
  assert_int_equal(fused_steps(apart.graph), 0);
  assert_int_equal(fused_steps(fused.graph), expected_fused);
  // The first layer's spikes are made again for the second convolution, unless a sum stands between.
  assert_int_equal(apart.graph->replay_count, 0);
  assert_int_equal(fused.graph->replay_count, !(kind->streams || kind->shared));
  // What the user sees is the same.
  assert_int_equal(sst_graph_node_count(fused.graph), sst_graph_node_count(apart.graph));
  for (int i = 0; i < sst_graph_node_count(fused.graph); i++) {
    const sst_node_info a = sst_graph_node_info(fused.graph, i), b = sst_graph_node_info(apart.graph, i);
    assert_string_equal(a.op, b.op);
    assert_int_equal(a.neuron_updates, b.neuron_updates);
    assert_int_equal(a.elementwise, b.elementwise);
  }
  for (int run = 0; run < 4; run++) {
    const sst_run_options options = {.training = run < 2 && !kind->streams, .smooth = run == 1};
    network *both[] = {&apart, &fused};
    for (int i = 0; i < 2; i++) {
      if (run == 3) { sst_graph_restart(both[i]->graph); }
      sst_graph_forward(both[i]->graph, &options);
      if (!kind->streams) { sst_graph_backward(both[i]->graph); }
    }
    check_same(&fused, &apart);
  }
  if (expected_fused > 0) {
    assert_true(sst_graph_planned_bytes(fused.graph) < sst_graph_planned_bytes(apart.graph));
    assert_null(sst_graph_first_not_finite(fused.graph, NULL));
  }
  end(&apart);
  end(&fused);
}

static void test_fused_is_the_same(void **state) {
  const kind_of_network kinds[] = {
      {.what = "lif", .neuron = SST_NEURON_LIF, .input_steps = TIME},
      {.what = "lif, one input step", .neuron = SST_NEURON_LIF, .input_steps = 1},
      {.what = "if, frozen", .neuron = SST_NEURON_IF, .input_steps = TIME, .frozen = true},
      {.what = "plif, membrane", .neuron = SST_NEURON_PLIF, .input_steps = TIME, .membrane = true},
      {.what = "lif, streams", .neuron = SST_NEURON_LIF, .input_steps = TIME, .streams = true},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) { check_kind(*state, &kinds[i], 2); }
}

static void test_what_is_not_fused(void **state) {
  const kind_of_network kinds[] = {
      {.what = "other readers", .neuron = SST_NEURON_LIF, .input_steps = TIME, .shared = true},
      {.what = "fixed point", .neuron = SST_NEURON_LIF, .input_steps = TIME, .bits = true},
      {.what = "a kind of the reference", .neuron = SST_NEURON_ALIF, .input_steps = TIME},
      {.what = "a backend that does not",
       .neuron = SST_NEURON_LIF,
       .input_steps = TIME,
       .device = SST_DEVICE_CPU_REFERENCE},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) { check_kind(*state, &kinds[i], 0); }
}

// Whatever allocation fails while compiling, nothing is left behind.
static void test_out_of_memory(void **state) {
  (void)state;
  for (uint64_t k = 1;; k++) {
    fault_plan plan = {.allocation = k};
    sst_context *context = fault_context(&plan);
    sst_parameters *store = NULL;
    sst_graph *graph = NULL;
    sst_status status = sst_parameters_create(context, 5, &store);
    if (status == SST_OK) { status = sst_graph_create(store, SST_DEVICE_CPU, &graph); }
    if (status == SST_OK) {
      const sst_neuron neuron = sst_neuron_default();
      const sst_batch_norm_options options = sst_batch_norm_default();
      const sst_value x = sst_graph_input(graph, "x", sst_shape_make(TIME, BATCH, 1, 1, CHANNELS));
      const sst_value y = sst_batch_norm(graph, x, constant(graph, "gamma", SST_PARAMETER_NORM, 1.0f),
                                         constant(graph, "beta", SST_PARAMETER_NORM, 0.0f),
                                         constant(graph, "mean", SST_PARAMETER_BUFFER, 0.0f),
                                         constant(graph, "variance", SST_PARAMETER_BUFFER, 1.0f), &options);
      const sst_value spikes = sst_neuron_layer(graph, y, TIME, &neuron, SST_NONE, NULL);
      status = sst_graph_compile(graph, sst_sum(graph, spikes, SST_AXES_ALL));
    }
    assert_true(status == SST_OK || status == SST_OUT_OF_MEMORY);
    sst_graph_destroy(graph);
    sst_parameters_destroy(store);
    const bool met = fault_met(&plan);
    assert_true(met || status == SST_OK);
    test_context_end(context);
    if (!met) { break; }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_fused_is_the_same),
      TEST(test_what_is_not_fused),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
