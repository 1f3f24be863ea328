// SPDX-License-Identifier: Apache-2.0
// From NIR to our graph: what we export comes back with the same spikes in every layer, for every target; what cannot
// be imported is said all at once.
#include "../support/support.h"

#include "spikestill/model.h"
#include "spikestill/nir.h"

enum { T = 6, N = 3 };

static sst_layer layer(sst_layer_kind kind, int64_t out) {
  sst_layer l = sst_layer_default(kind);
  l.out = out;
  return l;
}

typedef struct built {
  sst_parameters *parameters;
  sst_graph *graph;
  sst_value input;
} built;

static built begin(sst_context *context) {
  built b;
  assert_ok(context, sst_parameters_create(context, 1, &b.parameters));
  assert_ok(context, sst_graph_create(b.parameters, SST_DEVICE_CPU_REFERENCE, &b.graph));
  b.input = sst_graph_input(b.graph, "input", sst_shape_make(1, N, 6, 6, 2));
  return b;
}

static void finish(sst_context *context, const built *b) {
  for (int i = 0; i < sst_graph_tap_count(b->graph); i++) {
    sst_value value;
    sst_graph_tap_at(b->graph, i, &value);
    if (sst_graph_is_spikes(b->graph, value)) { sst_graph_keep(b->graph, value); }
  }
  sst_graph_keep(b->graph, sst_graph_find(b->graph, "step_logits"));
  assert_ok(context, sst_graph_compile(b->graph, SST_NO_VALUE));
}

static void run(const built *b) {
  float *x = sst_graph_data(b->graph, b->input);
  for (int i = 0; i < N * 72; i++) { x[i] = (float)(i * 37 % 101) / 40.0f - 0.5f; }
  sst_graph_forward(b->graph, &(sst_run_options){0});
}

static void end(built *b) {
  sst_graph_destroy(b->graph);
  sst_parameters_destroy(b->parameters);
}

// The exporter's name of a layer: "0.conv" is "layer0_conv".
static void exported_name(const char *name, char out[64]) {
  snprintf(out, 64, "layer%s", name);
  for (char *c = out; *c; c++) { *c = *c == '.' ? '_' : *c; }
}

// How many spikes there were in the layers that were compared.
static int compare_spikes(const built *ours, const built *theirs) {
  int spikes = 0, layers = 0;
  for (int i = 0; i < sst_graph_tap_count(ours->graph); i++) {
    sst_value value;
    char name[64];
    exported_name(sst_graph_tap_at(ours->graph, i, &value), name);
    if (!sst_graph_is_spikes(ours->graph, value) || !sst_graph_has_tap(theirs->graph, name)) { continue; }
    layers++;
    const float *a = sst_graph_data(ours->graph, value);
    const float *b = sst_graph_data(theirs->graph, sst_graph_find(theirs->graph, name));
    for (int64_t k = 0; k < sst_shape_count(sst_graph_shape(ours->graph, value)); k++) {
      assert_true(a[k] == b[k]);
      spikes += a[k] > 0;
    }
  }
  assert_true(layers >= 2);
  return spikes;
}

// Every layer's codes in the metadata are whole numbers of so many bits, and weight = factor of the output * code.
static int compare_codes(const sst_nir_graph *nir, int64_t bits) {
  int found = 0;
  for (int i = 0; i < nir->node_count; i++) {
    const sst_nir_value *codes = sst_nir_find_value(&nir->nodes[i].metadata, "codes");
    const sst_nir_value *weight = sst_nir_find_value(&nir->nodes[i].fields, "weight");
    if (codes == NULL) { continue; }
    found++;
    assert_int_equal(sst_nir_find_value(&nir->nodes[i].metadata, "bits")->integers[0], bits);
    assert_int_equal(sst_nir_find_value(&nir->nodes[i].metadata, "scale")->count, codes->shape[0]);
    assert_int_equal(codes->count, weight->count);
    const int64_t fan_in = codes->count / codes->shape[0], largest = ((int64_t)1 << (bits - 1)) - 1;
    for (int64_t k = 0; k < codes->count; k++) {
      assert_true(llabs((long long)codes->integers[k]) <= largest);
      for (int64_t j = k / fan_in * fan_in; j < k; j++) {
        assert_near(weight->numbers[k] * (double)codes->integers[j], weight->numbers[j] * (double)codes->integers[k],
                    1e-5, 1e-6);
      }
    }
  }
  return found;
}

