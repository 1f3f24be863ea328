// SPDX-License-Identifier: Apache-2.0
// Lowering by hand: one small network whose integers are known, dyadic numbers, and everything that is refused, with
// the layer's name. That lowered networks fire as their simulation does: tests/property/test_lower_properties.c.
#include "networks.h"

#include "deploy/dyadic.h"
#include "spikestill/integer.h"

static void test_dyadic_numbers(void **state) {
  (void)state;
  assert_int_equal(ssti_fraction_bits(1.0, 9), 0);
  assert_int_equal(ssti_fraction_bits(-0.375, 9), 3);
  assert_int_equal(ssti_fraction_bits(12.0, 9), -2);
  assert_int_equal(ssti_fraction_bits(0.0, 9), 9);
  assert_int_equal(ssti_fraction_bits((double)0x1.000002p-10f, 9), 33);
  assert_int_equal(ssti_scaled(-0.375, 3), -3);
  assert_int_equal(ssti_scaled(1e300, 10), INT64_C(1) << 62);
}

typedef struct scene {
  sst_context *context;
  sst_layer layers[8];
  sst_model_options options;
  float bytes[2 * 256];
  sst_parameters *store;
  sst_graph *graph;
  sst_value input, logits;
  sst_integer_network *network;
} scene;

// conv - norm - act - avgpool - linear on pictures of 4x4x2, all of it quantised.
static void scene_begin(scene *s, sst_context *context) {
  *s = (scene){.context = context};
  const sst_layer layers[] = {layer_of(SST_LAYER_CONV, 2), layer_of(SST_LAYER_NORM, 0),
                              layer_of(SST_LAYER_ACTIVATION, 0), layer_of(SST_LAYER_AVERAGE_POOL, 0),
                              layer_of(SST_LAYER_LINEAR, 0)};
  memcpy(s->layers, layers, sizeof layers);
  s->options = network_options(s->layers, 5, 2, 4, 3);
  s->options.neuron.membrane_bits = 4;
  s->options.quantization = (sst_quantization){.weights = {.kind = SST_WEIGHT_QUANTIZER_TERNARY},
                                               .first_last = true,
                                               .norm_bits = 8,
                                               .input_bits = 4,
                                               .input_low = 0.0f,
                                               .input_high = 1.0f};
  for (int i = 0; i < 512; i++) { s->bytes[i] = (float)(i % 256) / 255.0f; }
}

static sst_status lower(scene *s) {
  assert_ok(s->context, sst_parameters_create(s->context, 5, &s->store));
  assert_ok(s->context, sst_graph_create(s->store, SST_DEVICE_CPU_REFERENCE, &s->graph));
  s->input = sst_graph_input(s->graph, "input", sst_shape_make(1, 1, 4, 4, 2));
  sst_model_build(s->graph, &s->options, s->input, &s->logits);
  assert_ok(s->context, sst_graph_compile(s->graph, SST_NO_VALUE));
  const sst_integer_input samples = {s->bytes, 0, 0};
  return sst_integer_from_graph(s->graph, s->input, s->logits, &samples, &s->network);
}

static void scene_end(scene *s) {
  sst_integer_network_free(s->network);
  graph_end(s->graph, s->store);
}

// A threshold of 1 at a decay of 1/2 and states in eighths.
static void test_known_integers(void **state) {
  scene s;
  scene_begin(&s, *state);
  assert_ok(*state, lower(&s));
  const sst_integer_network *network = s.network;
  const char *const names[] = {"0.conv", "2.act", "3.avgpool", "4.flatten", "4.linear", "logits"};
  assert_int_equal(network->node_count, 6);
  for (int i = 0; i < 6; i++) { assert_string_equal(network->nodes[i].name, names[i]); }
  // Sixteenths, of which the last byte's 16 is clipped to 15: 4 bits.
  assert_int_equal(network->values[0].exponent, 4);
  assert_true(network->values[0].low == 0 && network->values[0].high == 15);
  assert_true(network->pixel_codes[0] == 0 && network->pixel_codes[128] == 8 && network->pixel_codes[511] == 15);
  const sst_integer_neurons *n = &network->nodes[1].neurons;
  const int fine = n->exponent;
  assert_true(fine >= 4 && n->threshold == 1 << fine && n->threshold_step == 0 && n->hard_reset);
  assert_true(n->decay == 1 && n->decay_shift == 1 + fine - 3 && n->state_shift == fine - 3);
  assert_true(n->limit == 7 && n->state_bits == 4 && n->start == 0);
  assert_int_equal(network->values[3].exponent, 2); // sums of four spikes
  assert_true(network->values[3].high == 4 && network->values[1].once && !network->values[2].once);
  assert_near(network->nodes[5].readout.scale, ldexp(0.5, -network->values[5].exponent), 0, 0);
  scene_end(&s);
}

