// SPDX-License-Identifier: Apache-2.0
// Energy models against published and hand-made numbers.
#include "support/support.h"

#include "spikestill/energy.h"

static sst_technology *technology(sst_context *context, const char *setting) {
  sst_technology *t = NULL;
  assert_int_equal(sst_technology_create(context, &t), SST_OK);
  if (setting) { assert_int_equal(sst_technology_set(t, setting), SST_OK); }
  return t;
}

static sst_energy *estimate(sst_energy_model model, const sst_cost_record *record, const char *setting) {
  sst_technology *t = technology(record->context, setting);
  sst_energy *energy = NULL;
  sst_status status = sst_energy_estimate(model, record, t, &energy);
  if (status != SST_OK) { fail_msg("%s", sst_context_message(record->context)); }
  sst_technology_destroy(t);
  return energy;
}

static sst_cost_layer conv_layer(int64_t in, int64_t out, int64_t size, int64_t pooled, int64_t kernel, int64_t steps) {
  return (sst_cost_layer){
      .name = "conv",
      .kind = SST_COST_CONV,
      .in_channels = in,
      .in_height = size,
      .in_width = size,
      .out_channels = out,
      .out_height = size,
      .out_width = size,
      .pooled_height = pooled,
      .pooled_width = pooled,
      .kernel_height = kernel,
      .kernel_width = kernel,
      .stride_height = 1,
      .stride_width = 1,
      .groups = 1,
      .timesteps = steps,
      .spiking_input = true,
      .binary_input = true,
      .neurons = true,
      .leak = true,
      .bias = true,
      .input_bits = 1,
      .weight_bits = 32,
      .membrane_bits = 32,
      .weights = in * out * kernel * kernel,
      .crossbar_patches = (double)NAN,
      .crossbar_rows = (double)NAN,
      .crossbar_sites = (double)NAN,
  };
}

static sst_cost_record *record_of(sst_context *context, const sst_cost_layer *layers, int count, int64_t steps) {
  sst_cost_record *record = NULL;
  assert_int_equal(sst_cost_record_create(context, count, steps, &record), SST_OK);
  memcpy(record->layers, layers, (size_t)count * sizeof *layers);
  record->spiking = true;
  return record;
}

// ---- SpikeSim, the released tool's numbers for a VGG-9 on CIFAR-10

static sst_cost_record *spikesim_vgg9(sst_context *context, int64_t steps) {
  static const int64_t in[] = {3, 64, 64, 128, 128, 256, 256}, out[] = {64, 64, 128, 128, 256, 256, 256},
                       size[] = {32, 32, 16, 16, 8, 8, 8}, pooled[] = {32, 16, 16, 8, 8, 8, 4};
  sst_cost_layer layers[7];
  for (int i = 0; i < 7; i++) { layers[i] = conv_layer(in[i], out[i], size[i], pooled[i], 3, steps); }
  return record_of(context, layers, 7, steps);
}

static void test_spikesim_compat_reproduces_the_released_tool(void **state) {
  static const struct {
    const char *setting;
    int64_t steps;
    double tiles, energy_pj, area_um2, latency_ns, edap, tops_per_watt, tops_per_mm2;
  } rows[] = {
      {NULL, 5, 6, 15906934.02624, 8425528.755834, 62832640, 8.42110248e-6, 66.3726, 1.994312e-3},
      {NULL, 4, 6, 12725547.220992, 8425528.755834, 50266112, 5.38950559e-6, 66.3726, 1.994312e-3},
      {"crossbar=128", 5, 2, 13978902.265856, 6347938.740158, 62832640, 5.57559350e-6, 75.5270, 2.647021e-3},
      {"pe_per_tile=4", 5, 12, 15906934.02624, 11710472.782068, 62832640, 1.17043208e-5, 66.3726, 1.434881e-3},
      {"device=sram", 5, 6, 941181496.07424, 8704114.583034, 62832640, 5.14734511e-4, 1.12177, 1.930481e-3},
  };
  sst_context *context = *state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    sst_cost_record *record = spikesim_vgg9(context, rows[i].steps);
    sst_energy *e = estimate(SST_ENERGY_SPIKESIM_COMPAT, record, rows[i].setting);
    assert_near(e->tiles, rows[i].tiles, 0, 0);
    assert_near(e->energy_pj, rows[i].energy_pj, 1e-9, 0);
    assert_near(e->area_um2, rows[i].area_um2, 1e-9, 0);
    assert_near(e->latency_ns, rows[i].latency_ns, 1e-9, 0);
    assert_near(e->edap_j_s_mm2, rows[i].edap, 1e-8, 0); // as many digits as the source prints
    assert_near(e->tops_per_watt, rows[i].tops_per_watt, 1e-5, 0);
    assert_near(e->tops_per_mm2, rows[i].tops_per_mm2, 1e-6, 0);
    sst_energy_destroy(e);
    sst_cost_record_destroy(record);
  }
}