static void round_trip_of(sst_context *context, sst_model_options options, const sst_neuron *neuron,
                          const sst_layer *layers, int count, sst_nir_target target, int quantised) {
  built ours = begin(context), theirs = begin(context);
  options.layers = layers;
  options.layer_count = count;
  options.height = options.width = 6;
  options.channels = 2;
  options.classes = 3;
  options.timesteps = T;
  options.neuron = *neuron;
  sst_value logits;
  sst_model_build(ours.graph, &options, ours.input, &logits);
  finish(context, &ours);
  run(&ours);
  sst_nir_graph *nir = NULL;
  assert_ok(context, sst_nir_from_graph(ours.graph, ours.input, sst_graph_find(ours.graph, "step_logits"),
                                        &(sst_nir_export_options){.target = target}, &nir));
  assert_int_equal(compare_codes(nir, sst_weight_quantizer_bits(&options.quantization.weights)), quantised);
  sst_nir_network *network = NULL;
  assert_ok(context, sst_nir_import(nir, NULL, &network));
  sst_nir_destroy(nir);
  assert_int_equal(sst_nir_describe(network).target, target);
  assert_int_equal(sst_nir_describe(network).timesteps, T);
  sst_nir_build(network, theirs.graph, theirs.input, T, false, &logits);
  finish(context, &theirs);
  assert_ok(context, sst_nir_load(network, theirs.parameters));
  run(&theirs);
  assert_true(compare_spikes(&ours, &theirs) > 20);
  const float *a = sst_graph_data(ours.graph, sst_graph_find(ours.graph, "step_logits"));
  const float *b = sst_graph_data(theirs.graph, sst_graph_find(theirs.graph, "step_logits"));
  for (int i = 0; i < T * N * 3; i++) { assert_near(a[i], b[i], 1e-5, 1e-5); }
  sst_nir_network_destroy(network);
  end(&ours);
  end(&theirs);
}

static void round_trip(sst_context *context, const sst_neuron *neuron, const sst_layer *layers, int count,
                       sst_nir_target target) {
  round_trip_of(context, sst_model_default(), neuron, layers, count, target, 0);
}

static void test_quantised_layers(void **state) {
  const sst_layer chain[] = {
      layer(SST_LAYER_CONV, 4),         layer(SST_LAYER_NORM, 0),    layer(SST_LAYER_ACTIVATION, 0),
      layer(SST_LAYER_AVERAGE_POOL, 0), layer(SST_LAYER_CONV, 5),    layer(SST_LAYER_NORM, 0),
      layer(SST_LAYER_ACTIVATION, 0),   layer(SST_LAYER_FLATTEN, 0), layer(SST_LAYER_LINEAR, 0)};
  sst_neuron neuron = sst_neuron_default();
  neuron.threshold = 0.25f;
  for (int i = 0; i < 4; i++) {
    sst_model_options options = sst_model_default();
    options.quantization.weights.kind = i % 2 ? SST_WEIGHT_QUANTIZER_LEARNED_STEP : SST_WEIGHT_QUANTIZER_TERNARY;
    options.quantization.weights.per_channel = i >= 2;
    options.quantization.weights.bits = 4;
    options.quantization.norm_bits = 8;
    // The first layer's input is no spikes: what floats lose there could move a spike, so it keeps full precision.
    round_trip_of(*state, options, &neuron, chain, 9, SST_NIR_TARGET_GENERIC, 1);
    options.norm = SST_NORM_NONE;
    round_trip_of(*state, options, &neuron, chain, 9, SST_NIR_TARGET_GENERIC, 1);
  }
}