// Counts of events at a mean of 0 and a deviation of 1 are integers already.
static void test_counts_need_no_table(void **state) {
  scene s;
  scene_begin(&s, *state);
  s.options.quantization.input_bits = 0;
  for (int i = 0; i < 512; i++) { s.bytes[i] = (float)(i % 256); }
  assert_ok(*state, lower(&s));
  assert_null(s.network->pixel_codes);
  assert_true(s.network->values[0].high == 255 && s.network->values[0].exponent == 0);
  scene_end(&s);
}

static const sst_approximation *find(const sst_approximations *made, sst_approximation_kind kind, const char *layer) {
  for (int i = 0; i < made->count; i++) {
    if (made->items[i].kind == kind && strcmp(made->items[i].layer, layer) == 0) { return &made->items[i]; }
  }
  return NULL;
}

// All that is rounded is told by layer with its size; what is on a grid already is not touched.
static void test_known_approximations(void **state) {
  scene s;
  scene_begin(&s, *state);
  s.options.norm = SST_NORM_NONE;
  s.options.quantization.norm_bits = 0;
  s.options.quantization.input_bits = 0;
  s.options.neuron.decay = 0.7f;
  s.options.neuron.hard_reset = false;
  s.options.neuron.threshold = 1.5f;
  s.options.neuron.membrane_bits = 0;
  s.layers[3].kernel = 3;
  s.layers[3].stride = 1;
  s.options.readout = SST_READOUT_MEMBRANE;
  s.options.readout_decay = 0.3f;
  assert_fails(*state, SST_UNSUPPORTED, lower(&s), "quantize --approximate");
  const sst_integer_input samples = {s.bytes, 0, 0};
  const sst_approximation_options bits = {.membrane_bits = 9, .input_bits = 6};
  sst_approximations made;
  assert_ok(*state, sst_integer_approximate(s.graph, s.input, s.logits, &samples, &bits, &made, &s.network));
  const sst_integer_network *network = s.network;
  // An average of nine is a sum, and the linear layer behind it divides.
  const char *const names[] = {"0.conv", "2.act", "3.avgpool", "4.flatten", "4.linear", "logits"};
  for (int i = 0; i < network->node_count; i++) { assert_string_equal(network->nodes[i].name, names[i]); }
  assert_int_equal(network->nodes[2].kind, SST_INTEGER_NODE_SYNAPSES);
  assert_true(network->nodes[2].synapses.groups == 2 && network->nodes[2].synapses.factor[0] == 1);
  assert_int_equal(network->values[3].high, 9);
  // 0.7 is 179/256, 1.5 on whatever grid, states in 256ths of four thresholds made a power of two, 8.
  const sst_integer_neurons *n = &network->nodes[1].neurons;
  assert_true(n->state_bits == 9 && n->decay == 179 && n->threshold == 3 << (n->exponent - 1));
  assert_true(n->threshold_step == n->threshold && n->gain == 1);
  const double leak = (0.7 - 179.0 / 256.0) / 0.7, readout = (77.0 / 256.0 - 0.3) / 0.3;
  assert_near(find(&made, SST_APPROXIMATION_LEAK, "2.act")->size, leak, 1e-4, 0);
  assert_near(find(&made, SST_APPROXIMATION_STATE, "2.act")->size, 0.5 * 8 / 256 / 1.5, 1e-9, 0);
  assert_near(find(&made, SST_APPROXIMATION_READOUT, "step_logits")->size, readout, 1e-4, 0);
  const sst_approximation *input = find(&made, SST_APPROXIMATION_INPUT, "input");
  assert_true(input != NULL && input->size > 0.001 && input->size < 0.02); // half a 64th of 1 at most
  assert_null(find(&made, SST_APPROXIMATION_WEIGHTS, "0.conv"));           // ternary already
  assert_null(find(&made, SST_APPROXIMATION_THRESHOLD, "2.act"));
  assert_non_null(find(&made, SST_APPROXIMATION_FACTORS, "4.linear"));
  sst_approximations_free(*state, &made);
  scene_end(&s);
}

// conv - norm - avgpool of nine - act - linear: the convolution is in the unit that neurons want of the sum of nine,
// and nine times a number, divided by nine, need not be that number. Nothing stands between the pool and the neurons.
static void test_units_that_differ_by_rounding(void **state) {
  for (int i = 1; i <= 16; i++) {
    scene s;
    scene_begin(&s, *state);
    s.layers[2] = layer_of(SST_LAYER_AVERAGE_POOL, 0);
    s.layers[2].kernel = 3;
    s.layers[2].stride = 1;
    s.layers[3] = layer_of(SST_LAYER_ACTIVATION, 0);
    s.options.neuron.decay_input = true;
    s.options.neuron.decay = (float)(180 + i) / 400.0f;
    s.options.neuron.membrane_bits = 0;
    assert_fails(*state, SST_UNSUPPORTED, lower(&s), "quantize --approximate");
    const sst_integer_input samples = {s.bytes, 0, 0};
    sst_approximations made;
    assert_ok(*state, sst_integer_approximate(s.graph, s.input, s.logits, &samples, &(sst_approximation_options){0},
                                              &made, &s.network));
    for (int n = 0; n < s.network->node_count; n++) {
      if (strstr(s.network->nodes[n].name, "scale")) {
        fail_msg("decay (180 + %d) / 400: %s", i, s.network->nodes[n].name);
      }
    }
    sst_approximations_free(*state, &made);
    scene_end(&s);
  }
}