static void test_spikesim_compat_refuses_what_the_tool_cannot_do(void **state) {
  sst_context *context = *state;
  sst_technology *t = technology(context, NULL);
  sst_cost_record *record = spikesim_vgg9(context, 4);
  sst_energy *e = NULL;
  record->layers[3].kernel_height = 5;
  assert_int_equal(sst_energy_estimate(SST_ENERGY_SPIKESIM_COMPAT, record, t, &e), SST_UNSUPPORTED);
  assert_non_null(strstr(sst_context_message(context), "5x3"));
  assert_null(e);
  record->layers[3].kernel_height = 3;
  record->layers[6].in_channels = 3;
  assert_int_equal(sst_energy_estimate(SST_ENERGY_SPIKESIM_COMPAT, record, t, &e), SST_UNSUPPORTED);
  record->layers[6].in_channels = 256;
  record->layers[6].kind = SST_COST_LINEAR;
  assert_int_equal(sst_energy_estimate(SST_ENERGY_SPIKESIM_COMPAT, record, t, &e), SST_UNSUPPORTED);
  sst_cost_record_destroy(record);
  sst_technology_destroy(t);
}

static void test_spikesim_aware_hand_case(void **state) {
  // One layer of 100 -> 70 channels, 3x3 at 10x10, on crossbars of 64 with 4-bit cells and 8-bit weights: 2 * 2 * 2
  // elements, 100 sites, 4 steps.
  sst_context *context = *state;
  sst_cost_layer layer = conv_layer(100, 70, 10, 5, 3, 4);
  layer.weight_bits = 8;
  layer.membrane_bits = 6;
  sst_cost_record *record = record_of(context, &layer, 1, 4);
  sst_energy *e = estimate(SST_ENERGY_SPIKESIM_AWARE, record, NULL);
  assert_near(e->energy_pj, 8 * 100 * 4 * 828.4861472, 1e-9, 0);
  assert_near(e->tiles, 1, 0, 0);
  double element = 9 * 0.0064 * 64 * 64 + 8 * (693.633 + 45.9);
  double tile = 8 * 13411.41498 + 484.643999 + 6054.7072 + 8 * element + 433660;
  assert_near(e->area_um2, tile + 0.7391 * (100 * 100 * 1 + 70 * 100 * 6), 1e-12, 0);
  assert_near(e->latency_ns, 100 * 35 * 4 * 26 * 4.0, 1e-12, 0); // 35 columns in each of two tiles, clock 4 ns
  sst_energy_destroy(e);
  sst_cost_record_destroy(record);
}

