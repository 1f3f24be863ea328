// SPDX-License-Identifier: Apache-2.0
// What holds for any quantised network. In evaluation mode all between spikes is integer arithmetic that f32 carries
// out without error: the input lies on a grid, sums are integers (behind an average of four spikes quarters of them),
// currents and membranes multiples of powers of two, stored states codes of their grid; so the backends agree on every
// bit, not only about. And with many bits a quantised network is the one in full precision.
#include "networks.h"

#include "quantize/grid.h"

enum { TIME = 4, BATCH = 6, CLASSES = 5, SIZE = 8, LAYERS = 11, BITS = 4, INPUT_BITS = 5 };
static const sst_device both[] = {SST_DEVICE_CPU_REFERENCE, SST_DEVICE_CPU};

static void fill_layers(sst_layer layers[LAYERS]) {
  const sst_layer list[LAYERS] = {
      layer_of(SST_LAYER_CONV, 12),      layer_of(SST_LAYER_NORM, 0),         layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_CONV, 16),      layer_of(SST_LAYER_NORM, 0),         layer_of(SST_LAYER_ACTIVATION, 0),
      layer_of(SST_LAYER_BLOCK, 16),     layer_of(SST_LAYER_AVERAGE_POOL, 0), layer_of(SST_LAYER_LINEAR, 20),
      layer_of(SST_LAYER_ACTIVATION, 0), layer_of(SST_LAYER_LINEAR, 0)};
  memcpy(layers, list, sizeof list);
}

static sst_model_options quantized_options(const sst_layer *layers, sst_weight_quantizer_kind kind, bool per_channel) {
  sst_model_options options = network_options(layers, LAYERS, TIME, SIZE, CLASSES);
  options.quantization = (sst_quantization){.weights = {.kind = kind, .bits = BITS, .per_channel = per_channel},
                                            .first_last = true,
                                            .norm_bits = 8,
                                            .input_bits = INPUT_BITS,
                                            .input_low = -1.5f, // eighths, and some of the noise is clipped
                                            .input_high = 2.0f};
  options.neuron.membrane_bits = BITS;
  return options;
}

static bool ends_with(const char *name, const char *ending) {
  const size_t length = strlen(name), tail = strlen(ending);
  return length >= tail && strcmp(name + length - tail, ending) == 0;
}

// A network in evaluation mode over the parameters of another, all taps kept, on noise.
static sst_graph *evaluate(const trained *t, sst_device device, const sst_model_options *options) {
  sst_graph *graph = NULL;
  assert_ok(t->context, sst_graph_create(t->store, device, &graph));
  sst_value input = sst_graph_input(graph, "input", sst_graph_shape(t->graph, t->input)), logits = SST_NO_VALUE;
  sst_model_build(graph, options, input, &logits);
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    sst_value value = SST_NO_VALUE;
    sst_graph_tap_at(graph, i, &value);
    sst_graph_keep(graph, value);
  }
  assert_ok(t->context, sst_graph_compile(graph, SST_NO_VALUE));
  fill_normal(sst_graph_data(graph, input), trained_count(t, t->input), 1.0f, 77);
  sst_graph_forward(graph, NULL);
  return graph;
}

static void expect_multiples(const sst_graph *graph, const char *name, const float *data, sst_value value, float step) {
  int64_t count = sst_shape_count(sst_graph_shape(graph, value)), seen = 0;
  for (int64_t i = 0; i < count; i++) {
    if (data[i] / step != rintf(data[i] / step)) {
      fail_msg("%s[%lld] is %.9g, expected a multiple of %g", name, (long long)i, (double)data[i], (double)step);
    }
    seen += data[i] != 0.0f;
  }
  if (seen == 0) { fail_msg("%s is nothing but zeros, which proves nothing", name); }
}

// What the neurons carried over each step: H less the current, on the grid of BITS bits.
static void expect_stored(sst_graph *graph, const char *membrane, const char *current, const sst_neuron *neuron) {
  const sst_value h = sst_graph_find(graph, membrane), x = sst_graph_find(graph, current);
  const int64_t n = sst_shape_count(sst_graph_shape(graph, h)) / TIME;
  const float *ph = sst_graph_data(graph, h), *px = sst_graph_data(graph, x);
  const float step = ssti_membrane_step(neuron->membrane_bits, neuron->membrane_range, neuron->threshold);
  const bool repeated = sst_graph_shape(graph, x).dim[SST_AXIS_T] == 1;
  int64_t moved = 0;
  for (int64_t i = 0; i < TIME * n; i++) {
    const float code = (ph[i] - px[repeated ? i % n : i]) / step;
    if (code != rintf(code) || fabsf(code) > ssti_largest_code(neuron->membrane_bits)) {
      fail_msg("%s[%lld]: the stored state is %.9g steps", membrane, (long long)i, (double)code);
    }
    moved += code != 0.0f;
  }
  assert_true(moved > n / 8);
}