// What is on grids altogether is lowered as without the request.
static void test_nothing_to_approximate(void **state) {
  scene s, t;
  scene_begin(&s, *state);
  scene_begin(&t, *state);
  assert_ok(*state, lower(&s));
  assert_ok(*state, lower(&t));
  sst_integer_network_free(t.network);
  const sst_integer_input samples = {t.bytes, 0, 0};
  sst_approximations made;
  assert_ok(*state, sst_integer_approximate(t.graph, t.input, t.logits, &samples, &(sst_approximation_options){0},
                                            &made, &t.network));
  assert_int_equal(made.count, 0);
  for (int i = 0; i < 6; i++) {
    const sst_integer_node *a = &s.network->nodes[i], *b = &t.network->nodes[i];
    assert_string_equal(a->name, b->name);
    assert_memory_equal(&a->neurons, &b->neurons, sizeof a->neurons);
    assert_true(a->readout.scale == b->readout.scale);
    for (int o = 0; a->kind == SST_INTEGER_NODE_SYNAPSES && o < 2; o++) {
      assert_int_equal(a->synapses.factor[o], b->synapses.factor[o]);
      assert_int_equal(a->synapses.offset[o], b->synapses.offset[o]);
    }
  }
  scene_end(&t);
  scene_end(&s);
}

static void refuse(scene *s, const char *layer, const char *part) {
  assert_fails(s->context, SST_UNSUPPORTED, lower(s), layer);
  if (!strstr(sst_context_message(s->context), part)) {
    fail_msg("%s: no %s there", sst_context_message(s->context), part);
  }
  assert_null(s->network);
  scene_end(s);
}

static void test_what_is_refused(void **state) {
  scene s;
#define REFUSED(change, layer, part)                                                                                   \
  do {                                                                                                                 \
    scene_begin(&s, *state);                                                                                           \
    change;                                                                                                            \
    refuse(&s, layer, part);                                                                                           \
  } while (0)
  sst_model_options *o = &s.options;
  REFUSED(o->quantization.weights.kind = SST_WEIGHT_QUANTIZER_NONE, "layer 0.conv", "weights are in full precision");
  REFUSED(o->quantization.first_last = false, "layer 0.conv", "first_last: same");
  REFUSED(o->quantization.norm_bits = 0, "layer 1.norm", "norm is in full precision");
  REFUSED((o->quantization.norm_bits = 0, o->norm = SST_NORM_NONE), "layer 0.conv", "scale and bias");
  REFUSED(o->quantization.input_bits = 0, "layer input", "student.quantize.input_bits");
  REFUSED(o->neuron.membrane_bits = 0, "layer 2.act", "student.quantize.membrane_bits");
  REFUSED((o->neuron.membrane_bits = 0, o->neuron.kind = SST_NEURON_ALIF), "layer 2.act", "kind alif");
  REFUSED((o->neuron.membrane_bits = 0, o->neuron.kind = SST_NEURON_CUBALIF), "layer 2.act", "kind cubalif");
  REFUSED((o->neuron.membrane_bits = 0, o->neuron.kind = SST_NEURON_IF, o->neuron.v_reset = -1), "layer 2.act",
          "v_reset");
  REFUSED(s.layers[3].kernel = 3, "layer 3.avgpool", "window of 9 positions");
  REFUSED(o->layer_thresholds = true, "layer 2", "layer_thresholds");
  REFUSED((o->readout = SST_READOUT_MEMBRANE, o->readout_decay = 0.3f), "readout", "multiple of 1/256");
  REFUSED((o->spiking = false, o->neuron.membrane_bits = 0), "layer 2.act", "an ann has relu");
  // 16 bits of norms behind sums of up to 255 * 18: more than a mantissa holds.
  REFUSED((o->quantization.norm_bits = 16, o->quantization.input_bits = 8, o->norm = SST_NORM_THRESHOLD,
           o->neuron.threshold = 0.7f),
          "layer 1.norm", "24 bits");
#undef REFUSED
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_dyadic_numbers),
                                     TEST(test_known_integers),
                                     TEST(test_counts_need_no_table),
                                     TEST(test_known_approximations),
                                     TEST(test_units_that_differ_by_rounding),
                                     TEST(test_nothing_to_approximate),
                                     TEST(test_what_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