static void test_spikesim_event_mode_equals_dense_where_everything_spikes(void **state) {
  sst_context *context = *state;
  sst_cost_layer layer = conv_layer(100, 70, 10, 5, 3, 4);
  double sites = 100 * 4;
  layer.crossbar_patches = sites * 2;
  layer.crossbar_rows = sites * 100 * 9; // padding counted as spikes, as the dense formula does
  layer.crossbar_sites = sites * 2;
  sst_cost_record *record = record_of(context, &layer, 1, 4);
  record->crossbar = 64;
  record->layers[0].weight_bits = 4;
  sst_energy *dense = estimate(SST_ENERGY_SPIKESIM_AWARE, record, NULL);
  sst_energy *event = estimate(SST_ENERGY_SPIKESIM_AWARE, record, "event_mode=true");
  assert_near(event->energy_pj, dense->energy_pj, 1e-12, 0);
  sst_energy_destroy(dense);
  sst_energy_destroy(event);
  record->crossbar = 128; // counted for other crossbars
  sst_technology *t = technology(context, "event_mode=true");
  sst_energy *e = NULL;
  assert_int_equal(sst_energy_estimate(SST_ENERGY_SPIKESIM_AWARE, record, t, &e), SST_UNSUPPORTED);
  sst_technology_destroy(t);
  sst_cost_record_destroy(record);
}

// ---- SATA and Lemaire, by hand

static void test_sata_hand_case(void **state) {
  // 2 -> 3 channels, 3x3 at 4x4, T = 2, 16 bits, a quarter of the inputs spike.
  sst_context *context = *state;
  sst_cost_layer layer = conv_layer(2, 3, 4, 4, 3, 2);
  layer.weight_bits = 16;
  layer.nonzero_inputs = 0.25 * 2 * 16 * 2;
  sst_cost_record *record = record_of(context, &layer, 1, 2);
  sst_energy *e = estimate(SST_ENERGY_SATA, record, NULL);
  double mac = 0.25 * 2 * 9 * 3 * 16 * 2, lif = 3 * 16 * 2;
  double dram = 3 * 2 * 9 + (3 * 16 + 2 * 16 / 16.0) * 2, pad = 2 * (3 * 2 * 9 + 2 * 2 * 16 / 16.0);
  assert_near(e->part_pj[SST_ENERGY_PART_COMPUTE], mac * 0.039694, 1e-12, 0);
  assert_near(e->part_pj[SST_ENERGY_PART_NEURON], lif * 0.11255, 1e-12, 0);
  assert_near(e->part_pj[SST_ENERGY_PART_MEMORY], dram * 55.58 + 2 * dram * 1.95 + pad * 0.2779, 1e-12, 0);
  sst_energy_destroy(e);
  // An ANN's multiply-accumulate costs 0.2779.
  sst_cost_record *ann = NULL;
  assert_int_equal(sst_cost_record_as_ann(record, 16, &ann), SST_OK);
  e = estimate(SST_ENERGY_SATA, ann, NULL);
  assert_near(e->part_pj[SST_ENERGY_PART_COMPUTE], 2 * 9 * 3 * 16 * 0.2779, 1e-12, 0);
  assert_true(e->part_pj[SST_ENERGY_PART_NEURON] == 0);
  sst_energy_destroy(e);
  sst_cost_record_destroy(ann);
  sst_cost_record_destroy(record);
}

static double ram(double words, int bits) { return 1.09e-5 * words * bits + 13.2; }