// Multiples of 1/8 up to 15 of them, the nearest.
static void expect_rounded(const float *x, const float *rounded, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const float expected = fmaxf(-15.0f, fminf(15.0f, floorf(x[i] * 8 + 0.5f))) / 8;
    if (rounded[i] != expected) { fail_msg("%.9g became %.9g", (double)x[i], (double)rounded[i]); }
  }
}

static void check_integers(sst_context *context, sst_weight_quantizer_kind kind, bool per_channel) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  const sst_model_options options = quantized_options(layers, kind, per_channel);
  trained t;
  trained_build(&t, context, SST_DEVICE_CPU_REFERENCE, &options, 1, BATCH);
  trained_compile(&t, SST_DEVICE_CPU_REFERENCE, NULL);
  for (int i = 0; i < 4; i++) { trained_step(&t); }
  sst_graph *graphs[2] = {NULL, NULL};
  for (int d = 0; d < 2; d++) { graphs[d] = evaluate(&t, both[d], &options); }
  sst_graph *graph = graphs[0];
  int sums = 0;
  for (int i = 0; i < sst_graph_tap_count(graph); i++) {
    sst_value value = SST_NO_VALUE, other = SST_NO_VALUE;
    const char *name = sst_graph_tap_at(graph, i, &value);
    assert_string_equal(sst_graph_tap_at(graphs[1], i, &other), name);
    const float *data = sst_graph_data(graph, value);
    assert_same_bits(sst_graph_data(graphs[1], other), data, sst_shape_count(sst_graph_shape(graph, value)));
    if (ends_with(name, ".codes")) {
      const float largest = kind == SST_WEIGHT_QUANTIZER_TERNARY ? 1.0f : ssti_largest_code(BITS);
      expect_multiples(graph, name, data, value, 1.0f);
      for (int64_t k = 0; k < sst_shape_count(sst_graph_shape(graph, value)); k++) {
        assert_true(fabsf(data[k]) <= largest);
      }
    } else if (ends_with(name, ".sums")) {
      // Of pictures in eighths, of averages of four spikes, of spikes.
      expect_multiples(graph, name, data, value, name[0] == '0' ? 0.125f : name[0] == '8' ? 0.25f : 1.0f);
      sums++;
    } else if (strcmp(name, "input.rounded") == 0) {
      expect_rounded(sst_graph_data(graph, sst_graph_find(graph, "input")), data, trained_count(&t, t.input));
    } else if (strstr(name, ".norm") != NULL || strstr(name, ".membrane") != NULL) {
      expect_multiples(graph, name, data, value, 1.0f / 65536);
    }
  }
  assert_int_equal(sums, 6);
  expect_stored(graph, "2.membrane", "1.norm", &options.neuron);
  expect_stored(graph, "5.membrane", "4.norm", &options.neuron);
  expect_stored(graph, "6.membrane1", "6.norm1", &options.neuron);
  expect_stored(graph, "9.membrane", "8.linear", &options.neuron);
  for (int d = 0; d < 2; d++) { sst_graph_destroy(graphs[d]); }
  trained_end(&t);
}

static void test_a_ternary_network_is_integers(void **state) {
  check_integers(*state, SST_WEIGHT_QUANTIZER_TERNARY, false);
  check_integers(*state, SST_WEIGHT_QUANTIZER_TERNARY, true);
}

static void test_a_network_of_4_bits_is_integers(void **state) {
  check_integers(*state, SST_WEIGHT_QUANTIZER_LEARNED_STEP, false);
  check_integers(*state, SST_WEIGHT_QUANTIZER_LEARNED_STEP, true);
}

