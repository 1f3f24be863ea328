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
  const struct CMUnitTest tests[] = {TEST(test_dyadic_numbers), TEST(test_known_integers),
                                     TEST(test_counts_need_no_table), TEST(test_what_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