static void test_round_trips(void **state) {
  const sst_layer chain[] = {layer(SST_LAYER_CONV, 4),       layer(SST_LAYER_NORM, 0),
                             layer(SST_LAYER_ACTIVATION, 0), layer(SST_LAYER_AVERAGE_POOL, 0),
                             layer(SST_LAYER_CONV, 5),       layer(SST_LAYER_ACTIVATION, 0),
                             layer(SST_LAYER_FLATTEN, 0),    layer(SST_LAYER_LINEAR, 0)};
  static const sst_nir_target hard[] = {SST_NIR_TARGET_GENERIC, SST_NIR_TARGET_SNNTORCH, SST_NIR_TARGET_SPIKINGJELLY,
                                        SST_NIR_TARGET_NORSE};
  for (int i = 0; i < 4; i++) {
    sst_neuron neuron = sst_neuron_default();
    neuron.threshold = 0.25f;
    neuron.decay = 0.75f;
    round_trip(*state, &neuron, chain, 8, hard[i]);
    neuron.decay_input = true;
    neuron.threshold = 0.1f;
    round_trip(*state, &neuron, chain, 8, hard[i]);
    neuron.kind = SST_NEURON_IF;
    round_trip(*state, &neuron, chain, 8, hard[i]);
    neuron.kind = SST_NEURON_CUBALIF;
    round_trip(*state, &neuron, chain, 8, hard[i]);
    neuron.decay_input = false;
    round_trip(*state, &neuron, chain, 8, hard[i]);
  }
}

static void test_resets_and_blocks(void **state) {
  const sst_layer layers[] = {layer(SST_LAYER_CONV, 4), layer(SST_LAYER_ACTIVATION, 0), layer(SST_LAYER_BLOCK, 4),
                              layer(SST_LAYER_GLOBAL_POOL, 0), layer(SST_LAYER_LINEAR, 0)};
  sst_neuron neuron = sst_neuron_default();
  neuron.threshold = 0.25f;
  round_trip(*state, &neuron, layers, 5, SST_NIR_TARGET_GENERIC);
  round_trip(*state, &neuron, layers, 5, SST_NIR_TARGET_NORSE);
  neuron.v_reset = -0.25f;
  round_trip(*state, &neuron, layers, 5, SST_NIR_TARGET_GENERIC);
  neuron.v_reset = 0.0f;
  neuron.hard_reset = false;
  round_trip(*state, &neuron, layers, 5, SST_NIR_TARGET_GENERIC);
  round_trip(*state, &neuron, layers, 5, SST_NIR_TARGET_SINABS);
}

// ---- graphs by hand

static int add(sst_context *context, sst_nir_graph *graph, const char *name, sst_nir_type type) {
  int index = -1;
  assert_ok(context, sst_nir_add_node(graph, name, type, &index));
  return index;
}

static void put(sst_context *context, sst_nir_graph *graph, int node, const char *field, int64_t count, double value) {
  double numbers[16];
  for (int i = 0; i < 16; i++) { numbers[i] = value; }
  assert_ok(context, sst_nir_put_numbers(graph, &graph->nodes[node].fields, field, count > 0, &count, numbers));
}

static void put_shape(sst_context *context, sst_nir_graph *graph, int node, int rank, const int64_t *shape) {
  const int64_t count = rank;
  assert_ok(context, sst_nir_put_integers(graph, &graph->nodes[node].fields, "shape", 1, &count, shape));
}

static sst_nir_graph *ends(sst_context *context, int rank, const int64_t *shape) {
  sst_nir_graph *graph = NULL;
  assert_ok(context, sst_nir_create(context, &graph));
  put_shape(context, graph, add(context, graph, "input", SST_NIR_TYPE_INPUT), rank, shape);
  put_shape(context, graph, add(context, graph, "output", SST_NIR_TYPE_OUTPUT), rank, shape);
  return graph;
}

static void fails(sst_context *context, sst_nir_graph *graph, sst_status status, const char *text) {
  sst_nir_network *network = NULL;
  assert_fails(context, status, sst_nir_import(graph, NULL, &network), text);
  assert_null(network);
}