// An ANN with steps that reach the largest weight in 8 bits and norms of 16; an SNN with membranes of 16 that are
// clipped far out, where a spike more or less is rare but moves what is behind it.
static void check_many_bits(sst_context *context, bool spiking) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  sst_model_options options =
      quantized_options(layers, spiking ? SST_WEIGHT_QUANTIZER_NONE : SST_WEIGHT_QUANTIZER_LEARNED_STEP, true);
  options.spiking = spiking;
  options.timesteps = spiking ? TIME : 1;
  options.quantization.weights.bits = 8;
  options.quantization.norm_bits = 16;
  options.quantization.input_bits = 0;
  options.neuron.membrane_bits = 16;
  options.neuron.membrane_range = 8.0f;
  trained t;
  trained_build(&t, context, SST_DEVICE_CPU_REFERENCE, &options, 1, BATCH);
  trained_compile(&t, SST_DEVICE_CPU_REFERENCE, NULL);
  for (int i = 0; i < sst_parameters_count(t.store); i++) {
    const sst_parameter *step = sst_parameters_at(t.store, i);
    if (step->kind != SST_PARAMETER_STEP) { continue; }
    char name[64];
    snprintf(name, sizeof name, "%.*sweight", (int)strlen(step->name) - 4, step->name);
    const sst_parameter *weight = sst_parameters_find(t.store, name);
    assert_non_null(weight);
    const int64_t columns = weight->count / step->count;
    for (int64_t row = 0; row < step->count; row++) {
      float largest = 0.0f;
      for (int64_t k = 0; k < columns; k++) { largest = fmaxf(largest, fabsf(weight->value[row * columns + k])); }
      step->value[row] = largest / 127;
    }
  }
  // With the batch's statistics, because running ones would have to be those of codes.
  sst_parameters *store = NULL;
  sst_graph *graph = NULL;
  assert_ok(context, sst_parameters_create(context, 5, &store));
  assert_ok(context, sst_graph_create(store, SST_DEVICE_CPU_REFERENCE, &graph));
  sst_model_options full = options;
  sst_model_full_precision(&full);
  sst_value input = sst_graph_input(graph, "input", sst_graph_shape(t.graph, t.input)), logits = SST_NO_VALUE;
  sst_model_build(graph, &full, input, &logits);
  sst_graph_keep(graph, logits);
  assert_ok(context, sst_graph_compile(graph, SST_NO_VALUE));
  memcpy(sst_graph_data(graph, input), sst_graph_data(t.graph, t.input),
         (size_t)trained_count(&t, t.input) * sizeof(float));
  sst_graph_forward(graph, &(sst_run_options){.training = true});
  sst_graph_forward(t.graph, &(sst_run_options){.training = true});
  const int64_t count = trained_count(&t, t.logits);
  assert_near_norm(sst_graph_data(t.graph, t.logits), sst_graph_data(graph, logits), count, spiking ? 0.1 : 0.03);
  graph_end(graph, store);
  trained_end(&t);
}

static void test_many_bits_are_nearly_full_precision(void **state) {
  check_many_bits(*state, false);
  check_many_bits(*state, true);
}

// By default the ends of the network stay as they are; in a block at the front both layers that read the picture do.
static void test_first_and_last_stay_in_full_precision(void **state) {
  sst_layer layers[LAYERS];
  fill_layers(layers);
  sst_model_options options = quantized_options(layers, SST_WEIGHT_QUANTIZER_TERNARY, false);
  options.quantization.first_last = false;
  trained t;
  trained_build(&t, *state, SST_DEVICE_CPU_REFERENCE, &options, 1, BATCH);
  assert_true(!sst_graph_has_tap(t.graph, "0.conv.codes") && sst_graph_has_tap(t.graph, "3.conv.codes"));
  assert_true(sst_graph_has_tap(t.graph, "8.linear.codes") && !sst_graph_has_tap(t.graph, "10.linear.codes"));
  for (int i = 0; i < sst_graph_node_count(t.graph); i++) {
    const sst_node_info node = sst_graph_node_info(t.graph, i);
    if (strcmp(node.name, "1.norm") == 0) { assert_int_equal(node.bits, 0); }
    if (strcmp(node.name, "4.norm") == 0) { assert_int_equal(node.bits, 8); }
    if (strcmp(node.name, "3.conv.codes") == 0) { assert_int_equal(node.bits, 2); }
    if (strcmp(node.name, "2.act") == 0) { assert_int_equal(node.bits, BITS); }
  }
  trained_compile(&t, SST_DEVICE_CPU_REFERENCE, NULL);
  trained_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_ternary_network_is_integers), TEST(test_a_network_of_4_bits_is_integers),
      TEST(test_many_bits_are_nearly_full_precision), TEST(test_first_and_last_stay_in_full_precision)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