static void test_lemaire_hand_case(void **state) {
  // 2 -> 3 channels, 3x3 stride 2 from 4x4 to 2x2, T = 2, with leak and bias: 10 spikes enter, 5 leave.
  sst_context *context = *state;
  sst_cost_layer layer = conv_layer(2, 3, 4, 2, 3, 2);
  layer.out_height = layer.out_width = 2;
  layer.stride_height = layer.stride_width = 2;
  layer.nonzero_inputs = 10;
  layer.spikes_out = 5;
  sst_cost_record *record = record_of(context, &layer, 1, 2);
  sst_energy *e = estimate(SST_ENERGY_LEMAIRE, record, NULL);
  double outputs = 2 * 3 * 4, reached = 10 * 3 * 9;
  assert_near(e->part_pj[SST_ENERGY_PART_COMPUTE], outputs * 3.2 + (10 * 4 * 3 + outputs + 5) * 0.1, 1e-12, 0);
  assert_near(e->part_pj[SST_ENERGY_PART_CONTROL], 20 * 3.2 + reached * 0.1, 1e-12, 0);
  assert_near(e->part_pj[SST_ENERGY_PART_MEMORY],
              15 * ram(64, 1) + reached * ram(54, 32) + outputs * ram(3, 32) + 2 * (reached + outputs) * ram(12, 32),
              1e-12, 0);
  sst_energy_destroy(e);
  // Without leak there is nothing to multiply.
  record->layers[0].leak = false;
  e = estimate(SST_ENERGY_LEMAIRE, record, NULL);
  assert_near(e->part_pj[SST_ENERGY_PART_COMPUTE], (10 * 4 * 3 + outputs + 5) * 0.1, 1e-12, 0);
  sst_energy_destroy(e);
  // Fed by numbers of 8 bits: one step of multiply-accumulates.
  sst_cost_record *ann = NULL;
  assert_int_equal(sst_cost_record_as_ann(record, 8, &ann), SST_OK);
  e = estimate(SST_ENERGY_LEMAIRE, ann, NULL);
  double macs = 2 * 3 * 9 * 4;
  assert_near(e->part_pj[SST_ENERGY_PART_COMPUTE], macs * 0.23 + 12 * 0.03, 1e-12, 0);
  assert_near(e->part_pj[SST_ENERGY_PART_CONTROL], (32 + 12 + 27) * 0.1, 1e-12, 0);
  assert_near(e->part_pj[SST_ENERGY_PART_MEMORY],
              macs * ram(32, 8) + macs * ram(54, 8) + 12 * ram(3, 8) + 12 * ram(12, 8), 1e-12, 0);
  sst_energy_destroy(e);
  sst_cost_record_destroy(ann);
  sst_cost_record_destroy(record);
}

static void test_operations_take_the_table(void **state) {
  sst_context *context = *state;
  sst_cost_layer layers[2] = {conv_layer(3, 4, 6, 6, 3, 1), conv_layer(4, 5, 6, 6, 3, 4)};
  layers[0].spiking_input = layers[0].binary_input = false;
  layers[0].input_bits = 32;
  layers[0].nonzero_inputs = 3 * 36;
  layers[1].nonzero_inputs = 0.1 * 4 * 36 * 4;
  sst_cost_record *record = record_of(context, layers, 2, 4);
  sst_energy *e = estimate(SST_ENERGY_OPERATIONS, record, NULL);
  assert_near(e->layers[0].energy_pj, 3 * 4 * 9 * 36 * 4.6, 1e-12, 0);
  assert_near(e->layers[1].energy_pj, 0.1 * 4 * 4 * 5 * 9 * 36 * 0.9, 1e-12, 0);
  assert_true(isnan(e->latency_ns) && isnan(e->area_um2) && isnan(e->edap_j_s_mm2));
  sst_energy_destroy(e);
  static const struct {
    int bits;
    double mac_pj;
  } rows[] = {{32, 4.6}, {16, 1.5}, {8, 0.23}, {4, 0.05 + 0.015}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    sst_cost_record *ann = NULL;
    assert_int_equal(sst_cost_record_as_ann(record, rows[i].bits, &ann), SST_OK);
    e = estimate(SST_ENERGY_OPERATIONS, ann, NULL);
    assert_near(e->energy_pj, (3 * 4 + 4 * 5) * 9 * 36 * rows[i].mac_pj, 1e-12, 0);
    sst_energy_destroy(e);
    sst_cost_record_destroy(ann);
  }
  assert_int_equal(sst_matched_bits(4), 3);
  assert_int_equal(sst_matched_bits(1), 1);
  assert_int_equal(sst_matched_bits(3), 2);
  assert_int_equal(sst_matched_bits(255), 8);
  sst_cost_record_destroy(record);
}

// ---- properties of every model