static void test_says_all_faults_at_once(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = ends(context, 3, (int64_t[]){2, 3, 3});
  const int late = add(context, graph, "late", SST_NIR_TYPE_DELAY), lif = add(context, graph, "lif", SST_NIR_TYPE_LIF);
  put(context, graph, late, "delay", 0, 1.5e-4);
  put(context, graph, lif, "tau", 0, 1e-5); // below dt
  put(context, graph, lif, "r", 5, 1.0);
  put(context, graph, lif, "v_leak", 0, 0);
  put(context, graph, lif, "v_threshold", 0, 1);
  for (int i = 0; i < 3; i++) {
    assert_ok(context, sst_nir_add_edge(graph, (int[]){0, late, lif}[i], (int[]){late, lif, 1}[i]));
  }
  sst_nir_network *network = NULL;
  assert_int_equal(sst_nir_import(graph, NULL, &network), SST_UNSUPPORTED);
  const char *message = sst_context_message(context);
  assert_non_null(strstr(message, "late (Delay): its delay is 0.00015, expected 0 to 4096 whole steps of 0.0001"));
  assert_non_null(strstr(message, "; lif (LIF): its 'r' has 5 numbers, expected 1 or one for each of 18"));
  assert_non_null(strstr(message, "output (Output): the network ends with a picture"));
  sst_nir_destroy(graph);
}

static void test_refuses(void **state) {
  sst_context *context = *state;
  sst_nir_graph *graph = ends(context, 1, (int64_t[]){4});
  fails(context, graph, SST_FORMAT, "the output 'output' does not depend on the input");
  assert_ok(context, sst_nir_add_edge(graph, 0, 1));
  assert_ok(context, sst_nir_add_edge(graph, 1, 0));
  fails(context, graph, SST_FORMAT, "an edge leads into the input");
  add(context, graph, "again", SST_NIR_TYPE_INPUT);
  fails(context, graph, SST_UNSUPPORTED, "has 2 nodes of type Input, expected 1");
  sst_nir_destroy(graph);

  graph = ends(context, 1, (int64_t[]){4});
  const int lif = add(context, graph, "lif", SST_NIR_TYPE_LIF);
  put(context, graph, lif, "tau", 4, 5e-5);
  put(context, graph, lif, "r", 0, 1);
  put(context, graph, lif, "v_leak", 0, 0);
  put(context, graph, lif, "v_threshold", 0, 1);
  assert_ok(context, sst_nir_add_edge(graph, 0, lif));
  assert_ok(context, sst_nir_add_edge(graph, lif, 1));
  fails(context, graph, SST_UNSUPPORTED, "lif (LIF): a time constant of it is negative or below dt");
  sst_nir_network *network = NULL;
  assert_ok(context, sst_nir_import(graph, &(sst_nir_import_options){.dt = 1e-5}, &network));
  assert_near(sst_nir_describe(network).dt, 1e-5, 0, 0);
  sst_nir_network_destroy(network);
  assert_fails(context, SST_INVALID_ARGUMENT, sst_nir_import(graph, &(sst_nir_import_options){.dt = -1}, &network),
               "dt is -1");
  sst_nir_destroy(graph);

  graph = ends(context, 1, (int64_t[]){1 << 20}); // a scalar field must not become that many numbers
  const int scale = add(context, graph, "scale", SST_NIR_TYPE_SCALE);
  put(context, graph, scale, "scale", 0, 2);
  assert_ok(context, sst_nir_add_edge(graph, 0, scale));
  assert_ok(context, sst_nir_add_edge(graph, scale, 1));
  const size_t before = sst_context_bytes_in_use(context);
  assert_ok(context, sst_nir_import(graph, NULL, &network));
  assert_true(sst_context_bytes_in_use(context) - before < 1 << 16);
  sst_nir_network_destroy(network);
  sst_nir_destroy(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_round_trips), TEST(test_quantised_layers), TEST(test_resets_and_blocks),
                                     TEST(test_says_all_faults_at_once), TEST(test_refuses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