static void test_energy_adds_up_over_layers_and_is_linear_in_the_rate(void **state) {
  sst_context *context = *state;
  sst_cost_layer layers[3] = {conv_layer(8, 64, 8, 8, 3, 4), conv_layer(64, 64, 8, 4, 3, 4),
                              conv_layer(64, 128, 4, 4, 3, 4)};
  for (int m = 0; m < SST_ENERGY_MODEL_COUNT; m++) {
    double at_rate[3], apart = 0;
    for (int r = 0; r < 3; r++) {
      for (int i = 0; i < 3; i++) {
        layers[i].nonzero_inputs =
            0.2 * r * (double)(layers[i].in_channels * layers[i].in_height * layers[i].in_width * 4);
        layers[i].spikes_out = 10.0 * r;
      }
      sst_cost_record *record = record_of(context, layers, 3, 4);
      sst_energy *e = estimate((sst_energy_model)m, record, NULL);
      at_rate[r] = e->energy_pj;
      double sum = 0, parts = 0;
      for (int i = 0; i < 3; i++) { sum += e->layers[i].energy_pj; }
      for (int p = 0; p < SST_ENERGY_PART_COUNT; p++) { parts += e->part_pj[p]; }
      assert_near(sum, e->energy_pj, 1e-12, 0);
      assert_near(parts, e->energy_pj, 1e-12, 0);
      sst_energy_destroy(e);
      sst_cost_record_destroy(record);
    }
    assert_near(at_rate[2] - at_rate[1], at_rate[1] - at_rate[0], 1e-9, 0);
    for (int i = 0; i < 3; i++) { // each layer by itself
      sst_cost_record *record = record_of(context, &layers[i], 1, 4);
      sst_energy *e = estimate((sst_energy_model)m, record, NULL);
      apart += e->energy_pj;
      sst_energy_destroy(e);
      sst_cost_record_destroy(record);
    }
    assert_near(apart, at_rate[2], 1e-12, 0);
  }
}

// ---- NeuroBench

static void test_neurobench_sums(void **state) {
  sst_context *context = *state;
  sst_cost_layer layers[2] = {conv_layer(3, 4, 6, 6, 3, 1), conv_layer(4, 5, 6, 6, 3, 4)};
  layers[0].spiking_input = layers[0].binary_input = false;
  layers[0].effective_operations = 100;
  layers[0].dense_operations = 300;
  layers[0].spikes_out = 144;
  layers[0].membrane_updates = 4 * 36 * 4;
  layers[1].effective_operations = 40;
  layers[1].dense_operations = 50;
  layers[1].neurons = false;
  layers[1].weight_bits = 2;
  layers[1].zero_weights = 90;
  sst_cost_record *record = record_of(context, layers, 2, 4);
  sst_neurobench m = sst_neurobench_measure(record);
  assert_near(m.effective_macs, 100, 0, 0);
  assert_near(m.effective_acs, 40, 0, 0);
  assert_near(m.dense_operations, 300 + 50 * 4, 0, 0);
  assert_near(m.activation_sparsity, 1 - 144.0 / (4 * 36 * 4), 1e-15, 0);
  assert_near(m.connection_sparsity, 90.0 / (108 + 180), 1e-15, 0);
  assert_near(m.footprint_bytes, 108 * 4 + 180 / 4.0, 1e-15, 0);
  sst_cost_record_destroy(record);
}

static void test_spike_density(void **state) {
  sst_context *context = *state;
  sst_cost_layer layers[2] = {conv_layer(3, 4, 6, 3, 3, 1), conv_layer(4, 5, 3, 3, 3, 4)};
  layers[0].spiking_input = layers[0].binary_input = false;
  layers[0].dense_operations = 1e6; // numbers are no spikes
  layers[0].spikes_out = 72;        // of 4 * 36 neurons and 4 steps: 12.5 %
  layers[1].dense_operations = 1000;
  layers[1].nonzero_inputs = 72; // averaged onto 36 inputs: two for each
  layers[1].neurons = false;
  sst_cost_record *record = record_of(context, layers, 2, 4);
  sst_spike_density density = sst_spike_density_measure(record);
  assert_near(density.spikes_per_synapse, 2, 1e-12, 0);
  assert_near(density.rate, 0.125, 1e-12, 0);
  sst_cost_record_destroy(record);
}

// ---- records as files

static void test_a_record_survives_writing_and_reading(void **state) {
  sst_context *context = *state;
  sst_cost_record *record = spikesim_vgg9(context, 5), *back = NULL;
  record->layers[2].nonzero_inputs = 1.0 / 3;
  record->layers[1].crossbar_rows = 17;
  snprintf(record->network, sizeof record->network, "a \"network\"");
  char *text = NULL;
  assert_int_equal(sst_cost_record_text(record, &text), SST_OK);
  assert_int_equal(sst_cost_record_parse(context, "costs.json", text, strlen(text), &back), SST_OK);
  assert_string_equal(back->network, record->network);
  assert_int_equal(back->layer_count, 7);
  assert_true(back->layers[2].nonzero_inputs == 1.0 / 3);
  assert_true(back->layers[3].binary_input && back->layers[3].spiking_input);
  assert_true(back->layers[1].crossbar_rows == 17 && isnan(back->layers[2].crossbar_rows));
  char *again = NULL;
  assert_int_equal(sst_cost_record_text(back, &again), SST_OK);
  assert_string_equal(text, again);
  sst_energy_text_free(context, text);
  sst_energy_text_free(context, again);
  sst_cost_record_destroy(back);
  sst_cost_record_destroy(record);
  const char bad[] =
      "{\"spiking\": true, \"timesteps\": 4, \"samples\": 1, \"crossbar\": 0, \"network\": \"n\", \"data\": \"d\", "
      "\"operation_quantiles\": [0, 0, 0, 0, 0], "
      "\"layers\": [{\"in_channels\": \"three\"}]}";
  assert_int_equal(sst_cost_record_parse(context, "bad.json", bad, sizeof bad - 1, &back), SST_FORMAT);
  assert_null(back);
  assert_string_equal(sst_context_message(context),
                      "bad.json: layer 0: 'in_channels' is missing, of another type or out of range");
}

// Replaces the first `old` of the text, which is as long as `new`.
static void overwrite(char *text, const char *old, const char *new) {
  char *at = strstr(text, old);
  assert_non_null(at);
  assert_int_equal(strlen(old), strlen(new));
  memcpy(at, new, strlen(new));
}

static void test_records_of_absurd_sizes_are_refused(void **state) {
  sst_context *context = *state;
  static const struct {
    const char *old, *new, *message;
  } cases[] = {
      {"\"kernel_width\": 3,", "\"kernel_width\": 0,", "c.json: layer 0: layer conv has a size of 0, expected 1 to"},
      {"\"out_channels\": 1234567890123,", "\"out_channels\": 9999999999999,", "has a size of 9999999999999"},
      {"\"step_inputs\": [0.0, 0.0]", "\"step_inputs\": [     0.0]", "'step_inputs' is no list of 2 numbers"},
      {"\"step_inputs\": [0.0", "\"step_inputs\": [\"0\"", "'step_inputs' has no number at 0"},
      {"\"timesteps\": 2,", "\"timesteps\": 0,", "c.json: 'timesteps' is no number from 1 to 65536"},
      {"\"timesteps\": 2,", "\"timesteps\": 1,", "layer conv runs at 2 of 1 steps"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sst_cost_layer layer = conv_layer(3, i == 1 ? 1234567890123 : 4, 6, 6, 3, 2);
    sst_cost_record *record = record_of(context, &layer, 1, 2), *back = NULL;
    char *text = NULL;
    assert_int_equal(sst_cost_record_text(record, &text), SST_OK);
    overwrite(text, cases[i].old, cases[i].new);
    assert_int_equal(sst_cost_record_parse(context, "c.json", text, strlen(text), &back), SST_FORMAT);
    assert_null(back);
    if (strstr(sst_context_message(context), cases[i].message) == NULL) {
      fail_msg("\"%s\" is not said in: %s", cases[i].message, sst_context_message(context));
    }
    sst_energy_text_free(context, text);
    sst_cost_record_destroy(record);
  }
}

static void test_names_cut_off_in_a_character(void **state) {
  sst_context *context = *state;
  sst_cost_layer layer = conv_layer(3, 4, 6, 6, 3, 2);
  static const char *const names[][2] = {
      {"net \xc3\xa9", "net \xc3\xa9"}, {"net \xc3", "net "}, {"net \xe2\x82", "net "},
      {"net \xf0\x9f\x90", "net "},     {"\xc3", ""},         {"", ""}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    sst_cost_record *record = record_of(context, &layer, 1, 2), *back = NULL;
    snprintf(record->network, sizeof record->network, "%s", names[i][0]);
    char *text = NULL;
    assert_int_equal(sst_cost_record_text(record, &text), SST_OK);
    assert_int_equal(sst_cost_record_parse(context, "c.json", text, strlen(text), &back), SST_OK);
    assert_string_equal(back->network, names[i][1]);
    sst_energy_text_free(context, text);
    sst_cost_record_destroy(back);
    sst_cost_record_destroy(record);
  }
}

static void write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void test_shapes_files(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  test_path(path, folder, "vgg9.yaml");
  write_text(path, "timesteps: 5\nlayers:\n"
                   "  - {in_channels: 3, out_channels: 64, in_size: 32, out_size: 32, kernel: 3}\n"
                   "  - {in_channels: 64, out_channels: 64, in_size: 32, out_size: 16, kernel: 3}\n"
                   "  - {in_channels: 64, out_channels: 128, in_size: 16, out_size: 16, kernel: 3}\n"
                   "  - {in_channels: 128, out_channels: 128, in_size: 16, out_size: 8, kernel: 3}\n"
                   "  - {in_channels: 128, out_channels: 256, in_size: 8, out_size: 8, kernel: 3}\n"
                   "  - {in_channels: 256, out_channels: 256, in_size: 8, out_size: 8, kernel: 3}\n"
                   "  - {in_channels: 256, out_channels: 256, in_size: 8, out_size: 4, kernel: 3}\n");
  sst_cost_record *record = NULL;
  if (sst_cost_record_from_shapes(context, path, &record) != SST_OK) { fail_msg("%s", sst_context_message(context)); }
  sst_energy *e = estimate(SST_ENERGY_SPIKESIM_COMPAT, record, NULL);
  assert_near(e->energy_pj, 15906934.02624, 1e-9, 0);
  assert_near(e->area_um2, 8425528.755834, 1e-9, 0);
  sst_energy_destroy(e);
  assert_int_equal(record->layers[1].out_height, 32);
  assert_int_equal(record->layers[1].pooled_height, 16);
  assert_int_equal(record->layers[0].timesteps, 1);
  sst_cost_record_destroy(record);

  write_text(path, "timesteps: 5\nlayers:\n  - {in_channels: 3, in_size: 32, out_size: 32, kernal: 3}\n");
  assert_int_equal(sst_cost_record_from_shapes(context, path, &record), SST_RECIPE);
  assert_non_null(strstr(sst_context_message(context), "vgg9.yaml:3: unknown key 'kernal'"));
  write_text(path, "timesteps: 5\nlayers:\n  - {in_channels: 3, in_size: 32, out_size: 32}\n");
  assert_int_equal(sst_cost_record_from_shapes(context, path, &record), SST_RECIPE);
  assert_non_null(strstr(sst_context_message(context), "out_channels is missing"));
  write_text(path, "layers: [{in_channels: 3, out_channels: 3, in_size: 32, out_size: 32}]\n");
  assert_int_equal(sst_cost_record_from_shapes(context, path, &record), SST_RECIPE);
  assert_non_null(strstr(sst_context_message(context), "timesteps is missing"));
  write_text(path,
             "timesteps: 5\nlayers:\n  - {in_channels: 1, out_channels: 1, in_size: 1, out_size: 1, kernel: 2000}\n");
  assert_int_equal(sst_cost_record_from_shapes(context, path, &record), SST_RECIPE);
  assert_non_null(strstr(sst_context_message(context), "1 to 1024"));
  write_text(path, "timesteps: 65536\nlayers:\n  - {in_channels: 1048576, out_channels: 1048576, in_size: 1048576, "
                   "out_size: 1048576, kernel: 1024}\n"); // sizes that multiply to the limits of what is computed
  assert_int_equal(sst_cost_record_from_shapes(context, path, &record), SST_OK);
  e = estimate(SST_ENERGY_SPIKESIM_AWARE, record, NULL);
  assert_true(e->energy_pj > 0 && isfinite(e->energy_pj));
  sst_energy_destroy(e);
  e = estimate(SST_ENERGY_SPIKESIM_COMPAT, record, "pipelined_share=1e12");
  assert_true(e->latency_ns > 0 && isfinite(e->latency_ns));
  sst_energy_destroy(e);
  sst_cost_record_destroy(record);
  write_text(path, "timesteps: 4\n");
  assert_int_equal(sst_cost_record_from_shapes(context, path, &record), SST_RECIPE);
  assert_null(record);
  temp_folder_remove(folder);
}

static void test_constants_can_be_replaced(void **state) {
  sst_context *context = *state;
  char folder[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
  temp_folder_make(folder);
  sst_technology *t = technology(context, NULL);
  char *text = NULL;
  assert_int_equal(sst_technology_text(t, &text), SST_OK);
  // What is printed reads back as the same.
  test_path(path, folder, "technology.yaml");
  write_text(path, text);
  assert_int_equal(sst_technology_read(t, path), SST_OK);
  char *again = NULL;
  assert_int_equal(sst_technology_text(t, &again), SST_OK);
  assert_string_equal(text, again);
  sst_energy_text_free(context, text);
  sst_energy_text_free(context, again);

  write_text(path, "fp32_add_pj: 1.8\n");
  assert_int_equal(sst_technology_read(t, path), SST_OK);
  sst_cost_layer layer = conv_layer(1, 1, 4, 4, 1, 1);
  layer.nonzero_inputs = 16;
  sst_cost_record *record = record_of(context, &layer, 1, 1);
  sst_energy *e = NULL;
  assert_int_equal(sst_energy_estimate(SST_ENERGY_OPERATIONS, record, t, &e), SST_OK);
  assert_near(e->energy_pj, 16 * 1.8, 1e-12, 0);
  sst_energy_destroy(e);
  sst_cost_record_destroy(record);

  write_text(path, "clock_mhz: 500\nfp32_ad_pj: 1\n"); // nothing of a bad file counts
  assert_int_equal(sst_technology_read(t, path), SST_RECIPE);
  assert_non_null(strstr(sst_context_message(context), "technology.yaml:2: unknown constant 'fp32_ad_pj'; nearest is"));
  assert_int_equal(sst_technology_text(t, &text), SST_OK);
  assert_non_null(strstr(text, "clock_mhz: 250"));
  sst_energy_text_free(context, text);
  assert_int_equal(sst_technology_set(t, "crossbar=60"), SST_RECIPE);
  assert_int_equal(sst_technology_set(t, "clock_mhz=0"), SST_RECIPE);
  assert_int_equal(sst_technology_set(t, "crossbar"), SST_RECIPE);
  temp_folder_remove(folder);
  sst_technology_destroy(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_spikesim_compat_reproduces_the_released_tool),
      TEST(test_spikesim_compat_refuses_what_the_tool_cannot_do),
      TEST(test_spikesim_aware_hand_case),
      TEST(test_spikesim_event_mode_equals_dense_where_everything_spikes),
      TEST(test_sata_hand_case),
      TEST(test_lemaire_hand_case),
      TEST(test_operations_take_the_table),
      TEST(test_energy_adds_up_over_layers_and_is_linear_in_the_rate),
      TEST(test_neurobench_sums),
      TEST(test_spike_density),
      TEST(test_a_record_survives_writing_and_reading),
      TEST(test_records_of_absurd_sizes_are_refused),
      TEST(test_names_cut_off_in_a_character),
      TEST(test_shapes_files),
      TEST(test_constants_can_be_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
